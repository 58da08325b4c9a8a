#include "status_of.h"

#include <array>
#include <string_view>

#include "database.h"

namespace epe::gateway {

namespace {

constexpr int kBadRequest = 400;
constexpr int kUnauthorized = 401;
constexpr int kInternal = 500;

/// One of the extension's limits of a result (compatibility.md, REST-25).
bool is_output_limit(const DatabaseError& error) {
    return error.sqlstate == "54000" && error.message.starts_with("Output exceeds maximum ");
}

}  // namespace

int status_of(const std::string& sqlstate) {
    static constexpr std::array<std::string_view, 5> kServerTrouble{"08", "53", "57P0", "58", "XX"};
    if (sqlstate.starts_with("28")) return kUnauthorized;
    for (const std::string_view prefix : kServerTrouble)
        if (sqlstate.starts_with(prefix)) return kInternal;
    return kBadRequest;
}

ApiError to_api_error(const DatabaseError& error) {
    std::string detail = error.detail;
    for (const std::string* each : {&error.hint, &error.context}) {
        if (each->empty()) continue;
        if (!detail.empty()) detail += "\n";
        detail += *each;
    }
    return {status_of(error.sqlstate), error.message, std::move(detail),
            is_output_limit(error) ? kOutputTooLong : kPlainFailure, error.sqlstate};
}

}  // namespace epe::gateway
