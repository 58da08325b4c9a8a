// Tests of core/batch/buffer: growth, moves, refusals and borrowed memory.
#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/batch/buffer.h"

namespace epe {
namespace {

TEST(Buffer, StartsEmptyAndOwnsNothing) {
    const Buffer buffer;
    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(buffer.size(), 0U);
    EXPECT_EQ(buffer.data(), nullptr);
}

TEST(Buffer, KeepsItsContentsWhileItGrows) {
    Buffer buffer;
    for (std::int32_t i = 0; i < 100000; ++i) ASSERT_TRUE(buffer.push(i));
    ASSERT_EQ(buffer.size(), 400000U);
    for (std::int32_t i = 0; i < 100000; ++i) ASSERT_EQ(buffer.as<std::int32_t>()[i], i);
}

TEST(Buffer, AppendsBytes) {
    Buffer buffer;
    EXPECT_TRUE(buffer.append(nullptr, 0));
    EXPECT_TRUE(buffer.empty());
    EXPECT_TRUE(buffer.append("abc", 3));
    EXPECT_TRUE(buffer.append("", 0));
    EXPECT_TRUE(buffer.append("defg", 4));
    EXPECT_EQ(std::string_view(buffer.as<char>(), buffer.size()), "abcdefg");
}

TEST(Buffer, ZeroesOnlyWhatIsNew) {
    Buffer buffer;
    ASSERT_TRUE(buffer.append("ab", 2));
    ASSERT_TRUE(buffer.append("xyz", 3));
    ASSERT_TRUE(buffer.resize(2));
    ASSERT_TRUE(buffer.resize_zeroed(5));
    EXPECT_EQ(std::string_view(buffer.as<char>(), 5), std::string_view("ab\0\0\0", 5));
    ASSERT_TRUE(buffer.resize_zeroed(1));
    EXPECT_EQ(buffer.size(), 1U);
    EXPECT_EQ(buffer.as<char>()[0], 'a');
}

TEST(Buffer, ReservesWithoutGrowing) {
    Buffer buffer;
    ASSERT_TRUE(buffer.reserve(1000));
    EXPECT_TRUE(buffer.empty());
    const std::byte* place = buffer.data();
    ASSERT_TRUE(buffer.resize(1000));
    EXPECT_EQ(buffer.data(), place);
}

TEST(Buffer, ShrinksAndClears) {
    Buffer buffer;
    ASSERT_TRUE(buffer.reserve(10000));
    ASSERT_TRUE(buffer.append("abc", 3));
    buffer.shrink();
    EXPECT_EQ(std::string_view(buffer.as<char>(), buffer.size()), "abc");
    buffer.shrink();
    buffer.clear();
    EXPECT_TRUE(buffer.empty());
    EXPECT_NE(buffer.data(), nullptr);
    buffer.shrink();
    EXPECT_EQ(buffer.data(), nullptr);
}

TEST(Buffer, Moves) {
    Buffer first;
    ASSERT_TRUE(first.append("abc", 3));
    Buffer second(std::move(first));
    EXPECT_EQ(second.size(), 3U);
    EXPECT_EQ(first.data(), nullptr);  // NOLINT(bugprone-use-after-move): empty by contract
    ASSERT_TRUE(first.append("z", 1));
    first = std::move(second);
    EXPECT_EQ(std::string_view(first.as<char>(), first.size()), "abc");
    EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
    Buffer third;
    third.swap(first);
    EXPECT_EQ(third.size(), 3U);
    EXPECT_TRUE(first.empty());
}

// Pieces of some MB are mappings; contents are preserved in conversions between the two kinds.
TEST(Buffer, KeepsItsBytesAcrossTheThresholdOfMappings) {
    constexpr std::size_t kCount = std::size_t{3} << 20;  // 24 MB of int64
    Buffer buffer;
    for (std::size_t i = 0; i < kCount; ++i)
        ASSERT_TRUE(buffer.push(static_cast<std::int64_t>(i) * 7));
    for (std::size_t i = 0; i < kCount; i += 1021)
        ASSERT_EQ(buffer.as<std::int64_t>()[i], static_cast<std::int64_t>(i) * 7);

    ASSERT_TRUE(buffer.resize(kCount));  // 3 MB: back to the heap
    buffer.shrink();
    ASSERT_EQ(buffer.size(), kCount);
    EXPECT_EQ(buffer.as<std::int64_t>()[1000], 7000);

    Buffer moved = std::move(buffer);
    ASSERT_TRUE(moved.reserve(std::size_t{64} << 20));
    EXPECT_EQ(moved.as<std::int64_t>()[1000], 7000);
    moved.clear();
    moved.shrink();
    EXPECT_TRUE(moved.empty());
}

TEST(Buffer, RefusesWhatCannotBeHad) {
    Buffer buffer;
    ASSERT_TRUE(buffer.push(std::int32_t{5}));
    EXPECT_FALSE(buffer.reserve(std::size_t{1} << 60));
    EXPECT_EQ(buffer.as<std::int32_t>()[0], 5);
    ASSERT_TRUE(buffer.reserve(std::size_t{8} << 20));
    EXPECT_FALSE(buffer.reserve(std::size_t{1} << 60));
    EXPECT_EQ(buffer.as<std::int32_t>()[0], 5);
}

/// Counts how often the memory was freed.
class CountedLease final : public Lease {
   public:
    int frees = 0;

