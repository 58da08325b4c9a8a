// Maintenance of the job tables of a database, by a worker that serves no role. It runs only the
// extension's own statements, no user code.
#pragma once

#include <cstdint>

namespace epe::jobs {

/// Makes the changes that waited for row locks, marks lost jobs, removes old ones, stops those
/// whose row was deleted, and counts queued ones. What is locked is left to a later maintenance.
void maintain_tables(std::uint32_t database);

}  // namespace epe::jobs
