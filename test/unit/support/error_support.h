// Expectations about thrown Errors, for unit tests.
#pragma once

#include <gtest/gtest.h>

#include "core/error.h"

namespace epe::test {

/// Runs `action`, which must throw an Error of this SQLSTATE, and returns its report.
template <typename Action>
ErrorReport error_of(const char* state, Action action) {
    try {
        action();
    } catch (const Error& error) {
        EXPECT_EQ(error.report().sqlstate, state) << error.what();
        EXPECT_FALSE(error.report().message.empty());
        EXPECT_FALSE(error.report().message.ends_with('.')) << error.what();
        return error.report();
    }
    ADD_FAILURE() << "no error was thrown, expected " << state;
    return {};
}

}  // namespace epe::test
