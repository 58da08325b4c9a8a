// Frames over a Unix stream socket, with ancillary descriptors.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/common/descriptor.h"
#include "engine/common/wire.h"

namespace epe::engine {

/// One received message. The body is valid until the next receive().
struct Frame {
    std::uint8_t type = 0;
    std::string_view body{};
    std::vector<Descriptor> descriptors{};
};

/// The direction in which descriptors are accepted.
enum class Receives : std::uint8_t { kNoDescriptors, kDescriptors };

/// One end of a connection. Nothing blocks: frames are queued by put() and sent by flush(), and
/// receive() reads what has arrived. Every length is checked: the peer may be hostile. From a peer
/// that may not send descriptors, the kernel drops them.
class Channel {
   public:
    Channel() = default;
    Channel(Descriptor socket, Receives receives) noexcept
        : socket_(std::move(socket)), receives_(receives) {}

    bool is_open() const noexcept { return static_cast<bool>(socket_); }
    int descriptor() const noexcept { return socket_.get(); }
    /// Unsent frames are dropped.
    void close() noexcept;
    /// Continues on another socket, with the frames queued so far. No frame may have been sent on
    /// the former one.
    void reconnect(Descriptor socket) noexcept;
    Descriptor take_socket() noexcept { return std::move(socket_); }

    /// Queues a frame. Descriptors are duplicated: the caller may close its own at once. Throws
    /// Error 54000 for a frame that is too long, 53000 when out of descriptors.
    template <typename Type>
    void put(Type type, const WireWriter& body, std::initializer_list<int> descriptors = {}) {
        put_frame(static_cast<std::uint8_t>(type), body.bytes(), descriptors);
    }
    /// Sends without blocking. False when something is left. A disconnected peer is detected by
    /// receive(); frames for it are dropped.
    bool flush() noexcept;
    bool has_output() const noexcept { return sent_ < output_.size(); }
    std::size_t output_size() const noexcept { return output_.size() - sent_; }
    /// Total bytes queued and sent.
    std::uint64_t put_bytes() const noexcept { return put_bytes_; }
    std::uint64_t sent_bytes() const noexcept { return put_bytes_ - output_size(); }

    /// Reads what has arrived, up to a limit per call. False once the peer has disconnected.
    bool receive();
    /// Whether a part of a frame has arrived.
    bool has_input() const noexcept { return taken_ < input_.size(); }
    /// The next complete frame. False when there is none. Throws ProtocolError for a frame that is
    /// too long or lacks descriptors.
    bool next(Frame& frame);

   private:
    void put_frame(std::uint8_t type, std::string_view body, std::initializer_list<int> fds);
    void drop_sent() noexcept;
    bool send_piece() noexcept;
    bool take_message(char* to, std::size_t size, std::size_t& got);

    Descriptor socket_{};
    Receives receives_ = Receives::kNoDescriptors;
    std::string output_{};
    std::size_t sent_ = 0;
    std::uint64_t put_bytes_ = 0;
    // by offset in output_
    std::deque<std::pair<std::size_t, std::vector<Descriptor>>> attached_{};
    std::unique_ptr<char[]> scratch_{};
    std::string input_{};
    std::size_t taken_ = 0;
    std::deque<Descriptor> arrived_{};
};

/// Maximum size of a frame's body.
inline constexpr std::size_t kMostFrameBytes = (std::size_t{1} << 30) + (std::size_t{1} << 20);

/// A connected pair, close-on-exec, non-blocking. Throws Error 53000.
std::pair<Descriptor, Descriptor> make_socket_pair();

/// Throws Error `state`: `what` followed by the text of errno.
[[noreturn]] void throw_system_error(const char* state, const std::string& what);

}  // namespace epe::engine
