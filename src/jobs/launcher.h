// The background worker that starts job workers.
#pragma once

namespace epe::jobs {

/// Registers it when pg::may_register_workers(). `function` and `worker_function` are the C symbols
/// of the main functions of the launcher and of the workers.
void register_launcher(const char* function, const char* worker_function) noexcept;

/// Its main function. It runs no user code and no query: it reads pg_database, and waits.
void launcher_main() noexcept;

}  // namespace epe::jobs
