// Slows down who guesses passwords.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace epe::gateway {

/// Counts failed log-ins by address, which does not concern users who have logged in from there
/// lately, and by user at an address: nobody can lock a user out from elsewhere. Past a number of
/// failures each one doubles the time for which further attempts are refused unheard, up to a
/// minute. Addresses of IPv6 count by their /64. Keeps a bounded number of records; the least
/// recent go first. Safe from all threads.
class Throttle {
   public:
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::seconds;

    explicit Throttle(std::size_t most_records = 100'000) : most_records_(most_records) {}

    /// An attempt that may be made; counts as one that goes on until it ends. One that says neither
    /// counts neither way: the database could not be asked.
    class Attempt {
       public:
        Attempt(Throttle& owner, std::string pair, std::string address);
        Attempt(const Attempt&) = delete;
        Attempt& operator=(const Attempt&) = delete;
        ~Attempt();
        void succeed(Clock::time_point now = Clock::now());
        void fail(Clock::time_point now = Clock::now());

       private:
        Throttle& owner_;
        std::string pair_, address_;
    };

    /// How long this user must not try from this address; zero: at once.
    Seconds delay(const std::string& user, const std::string& address,
                  Clock::time_point now = Clock::now());

    /// Waits while as many attempts of this user from this address go on as may fail in a row, so
    /// that a burst guesses no more than a sequence; then `delay` decides: nullopt sets `refused`.
    std::optional<Attempt> begin(const std::string& user, const std::string& address,
                                 Seconds& refused);

    std::size_t records() const;

   private:
    struct Record {
        std::uint32_t failures = 0;
        std::uint32_t running = 0;
        Clock::time_point last{};
        Clock::time_point until{};
        Clock::time_point trusted_until{};  // of a pair that has logged in
        std::list<std::string>::iterator place{};
    };

    Record& record(const std::string& key);
    /// Whether one more attempt may go on beside those that do, which may all fail.
    bool has_room(const std::string& key, std::uint32_t free);
    bool is_trusted(const std::string& pair, Clock::time_point now) const;
    Seconds delay_of(const std::string& key, Clock::time_point now) const;
    void add_failure(const std::string& key, std::uint32_t free, Clock::time_point now);
    void make_room();

    const std::size_t most_records_;
    mutable std::mutex mutex_;
    std::condition_variable ended_;
    std::map<std::string, Record> records_;
    std::list<std::string> order_;  // least recent first
};

}  // namespace epe::gateway
