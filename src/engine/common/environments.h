// Python virtual environments, the folders that `env_name` may name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace epe::engine {

/// The environment of calls that name none: the Python that the server embeds. A folder of this
/// name is ignored.
inline constexpr const char* kDefaultEnvironment = "default";

/// One row of pyq_list_envs().
struct Environment {
    std::string name{};
    std::string folder{};  ///< "" for the default one
    /// size of its files; of the packages' files for the default one
    std::uintmax_t size_bytes = 0;
    std::string description{};  ///< UTF-8, one line, or ""
    int package_count = 0;
    std::string python_version{};  ///< as "3.11"
};

/// The Python that the server embeds.
struct ServerPython {
    std::string version{};                        ///< as "3.11"
    std::vector<std::string> site_directories{};  ///< where its packages are
};

/// Returns the folder of a virtual environment that Python `python_version` can run, or "" for the
/// default one. Its interpreter is bin/python3 below; symbolic links are not resolved, since Python
/// finds the environment by the path that it was started with.
///
/// `environments_dir` is the setting, "" when there is none. Throws Error 22023 for an invalid
/// name, 42704 when there is no such environment, 0A000 when it is of another Python version.
std::string find_environment(const std::string& environments_dir, const std::string& name,
                             const std::string& python_version);

/// A stamp that changes when the packages of an environment change, or when it is recreated:
/// processes that have loaded some of them must not load more. Empty for the default environment
/// ("").
std::string environment_stamp(const std::string& folder);

/// The default environment, then those that find_environment would find, by name. Folders that are
/// not environments, or cannot be read, are omitted.
///
/// Reads every file, which may take a while: `check_interrupts`, which may throw and may be empty,
/// is called once per folder.
std::vector<Environment> list_environments(const std::string& environments_dir,
                                           const ServerPython& server,
                                           const std::function<void()>& check_interrupts);

/// Names of the environments that list_environments would give and whose packages include a module,
/// the default one first; at most kMostNamed, and only the first few hundred are looked at. Looks
/// for its file or folder only. Empty for what cannot be the name of a module without a dot.
inline constexpr std::size_t kMostNamed = 8;
std::vector<std::string> environments_with(const std::string& module,
                                           const std::string& environments_dir,
                                           const ServerPython& server);

}  // namespace epe::engine
