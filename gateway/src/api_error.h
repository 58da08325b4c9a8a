#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace epe::gateway {

/// The errorCode of answers (compatibility.md, REST-27).
constexpr int kPlainFailure = 1;
constexpr int kOutputTooLong = 1024;

/// An error response: rendered as {"errorCode": .., "errorMessage": ..}.
///
/// Handlers throw it; http_front.cpp catches it. `detail` is optional and becomes errorDetail. It
/// is meant for the owner of the failed object (a traceback of the owner's script, a hint) and
/// never describes the gateway itself.
class ApiError : public std::runtime_error {
   public:
    ApiError(int status, const std::string& message, std::string detail = {},
             int code = kPlainFailure, std::string sqlstate = {})
        : std::runtime_error(message), detail_(std::move(detail)), sqlstate_(std::move(sqlstate)),
          status_(status), code_(code) {}

    int status() const { return status_; }
    int code() const { return code_; }
    const std::string& detail() const { return detail_; }
    const std::string& sqlstate() const { return sqlstate_; }  ///< empty if not from PostgreSQL

   private:
    std::string detail_;
    std::string sqlstate_;
    int status_;
    int code_;
};

}  // namespace epe::gateway
