// The settings of a session, to give them to the job that it submits.
#pragma once

#include <string>
#include <vector>

namespace epe::jobs {

/// Names and values, in turn: what bears on names and texts in any case, and all else that the
/// session, its role or its database has set, custom parameters included; but for limits of time,
/// roles, and what is about the client.
std::vector<std::string> session_settings();

/// Makes them hold until the transaction ends. Throws PgError for one that the server knows no
/// more.
void apply_settings(const std::vector<std::string>& settings);

}  // namespace epe::jobs
