#include "workers.h"

#include <exception>

#include <pthread.h>

#include "log.h"

namespace epe::gateway {

namespace {

// Address space; only touched pages take memory. httplib parses some headers with std::regex, which
// recurses once per character: the longest header line must fit.
constexpr std::size_t kStackBytes = std::size_t{8} << 20;
constexpr std::chrono::seconds kFreeFor{5};

}  // namespace

void Workers::add(OwnedClient client) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(client));
    if (free_ >= queue_.size()) {
        added_.notify_one();
        return;
    }
    // If no thread can be started, the client waits for an existing one, if any.
    if (start() || threads_ > 0) return;
    queue_.pop_back();
    log_event(LogLevel::kError, "cannot start a thread for a client");
}

bool Workers::start() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread{};
    const bool is_started = pthread_create(&thread, &attributes, &Workers::enter, this) == 0;
    pthread_attr_destroy(&attributes);
    if (is_started) ++threads_;
    return is_started;
}

void* Workers::enter(void* workers) {
    static_cast<Workers*>(workers)->run();
    return nullptr;
}

void Workers::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        ++free_;
        const bool has_work =
            added_.wait_for(lock, kFreeFor, [&] { return !queue_.empty() || is_ending_; });
        --free_;
        if (!has_work || queue_.empty()) break;
        OwnedClient client = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        try {
            work_(std::move(client));
        } catch (const std::exception& error) {
            log_event(LogLevel::kError, "request failed", {{"message", error.what()}});
        }
        lock.lock();
    }
    --threads_;
    // With the lock held: after it is released this object may be destroyed.
    ended_.notify_all();
}

bool Workers::has_queue() const {
    const std::lock_guard lock(mutex_);
    return !queue_.empty();
}

bool Workers::await_end(std::chrono::steady_clock::duration patience) {
    std::unique_lock lock(mutex_);
    is_ending_ = true;
    added_.notify_all();
    return ended_.wait_for(lock, patience, [&] { return threads_ == 0; });
}

}  // namespace epe::gateway
