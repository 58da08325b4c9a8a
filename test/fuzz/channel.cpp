// Fuzz target: frames on a socket, arriving in pieces, with descriptors that may be missing.
//
// The first byte selects whether descriptors are accepted and how many are attached, the second the
// length of the pieces. The received frames are compared with a second parse of the same bytes.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/common/channel.h"
#include "target.h"

namespace {

using epe::engine::Channel;
using epe::engine::Frame;
using epe::engine::ProtocolError;
using epe::engine::Receives;
using epe::fuzz::require;

struct Expected {
    std::uint8_t type;
    std::size_t descriptors;
    std::string body;
};

/// Complete frames of a stream, up to the first invalid one. `has_error`: there is one.
std::vector<Expected> frames_of(std::string_view stream, bool takes_descriptors,
                                std::size_t attached, bool& has_error) {
    constexpr std::size_t kHeader = 8;
    std::vector<Expected> frames;
    while (stream.size() >= kHeader) {
        std::uint32_t size = 0;
        std::memcpy(&size, stream.data(), sizeof(size));
        const auto descriptors = static_cast<std::uint8_t>(stream[5]);
        has_error = size > epe::engine::kMostFrameBytes || (descriptors > 0 && !takes_descriptors);
        if (has_error || stream.size() - kHeader < size) break;
        has_error = descriptors > attached;
        if (has_error) break;
        attached -= descriptors;
        frames.push_back({static_cast<std::uint8_t>(stream[4]), descriptors,
                          std::string(stream.substr(kHeader, size))});
        stream.remove_prefix(kHeader + size);
    }
    return frames;
}

/// Sends one piece, with copies of standard error beside it.
void send_piece(int socket, std::string_view piece, std::size_t descriptors) {
    constexpr std::size_t kMost = 4;
    iovec part{const_cast<char*>(piece.data()), piece.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMost)]{};
    if (descriptors > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
        for (std::size_t i = 0; i < descriptors; ++i) {
            const int number = STDERR_FILENO;
            std::memcpy(CMSG_DATA(header) + i * sizeof(int), &number, sizeof(int));
        }
    }
    require(sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(piece.size()), "send");
}

void run(std::string_view input) {
    constexpr std::size_t kLongestStream = std::size_t{1} << 15;
    epe::fuzz::Bytes bytes(input);
    const std::uint8_t flags = bytes.byte();
    const bool takes_descriptors = (flags & 1U) != 0;
    std::size_t attached = (flags >> 1U) % 5;
    const std::size_t piece_size = 1 + bytes.byte() * std::size_t{8};
    std::string_view stream = bytes.rest().substr(0, kLongestStream);
    bool has_error = false;
    const std::vector<Expected> expected =
        frames_of(stream, takes_descriptors, takes_descriptors ? attached : 0, has_error);

    auto [ours, theirs] = epe::engine::make_socket_pair();
    Channel channel(std::move(ours),
                    takes_descriptors ? Receives::kDescriptors : Receives::kNoDescriptors);
    std::size_t count = 0;
    bool is_refused = false;
    while (!stream.empty() && !is_refused) {
        const std::string_view piece = stream.substr(0, piece_size);
        stream.remove_prefix(piece.size());
        send_piece(theirs.get(), piece, std::exchange(attached, 0));
        require(channel.receive(), "the peer is there");
        try {
            for (Frame frame; channel.next(frame); ++count) {
                require(count < expected.size(), "more frames than were sent");
                require(frame.type == expected[count].type, "type");
                require(frame.descriptors.size() == expected[count].descriptors, "descriptors");
                require(frame.body == expected[count].body, "body");
            }
        } catch (const ProtocolError&) {
            is_refused = true;
        }
    }
    require(count == expected.size(), "fewer frames than were sent");
    require(is_refused == has_error, "a frame is refused that is none, or taken that is one");
    theirs.close();
    require(is_refused || !channel.receive(), "the peer is gone");
}

}  // namespace

EPE_FUZZ_TARGET(channel, run, kBytes)