   private:
    void on_free() noexcept override { ++frees; }
};

std::string_view shown(const Buffer& buffer) { return {buffer.as<char>(), buffer.size()}; }

TEST(BorrowedBuffer, UsesTheMemoryOfItsLender) {
    char memory[] = "abcdef";
    CountedLease lease;
    {
        Buffer buffer = Buffer::borrow(reinterpret_cast<std::byte*>(memory), 6, lease);
        EXPECT_TRUE(buffer.is_borrowed());
        EXPECT_EQ(buffer.as<char>(), memory);
        EXPECT_EQ(shown(buffer), "abcdef");
        buffer.as<char>()[0] = 'A';
        ASSERT_TRUE(buffer.resize(3));
        ASSERT_TRUE(buffer.append("xyz", 3));  // fits: still in place
        EXPECT_TRUE(buffer.is_borrowed());
        EXPECT_EQ(lease.frees, 0);
    }
    EXPECT_EQ(lease.frees, 1);
    EXPECT_EQ(std::string_view(memory), "Abcxyz");
}

TEST(BorrowedBuffer, CarriesItsLeaseWhenMoved) {
    char memory[] = "abc";
    CountedLease lease;
    Buffer first = Buffer::borrow(reinterpret_cast<std::byte*>(memory), 3, lease);
    Buffer second(std::move(first));
    EXPECT_FALSE(first.is_borrowed());  // NOLINT(bugprone-use-after-move): empty by contract
    EXPECT_TRUE(second.is_borrowed());
    Buffer third;
    ASSERT_TRUE(third.append("own", 3));
    third.swap(second);
    EXPECT_FALSE(second.is_borrowed());
    EXPECT_EQ(shown(second), "own");
    EXPECT_EQ(shown(third), "abc");
    EXPECT_EQ(lease.frees, 0);
    third = std::move(second);
    EXPECT_EQ(lease.frees, 1);
    EXPECT_EQ(shown(third), "own");
}

TEST(BorrowedBuffer, GoesOnWithACopyWhenItGrowsOrShrinks) {
    const auto borrow = [](char* memory, CountedLease& lease) {
        return Buffer::borrow(reinterpret_cast<std::byte*>(memory), 3, lease);
    };
    char memory[] = "abc";
    CountedLease lease;
    Buffer grown = borrow(memory, lease);
    ASSERT_TRUE(grown.append("d", 1));
    EXPECT_EQ(lease.frees, 1);
    EXPECT_FALSE(grown.is_borrowed());
    EXPECT_EQ(shown(grown), "abcd");

    Buffer shrunk = borrow(memory, lease);
    shrunk.shrink();  // no spare capacity
    EXPECT_TRUE(shrunk.is_borrowed());
    ASSERT_TRUE(shrunk.resize(2));
    shrunk.shrink();
    EXPECT_EQ(lease.frees, 2);
    EXPECT_FALSE(shrunk.is_borrowed());
    EXPECT_EQ(shown(shrunk), "ab");

    Buffer cleared = borrow(memory, lease);
    cleared.clear();
    cleared.shrink();
    EXPECT_EQ(lease.frees, 3);
    EXPECT_EQ(cleared.data(), nullptr);

    Buffer large = borrow(memory, lease);
    ASSERT_TRUE(large.reserve(std::size_t{8} << 20));
    EXPECT_EQ(lease.frees, 4);
    EXPECT_EQ(shown(large), "abc");
    EXPECT_EQ(std::string_view(memory), "abc");
}

TEST(BorrowedBuffer, StaysWhenThereIsNoMemoryToGrow) {
    char memory[] = "abc";
    CountedLease lease;
    Buffer buffer = Buffer::borrow(reinterpret_cast<std::byte*>(memory), 3, lease);
    EXPECT_FALSE(buffer.reserve(std::size_t{1} << 60));
    EXPECT_TRUE(buffer.is_borrowed());
    EXPECT_EQ(shown(buffer), "abc");
    EXPECT_EQ(lease.frees, 0);
}

TEST(BorrowedBuffer, SharesOneLeaseAmongThreads) {
    char memory[] = "abc";
    CountedLease lease;
    lease.add();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 1000; ++round)
                (void)Buffer::borrow(reinterpret_cast<std::byte*>(memory), 3, lease);
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(lease.frees, 0);
    lease.drop();
    EXPECT_EQ(lease.frees, 1);
}

}  // namespace
}  // namespace epe
