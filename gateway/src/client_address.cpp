#include "client_address.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace epe::gateway {

namespace {

constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr unsigned kMappedBits = 96;
constexpr unsigned kAllBits = 128;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t";
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_port(std::string_view text) {
    constexpr std::size_t kMostDigits = 5;
    return !text.empty() && text.size() <= kMostDigits &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Parses an address as proxies write it, optionally with brackets and port.
std::optional<IpAddress> read_forwarded(std::string_view text) {
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view rest = text.substr(end + 1);
        if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return std::nullopt;
        text = text.substr(1, end - 1);
        if (text.find(':') == std::string_view::npos) return std::nullopt;
    } else if (std::count(text.begin(), text.end(), ':') == 1) {
        const std::size_t colon = text.find(':');
        if (!is_port(text.substr(colon + 1))) return std::nullopt;
        text = text.substr(0, colon);
    }
    return IpAddress::parse(std::string(text));
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(const std::string& text) {
    if (text.find('\0') != std::string::npos) return std::nullopt;
    IpAddress address;
    if (inet_pton(AF_INET6, text.c_str(), address.bytes_.data()) == 1) return address;
    std::copy(kMapped.begin(), kMapped.end(), address.bytes_.begin());
    if (inet_pton(AF_INET, text.c_str(), address.bytes_.data() + kMapped.size()) == 1)
        return address;
    return std::nullopt;
}

std::string IpAddress::text() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()))
        (void)inet_ntop(AF_INET, bytes_.data() + kMapped.size(), text.data(), text.size());
    else
        (void)inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
    return text.data();
}

std::optional<IpNetwork> IpNetwork::parse(const std::string& text) {
    const std::size_t slash = text.find('/');
    const std::string host = text.substr(0, slash);
    const auto address = IpAddress::parse(host);
    if (!address) return std::nullopt;
    IpNetwork network;
    network.first_ = *address;
    network.bits_ = kAllBits;
    if (slash == std::string::npos) return network;
    const unsigned least = host.find(':') == std::string::npos ? kMappedBits : 0;
    const char* const end = text.data() + text.size();
    unsigned bits = 0;
    const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
    if (error != std::errc() || stop != end || bits > kAllBits - least) return std::nullopt;
    network.bits_ = bits + least;
    return network;
}

bool IpNetwork::holds(const IpAddress& address) const {
    const unsigned whole = bits_ / 8;
    if (std::memcmp(address.bytes_.data(), first_.bytes_.data(), whole) != 0) return false;
    if (bits_ % 8 == 0) return true;
    const unsigned difference = address.bytes_.at(whole) ^ first_.bytes_.at(whole);
    return difference >> (8 - bits_ % 8) == 0;
}

std::string client_address(const std::string& peer, const std::vector<std::string>& forwarded,
                           const std::vector<IpNetwork>& trusted) {
    const auto is_trusted = [&](const IpAddress& address) {
        return std::any_of(trusted.begin(), trusted.end(),
                           [&](const IpNetwork& each) { return each.holds(address); });
    };
    const auto proxy = IpAddress::parse(peer);
    if (!proxy || !is_trusted(*proxy)) return peer;
    std::optional<IpAddress> client;
    for (auto value = forwarded.rbegin(); value != forwarded.rend(); ++value) {
        std::string_view rest = *value;
        while (true) {
            const std::size_t comma = rest.rfind(',');
            const std::size_t start = comma == std::string_view::npos ? 0 : comma + 1;
            client = read_forwarded(trimmed(rest.substr(start)));
            if (!client) return peer;
            if (!is_trusted(*client)) return client->text();
            if (comma == std::string_view::npos) break;
            rest = rest.substr(0, comma);
        }
    }
    return client ? client->text() : peer;
}

}  // namespace epe::gateway
