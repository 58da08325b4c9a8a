// Who a client is when a proxy stands in front.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epe::gateway {

/// An address of IPv6; those of IPv4 are mapped (::ffff:192.0.2.1).
class IpAddress {
   public:
    /// nullopt for what is none. Takes no port, zone or brackets.
    static std::optional<IpAddress> parse(const std::string& text);
    /// As inet_ntop writes it; those of IPv4 as such.
    std::string text() const;

   private:
    friend class IpNetwork;
    std::array<unsigned char, 16> bytes_{};
};

class IpNetwork {
   public:
    /// "10.0.0.0/8", "2001:db8::/32", or an address alone. nullopt for what is none.
    static std::optional<IpNetwork> parse(const std::string& text);
    bool holds(const IpAddress& address) const;

   private:
    IpAddress first_{};
    unsigned bits_ = 0;  // of 128
};

/// The right-most address of X-Forwarded-For that is no trusted proxy's, when all behind it and the
/// peer are; else the peer's. `forwarded`: the header's values, in order.
std::string client_address(const std::string& peer, const std::vector<std::string>& forwarded,
                           const std::vector<IpNetwork>& trusted);

}  // namespace epe::gateway
