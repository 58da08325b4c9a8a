// Python in a process of the engine program: started once in a zygote, continued in its forks.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace epe::py {

/// Starts the interpreter, with the packages of an environment's folder or, when that is empty,
/// the server's own, and imports modules. Those that cannot be imported are left out and
/// named on stderr: the scripts that need them say so better. Throws Error.
void start_engine_python(const std::string& environment, const std::vector<std::string>& preload);

/// The folders that imports read: what a confined engine must see.
std::vector<std::string> python_folders();

/// To be called last before the forks: they share what is there.
void freeze_python();

/// Whether a module is loaded.
bool has_module(const char* name) noexcept;

/// fork(), for a process that runs Python.
pid_t fork_python();

/// In the child: makes it differ from its siblings (random state), sends the stacks of crashes and
/// those asked for by SIGUSR2 to a descriptor, and puts temporary files into a folder.
void become_engine(int stack_descriptor, const std::string& temp_folder);

/// As "3.11.2". Needs the interpreter.
std::string python_version();
/// As "3.11": what this was built for. Needs no interpreter.
std::string embedded_version();
/// Where its packages are.
std::vector<std::string> site_folders();

/// What ends each stack that SIGUSR2 asked for.
inline constexpr char kStackEnd = '\0';

}  // namespace epe::py
