// The background workers of jobs.
#pragma once

namespace epe {

/// Registers the launcher, when the server loads the library. A leaf.
void register_job_workers() noexcept;

}  // namespace epe
