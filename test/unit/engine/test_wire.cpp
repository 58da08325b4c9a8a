// Tests of engine/common/wire: round trips of values, and no reads beyond the end.
#include "engine/common/wire.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/error_support.h"

namespace epe::engine {
namespace {

enum class Colour : std::uint8_t { kRed, kGreen, kBlue };

template <typename Action>
void expect_violation(Action action) {
    EXPECT_THROW(action(), ProtocolError);
}

TEST(Wire, BringsValuesBack) {
    WireWriter to;
    to.number(std::numeric_limits<std::int64_t>::min());
    to.number(1.5);
    to.number(Colour::kBlue);
    to.boolean(true);
    to.text(std::string_view("a\0b", 3));
    to.optional_text(std::nullopt);
    to.optional_text("");
    to.number(std::int64_t{7});
    to.append("tail", 4);
    WireReader from(to.bytes());
    EXPECT_EQ(from.take_tail(4), "tail");
    EXPECT_EQ(from.number<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(from.number<double>(), 1.5);
    EXPECT_EQ(from.enumerator(Colour::kBlue), Colour::kBlue);
    EXPECT_TRUE(from.boolean());
    EXPECT_EQ(from.text(), std::string("a\0b", 3));
    EXPECT_EQ(from.optional_text(), std::nullopt);
    EXPECT_EQ(from.optional_text(), "");
    EXPECT_EQ(from.left(), 8U);
    expect_violation([&] { from.expect_end(); });
    EXPECT_EQ(from.count(7), 7);
    EXPECT_NO_THROW(from.expect_end());
}

TEST(Wire, EndsWhereTheBodyEnds) {
    // Of exactly that size on the heap, so that ASan detects an overread by one byte.
    for (std::size_t size = 0; size < 8; ++size) {
        const std::vector<char> bytes(size, '\1');
        const std::string_view body(bytes.data(), size);
        expect_violation([&] { WireReader(body).number<std::int64_t>(); });
        expect_violation([&] { WireReader(body).count(10); });
        expect_violation([&] { WireReader(body).text(); });
        expect_violation([&] { WireReader(body).take(size + 1); });
        expect_violation([&] { WireReader(body).take_tail(size + 1); });
        expect_violation([&] { WireReader(body).take(~std::size_t{0}); });
        EXPECT_NO_THROW(WireReader(body).take(size));
        EXPECT_EQ(WireReader(body).take_tail(size).size(), size);
    }
}

TEST(Wire, RefusesTextsLongerThanTheBody) {
    for (const std::uint64_t size : {std::uint64_t{5}, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
        WireWriter to;
        to.number(size);
        to.append("four", 4);
        expect_violation([&] { WireReader(to.bytes()).text_view(); });
    }
}

TEST(Wire, RefusesWhatIsNoValueOfItsType) {
    for (int byte = 0; byte < 256; ++byte) {
        WireWriter to;
        to.number(static_cast<std::uint8_t>(byte));
        if (byte > 1) expect_violation([&] { WireReader(to.bytes()).boolean(); });
        if (byte > 2) expect_violation([&] { WireReader(to.bytes()).enumerator(Colour::kBlue); });
        if (byte > 1) expect_violation([&] { WireReader(to.bytes()).optional_text(); });
    }
    for (const std::int64_t number :
         {std::int64_t{-1}, std::int64_t{6}, std::numeric_limits<std::int64_t>::max(),
          std::numeric_limits<std::int64_t>::min()}) {
        WireWriter to;
        to.number(number);
        expect_violation([&] { WireReader(to.bytes()).count(5); });
    }
}

TEST(Wire, TellsViolationsAsErrorsOfTheProtocol) {
    const ErrorReport report = test::error_of("08P01", [] { WireReader::fail("thing"); });
    EXPECT_EQ(report.message, "invalid message between server and Python engine: bad thing");
}

}  // namespace
}  // namespace epe::engine
