// The handlers for monitoring.
#pragma once

#include "route.h"

namespace epe::gateway {

/// GET /healthz: 200 when the database accepts connections, otherwise 503; {"status", "database"}.
void report_health(Exchange& exchange);
/// GET /metrics.
void report_metrics(Exchange& exchange);

}  // namespace epe::gateway
