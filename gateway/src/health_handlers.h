// The handlers for who watches the gateway.
#pragma once

#include "route.h"

namespace epe::gateway {

/// GET /healthz: 200 when the database takes connections, else 503; {"status", "database"}.
void report_health(Exchange& exchange);
/// GET /metrics.
void report_metrics(Exchange& exchange);

}  // namespace epe::gateway
