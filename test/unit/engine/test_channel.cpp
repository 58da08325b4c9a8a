// Tests of engine/common/channel: frames in pieces, descriptors, hostile and disconnected peers.
#include "engine/common/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "support/error_support.h"

namespace epe::engine {
namespace {

enum class Type : std::uint8_t { kOne = 1, kTwo };

struct Pair {
    explicit Pair(Receives receives = Receives::kDescriptors) {
        auto [one, two] = make_socket_pair();
        near = Channel(std::move(one), Receives::kNoDescriptors);
        far = Channel(std::move(two), receives);
    }
    Channel near{};
    Channel far{};
};

WireWriter body_of(std::string_view text) {
    WireWriter body;
    body.append(text.data(), text.size());
    return body;
}

/// Waits for the next frame. False when the peer is gone.
bool await(Channel& channel, Frame& frame) {
    while (!channel.next(frame)) {
        pollfd polled{channel.descriptor(), POLLIN, 0};
        EXPECT_EQ(poll(&polled, 1, 10000), 1);
        if (!channel.receive()) return channel.next(frame);
    }
    return true;
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

ino_t file_of(int descriptor) {
    struct stat status {};
    EXPECT_EQ(fstat(descriptor, &status), 0);
    return status.st_ino;
}

TEST(Channel, BringsFramesInOrder) {
    Pair pair;
    for (int i = 0; i < 3; ++i) pair.near.put(Type::kTwo, body_of(std::to_string(i)));
    pair.near.put(Type::kOne, WireWriter());
    EXPECT_TRUE(pair.near.has_output());
    EXPECT_TRUE(pair.near.flush());
    EXPECT_FALSE(pair.near.has_output());
    EXPECT_TRUE(pair.far.receive());
    Frame frame;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(pair.far.next(frame));
        EXPECT_EQ(frame.type, 2);
        EXPECT_EQ(frame.body, std::to_string(i));
    }
    ASSERT_TRUE(pair.far.next(frame));
    EXPECT_EQ(frame.type, 1);
    EXPECT_EQ(frame.body, "");
    EXPECT_FALSE(pair.far.next(frame));
    EXPECT_TRUE(pair.far.receive());  // there is no data, and the peer is connected
}

TEST(Channel, PutsPiecesTogether) {
    auto [writer, reader] = make_socket_pair();
    Channel channel(std::move(reader), Receives::kNoDescriptors);
    const std::string bytes("\5\0\0\0\2\0\0\0abcde\0\0\0\0\1\0\0\0", 21);
    Frame frame;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        EXPECT_FALSE(channel.next(frame));
        ASSERT_EQ(write(writer.get(), &bytes[i], 1), 1);
        EXPECT_TRUE(channel.receive());
        if (i != 12) continue;
        ASSERT_TRUE(channel.next(frame));
        EXPECT_EQ(frame.body, "abcde");
    }
    ASSERT_TRUE(channel.next(frame));
    EXPECT_EQ(frame.type, 1);
}

TEST(Channel, SendsLargeFramesAsTheyAreTaken) {
    Pair pair;
    std::string large(20 << 20, 'x');
    for (std::size_t i = 0; i < large.size(); i += 4096) large[i] = static_cast<char>(i >> 12);
    pair.near.put(Type::kOne, body_of(large));
    pair.near.put(Type::kTwo, body_of("behind"));
    EXPECT_FALSE(pair.near.flush());
    EXPECT_GT(pair.near.output_size(), 0U);
    EXPECT_EQ(pair.near.sent_bytes() + pair.near.output_size(), pair.near.put_bytes());
    std::thread sender([&] {
        while (!pair.near.flush()) {
            pollfd polled{pair.near.descriptor(), POLLOUT, 0};
            (void)poll(&polled, 1, 10000);
        }
    });
    Frame frame;
    EXPECT_TRUE(await(pair.far, frame));
    EXPECT_EQ(frame.body, large);
    EXPECT_TRUE(await(pair.far, frame));
    EXPECT_EQ(frame.body, "behind");
    sender.join();
    EXPECT_EQ(pair.near.sent_bytes(), pair.near.put_bytes());
}

TEST(Channel, KeepsWhatAPeerIsSlowToTake) {
    // Never idle: sent data, and only sent data, must be dropped all the same.
    Pair pair;
    const std::string body(100000, 'b');
    Frame frame;
    std::size_t received = 0;
    for (int i = 0; i < 200; ++i) {
        const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
        pair.near.put(Type::kOne, body_of(std::to_string(i) + body), {descriptor});
        close(descriptor);
        (void)pair.near.flush();
        if (i < 20) continue;
        ASSERT_TRUE(pair.far.receive());
        (void)pair.near.flush();
        while (pair.far.next(frame)) {
            ASSERT_EQ(frame.body, std::to_string(received++) + body);
            ASSERT_EQ(frame.descriptors.size(), 1U);
        }
    }
    while (received < 200) {
        (void)pair.near.flush();
        ASSERT_TRUE(await(pair.far, frame) || received == 199);
        ASSERT_EQ(frame.body, std::to_string(received++) + body);
        ASSERT_EQ(frame.descriptors.size(), 1U);
    }
}

TEST(Channel, BringsDescriptorsWithTheirFrames) {
    Pair pair;
    const Descriptor null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const Descriptor zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    pair.near.put(Type::kOne, body_of("none"));
    pair.near.put(Type::kOne, body_of("two"), {null.get(), zero.get()});
    pair.near.put(Type::kOne, body_of("none"));
    pair.near.put(Type::kTwo, body_of("one"), {zero.get()});
    pair.near.put(Type::kTwo, WireWriter(), {null.get()});
    EXPECT_TRUE(pair.near.flush());
    Frame frame;
    std::vector<std::vector<ino_t>> files;
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(await(pair.far, frame));
        files.emplace_back();
        for (const Descriptor& each : frame.descriptors) {
            files.back().push_back(file_of(each.get()));
            EXPECT_EQ(fcntl(each.get(), F_GETFD), FD_CLOEXEC);
        }
    }
    const ino_t a = file_of(null.get());
    const ino_t b = file_of(zero.get());
    EXPECT_EQ(files, (std::vector<std::vector<ino_t>>{{}, {a, b}, {}, {b}, {a}}));
}

