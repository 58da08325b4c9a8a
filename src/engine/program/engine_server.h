// An engine process: confines itself, then runs the requests of one backend until that is gone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/common/descriptor.h"
#include "engine/sandbox/sandbox.h"

namespace epe::engine {

/// What an engine inherits from its zygote.
struct EngineBirth {
    Descriptor socket{};        ///< to the backend
    Descriptor stack{};         ///< receives Python stacks
    std::string temp_folder{};  ///< its own, empty
    NamespaceReport namespaces{};
    const SystemCallFilter* filter = nullptr;
    std::vector<std::string> python_folders{};
    Descriptor guard_socket{};  ///< to the guard of watches
    std::int32_t guard = 0;     ///< its process
};

[[noreturn]] void serve_backend(EngineBirth birth);

}  // namespace epe::engine
