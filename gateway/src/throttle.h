// Slows down password guessing.
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

/// Counts failed logins by address, and by user at an address. Users who have recently logged in
/// from an address are exempt from its count, and a user cannot be locked out from other addresses.
/// Past a threshold each failure doubles the period in which further attempts are rejected without
/// checking, up to a minute. IPv6 addresses count by their /64. The number of records is bounded;
/// the least recently used are evicted first. Thread-safe.
class Throttle {
   public:
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::seconds;

    explicit Throttle(std::size_t most_records = 100'000) : most_records_(most_records) {}

    /// An admitted attempt, in progress until destroyed. If neither outcome is reported, it does
    /// not count: the database could not be asked.
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

    /// How long this user may not try from this address; zero if it may try now.
    Seconds delay(const std::string& user, const std::string& address,
                  Clock::time_point now = Clock::now());

    /// Waits while as many attempts of this user from this address are in progress as may fail in a
    /// row, so that parallel attempts gain nothing over sequential ones. Then `delay` decides:
    /// nullopt sets `refused`.
    std::optional<Attempt> begin(const std::string& user, const std::string& address,
                                 Seconds& refused);

    std::size_t records() const;

   private:
    struct Record {
        std::uint32_t failures = 0;
        std::uint32_t running = 0;
        Clock::time_point last{};
        Clock::time_point until{};
        Clock::time_point trusted_until{};  // for a pair that has logged in
        std::list<std::string>::iterator place{};
    };

    Record& record(const std::string& key);
    /// Whether one more attempt may start, assuming that all attempts in progress fail.
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
