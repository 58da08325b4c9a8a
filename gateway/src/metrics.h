// Metrics of the gateway, in the text format of Prometheus.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

namespace epe::gateway {

/// Values supplied by the caller.
struct Gauges {
    std::size_t http_connections = 0;
    std::size_t database_connections = 0;
    std::size_t database_connections_in_use = 0;
    std::size_t tokens = 0;
};

class Metrics {
   public:
    /// `route` is a path template, not the requested path, so the number of series is bounded.
    void count_request(const std::string& route, const std::string& method, int status,
                       double seconds);
    void count_failed_login() { ++failed_logins_; }
    void count_throttled_login() { ++throttled_logins_; }
    void count_cancelled_statement() { ++cancelled_statements_; }

    std::string text(const Gauges& gauges) const;

   private:
    static constexpr std::array<double, 14> kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                    0.1,    0.25,  0.5,    1,     2.5,  10,    60};
    struct Histogram {
        std::array<std::uint64_t, kBounds.size() + 1> buckets{};
        double sum = 0;
    };

    mutable std::mutex mutex_;
    std::map<std::tuple<std::string, std::string, int>, std::uint64_t> requests_;
    std::map<std::string, Histogram> durations_;  // by route
    std::atomic<std::uint64_t> failed_logins_{0};
    std::atomic<std::uint64_t> throttled_logins_{0};
    std::atomic<std::uint64_t> cancelled_statements_{0};
};

}  // namespace epe::gateway
