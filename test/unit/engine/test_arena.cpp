// Tests of engine/common/arena: sizes, seals, sharing, refusals.
#include "engine/common/arena.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "support/error_support.h"

namespace epe::engine {
namespace {

constexpr std::size_t kKiB = 1024;

TEST(Arena, RoundsItsSizeUp) {
    static_assert(arena_size(0) == 64 * kKiB);
    static_assert(arena_size(64 * kKiB) == 64 * kKiB);
    static_assert(arena_size(64 * kKiB + 1) == 96 * kKiB);
    static_assert(arena_size(96 * kKiB + 1) == 128 * kKiB);
    static_assert(arena_size(128 * kKiB + 1) == 192 * kKiB);
    static_assert(arena_size((std::size_t{64} << 20) + 1) == std::size_t{96} << 20);
    std::size_t last = 0;
    for (std::size_t size = 1; size < std::size_t{1} << 40; size = size * 9 / 8 + 1) {
        EXPECT_GE(arena_size(size), size);
        EXPECT_GE(arena_size(size), last);
        EXPECT_LE(arena_size(size), std::max(size * 3 / 2, 64 * kKiB));
        last = arena_size(size);
    }
    EXPECT_EQ(Arena::create(1, 100 * kKiB).size(), 128 * kKiB);
}

TEST(Arena, ShowsBothSidesTheSameBytes) {
    const Arena arena = Arena::create(7, 1);
    EXPECT_EQ(arena.id(), 7U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.data()) % 64, 0U);
    std::memcpy(arena.data(), "there", 6);
    const int sent = dup(arena.descriptor());
    const Mapping engine = map_arena(sent);
    EXPECT_EQ(fcntl(sent, F_GETFD), -1);  // closed once mapped
    ASSERT_EQ(engine.size(), arena.size());
    EXPECT_NE(engine.data(), arena.data());
    EXPECT_STREQ(reinterpret_cast<const char*>(engine.data()), "there");
    std::memcpy(engine.data() + engine.size() - 5, "back", 5);
    EXPECT_STREQ(reinterpret_cast<const char*>(arena.data() + arena.size() - 5), "back");
}

TEST(Arena, CanNeitherShrinkNorGrowNorBeSealedFurther) {
    const Arena arena = Arena::create(1, 1);
    const auto size = static_cast<off_t>(arena.size());
    for (const off_t wanted : {off_t{0}, size - 1, size + 1}) {
        EXPECT_EQ(ftruncate(arena.descriptor(), wanted), -1);
        EXPECT_EQ(errno, EPERM);
    }
    EXPECT_EQ(fallocate(arena.descriptor(), 0, size, 4096), -1);
    EXPECT_EQ(fcntl(arena.descriptor(), F_ADD_SEALS, F_SEAL_WRITE), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_NE(fcntl(arena.descriptor(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Arena, Moves) {
    Arena first = Arena::create(1, 1);
    std::byte* const data = first.data();
    const int descriptor = first.descriptor();
    Arena second = std::move(first);
    EXPECT_EQ(second.data(), data);
    EXPECT_EQ(second.descriptor(), descriptor);
    second = Arena::create(2, 1);
    EXPECT_EQ(second.id(), 2U);
    EXPECT_EQ(fcntl(descriptor, F_GETFD), -1);
}

TEST(Arena, OutlivesItsDescriptorInAnEngine) {
    Mapping engine;
    {
        const Arena arena = Arena::create(1, 1);
        arena.data()[0] = std::byte{42};
        engine = map_arena(dup(arena.descriptor()));
    }
    EXPECT_EQ(engine.data()[0], std::byte{42});
}

TEST(Arena, ReportsThatThereIsNoMemory) {
    const ErrorReport report =
        test::error_of("53200", [] { Arena::create(1, std::size_t{1} << 60); });
    EXPECT_NE(report.message.find("Cannot allocate memory"), std::string::npos) << report.message;
}

TEST(MapArena, RefusesWhatIsNoArena) {
    const auto refuses = [](int descriptor) {
        test::error_of("08P01", [=] { map_arena(descriptor); });
        EXPECT_TRUE(descriptor < 0 || fcntl(descriptor, F_GETFD) == -1) << "left open";
    };
    refuses(-1);
    refuses(open("/dev/null", O_RDWR | O_CLOEXEC));
    refuses(open("/tmp", O_RDONLY | O_CLOEXEC));
    refuses(memfd_create("empty", MFD_CLOEXEC));
    const int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ASSERT_EQ(ftruncate(unsealed, 4096), 0);
    refuses(unsealed);
}

TEST(MapArena, ReportsThatItMayNotWrite) {
    const Arena arena = Arena::create(1, 1);
    const std::string path = "/proc/self/fd/" + std::to_string(arena.descriptor());
    const int readable = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(readable, 0);
    test::error_of("53200", [=] { map_arena(readable); });
}

}  // namespace
}  // namespace epe::engine
