#include "health_handlers.h"

#include <httplib.h>

#include "server.h"

namespace epe::gateway {

void report_health(Exchange& exchange) {
    const std::string state = exchange.gateway.database_state();
    const bool is_up = state == "up";
    constexpr int kUnavailable = 503;
    if (!is_up) exchange.response.status = kUnavailable;
    const nlohmann::ordered_json body{{"status", is_up ? "ok" : "unavailable"},
                                      {"database", state}};
    exchange.response.set_content(body.dump(), "application/json");
}

void report_metrics(Exchange& exchange) {
    exchange.response.set_content(exchange.gateway.metrics().text(exchange.gateway.gauges()),
                                  "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace epe::gateway
