// Why a folder is not an environment that the server can use.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace epe::engine {

struct EnvironmentFault {
    std::string text{};      ///< a sentence
    bool is_denied = false;  ///< it may be an environment, but the server may not read it
};

/// nullopt when the folder is an environment.
std::optional<EnvironmentFault> fault_of(const std::filesystem::path& folder);

}  // namespace epe::engine
