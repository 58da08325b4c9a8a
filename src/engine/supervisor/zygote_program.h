// Zygotes of environments for another minor version of Python, which run an engine program of their
// own: oml_epe_engine-3.13 beside oml_epe_engine.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "engine/common/zygote_messages.h"

namespace epe::engine {

/// In a child of the supervisor: executes the program, which calls read_zygote_birth(). `folder` is
/// the supervisor's, by which leftovers.h finds the process. Failures are told to the supervisor.
[[noreturn]] void run_zygote_program(const std::string& program, ZygoteBirth birth,
                                     const std::string& folder);

/// In that program: what its arguments say; nullopt when it was not started as a zygote. Does not
/// return when the supervisor is of another version of oml_epe.
std::optional<ZygoteBirth> read_zygote_birth(std::span<char*> arguments);

}  // namespace epe::engine
