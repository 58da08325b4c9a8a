#include "listener.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

namespace epe::gateway {

namespace {

constexpr int kTickMilliseconds = 1000;

std::string error_text(int error) { return std::generic_category().message(error); }

void set_flag(int socket, int level, int option) {
    const int on = 1;
    (void)setsockopt(socket, level, option, &on, sizeof(on));
}

void watch(int epoll, int operation, int descriptor, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    if (epoll_ctl(epoll, operation, descriptor, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "epoll");
}

int make_signal_descriptor() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

Listener::Listener(const Options& options, TlsContext* tls) : options_(options), tls_(tls) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int failure = getaddrinfo(options.host.c_str(), nullptr, &hints, &found);
    if (failure != 0)
        throw ListenError("no address for \"" + options.host + "\": " + gai_strerror(failure));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
    port_ = options.port;
    std::string why;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        try {
            listen_at(*each);
        } catch (const ListenError& error) {
            // A host name may resolve to addresses that this machine does not have; these are
            // skipped. A port in use is an error.
            why = error.what();
            if (errno == EADDRINUSE) throw;
        }
    }
    if (listening_.empty()) throw ListenError(why);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    signals_ = make_signal_descriptor();
    watch(epoll_, EPOLL_CTL_ADD, signals_, EPOLLIN);
    for (const int each : listening_) watch(epoll_, EPOLL_CTL_ADD, each, EPOLLIN);
}

Listener::~Listener() {
    close_listening();
    (void)close(signals_);
    (void)close(epoll_);
}

void Listener::listen_at(const addrinfo& address) {
    const int made = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) throw ListenError("cannot create a socket: " + error_text(errno));
    set_flag(made, SOL_SOCKET, SO_REUSEADDR);
    if (address.ai_family == AF_INET6) set_flag(made, IPPROTO_IPV6, IPV6_V6ONLY);
    sockaddr_storage local{};
    std::memcpy(&local, address.ai_addr, address.ai_addrlen);
    // If there are several addresses, all use the port assigned to the first.
    auto& port = address.ai_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(local).sin6_port
                                               : reinterpret_cast<sockaddr_in&>(local).sin_port;
    port = htons(static_cast<std::uint16_t>(port_));
    socklen_t size = address.ai_addrlen;
    if (bind(made, reinterpret_cast<sockaddr*>(&local), size) != 0 ||
        listen(made, SOMAXCONN) != 0) {
        const int error = errno;
        (void)close(made);
        errno = error;
        throw ListenError("cannot listen at " + address_text(options_.host, port_) + ": " +
                          error_text(error));
    }
    (void)getsockname(made, reinterpret_cast<sockaddr*>(&local), &size);
    port_ = ntohs(port);
    listening_.push_back(made);
}

void Listener::run(const Callbacks& callbacks) {
    constexpr std::size_t kMostEvents = 256;
    std::array<epoll_event, kMostEvents> events{};
    auto last_tick = ClientStream::Clock::now();
    while (true) {
        const int count = epoll_wait(epoll_, events.data(), kMostEvents, kTickMilliseconds);
        for (int i = 0; i < count; ++i) {
            const int descriptor = events.at(static_cast<std::size_t>(i)).data.fd;
            if (descriptor == signals_) {
                if (handle_signal(callbacks)) continue;
                stop();
                return;
            }
            if (std::find(listening_.begin(), listening_.end(), descriptor) != listening_.end())
                accept_clients(descriptor);
            else
                hand_over(descriptor, callbacks);
        }
        const auto now = ClientStream::Clock::now();
        if (now - last_tick < std::chrono::milliseconds(kTickMilliseconds)) continue;
        last_tick = now;
        close_idle();
        callbacks.on_tick();
    }
}

/// False when the server shuts down.
bool Listener::handle_signal(const Callbacks& callbacks) {
    signalfd_siginfo signal{};
    if (::read(signals_, &signal, sizeof(signal)) != sizeof(signal)) return true;
    if (signal.ssi_signo != SIGHUP) return false;
    callbacks.on_reload();
    return true;
}

void Listener::accept_clients(int listening) {
    while (true) {
        const int socket = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket < 0) {
            // Out of descriptors: the connection stays in the queue. Pause instead of polling in a
            // busy loop.
            constexpr useconds_t kPause = 10'000;
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) (void)usleep(kPause);
            return;
        }
        const bool was_full = is_full_;
        is_full_ = clients_ >= options_.max_clients;
        if (is_full_) {
            if (!was_full)
                log_event(LogLevel::kWarning, "too many clients", {{"clients", clients_.load()}});
            (void)close(socket);
            continue;
        }
        set_flag(socket, IPPROTO_TCP, TCP_NODELAY);
        set_flag(socket, SOL_SOCKET, SO_KEEPALIVE);
        ++clients_;
        auto client = std::make_unique<ClientStream>(socket, tls_);
        client->idle_since = ClientStream::Clock::now();
        const std::lock_guard lock(mutex_);
        resting_[socket] = std::move(client);
        watch(epoll_, EPOLL_CTL_ADD, socket, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
    }
}

void Listener::hand_over(int descriptor, const Callbacks& callbacks) {
    Workers::OwnedClient client;
    {
        const std::lock_guard lock(mutex_);
        const auto found = resting_.find(descriptor);
        if (found == resting_.end()) return;
        client = std::move(found->second);
        resting_.erase(found);
    }
    callbacks.on_request(std::move(client));
}

void Listener::park(Workers::OwnedClient client) {
    const int socket = client->socket();
    client->idle_since = ClientStream::Clock::now();
    const std::lock_guard lock(mutex_);
    if (is_stopping_) {
        client.reset();
        count_closed();
        return;
    }
    resting_[socket] = std::move(client);
    watch(epoll_, EPOLL_CTL_MOD, socket, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT);
}

void Listener::close_idle() {
    const auto oldest = ClientStream::Clock::now() - options_.keep_alive;
    const std::lock_guard lock(mutex_);
    clients_ -=
        std::erase_if(resting_, [&](const auto& each) { return each.second->idle_since < oldest; });
}

void Listener::close_listening() {
    for (const int each : listening_) (void)close(each);
    listening_.clear();
}

void Listener::stop() {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    close_listening();
    clients_ -= resting_.size();
    resting_.clear();
}

}  // namespace epe::gateway
