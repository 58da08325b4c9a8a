// One HTTP connection, read and written by httplib.
#pragma once

#include <chrono>
#include <string>

#include <httplib.h>

#include "chunk_scanner.h"
#include "head_scanner.h"
#include "tls.h"

namespace epe::gateway {

/// Owns the socket. Buffers input, and holds the head of a response until its body follows, so that
/// both are sent together. Every wait has a timeout: a client that sends its request or reads its
/// response too slowly is disconnected. Not thread-safe.
class ClientStream final : public httplib::Stream {
   public:
    using Clock = std::chrono::steady_clock;

    /// `socket` is non-blocking; `tls` may be null.
    ClientStream(int socket, TlsContext* tls);
    ~ClientStream() override;
    ClientStream(const ClientStream&) = delete;
    ClientStream& operator=(const ClientStream&) = delete;

    /// Before a request: its head must be short and arrive within a few seconds.
    void begin_head();
    /// After the head: sets the time limit of the body and its maximum size including chunk
    /// framing.
    void begin_body(std::size_t most_bytes, bool is_chunked);
    /// False while a chunked body has not been read completely, or if it is malformed.
    bool has_whole_body() const { return !is_chunked_ || chunks_.is_done(); }
    /// Whether bytes of the next request have already arrived.
    bool has_input() const;
    /// Waits up to the given time for the next request.
    bool await_input(std::chrono::milliseconds patience) const;
    /// Sends pending output; false when the client has disconnected.
    bool flush();
    /// Shuts down the sending side and briefly drains input: closing at once could discard a
    /// response that the client has not read yet.
    void linger();

    // is_writable() is httplib's up to 0.18; the three after it are newer. Without `override`
    // they compile with each.
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winconsistent-missing-override"
#endif
    bool is_readable() const override;
    virtual bool is_writable() const { return wait_writable(); }
    virtual bool wait_readable() const { return is_readable(); }
    virtual bool wait_writable() const;
    /// Seconds since the start; httplib uses it in clients only.
    virtual time_t duration() const { return 0; }
#ifdef __clang__
#pragma clang diagnostic pop
#endif
    ssize_t read(char* to, size_t size) override;
    ssize_t write(const char* from, size_t size) override;
    void get_remote_ip_and_port(std::string& ip, int& port) const override;
    void get_local_ip_and_port(std::string&, int&) const override;
    socket_t socket() const override { return socket_; }

    /// The client's address without port; known even after it has disconnected.
    const std::string& address() const { return address_; }

    Clock::time_point idle_since{};  ///< start of the idle period between requests

   private:
    ssize_t hand_out(const char* bytes, ssize_t count);
    ssize_t receive(char* to, std::size_t size, Clock::time_point deadline);
    ssize_t send(const char* from, std::size_t size);
    bool await(short events, Clock::time_point deadline) const;
    short events_after(int result) const;

    const int socket_;
    std::string address_;
    int port_ = 0;
    OwnedSsl ssl_;
    std::string input_;
    std::size_t taken_ = 0;  // consumed bytes of input_
    std::size_t left_ = 0;   // bytes left for the head or the body
    bool is_head_ = true;
    HeadScanner scanner_{};
    bool is_chunked_ = false;
    ChunkScanner chunks_{};
    std::string output_;    // the held head of a response
    bool may_hold_ = true;  // no part of the response has been written yet
    Clock::time_point deadline_{};
};

}  // namespace epe::gateway
