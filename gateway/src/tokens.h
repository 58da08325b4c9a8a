// Bearer tokens: their users and lifetimes.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace epe::gateway {

/// Tokens are random, and only their SHA-256 is stored. Tokens obtained from one login by
/// refreshing form a chain, which ends after a time limit or when it is revoked. Thread-safe.
class Tokens {
   public:
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::seconds;

    struct Limits {
        Seconds life{3600};
        Seconds chain{8 * 3600};
        std::size_t per_user = 1000;
        std::size_t in_all = 100'000;
    };

    struct Issued {
        std::string token;
        Seconds expires_in{};
        std::string user;
    };

    enum class State { kValid, kExpired, kUnknown };
    struct Found {
        State state = State::kUnknown;
        std::string user{};  ///< user of a valid token
    };

    explicit Tokens(const Limits& limits) : limits_(limits) {}

    /// The first token of a chain; nullopt if the user, or all users together, have too many.
    std::optional<Issued> issue(const std::string& user, Clock::time_point now = Clock::now());
    Found find(std::string_view token, Clock::time_point now = Clock::now()) const;
    /// A further token of a valid token's chain; the old token stays valid until it expires.
    /// nullopt if the token is invalid, the chain has ended or there are too many tokens.
    std::optional<Issued> refresh(std::string_view token, Clock::time_point now = Clock::now());
    /// Revokes the token's chain. False if the token is unknown.
    bool revoke(std::string_view token);
    void revoke_user(const std::string& user);

    /// The users that have a valid token.
    std::set<std::string> users(Clock::time_point now = Clock::now()) const;
    std::size_t valid(Clock::time_point now = Clock::now()) const;
    /// Removes tokens some time after their expiry; until then they are reported as expired.
    void sweep(Clock::time_point now = Clock::now());

   private:
    using Hash = std::array<unsigned char, 32>;
    struct Entry {
        std::string user;
        std::uint64_t chain = 0;
        Clock::time_point expires{};
        Clock::time_point chain_end{};
    };
    using Entries = std::map<Hash, Entry>;

    static Hash hash_of(std::string_view token);
    Entries::const_iterator look_up(std::string_view token) const;
    std::optional<Issued> add(const Entry& like, Clock::time_point now);
    void remove(Entries::iterator entry);
    void remove_expired(Clock::time_point expired_before);

    const Limits limits_;
    mutable std::mutex mutex_;
    Entries entries_;
    std::map<std::string, std::size_t> number_of_;  // by user
    std::uint64_t last_chain_ = 0;
};

}  // namespace epe::gateway
