// The settings of a session, for the job that it submits.
#pragma once

#include <string>
#include <vector>

namespace epe::jobs {

/// Settings to replay in the worker, as alternating names and values: always those that affect name
/// resolution and text output, and all others that the session, its role or its database has set,
/// custom parameters included; except timeouts, roles, and client settings.
std::vector<std::string> session_settings();

/// Applies them until the end of the transaction. Throws PgError for a setting that the server no
/// longer has.
void apply_settings(const std::vector<std::string>& settings);

}  // namespace epe::jobs
