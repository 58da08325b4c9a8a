// Allowed exceptions of targets that read text from a user.
#pragma once

#include <string>

#include "core/error.h"
#include "target.h"

namespace epe::fuzz {

/// Runs an action that may throw a well-made Error of an argument and nothing else.
template <typename Action>
void attempt(Action action) {
    constexpr std::size_t kLongestMessage = 1000;
    try {
        action();
    } catch (const epe::Error& error) {
        const epe::ErrorReport& report = error.report();
        const std::string& state = report.sqlstate;
        require(state == "22023" || state == "0A000" || state == "42702" || state == "42703",
                "unexpected SQLSTATE");
        require(!report.message.empty() && report.message.back() != '.', "message style");
        require(report.detail.empty() || report.detail.back() == '.', "detail is no sentence");
        require(report.hint.empty() || report.hint.back() == '.', "hint is no sentence");
        require(report.detail.size() <= kLongestMessage, "detail is too long");
    }
}

}  // namespace epe::fuzz
