// The address of a client behind trusted proxies.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epe::gateway {

/// An IPv6 address; IPv4 addresses are mapped (::ffff:192.0.2.1).
class IpAddress {
   public:
    /// nullopt if `text` is not an address. Does not accept a port, zone or brackets.
    static std::optional<IpAddress> parse(const std::string& text);
    /// Text as written by inet_ntop; mapped addresses as IPv4.
    std::string text() const;

   private:
    friend class IpNetwork;
    std::array<unsigned char, 16> bytes_{};
};

class IpNetwork {
   public:
    /// "10.0.0.0/8", "2001:db8::/32", or a single address. nullopt if the text is neither.
    static std::optional<IpNetwork> parse(const std::string& text);
    bool holds(const IpAddress& address) const;

   private:
    IpAddress first_{};
    unsigned bits_ = 0;  // prefix length, of 128
};

/// The right-most address of X-Forwarded-For that is not a trusted proxy, if the peer and all
/// addresses to its right are trusted; otherwise the peer's address. `forwarded`: the header's
/// values, in order.
std::string client_address(const std::string& peer, const std::vector<std::string>& forwarded,
                           const std::vector<IpNetwork>& trusted);

}  // namespace epe::gateway
