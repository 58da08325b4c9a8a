// Tables as Arrow IPC streams: the frames, and the values in the buffers. test/py checks with
// pyarrow that other programs can read them.
#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <cstring>

#include "api_error.h"
#include "arrow_stream.h"
#include "table_support.h"
#include "value_text.h"

namespace epe::gateway {
namespace {

std::uint32_t word_at(const std::string& bytes, std::size_t at) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return word;
}

struct Message {
    const flatbuffers::Table* table;
    std::string body;
};

/// Takes a frame apart; `bytes` must outlive the result.
Message read_message(const std::string& bytes) {
    EXPECT_EQ(word_at(bytes, 0), 0xFFFFFFFF);
    const std::uint32_t size = word_at(bytes, 4);
    EXPECT_EQ(size % 8, 0U);
    const auto* flat = reinterpret_cast<const std::uint8_t*>(bytes.data()) + 8;
    return {flatbuffers::GetRoot<flatbuffers::Table>(flat), bytes.substr(8 + size)};
}

std::int64_t long_field(const flatbuffers::Table* table, int number) {
    return table->GetField<std::int64_t>(static_cast<flatbuffers::voffset_t>(4 + 2 * number), 0);
}

TEST(ArrowStream, FramesSchemaAndEnd) {
    ArrowStreamWriter writer({{"a", ColumnKind::kInt32}, {"b"}});
    const std::string schema = writer.begin();
    const Message message = read_message(schema);
    EXPECT_EQ(message.table->GetField<std::uint8_t>(6, 0), 1);  // Schema
    EXPECT_EQ(message.table->GetField<std::int16_t>(4, 0), 4);  // V5
    EXPECT_EQ(message.body, "");
    EXPECT_EQ(writer.end(), std::string("\xFF\xFF\xFF\xFF\0\0\0\0", 8));
}

TEST(ArrowStream, WritesBatches) {
    ArrowStreamWriter writer({{"a", ColumnKind::kInt32}, {"b"}});
    const std::string bytes = writer.write(TextRows({{"1", "x"}, {{}, "yz"}, {"-3", {}}}));
    const Message message = read_message(bytes);
    EXPECT_EQ(message.table->GetField<std::uint8_t>(6, 0), 3);  // RecordBatch
    EXPECT_EQ(long_field(message.table, 3), static_cast<std::int64_t>(message.body.size()));
    const auto* batch = message.table->GetPointer<const flatbuffers::Table*>(8);
    EXPECT_EQ(long_field(batch, 0), 3);
    // validity (1 byte), a (12), validity, offsets (16), text (3), each padded to eight.
    ASSERT_EQ(message.body.size(), 8U + 16 + 8 + 16 + 8);
    EXPECT_EQ(message.body[0], 0b101);
    EXPECT_EQ(word_at(message.body, 8), 1U);
    EXPECT_EQ(word_at(message.body, 16), static_cast<std::uint32_t>(-3));
    EXPECT_EQ(message.body[24], 0b011);
    EXPECT_EQ(word_at(message.body, 32 + 12), 3U);
    EXPECT_EQ(message.body.substr(48, 3), "xyz");
}

TEST(ArrowStream, RefusesWhatATypeCannotHold) {
    for (const auto& [kind, text] :
         std::vector<std::pair<ColumnKind, std::string>>{{ColumnKind::kDate, "infinity"},
                                                         {ColumnKind::kTimestamp, "-infinity"},
                                                         {ColumnKind::kDecimal, "NaN"},
                                                         {ColumnKind::kInt16, "70000"},
                                                         {ColumnKind::kBinary, "abc"}}) {
        ArrowStreamWriter writer({{"a", kind, 5, 0}});
        EXPECT_THROW(writer.write(TextRows({{text}})), ApiError) << text;
    }
}

TEST(ValueText, ReadsDates) {
    EXPECT_EQ(days_of("1970-01-01"), 0);
    EXPECT_EQ(days_of("2024-02-29"), 19782);
    EXPECT_EQ(days_of("0001-01-01"), -719162);
    EXPECT_EQ(days_of("0001-12-31 BC"), -719163);
    EXPECT_EQ(days_of("5874897-12-31"), 2145042905);
    EXPECT_FALSE(days_of("9999999-12-31"));
    EXPECT_FALSE(days_of("9223372036854775807-01-01 BC"));
    for (const char* text : {"", "infinity", "2024", "2024-13-01", "2024-01-01x", "-1-01-01"})
        EXPECT_FALSE(days_of(text)) << text;
}

TEST(ValueText, ReadsTimestamps) {
    EXPECT_EQ(microseconds_of("1970-01-01 00:00:01"), 1'000'000);
    EXPECT_FALSE(microseconds_of("1970-01-01 9223372036854775:00:00"));
    EXPECT_FALSE(microseconds_of("999999999-01-01 00:00:00"));
    EXPECT_EQ(microseconds_of("1969-12-31 23:59:59.5"), -500'000);
    EXPECT_EQ(microseconds_of("1970-01-01 01:00:00.000001+01"), 1);
    EXPECT_EQ(microseconds_of("1970-01-01 00:00:00-05:30"), 19'800'000'000);
    EXPECT_EQ(microseconds_of("1970-01-01 00:53:28+00:53:28"), 0);
    EXPECT_EQ(microseconds_of("0001-12-31 00:00:00 BC"), -719163LL * 86'400'000'000);
    for (const char* text : {"1970-01-01", "1970-01-01 aa", "infinity", "1970-01-01 00:00:00.",
                             "1970-01-01 00:00:00.1234567"})
        EXPECT_FALSE(microseconds_of(text)) << text;
}

TEST(ValueText, ReadsDecimals) {
    EXPECT_TRUE(decimal_of("-12.34", 2) == static_cast<__int128>(-1234));
    EXPECT_TRUE(decimal_of("0", 0) == static_cast<__int128>(0));
    EXPECT_FALSE(decimal_of("1.2", 2));
    EXPECT_FALSE(decimal_of("NaN", 0));
    EXPECT_FALSE(decimal_of("", 0));
    EXPECT_TRUE(decimal_of(std::string(38, '9'), 0));
    EXPECT_FALSE(decimal_of(std::string(39, '9'), 0));
    EXPECT_FALSE(decimal_of(std::string(60, '1'), 0));
}

TEST(ValueText, ReadsBytes) {
    EXPECT_EQ(bytes_of("\\x00ff"), std::string("\0\xff", 2));
    EXPECT_EQ(bytes_of("\\x"), "");
    for (const char* text : {"", "00", "\\x0", "\\xzz"}) EXPECT_FALSE(bytes_of(text)) << text;
}

}  // namespace
}  // namespace epe::gateway
