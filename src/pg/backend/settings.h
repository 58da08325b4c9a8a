// The settings (GUCs) of the extension, all named oml_epe.*.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace epe::pg {

/// Called once, when PostgreSQL loads the library. A leaf.
void define_settings() noexcept;

enum class EngineChoice : std::uint8_t { kBackend, kProcess };
enum class SandboxChoice : std::uint8_t { kRequired, kPreferred };

/// Values of the settings in the current session.
struct EngineSettings {
    EngineChoice engine = EngineChoice::kBackend;
    SandboxChoice sandbox = SandboxChoice::kRequired;
    std::string program{};
    std::vector<std::string> preload{};
    std::string environments_folder{};
    std::vector<std::string> read_paths{};
    std::vector<std::uint16_t> tcp_ports{};
    int low_engines = 0;
    int medium_engines = 0;
    int high_engines = 0;
    int most_engines = 0;          ///< of the server
    int most_engines_of_role = 0;  ///< of the session's role in the server; 0: no limit
    int idle_seconds = 0;
    int wait_milliseconds = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t temp_bytes = 0;
    int niceness = 0;
};
EngineSettings engine_settings();

/// Maximum number of job workers in shared memory.
inline constexpr int kMostJobs = 64;
struct JobSettings {
    int most_jobs = 0;
    int most_jobs_per_role = 0;  ///< per session role; 0: no separate limit
    int retention_seconds = 0;   ///< 0: no limit
    int timeout_seconds = 0;
    int least_timeout = 0;
    int largest_timeout = 0;
    std::string gateway_url{};
};
JobSettings job_settings();

/// oml_epe.output_limit, output_bytes and output_piece: see OutputShape.
std::int64_t output_limit();
std::int64_t output_bytes();
std::int64_t output_piece();

/// oml_epe.plan_nodes: whether calls in FROM become plan nodes that return rows as they come. A
/// leaf.
bool plan_nodes() noexcept;

/// The folder of the engines' files: below the data directory, with a name that base backups
/// exclude. Absolute.
std::string engine_folder();
/// The socket of the server's supervisor, relative to the data directory, which is the working
/// directory of every server process: an absolute path may be too long for a socket.
std::string supervisor_socket();

}  // namespace epe::pg
