#include "client_stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace epe::gateway {

namespace {

constexpr std::chrono::seconds kHeadPatience{10};
constexpr std::chrono::seconds kBodyPatience{60};
constexpr std::chrono::seconds kWritePatience{30};  // timeout without progress
constexpr std::chrono::milliseconds kLingerPatience{1000};
constexpr std::size_t kLongestHead = std::size_t{64} << 10;
constexpr std::size_t kInputSize = std::size_t{8} << 10;
constexpr std::size_t kLongestHeld = std::size_t{8} << 10;  // bytes of a response head

void tell_address(const sockaddr_storage& address, std::string& ip, int& port) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
        (void)inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
        port = ntohs(six.sin6_port);
    } else if (address.ss_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(address);
        (void)inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
        port = ntohs(four.sin_port);
    }
    ip = text.data();
}

int milliseconds_until(ClientStream::Clock::time_point deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - ClientStream::Clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

}  // namespace

ClientStream::ClientStream(int socket, TlsContext* tls)
    : socket_(socket), ssl_(tls != nullptr ? tls->accept(socket) : nullptr) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0)
        tell_address(address, address_, port_);
}

ClientStream::~ClientStream() {
    if (ssl_ && SSL_is_init_finished(ssl_.get()) != 0) (void)SSL_shutdown(ssl_.get());
    ERR_clear_error();
    (void)close(socket_);
}

void ClientStream::begin_head() {
    is_head_ = true;
    left_ = kLongestHead;
    scanner_ = HeadScanner();
    deadline_ = Clock::now() + kHeadPatience;
}

void ClientStream::begin_body(std::size_t most_bytes, bool is_chunked) {
    is_head_ = false;
    is_chunked_ = is_chunked;
    chunks_ = ChunkScanner();
    left_ = most_bytes;
    deadline_ = Clock::now() + kBodyPatience;
}

bool ClientStream::has_input() const {
    return taken_ < input_.size() || (ssl_ && SSL_pending(ssl_.get()) > 0);
}

bool ClientStream::await_input(std::chrono::milliseconds patience) const {
    return has_input() || await(POLLIN, Clock::now() + patience);
}

bool ClientStream::await(short events, Clock::time_point deadline) const {
    pollfd client{socket_, events, 0};
    int ready = 0;
    do {
        ready = poll(&client, 1, milliseconds_until(deadline));
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

// ------------------------------------------------------------------------------------- reading

bool ClientStream::is_readable() const { return has_input() || await(POLLIN, deadline_); }

ssize_t ClientStream::read(char* to, size_t size) {
    // httplib reads heads one byte at a time.
    if (size == 1 && is_head_ && left_ > 0 && taken_ + 1 < input_.size() && output_.empty()) {
        may_hold_ = true;
        --left_;
        *to = input_[taken_++];
        return scanner_.take(*to) ? 1 : -1;
    }
    // "100 Continue" must be sent before waiting for the body.
    if (!flush()) return -1;
    may_hold_ = true;
    if (taken_ == input_.size()) {
        // A long body bypasses the buffer.
        if (!is_head_ && size >= kInputSize) return hand_out(to, receive(to, size, deadline_));
        input_.resize(kInputSize);
        taken_ = 0;
        const ssize_t count = receive(input_.data(), input_.size(), deadline_);
        input_.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count <= 0) return count;
    }
    const std::size_t count = std::min(size, input_.size() - taken_);
    std::memcpy(to, input_.data() + taken_, count);
    taken_ += count;
    if (taken_ == input_.size()) {
        // An idle connection keeps no buffer.
        taken_ = 0;
        std::string().swap(input_);
    }
    return hand_out(to, static_cast<ssize_t>(count));
}

/// httplib does not limit the length of a line in a head or between chunks.
ssize_t ClientStream::hand_out(const char* bytes, ssize_t count) {
    if (count <= 0) return count;
    const auto size = static_cast<std::size_t>(count);
    if (size > left_) return -1;
    left_ -= size;
    if (!is_head_ && is_chunked_) return chunks_.take({bytes, size}) ? count : -1;
    const bool is_clear = !is_head_ || std::all_of(bytes, bytes + size,
                                                   [&](char each) { return scanner_.take(each); });
    return is_clear ? count : -1;
}

ssize_t ClientStream::receive(char* to, std::size_t size, Clock::time_point deadline) {
    while (true) {
        short events = POLLIN;
        if (ssl_) {
            const int count = SSL_read(ssl_.get(), to, static_cast<int>(size));
            if (count > 0) return count;
            events = events_after(count);
            if (events == 0) return SSL_get_shutdown(ssl_.get()) != 0 ? 0 : -1;
        } else {
            const ssize_t count = recv(socket_, to, size, 0);
            if (count >= 0) return count;
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return -1;
        }
        if (!await(events, deadline)) return -1;
    }
}

/// The poll events TLS waits for after a call that returned `result`; 0: the connection is closed.
short ClientStream::events_after(int result) const {
    const int error = SSL_get_error(ssl_.get(), result);
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ) return POLLIN;
    if (error == SSL_ERROR_WANT_WRITE) return POLLOUT;
    return 0;
}

