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
    /// The engine program. Engines of other minor versions of Python are beside it.
    std::string program{};

    /// Whether there is an engine for environments of a version.
    bool can_run(const std::string& other) const;
};

/// The engine program for another minor version of Python: "oml_epe_engine-3.13".
inline std::string program_for(const std::string& program, const std::string& python_version) {
    return program + "-" + python_version;
}

/// The minor version of Python that an environment is for, as "3.11"; "" when it is unknown.
std::string environment_python(const std::string& folder);

/// Returns the folder of a virtual environment for which there is an engine, or "" for the default
/// one. Its interpreter is bin/python3 below; symbolic links are not resolved, since Python finds
/// the environment by the path that it was started with.
///
/// `environments_dir` is the setting, "" when there is none. Throws Error 22023 for an invalid
/// name, 42704 when there is no such environment, 42501 when the server may not read it or its
/// Python, 0A000 when no engine is built for its Python version.
std::string find_environment(const std::string& environments_dir, const std::string& name,
                             const ServerPython& server);

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
