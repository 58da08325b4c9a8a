// Frames over a Unix stream socket, with ancillary descriptors.
#include "engine/common/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace epe::engine {

namespace {

/// The header of each frame.
struct FrameHeader {
    std::uint32_t size;
    std::uint8_t type;
    std::uint8_t descriptors;
    std::uint16_t unused;
};
static_assert(sizeof(FrameHeader) == 8);

constexpr std::size_t kMostDescriptors = 4;  // of one frame
constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;
/// Consumed input is dropped above this size; longer buffers are not kept.
constexpr std::size_t kLongInput = std::size_t{1} << 20;

union ControlBuffer {
    cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
};

}  // namespace

void throw_system_error(const char* state, const std::string& what) {
    throw Error(state, what + ": " + std::generic_category().message(errno));
}

std::pair<Descriptor, Descriptor> make_socket_pair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        throw_system_error(sqlstate::kInsufficientResources, "could not create a socket");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// A connection that is never idle would otherwise keep everything it has ever sent.
void Channel::drop_sent() noexcept {
    if (sent_ < kLongInput || sent_ < output_.size() / 2) return;
    output_.erase(0, sent_);
    for (auto& [position, numbers] : attached_) position -= sent_;
    sent_ = 0;
}

void Channel::put_frame(std::uint8_t type, std::string_view body,
                        std::initializer_list<int> descriptors) {
    if (body.size() > kMostFrameBytes)
        throw Error(sqlstate::kLimitExceeded, "message for a Python engine is too long");
    if (descriptors.size() > kMostDescriptors)
        throw Error(sqlstate::kInternal, "too many descriptors for a message");
    drop_sent();
    std::vector<Descriptor> copies;
    for (const int descriptor : descriptors) {
        copies.emplace_back(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
        if (!copies.back())
            throw_system_error(sqlstate::kInsufficientResources, "could not pass a descriptor");
    }
    // Strong exception guarantee: only emplace_back can throw, and it comes first.
    const std::size_t needed = output_.size() + sizeof(FrameHeader) + body.size();
    if (needed > output_.capacity()) output_.reserve(std::max(needed, 2 * output_.capacity()));
    if (!copies.empty()) attached_.emplace_back(output_.size(), std::move(copies));
    const FrameHeader header{static_cast<std::uint32_t>(body.size()), type,
                             static_cast<std::uint8_t>(descriptors.size()), 0};
    output_.append(reinterpret_cast<const char*>(&header), sizeof(header));
    output_.append(body);
    put_bytes_ += sizeof(header) + body.size();
}

void Channel::close() noexcept {
    socket_.close();
    attached_.clear();
    output_.clear();
    sent_ = 0;
}

void Channel::reconnect(Descriptor socket) noexcept {
    socket_ = std::move(socket);
    input_.clear();
    taken_ = 0;
    arrived_.clear();
}

/// Sends up to the next frame with descriptors. False when the socket would block.
bool Channel::send_piece() noexcept {
    const bool has_attached = !attached_.empty() && attached_.front().first == sent_;
    std::size_t end = output_.size();
    for (const auto& [position, numbers] : attached_) {
        if (position == sent_) continue;
        end = position;
        break;
    }
    iovec piece{output_.data() + sent_, end - sent_};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    ControlBuffer control{};
    if (has_attached) {
        int numbers[kMostDescriptors];
        const std::vector<Descriptor>& attached = attached_.front().second;
        std::transform(attached.begin(), attached.end(), numbers,
                       [](const Descriptor& each) { return each.get(); });
        const std::size_t size = sizeof(int) * attached.size();
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(size);
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(header), numbers, size);
    }
    const ssize_t count = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
        if (errno == EINTR) return true;
        if (errno == EAGAIN) return false;
        (void)shutdown(socket_.get(), SHUT_RDWR);  // receive() will report the closed connection
        sent_ = output_.size();
        attached_.clear();
        return true;
    }
    if (has_attached) attached_.pop_front();
    sent_ += static_cast<std::size_t>(count);
    return true;
}

bool Channel::flush() noexcept {
    while (has_output())
        if (!send_piece()) return false;
    output_.clear();
    sent_ = 0;
    if (output_.capacity() > kLongInput) std::string().swap(output_);
    return true;
}

bool Channel::take_message(char* to, std::size_t size, std::size_t& got) {
    iovec piece{to, size};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    ControlBuffer control{};
    if (receives_ == Receives::kDescriptors) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
    }
    const ssize_t count = recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    got = count > 0 ? static_cast<std::size_t>(count) : 0;
    if (receives_ == Receives::kDescriptors && count > 0) {
        for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
             each = CMSG_NXTHDR(&message, each)) {
            if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
            const std::size_t numbers = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < numbers; ++i) {
                int number = -1;
                std::memcpy(&number, CMSG_DATA(each) + i * sizeof(int), sizeof(int));
                arrived_.emplace_back(number);
            }
        }
    }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

bool Channel::receive() {
    if (taken_ > 0 && (taken_ == input_.size() || taken_ >= kLongInput)) {
        input_.erase(0, taken_);
        if (input_.empty() && input_.capacity() > kLongInput) input_.shrink_to_fit();
        taken_ = 0;
    }
    // Memory grows with the bytes received, not with the claimed length of a frame.
    if (!scratch_) scratch_ = std::make_unique_for_overwrite<char[]>(kReadAtOnce);
    std::size_t got = 0;
    const bool is_alive = take_message(scratch_.get(), kReadAtOnce, got);
    input_.append(scratch_.get(), got);
    return is_alive;
}

bool Channel::next(Frame& frame) {
    FrameHeader header{};
    if (input_.size() - taken_ < sizeof(header)) return false;
    std::memcpy(&header, input_.data() + taken_, sizeof(header));
    if (header.size > kMostFrameBytes) throw ProtocolError("it is too long");
    if (header.descriptors > 0 && receives_ == Receives::kNoDescriptors)
        throw ProtocolError("it has unexpected descriptors");
    if (input_.size() - taken_ < sizeof(header) + header.size) return false;
    if (arrived_.size() < header.descriptors) throw ProtocolError("its descriptors are missing");
    frame.type = header.type;
    frame.body = std::string_view(input_).substr(taken_ + sizeof(header), header.size);
    frame.descriptors.clear();
    for (std::uint8_t i = 0; i < header.descriptors; ++i) {
        frame.descriptors.push_back(std::move(arrived_.front()));
        arrived_.pop_front();
    }
    taken_ += sizeof(header) + header.size;
    return true;
}

}  // namespace epe::engine
