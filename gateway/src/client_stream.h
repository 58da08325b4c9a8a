// One HTTP connection, as httplib reads and writes it.
#pragma once

#include <chrono>
#include <string>

#include <httplib.h>

#include "chunk_scanner.h"
#include "head_scanner.h"
#include "tls.h"

namespace epe::gateway {

/// Owns the socket. Buffers what comes in, and the head of an answer until its body follows, so
/// that both go out together. Every wait has an end: a client that dribbles its request, or does
/// not take its answer, is given up. For one thread at a time.
class ClientStream final : public httplib::Stream {
   public:
    using Clock = std::chrono::steady_clock;

    /// `socket` is non-blocking; `tls` may be null.
    ClientStream(int socket, TlsContext* tls);
    ~ClientStream() override;
    ClientStream(const ClientStream&) = delete;
    ClientStream& operator=(const ClientStream&) = delete;

    /// Before a request: its head must be here in a few seconds, and be short.
    void begin_head();
    /// Behind the head: the body has more time, and so many bytes with what frames its chunks.
    void begin_body(std::size_t most_bytes, bool is_chunked);
    /// False while a body in chunks has not been read to its end, or when it is none.
    bool has_whole_body() const { return !is_chunked_ || chunks_.is_done(); }
    /// Whether bytes of a next request are here already.
    bool has_input() const;
    /// Waits that long for a next request.
    bool await_input(std::chrono::milliseconds patience) const;
    /// Sends what waits; false when the client is gone.
    bool flush();
    /// Says that nothing more comes, and takes for a moment what the client still sends: closing at
    /// once could destroy an answer that it has not read.
    void linger();

    bool is_readable() const override;
    bool is_writable() const override;
    ssize_t read(char* to, size_t size) override;
    ssize_t write(const char* from, size_t size) override;
    void get_remote_ip_and_port(std::string& ip, int& port) const override;
    void get_local_ip_and_port(std::string&, int&) const override;
    socket_t socket() const override { return socket_; }

    /// The client's, without port; known even when it is gone.
    const std::string& address() const { return address_; }

    Clock::time_point idle_since{};  ///< for who keeps it between requests

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
    std::size_t taken_ = 0;  // of input_
    std::size_t left_ = 0;   // bytes that the head or the body may still have
    bool is_head_ = true;
    HeadScanner scanner_{};
    bool is_chunked_ = false;
    ChunkScanner chunks_{};
    std::string output_;    // an answer's first piece: its head
    bool may_hold_ = true;  // nothing of the answer has been written yet
    Clock::time_point deadline_{};
};

}  // namespace epe::gateway
