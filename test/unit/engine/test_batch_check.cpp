// Tests of the checks against a hostile engine: every invariant of a batch, broken one at a time.
#include "engine/common/batch_check.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "support/codec_support.h"
#include "support/error_support.h"

namespace epe::engine {
namespace {

using test::append_text;
using test::decode_copied;
using test::encode;
using test::Encoded;
using test::field;
using test::mixed_batch;
using test::type_of;

constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();

/// Breaks the only column of a batch.
using Forge = std::function<void(Column&)>;

Batch texts(std::initializer_list<std::string_view> values, Kind kind = Kind::kText) {
    ColumnBuilder builder({kind}, false);
    for (const std::string_view value : values) EXPECT_TRUE(append_text(builder, value));
    Batch batch;
    batch.length = builder.length();
    batch.columns.push_back(builder.finish());
    return batch;
}

void expect_refused(Encoded& encoded, const char* what) {
    const ErrorReport report = test::error_of("08P01", [&] { decode_copied(encoded); });
    EXPECT_NE(report.message.find(what), std::string::npos) << report.message;
}

/// A defect in the bytes: the description itself is valid.
void expect_refused(Batch batch, const char* what, const Forge& forge) {
    check_batch(batch);
    forge(batch.columns[0]);
    Encoded encoded = encode(batch);
    expect_refused(encoded, what);
}

/// A defect that has no encoding.
void expect_unsafe(Batch batch, const char* what, const Forge& forge) {
    check_batch(batch);
    forge(batch.columns[0]);
    const ErrorReport report = test::error_of("08P01", [&] { check_batch(batch); });
    EXPECT_NE(report.message.find(what), std::string::npos) << report.message;
}

template <typename T>
void put(Encoded& encoded, std::size_t at, T value) {
    std::memcpy(encoded.description.data() + at, &value, sizeof(value));
}

// Offsets in a description.
constexpr std::size_t kMatrixAt = 8;
constexpr std::size_t kCountAt = 9;
constexpr std::size_t kKindAt = 17;
constexpr std::size_t kFlagsAt = 18;
constexpr std::size_t kNullCountAt = 19;
constexpr std::size_t kFirstSizeAt = 27;  // of texts, of a dictionary, of a list, of a struct

TEST(BatchCheck, CountsNulls) {
    expect_refused(mixed_batch({Kind::kInt32}, 0, 20), "NULL count",
                   [](Column& column) { ++column.null_count; });
    expect_refused(mixed_batch(type_of(Kind::kStruct), 0, 20), "NULL count",
                   [](Column& column) { column.children[0].null_count = 1; });
    expect_refused(mixed_batch({Kind::kInt32}, 0, 20), "NULL count", [](Column& column) {
        std::memset(column.validity.data(), 0xFF, column.validity.size());
    });
    expect_unsafe(mixed_batch({Kind::kInt32}, 0, 20), "NULL count",
                  [](Column& column) { column.null_count = 0; });
    Encoded nulls = encode(mixed_batch({Kind::kNull}, 0, 3));
    put(nulls, kNullCountAt, std::int64_t{2});
    expect_refused(nulls, "NULL count");
    put(nulls, kNullCountAt, std::int64_t{4});
    expect_refused(nulls, "count");
    put(nulls, kNullCountAt, std::int64_t{-1});
    expect_refused(nulls, "count");
}

TEST(BatchCheck, WantsBuffersAsLargeAsTheirRows) {
    const auto cut = [](Buffer Column::*buffer) {
        return [buffer](Column& column) {
            ASSERT_TRUE((column.*buffer).resize((column.*buffer).size() - 1));
        };
    };
    for (const Kind kind : test::kAllKinds)
        if (fixed_width(kind) > 0)
            expect_unsafe(mixed_batch({kind}, 0, 9), "size", cut(&Column::values));
    expect_unsafe(mixed_batch({Kind::kText}, 0, 9), "size", cut(&Column::values));  // codes
    expect_unsafe(mixed_batch({Kind::kText}, 0, 9, false), "offset", cut(&Column::values));
    expect_unsafe(mixed_batch({Kind::kText}, 0, 9, false), "size", cut(&Column::offsets));
    expect_unsafe(mixed_batch({Kind::kInt32}, 0, 9), "size", cut(&Column::validity));
    expect_unsafe(mixed_batch(type_of(Kind::kList), 0, 9), "size", cut(&Column::offsets));
    expect_unsafe(mixed_batch(type_of(Kind::kList), 0, 9), "size", cut(&Column::shapes));
}

TEST(BatchCheck, WantsColumnsAsLongAsTheirBatch) {
    expect_unsafe(mixed_batch({Kind::kInt32}, 0, 9), "length",
                  [](Column& column) { column.length = 8; });
    expect_unsafe(mixed_batch(type_of(Kind::kStruct), 0, 9), "length",
                  [](Column& column) { column.children[1].length = 8; });
    expect_unsafe(mixed_batch({Kind::kDate}, 0, 9), "length",
                  [](Column& column) { ++column.unusual->length; });
}

TEST(BatchCheck, WantsAscendingOffsets) {
    for (const ColumnType& type : {ColumnType{Kind::kBinary}, type_of(Kind::kList)}) {
        const auto set = [](std::size_t at, std::int64_t value) {
            return [=](Column& column) { column.offsets.as<std::int64_t>()[at] = value; };
        };
        const Batch rows = mixed_batch(type, 0, 9, false);
        const std::int64_t end = rows.columns[0].offsets.as<std::int64_t>()[9];
        const auto batch = [&] { return mixed_batch(type, 0, 9, false); };
        expect_refused(batch(), "offset", set(4, -1));
        expect_refused(batch(), "offset", set(4, std::numeric_limits<std::int64_t>::max()));
        expect_refused(batch(), "offset", set(4, std::numeric_limits<std::int64_t>::min()));
        expect_refused(batch(), "offset", set(8, end + 1));
        expect_unsafe(batch(), "offset", set(9, end + 1));
        expect_unsafe(batch(), "offset", set(9, end - 1));
        expect_unsafe(batch(), "offset", set(0, -1));
        expect_unsafe(batch(), "offset", set(0, 1));
    }
}

TEST(BatchCheck, WantsCleanTexts) {
    using namespace std::string_view_literals;
    const std::string_view refused[] = {
        "\0"sv,
        "a\0b"sv,
        "\x80"sv,
        "\xC0\x80"sv,
        "\xC1\xBF"sv,
        "\xE0\x9F\xBF"sv,
        "\xED\xA0\x80"sv,
        "\xED\xBF\xBF"sv,
        "\xF0\x8F\xBF\xBF"sv,
        "\xF4\x90\x80\x80"sv,
        "\xF5\x80\x80\x80"sv,
        "\xFF"sv,
        "\xC3"sv,
        "\xE2\x82"sv,
        "\xF0\x9F\x98"sv,
        "12345678\0"sv,
        "1234567\0 12345678"sv,
        "12345678 \xFF       "sv,
    };
    for (const Kind kind : {Kind::kText, Kind::kJson, Kind::kDecimal})
        for (const std::string_view text : refused) {
            SCOPED_TRACE(text);
            Encoded encoded = encode(texts({"a", text, ""}, kind));
            expect_refused(encoded, "UTF-8");
        }
    for (const std::string_view text :
         {""sv, "\x01\x7F"sv, "\xC2\x80\xDF\xBF"sv,
          "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"sv,
          "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"sv, "12345678\xC3\xA9 12345678 1234567\xC3\xA9"sv}) {
        Encoded encoded = encode(texts({"", text, "b"}));
        EXPECT_EQ(test::text_at(decode_copied(encoded).columns.at(0), 1), text);
    }
    Encoded binary = encode(texts({"\0\xFF"sv, "\xC3"sv}, Kind::kBinary));
    EXPECT_EQ(decode_copied(binary).columns.at(0).bytes_length(0), 2);
}

TEST(BatchCheck, WantsNoValueToBeginWithinACharacter) {
    expect_refused(texts({"\xC3\xA9", "a", ""}), "UTF-8",
                   [](Column& column) { column.offsets.as<std::int64_t>()[1] = 1; });
}

TEST(BatchCheck, WantsCodesOfTheDictionary) {
    const auto set = [](std::size_t row, std::int32_t code) {
        return [=](Column& column) {
            ASSERT_TRUE(column.has_dictionary);
            column.values.as<std::int32_t>()[row] = code;
        };
    };
    const auto batch = [] { return mixed_batch({Kind::kText}, 0, 20); };
    const auto count = static_cast<std::int32_t>(batch().columns[0].children[0].length);
    expect_refused(batch(), "code", set(3, count));
    expect_refused(batch(), "code", set(3, kMost));
    expect_refused(batch(), "code", set(3, -1));  // not under a NULL
    expect_refused(batch(), "code", set(5, -2));  // under a NULL
    expect_refused(batch(), "code", set(5, kLeast));
    expect_refused(batch(), "code", set(5, count));
}

TEST(BatchCheck, WantsPlainTextsInADictionary) {
    const auto batch = [] { return mixed_batch({Kind::kText}, 0, 20); };
    expect_refused(batch(), "dictionary",
                   [](Column& column) { column.children[0].type.kind = Kind::kJson; });
    expect_refused(batch(), "dictionary", [](Column& column) {
        column.children[0] = std::move(mixed_batch({Kind::kText}, 0, 20).columns[0]);
    });
    expect_refused(batch(), "dictionary", [](Column& column) {
        column.children[0] = std::move(mixed_batch({Kind::kText}, 0, 20, false).columns[0]);
    });
    expect_refused(batch(), "UTF-8",
                   [](Column& column) { column.children[0].values.as<std::uint8_t>()[0] = 0xFF; });
    expect_unsafe(batch(), "dictionary", [](Column& column) { column.children.clear(); });
    expect_unsafe(mixed_batch({Kind::kJson}, 0, 3), "dictionary",
                  [](Column& column) { column.has_dictionary = true; });
}

TEST(BatchCheck, LimitsWhatTheCodesOfListsExpandTo) {
    ColumnType type{Kind::kList, {field("element", Kind::kText)}};
    const auto batch = [&](std::int32_t codes) {
        ColumnBuilder builder(type, true);
        const std::string text(1 << 20, 'x');
        for (std::int32_t i = 0; i < codes; ++i) EXPECT_TRUE(append_text(builder.child(0), text));
        EXPECT_TRUE(builder.append_list(1, &codes));
        Batch made;
        made.length = 1;
        made.columns.push_back(builder.finish());
        EXPECT_TRUE(made.columns[0].children[0].has_dictionary);
        return made;
    };
    Batch fits = batch(1024);
    check_batch(fits);
    Encoded encoded = encode(batch(1025));
    expect_refused(encoded, "dictionary");
}

TEST(BatchCheck, WantsShapesOfTheirElements) {
    const auto set = [](std::size_t row, ListShape shape) {
        return [=](Column& column) { column.shapes.as<ListShape>()[row] = shape; };
    };
    const auto batch = [] { return mixed_batch(type_of(Kind::kList), 0, 20); };
    // Row 2 has 2 x 2 elements, row 1 two, row 0 and row 5 (NULL) none.
    for (const ListShape& shape :
         {ListShape{7, {4, 1, 1, 1, 1, 1}}, ListShape{-1, {4}}, ListShape{kMost, {4}},
          ListShape{0, {}}, ListShape{1, {5}}, ListShape{2, {2, 3}}, ListShape{2, {-2, -2}},
          ListShape{2, {4, 0}}, ListShape{4, {1 << 30, 1 << 30, 1 << 30, 4}},
          ListShape{3, {1 << 16, 1 << 16, 1 << 16}}, ListShape{2, {kLeast, 4}},
          ListShape{2, {4, -1}}})
        expect_refused(batch(), "shape", set(2, shape));
    expect_refused(batch(), "shape", set(0, {1, {1}}));
    expect_refused(batch(), "shape", set(0, {1, {0}}));
    expect_refused(batch(), "shape", set(5, {1, {1}}));
    Batch fine = batch();
    set(2, {6, {1, 2, 1, 2, 1, 1}})(fine.columns[0]);
    Encoded encoded = encode(fine);
    decode_copied(encoded);
}

TEST(BatchCheck, WantsUnusualValuesAtRowsOfTheirs) {
    const auto set = [](std::size_t at, std::int64_t row) {
        return [=](Column& column) { column.unusual_rows.as<std::int64_t>()[at] = row; };
    };
    const auto batch = [] { return mixed_batch({Kind::kTimestamp}, 0, 30); };  // at 3, 14 and 25
    expect_refused(batch(), "unusual", set(1, 3));
    expect_refused(batch(), "unusual", set(1, 26));
    expect_refused(batch(), "unusual", set(1, 5));  // NULL
    expect_unsafe(batch(), "unusual", set(0, -1));
    expect_unsafe(batch(), "unusual", set(2, 30));
    expect_unsafe(batch(), "unusual", set(2, std::numeric_limits<std::int64_t>::max()));
    expect_unsafe(batch(), "unusual", [](Column& column) { column.unusual.reset(); });
    expect_unsafe(batch(), "unusual", [](Column& column) { column.unusual_rows.clear(); });
    expect_refused(batch(), "unusual",
                   [](Column& column) { column.unusual->type.kind = Kind::kBinary; });
    expect_refused(batch(), "UTF-8",
                   [](Column& column) { column.unusual->values.as<std::uint8_t>()[0] = 0x80; });
    expect_refused(batch(), "unusual", [](Column& column) {
        *column.unusual = std::move(mixed_batch({Kind::kText}, 3, 3, false).columns[0]);
    });
    // For a kind without unusual values.
    expect_refused(batch(), "unusual", [](Column& column) { column.type.kind = Kind::kInt64; });
}

TEST(BatchCheck, WantsTimeZonesWithinADay) {
    for (const std::int32_t seconds : {kLeast, -86400, 86400, kMost})
        expect_refused(mixed_batch({Kind::kTimeTz}, 0, 3), "time zone", [=](Column& column) {
            column.values.as<TimeWithZone>()[1].seconds_east = seconds;
        });
}

TEST(BatchCheck, MakesBooleansZeroOrOne) {
    Batch batch = mixed_batch({Kind::kBool}, 0, 4);
    const std::uint8_t bytes[] = {2, 0, 255, 1};
    std::memcpy(batch.columns[0].values.data(), bytes, sizeof(bytes));
    Encoded encoded = encode(batch);
    const Batch read = decode_copied(encoded);
    const std::uint8_t wanted[] = {1, 0, 1, 1};
    EXPECT_EQ(std::memcmp(read.columns.at(0).values.data(), wanted, sizeof(wanted)), 0);
}

TEST(BatchCheck, WantsOneFieldAChild) {
    expect_unsafe(mixed_batch(type_of(Kind::kStruct), 0, 9), "struct",
                  [](Column& column) { column.type.fields.pop_back(); });
    expect_unsafe(mixed_batch(type_of(Kind::kStruct), 0, 9), "struct",
                  [](Column& column) { column.children.pop_back(); });
    expect_unsafe(mixed_batch(type_of(Kind::kList), 0, 9), "list",
                  [](Column& column) { column.children.clear(); });
    expect_unsafe(mixed_batch(type_of(Kind::kList), 0, 9), "list",
                  [](Column& column) { column.type.fields.clear(); });
}

TEST(BatchCheck, WantsCleanNames) {
    for (const Kind kind : {Kind::kStruct, Kind::kList}) {
        expect_refused(mixed_batch(type_of(kind), 0, 9), "UTF-8",
                       [](Column& column) { column.type.fields[0].name = "\xFF"; });
        expect_refused(mixed_batch(type_of(kind), 0, 9), "UTF-8", [](Column& column) {
            column.type.fields[0].sql_type = std::string("a\0b", 3);
        });
    }
}

TEST(BatchCheck, LimitsDepth) {
    const auto nested = [](int depth) {  // one value in one list in one list ...
        ColumnType type{Kind::kInt32};
        for (int i = 1; i < depth; ++i) type = {Kind::kList, {{"element", type}}};
        ColumnBuilder builder(type, false);
        const std::int32_t one = 1;
        const std::function<bool(ColumnBuilder&)> append = [&](ColumnBuilder& to) {
            return to.kind() == Kind::kInt32 ? to.append(one)
                                             : append(to.child(0)) && to.append_list(1, &one);
        };
        EXPECT_TRUE(append(builder));
        Batch batch;
        batch.length = 1;
        batch.columns.push_back(builder.finish());
        return batch;
    };
    Encoded deepest = encode(nested(kDeepestColumn));
    decode_copied(deepest);
    Encoded deeper = encode(nested(kDeepestColumn + 1));
    expect_refused(deeper, "depth");
    Batch batch = nested(kDeepestColumn + 1);
    test::error_of("08P01", [&] { check_batch(batch); });
    // Dictionaries of dictionaries, which the encoder never writes.
    Encoded forged = encode(mixed_batch({Kind::kText}, 0, 0));
    const std::string column = forged.description.substr(kKindAt, kFirstSizeAt + 8 - kKindAt);
    std::string tower;
    for (int i = 0; i < 1000; ++i) tower += column;
    forged.description.insert(kKindAt, tower);
    expect_refused(forged, "depth");
}

TEST(BatchCheck, RefusesMatrices) {
    Batch batch;
    batch.is_matrix = true;
    test::error_of("08P01", [&] { check_batch(batch); });
}

TEST(BatchCheck, RefusesForgedDescriptions) {
    const auto forge = [](std::size_t at, auto value, const char* what) {
        for (const ColumnType& type : {ColumnType{Kind::kText}, type_of(Kind::kStruct)}) {
            Encoded encoded = encode(mixed_batch(type, 0, 20, false));
            put(encoded, at, value);
            expect_refused(encoded, what);
        }
    };
    forge(0, std::int64_t{-1}, "count");
    forge(0, kMostRows + 1, "count");
    forge(0, kMostRows, "size");
    forge(0, std::int64_t{21}, "");
    forge(kMatrixAt, std::uint8_t{2}, "boolean");
    forge(kCountAt, std::int64_t{-1}, "count");
    forge(kCountAt, kMostColumns + 1, "count");
    forge(kCountAt, kMostColumns, "count");  // more than the description has room for
    forge(kKindAt, static_cast<std::uint8_t>(static_cast<int>(kLastKind) + 1), "enumerator");
    forge(kKindAt, std::uint8_t{255}, "enumerator");
    forge(kFlagsAt, std::uint8_t{8}, "flags");
    forge(kFlagsAt, std::uint8_t{2}, "flags");
    forge(kFlagsAt, std::uint8_t{4}, "flags");
    forge(kFirstSizeAt, std::int64_t{-1}, "count");
    forge(kFirstSizeAt, std::numeric_limits<std::int64_t>::max(), "");
    Encoded shares = encode(mixed_batch({Kind::kJson}, 0, 3));
    put(shares, kFlagsAt, std::uint8_t{1});
    expect_refused(shares, "flags");
}

TEST(BatchCheck, RefusesTruncatedDescriptionsAndData) {
    for (const ColumnType& type : test::all_types()) {
        const Encoded whole = encode(mixed_batch(type, 0, 20));
        for (std::size_t size = 0; size < whole.description.size(); ++size) {
            Encoded cut = whole;
            cut.description.resize(size);
            test::error_of("08P01", [&] { decode_copied(cut); });
        }
        Encoded cut = whole;
        const std::size_t size = cut.data.span().size();
        if (size == 0) continue;
        cut.data = test::AlignedBytes(cut.data.span().first(size - 1));
        expect_refused(cut, "size");
    }
}

TEST(BatchCheck, WantsTheSizeThatWasPromised) {
    Encoded encoded = encode(mixed_batch({Kind::kInt32}, 0, 20));
    put(encoded, encoded.description.size() - 8, std::uint64_t{1});
    expect_refused(encoded, "size");
}

}  // namespace
}  // namespace epe::engine
