// Conversions between rows of the tables and C++ values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"
#include "jobs/job.h"
#include "jobs/owner_sql.h"

namespace epe::jobs {

/// The number of columns in EPE_REQUEST_COLUMNS.
inline constexpr std::size_t kRequestColumns = 19;

JobId job_id(const std::string& text);
/// 0 for NULL.
std::int64_t number_of(const std::optional<std::string>& text);
/// As the text of an array.
std::string error_text(const ErrorReport& error);
/// Inverse of error_text().
ErrorReport read_error(const std::optional<std::string>& text);
/// From the columns of EPE_REQUEST_COLUMNS.
ClaimedJob read_job(const Row& row);

}  // namespace epe::jobs
