// The gateway: state shared by all requests.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "metrics.h"
#include "options.h"
#include "throttle.h"
#include "tokens.h"
#include "user_pool.h"

namespace epe::gateway {

class Gateway {
   public:
    explicit Gateway(const Options& options);

    /// Serves until SIGTERM or SIGINT. Throws ListenError, TlsError.
    void run();

    const Options& options() const { return options_; }
    Tokens& tokens() { return tokens_; }
    Users& users() { return users_; }
    Throttle& throttle() { return throttle_; }
    Metrics& metrics() { return metrics_; }

    Gauges gauges() const;
    /// PQping's answer, cached for a second because the endpoint is public.
    std::string database_state();

   private:
    const Options options_;
    Tokens tokens_;
    Users users_;
    Throttle throttle_;
    Metrics metrics_;
    std::atomic<std::size_t> http_connections_{0};

    std::mutex state_mutex_;
    std::string state_;
    std::chrono::steady_clock::time_point state_asked_{};
};

}  // namespace epe::gateway
