// Job IDs.
#pragma once

#include <string>
#include <string_view>

#include "route.h"

namespace epe::gateway {

/// {jobId} of the path. Throws ApiError 400 if it is not a UUID.
std::string job_in_path(const Exchange& exchange);

/// The UUID at the end of a submission's URL.
std::string job_id_in_url(std::string_view url);

bool is_job_id(std::string_view text);

}  // namespace epe::gateway