// ------------------------------------------------------------------------------------- writing

bool ClientStream::wait_writable() const {
    // httplib asks before each piece of a streamed response, whose head must be sent before the
    // first piece is available.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): the interface is const
    if (!const_cast<ClientStream*>(this)->flush()) return false;
    pollfd client{socket_, POLLRDHUP, 0};
    return poll(&client, 1, 0) == 0 && await(POLLOUT, Clock::now() + kWritePatience);
}

ssize_t ClientStream::write(const char* from, size_t size) {
    if (std::exchange(may_hold_, false) && size <= kLongestHeld) {
        output_.assign(from, size);
        return static_cast<ssize_t>(size);
    }
    if (output_.size() + size <= 2 * kLongestHeld) {
        output_.append(from, size);
        return flush() ? static_cast<ssize_t>(size) : -1;
    }
    return flush() ? send(from, size) : -1;
}

bool ClientStream::flush() {
    std::size_t sent = 0;
    while (sent < output_.size()) {
        const ssize_t count = send(output_.data() + sent, output_.size() - sent);
        if (count <= 0) return false;
        sent += static_cast<std::size_t>(count);
    }
    std::string().swap(output_);
    return true;
}

ssize_t ClientStream::send(const char* from, std::size_t size) {
    const auto deadline = Clock::now() + kWritePatience;
    while (true) {
        short events = POLLOUT;
        if (ssl_) {
            constexpr std::size_t kMost = 1 << 30;
            const int count = SSL_write(ssl_.get(), from, static_cast<int>(std::min(size, kMost)));
            if (count > 0) return count;
            events = events_after(count);
            if (events == 0) return -1;
        } else {
            const ssize_t count = ::send(socket_, from, size, MSG_NOSIGNAL);
            if (count >= 0) return count;
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return -1;
        }
        if (!await(events, deadline)) return -1;
    }
}

void ClientStream::linger() {
    if (!flush()) return;
    if (ssl_) (void)SSL_shutdown(ssl_.get());
    ERR_clear_error();
    (void)shutdown(socket_, SHUT_WR);
    const auto deadline = Clock::now() + kLingerPatience;
    std::array<char, kInputSize> dropped{};
    while (Clock::now() < deadline && await(POLLIN, deadline))
        if (recv(socket_, dropped.data(), dropped.size(), 0) <= 0) return;
}

// ----------------------------------------------------------------------------------- addresses

void ClientStream::get_remote_ip_and_port(std::string& ip, int& port) const {
    ip = address_;
    port = port_;
}

void ClientStream::get_local_ip_and_port(std::string&, int&) const {
    // httplib asks once per request; the port is not used.
}

}  // namespace epe::gateway
