// Allowed exceptions of targets that read a client's text.
#pragma once

#include "api_error.h"
#include "target.h"

namespace epe::fuzz {

/// Runs an action that may throw an ApiError and nothing else.
template <typename Action>
void attempt(Action action) {
    try {
        action();
    } catch (const gateway::ApiError& error) {
        require(error.status() == 400 || error.status() == 406, "unexpected status");
        require(error.what()[0] != '\0', "no message");
    }
}

}  // namespace epe::fuzz
