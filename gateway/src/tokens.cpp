#include "tokens.h"

#include <algorithm>
#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

namespace epe::gateway {

namespace {

constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kLongestToken = 128;  // longer tokens are invalid
constexpr Tokens::Seconds kRemembered{600};

std::string make_token() {
    std::array<unsigned char, kRandomBytes> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
        throw std::runtime_error("cannot generate random numbers");
    constexpr std::size_t kEncoded = 4 * ((kRandomBytes + 2) / 3);
    std::array<unsigned char, kEncoded + 1> text{};
    EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(bytes.size()));
    std::string token(reinterpret_cast<const char*>(text.data()), kEncoded);
    std::replace(token.begin(), token.end(), '+', '-');
    std::replace(token.begin(), token.end(), '/', '_');
    while (token.back() == '=') token.pop_back();
    OPENSSL_cleanse(bytes.data(), bytes.size());
    OPENSSL_cleanse(text.data(), text.size());
    return token;
}

}  // namespace

Tokens::Hash Tokens::hash_of(std::string_view token) {
    Hash hash{};
    SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
    return hash;
}

std::optional<Tokens::Issued> Tokens::issue(const std::string& user, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    return add({user, ++last_chain_, {}, now + limits_.chain}, now);
}

Tokens::Found Tokens::find(std::string_view token, Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    const auto entry = look_up(token);
    if (entry == entries_.end()) return {};
    if (entry->second.expires <= now) return {State::kExpired};
    return {State::kValid, entry->second.user};
}

std::optional<Tokens::Issued> Tokens::refresh(std::string_view token, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    const auto entry = look_up(token);
    if (entry == entries_.end() || entry->second.expires <= now) return std::nullopt;
    return add(entry->second, now);
}

bool Tokens::revoke(std::string_view token) {
    const std::lock_guard lock(mutex_);
    const auto entry = look_up(token);
    if (entry == entries_.end()) return false;
    const std::uint64_t chain = entry->second.chain;
    for (auto each = entries_.begin(); each != entries_.end();) {
        const auto current = each++;
        if (current->second.chain == chain) remove(current);
    }
    return true;
}

void Tokens::revoke_user(const std::string& user) {
    const std::lock_guard lock(mutex_);
    for (auto each = entries_.begin(); each != entries_.end();) {
        const auto current = each++;
        if (current->second.user == user) remove(current);
    }
}

std::set<std::string> Tokens::users(Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    std::set<std::string> found;
    for (const auto& [hash, entry] : entries_)
        if (entry.expires > now) found.insert(entry.user);
    return found;
}

std::size_t Tokens::valid(Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(),
                      [&](const auto& each) { return each.second.expires > now; }));
}

void Tokens::sweep(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    remove_expired(now - kRemembered);
}

// -------------------------------------------------------------------------- with the lock held

Tokens::Entries::const_iterator Tokens::look_up(std::string_view token) const {
    if (token.size() > kLongestToken) return entries_.end();
    const Hash hash = hash_of(token);
    const auto entry = entries_.find(hash);
    // The lookup compares hashes, which a client cannot choose; the final comparison takes constant
    // time.
    if (entry != entries_.end() &&
        CRYPTO_memcmp(entry->first.data(), hash.data(), hash.size()) != 0)
        return entries_.end();
    return entry;
}

std::optional<Tokens::Issued> Tokens::add(const Entry& like, Clock::time_point now) {
    if (like.chain_end <= now) return std::nullopt;
    const auto is_full = [&] {
        const auto number = number_of_.find(like.user);
        return entries_.size() >= limits_.in_all ||
               (number != number_of_.end() && number->second >= limits_.per_user);
    };
    if (is_full()) remove_expired(now);
    if (is_full()) return std::nullopt;
    Entry entry = like;
    entry.expires = std::min(now + limits_.life, entry.chain_end);
    Issued issued{make_token(), std::chrono::duration_cast<Seconds>(entry.expires - now),
                  entry.user};
    ++number_of_[entry.user];
    entries_.emplace(hash_of(issued.token), std::move(entry));
    return issued;
}

void Tokens::remove(Entries::iterator entry) {
    const auto number = number_of_.find(entry->second.user);
    if (--number->second == 0) number_of_.erase(number);
    entries_.erase(entry);
}

void Tokens::remove_expired(Clock::time_point expired_before) {
    for (auto each = entries_.begin(); each != entries_.end();) {
        const auto current = each++;
        if (current->second.expires <= expired_before) remove(current);
    }
}

}  // namespace epe::gateway
