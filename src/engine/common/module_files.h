// Whether the packages of a Python environment include a module, as far as file names tell.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace epe::engine {

/// Whether a name consists of letters, digits and "_", so that it does not lead to other folders.
bool can_be_module(std::string_view name) noexcept;

/// Whether a folder of packages has a package, a Python file or a library (as
/// name.cpython-311-x86_64-linux-gnu.so) of that name. False if it cannot be read.
bool has_module(const std::filesystem::path& site, const std::string& module);

}  // namespace epe::engine
