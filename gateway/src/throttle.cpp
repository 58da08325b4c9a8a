#include "throttle.h"

#include <algorithm>

#include <arpa/inet.h>

namespace epe::gateway {

namespace {

constexpr std::uint32_t kFreeOfPair = 5;      // failures before delays start
constexpr std::uint32_t kFreeOfAddress = 50;  // many users may share one
constexpr Throttle::Seconds kLongest{60};
constexpr Throttle::Seconds kTrusted{8 * 3600};
constexpr Throttle::Seconds kForgotten{15 * 60};  // age at which failures expire

/// The network from which one client can obtain addresses.
std::string network_of(const std::string& address) {
    in6_addr six{};
    if (inet_pton(AF_INET6, address.c_str(), &six) != 1 || IN6_IS_ADDR_V4MAPPED(&six))
        return address;
    constexpr std::size_t kNetworkBytes = 8;
    return {reinterpret_cast<const char*>(&six), kNetworkBytes};
}

std::string address_key(const std::string& address) { return "a" + network_of(address); }

std::string pair_key(const std::string& user, const std::string& address) {
    return "u" + network_of(address) + '\0' + user;
}

}  // namespace

Throttle::Attempt::Attempt(Throttle& owner, std::string pair, std::string address)
    : owner_(owner), pair_(std::move(pair)), address_(std::move(address)) {}

Throttle::Attempt::~Attempt() {
    {
        const std::lock_guard lock(owner_.mutex_);
        for (const std::string* each : {&pair_, &address_}) {
            Record& counted = owner_.record(*each);
            if (counted.running > 0) --counted.running;
        }
    }
    owner_.ended_.notify_all();
}

void Throttle::Attempt::succeed(Clock::time_point now) {
    const std::lock_guard lock(owner_.mutex_);
    Record& pair = owner_.record(pair_);
    pair.failures = 0;
    pair.trusted_until = now + kTrusted;
}

void Throttle::Attempt::fail(Clock::time_point now) {
    const std::lock_guard lock(owner_.mutex_);
    owner_.add_failure(pair_, kFreeOfPair, now);
    owner_.add_failure(address_, kFreeOfAddress, now);
}

Throttle::Seconds Throttle::delay(const std::string& user, const std::string& address,
                                  Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    const std::string pair = pair_key(user, address);
    if (is_trusted(pair, now)) return delay_of(pair, now);
    return std::max(delay_of(pair, now), delay_of(address_key(address), now));
}

std::optional<Throttle::Attempt> Throttle::begin(const std::string& user,
                                                 const std::string& address, Seconds& refused) {
    const std::string pair = pair_key(user, address);
    const std::string whole = address_key(address);
    {
        std::unique_lock lock(mutex_);
        ended_.wait(lock, [&] {
            return has_room(pair, kFreeOfPair) &&
                   (is_trusted(pair, Clock::now()) || has_room(whole, kFreeOfAddress));
        });
        const Clock::time_point now = Clock::now();
        refused = delay_of(pair, now);
        if (!is_trusted(pair, now)) refused = std::max(refused, delay_of(whole, now));
        if (refused > Seconds::zero()) return std::nullopt;
        ++record(pair).running;
        ++record(whole).running;
    }
    return std::optional<Attempt>(std::in_place, *this, pair, whole);
}

std::size_t Throttle::records() const {
    const std::lock_guard lock(mutex_);
    return records_.size();
}

// -------------------------------------------------------------------------- with the lock held

Throttle::Record& Throttle::record(const std::string& key) {
    const auto found = records_.find(key);
    if (found != records_.end()) {
        order_.splice(order_.end(), order_, found->second.place);
        return found->second;
    }
    make_room();
    Record& made = records_[key];
    made.place = order_.insert(order_.end(), key);
    return made;
}

bool Throttle::has_room(const std::string& key, std::uint32_t free) {
    const Record& counted = record(key);
    return counted.running == 0 || counted.failures + counted.running < free;
}

bool Throttle::is_trusted(const std::string& pair, Clock::time_point now) const {
    const auto found = records_.find(pair);
    return found != records_.end() && found->second.trusted_until > now;
}

void Throttle::make_room() {
    // Attempts in progress are few: at most one per client.
    for (auto each = order_.begin(); records_.size() >= most_records_ && each != order_.end();) {
        const auto found = records_.find(*each);
        if (found->second.running > 0) {
            ++each;
            continue;
        }
        records_.erase(found);
        each = order_.erase(each);
    }
}

Throttle::Seconds Throttle::delay_of(const std::string& key, Clock::time_point now) const {
    const auto found = records_.find(key);
    if (found == records_.end() || found->second.until <= now) return Seconds::zero();
    return std::chrono::ceil<Seconds>(found->second.until - now);
}

void Throttle::add_failure(const std::string& key, std::uint32_t free, Clock::time_point now) {
    Record& counted = record(key);
    if (now - counted.last > kForgotten) counted.failures = 0;
    counted.last = now;
    ++counted.failures;
    if (counted.failures < free) return;
    constexpr std::uint32_t kMostDoublings = 6;
    const std::uint32_t doublings = std::min(counted.failures - free, kMostDoublings);
    counted.until = now + std::min(Seconds(1LL << doublings), kLongest);
}

}  // namespace epe::gateway
