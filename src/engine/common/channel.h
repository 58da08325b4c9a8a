// Frames over a Unix stream socket, with descriptors beside them.
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

/// One message as it was received. The body is valid until the next receive().
struct Frame {
    std::uint8_t type = 0;
    std::string_view body{};
    std::vector<Descriptor> descriptors{};
};

/// Which way descriptors may come.
enum class Receives : std::uint8_t { kNoDescriptors, kDescriptors };

/// One end of a connection. Nothing blocks: frames are queued by put() and sent by flush(), and
/// receive() takes what has arrived. Every length is checked: the peer may be hostile. A peer that
/// may not send descriptors cannot: the kernel drops what it attaches.
class Channel {
   public:
    Channel() = default;
    Channel(Descriptor socket, Receives receives) noexcept
        : socket_(std::move(socket)), receives_(receives) {}

    bool is_open() const noexcept { return static_cast<bool>(socket_); }
    int descriptor() const noexcept { return socket_.get(); }
    /// What has not been sent is dropped.
    void close() noexcept;
    /// Continues on another socket, with the frames that were put so far. Nothing may have been
    /// sent on the former one.
    void reconnect(Descriptor socket) noexcept;
    Descriptor take_socket() noexcept { return std::move(socket_); }

    /// Queues a frame. Descriptors are duplicated: the caller may close its own at once, whatever
    /// becomes of the frame. Throws Error 54000 for one that is too long, 53000 without
    /// descriptors.
    template <typename Type>
    void put(Type type, const WireWriter& body, std::initializer_list<int> descriptors = {}) {
        put_frame(static_cast<std::uint8_t>(type), body.bytes(), descriptors);
    }
    /// Sends what the socket takes. False when something is left. A peer that is gone is found out
    /// by receive(); what was meant for it is dropped.
    bool flush() noexcept;
    bool has_output() const noexcept { return sent_ < output_.size(); }
    std::size_t output_size() const noexcept { return output_.size() - sent_; }
    /// Bytes put and bytes sent since the beginning.
    std::uint64_t put_bytes() const noexcept { return put_bytes_; }
    std::uint64_t sent_bytes() const noexcept { return put_bytes_ - output_size(); }

    /// Takes what has arrived, up to a limit at a time. False once the peer is gone.
    bool receive();
    /// Whether a part of a frame has arrived.
    bool has_input() const noexcept { return taken_ < input_.size(); }
    /// The next complete frame. False when there is none. Throws ProtocolError for a frame that is
    /// too long or of which descriptors are missing.
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
    std::deque<std::pair<std::size_t, std::vector<Descriptor>>> attached_{};  // by place in output_
    std::unique_ptr<char[]> scratch_{};
    std::string input_{};
    std::size_t taken_ = 0;
    std::deque<Descriptor> arrived_{};
};

/// The longest body of a frame.
inline constexpr std::size_t kMostFrameBytes = (std::size_t{1} << 30) + (std::size_t{1} << 20);

/// A connected pair, close-on-exec, non-blocking. Throws Error 53000.
std::pair<Descriptor, Descriptor> make_socket_pair();

/// Throws Error `state` with the text of errno behind `what`.
[[noreturn]] void throw_system_error(const char* state, const std::string& what);

}  // namespace epe::engine