TEST(Channel, SendsDescriptorsThatTheCallerHasClosed) {
    Pair pair;
    pair.near.put(Type::kOne, body_of(std::string(5 << 20, 'x')));
    EXPECT_FALSE(pair.near.flush());
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const ino_t file = file_of(null);
    pair.near.put(Type::kTwo, WireWriter(), {null});
    close(null);
    const Descriptor other(open("/dev/zero", O_RDONLY | O_CLOEXEC));  // has its number now
    EXPECT_EQ(other.get(), null);
    Frame frame;
    while (!pair.near.flush()) EXPECT_TRUE(pair.far.receive());
    EXPECT_TRUE(await(pair.far, frame));
    EXPECT_TRUE(await(pair.far, frame));
    ASSERT_EQ(frame.descriptors.size(), 1U);
    EXPECT_EQ(file_of(frame.descriptors[0].get()), file);
}

TEST(Channel, LeavesNoDescriptorOpen) {
    const std::size_t before = open_descriptors();
    {
        Pair pair;
        const Descriptor null(open("/dev/null", O_RDONLY | O_CLOEXEC));
        for (int i = 0; i < 10; ++i) pair.near.put(Type::kOne, WireWriter(), {null.get()});
        EXPECT_TRUE(pair.near.flush());
        EXPECT_TRUE(pair.far.receive());  // some have arrived, no frame is taken
        for (int i = 0; i < 10; ++i) pair.near.put(Type::kOne, WireWriter(), {null.get()});
        EXPECT_THROW(pair.near.put(Type::kOne, WireWriter(), {null.get(), -1}), Error);
        EXPECT_TRUE(pair.near.flush());
        pair.near.put(Type::kOne, WireWriter(), {null.get()});
        pair.near.close();
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST(Channel, TakesNoDescriptorsFromAPeerThatMayNotSendThem) {
    const std::size_t before = open_descriptors();
    Pair pair(Receives::kNoDescriptors);
    const Descriptor null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    pair.near.put(Type::kOne, WireWriter(), {null.get()});
    EXPECT_TRUE(pair.near.flush());
    EXPECT_TRUE(pair.far.receive());
    EXPECT_EQ(open_descriptors(), before + 3);  // the pair and the file: no descriptor was received
    Frame frame;
    EXPECT_THROW(pair.far.next(frame), ProtocolError);
}

TEST(Channel, MissesDescriptorsThatAFramePromises) {
    auto [writer, reader] = make_socket_pair();
    Channel channel(std::move(reader), Receives::kDescriptors);
    ASSERT_EQ(write(writer.get(), "\0\0\0\0\1\2\0\0", 8), 8);
    EXPECT_TRUE(channel.receive());
    Frame frame;
    EXPECT_THROW(channel.next(frame), ProtocolError);
}

TEST(Channel, RefusesFramesThatAreTooLong) {
    auto [writer, reader] = make_socket_pair();
    Channel channel(std::move(reader), Receives::kNoDescriptors);
    const std::uint32_t sizes[] = {kMostFrameBytes + 1, 0};
    ASSERT_EQ(write(writer.get(), sizes, 8), 8);
    EXPECT_TRUE(channel.receive());
    Frame frame;
    EXPECT_THROW(channel.next(frame), ProtocolError);
    WireWriter body;
    body.bytes().resize(kMostFrameBytes + 1);
    Pair pair;
    test::error_of("54000", [&] { pair.near.put(Type::kOne, body); });
    EXPECT_FALSE(pair.near.has_output());
}

TEST(Channel, TakesNoMemoryForWhatAFrameOnlyPromises) {
    auto [writer, reader] = make_socket_pair();
    Channel channel(std::move(reader), Receives::kNoDescriptors);
    const std::uint32_t header[] = {kMostFrameBytes, 1};
    ASSERT_EQ(write(writer.get(), header, sizeof(header)), 8);
    EXPECT_TRUE(channel.receive());
    Frame frame;
    EXPECT_FALSE(channel.next(frame));
}

TEST(Channel, NoticesThatThePeerIsGone) {
    Pair pair;
    pair.near.put(Type::kOne, body_of("last words"));
    EXPECT_TRUE(pair.near.flush());
    pair.near.close();
    Frame frame;
    EXPECT_TRUE(pair.far.receive());
    ASSERT_TRUE(pair.far.next(frame));
    EXPECT_EQ(frame.body, "last words");
    EXPECT_FALSE(pair.far.receive());
    // Frames for it are dropped, without SIGPIPE.
    pair.far.put(Type::kOne, body_of("unread"), {STDIN_FILENO});
    EXPECT_TRUE(pair.far.flush());
    EXPECT_FALSE(pair.far.has_output());
    EXPECT_FALSE(pair.far.receive());
}

TEST(Channel, NoticesThatThePeerGoesWhileItIsSentTo) {
    Pair pair;
    pair.near.put(Type::kOne, body_of(std::string(20 << 20, 'x')));
    EXPECT_FALSE(pair.near.flush());
    pair.far.close();
    EXPECT_TRUE(pair.near.flush());
    EXPECT_FALSE(pair.near.receive());
    EXPECT_EQ(pair.near.output_size(), 0U);
}

}  // namespace
}  // namespace epe::engine
