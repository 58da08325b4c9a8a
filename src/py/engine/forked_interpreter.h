// Python in a process of the engine program: started once in a zygote, continued in its forks.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace epe::py {

/// Starts the interpreter, with the packages of an environment's folder or, when that is empty, the
/// server's own, and imports modules. Modules that cannot be imported are skipped and named on
/// stderr: scripts that need them get a better error. Throws Error.
void start_engine_python(const std::string& environment, const std::vector<std::string>& preload);

/// The folders that imports read: a confined engine must have access to them.
std::vector<std::string> python_folders();

/// To be called last before the forks: they share the existing objects.
void freeze_python();

/// Whether a module is loaded.
bool has_module(const char* name) noexcept;

/// fork() for a process that runs Python.
pid_t fork_python();

/// In the child: resets its random state, directs crash stacks and stacks requested by SIGUSR2 to a
/// descriptor, and temporary files to a folder.
void become_engine(int stack_descriptor, const std::string& temp_folder);

/// As "3.11.2". Needs the interpreter.
std::string python_version();
/// As "3.11": the version of the build. Needs no interpreter.
std::string embedded_version();
/// The folders of its packages.
std::vector<std::string> site_folders();

/// The terminator of each stack requested by SIGUSR2.
inline constexpr char kStackEnd = '\0';

}  // namespace epe::py
