// Conversions between rows of the tables and C++ values.
#pragma once

#include "jobs/owner_sql.h"
#include "jobs/store.h"

namespace epe::jobs {

/// The number of columns in EPE_REQUEST_COLUMNS.
inline constexpr std::size_t kRequestColumns = 19;

JobId job_id(const std::string& text);
/// As the text of an array.
std::string error_text(const ErrorReport& error);
/// From the columns of EPE_REQUEST_COLUMNS.
ClaimedJob read_job(const Row& row);

}  // namespace epe::jobs
