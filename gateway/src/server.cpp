#include "server.h"

#include <optional>

#include "http_front.h"
#include "interruption.h"
#include "listener.h"
#include "log.h"

namespace epe::gateway {

namespace {

/// After a response a worker waits this long for the client's next request, which is cheaper than
/// passing the connection to the listener and back.
constexpr std::chrono::milliseconds kAttention{20};

/// Handles a client's pending requests, and those that follow at once.
void attend(HttpFront& front, Listener& listener, const Workers& workers,
            Workers::OwnedClient client) {
    bool is_kept = true;
    while (is_kept) {
        is_kept = front.serve(*client, listener.is_stopping());
        if (!is_kept || listener.is_stopping()) break;
        const auto patience = workers.has_queue() ? std::chrono::milliseconds(0) : kAttention;
        if (!client->await_input(patience)) {
            listener.park(std::move(client));
            return;
        }
    }
    client.reset();
    listener.count_closed();
}

void reload(TlsContext& tls) {
    try {
        tls.reload();
        log_event(LogLevel::kInfo, "certificate reloaded");
    } catch (const TlsError& error) {
        log_event(LogLevel::kError, "certificate not reloaded", {{"message", error.what()}});
    }
}

}  // namespace

Gateway::Gateway(const Options& options)
    : options_(options), tokens_({options.token_life, options.token_chain, options.tokens_per_user,
                                  options.max_tokens}),
      users_(options_, tokens_) {}

void Gateway::run() {
    std::optional<TlsContext> tls;
    if (options_.has_tls()) tls.emplace(options_.tls_certificate, options_.tls_key);
    Listener listener(options_, tls ? &*tls : nullptr);
    HttpFront front(*this, listener.descriptor());
    Workers* all_workers = nullptr;
    Workers workers([&](Workers::OwnedClient client) {
        attend(front, listener, *all_workers, std::move(client));
    });
    all_workers = &workers;
    log_event(LogLevel::kInfo, "listening",
              {{"address", address_text(options_.host, listener.port())},
               {"host", options_.host},
               {"port", listener.port()},
               {"tls", options_.has_tls()}});
    listener.run({[&](Workers::OwnedClient client) { workers.add(std::move(client)); },
                  [&] {
                      if (tls) reload(*tls);
                  },
                  [&] {
                      users_.sweep();
                      http_connections_ = listener.clients();
                  }});
    log_event(LogLevel::kInfo, "stopping", {{"clients", listener.clients()}});
    if (workers.await_end(options_.grace)) return;
    log_event(LogLevel::kWarning, "cancelling statements", {{"clients", listener.clients()}});
    interrupt_statements();
    constexpr std::chrono::seconds kCancelPatience{10};
    (void)workers.await_end(kCancelPatience);
}

Gauges Gateway::gauges() const {
    return {http_connections_, users_.open_connections(), users_.connections_in_use(),
            tokens_.valid()};
}

std::string Gateway::database_state() {
    constexpr std::chrono::seconds kFresh{1};
    const std::lock_guard lock(state_mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (state_.empty() || now - state_asked_ > kFresh) {
        state_ = users_.login().server_state();
        state_asked_ = std::chrono::steady_clock::now();
    }
    return state_;
}

}  // namespace epe::gateway
