// Tests of engine/common/row_transport.
#include "engine/common/row_transport.h"

#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "engine/common/batch_codec.h"
#include "support/engine_support.h"
#include "support/error_support.h"

namespace epe::engine {
namespace {

using test::numbers;

constexpr std::int64_t kInlineRows = (32 << 10) / sizeof(std::int32_t);

struct TestArena {
    std::uint32_t number;
    std::vector<std::byte> bytes;
    bool is_free = true;

    std::uint32_t id() const { return number; }
    std::size_t size() const { return bytes.size(); }
};

using TestArenas = std::vector<TestArena>;

TEST(RowTransport, KeepsFewRowsInTheFrame) {
    WireWriter body;
    append_rows(body, numbers(1, kInlineRows), 0, kInlineRows, [](std::size_t) {
        ADD_FAILURE() << "an arena was reserved";
        return ReservedArena{};
    });
    WireReader from(body.bytes());
    const DataPlace place = read_place(from);
    EXPECT_EQ(place.arena, 0U);
    const std::string_view data = from.take_tail(place.size);
    const Batch batch = decode_copied(from, std::as_bytes(std::span(data)));
    EXPECT_EQ(batch.columns[0].values.as<std::int32_t>()[kInlineRows - 1], kInlineRows);
}

TEST(RowTransport, WritesManyRowsToTheReservedArena) {
    std::vector<std::byte> arena;
    WireWriter body;
    append_rows(body, numbers(1, 3 * kInlineRows), kInlineRows, kInlineRows + 1,
                [&](std::size_t size) {
                    arena.resize(size);
                    return ReservedArena{7, arena.data()};
                });
    WireReader from(body.bytes());
    const DataPlace place = read_place(from);
    EXPECT_EQ(place.arena, 7U);
    ASSERT_EQ(place.size, arena.size());
    const Batch batch = decode_copied(from, arena);
    EXPECT_EQ(batch.length, kInlineRows + 1);
    EXPECT_EQ(batch.columns[0].values.as<std::int32_t>()[0], kInlineRows + 1);
}

TEST(RowTransport, FindsTheSmallestFreeArena) {
    TestArenas arenas{{1, std::vector<std::byte>(400)},
                      {2, std::vector<std::byte>(100)},
                      {3, std::vector<std::byte>(200)},
                      {4, std::vector<std::byte>(100), /* is_free */ false}};
    EXPECT_EQ(find_free_arena(arenas, 50)->id(), 2U);
    EXPECT_EQ(find_free_arena(arenas, 101)->id(), 3U);
    EXPECT_EQ(find_free_arena(arenas, 401), nullptr);
}

TEST(RowTransport, RefusesUnknownArenasAndRowsBeyondTheirEnd) {
    TestArenas arenas{{1, std::vector<std::byte>(100)}};
    EXPECT_EQ(find_arena(arenas, DataPlace{1, 100}).id(), 1U);
    EXPECT_THROW(find_arena(arenas, DataPlace{1, 101}), ProtocolError);
    EXPECT_THROW(find_arena(arenas, DataPlace{2, 1}), ProtocolError);
}

}  // namespace
}  // namespace epe::engine
