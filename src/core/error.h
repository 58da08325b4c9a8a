// The error type of the project: all fields that PostgreSQL can report for a failure.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace epe {

/// SQLSTATEs that the extension raises itself (docs/reference/errors.md, "SQLSTATE").
namespace sqlstate {
inline constexpr const char* kScriptFailed = "38000";
inline constexpr const char* kInvalidArgument = "22023";
inline constexpr const char* kUndefinedObject = "42704";
inline constexpr const char* kUndefinedTable = "42P01";
inline constexpr const char* kUndefinedColumn = "42703";
inline constexpr const char* kAmbiguousColumn = "42702";
inline constexpr const char* kDuplicateObject = "42710";
inline constexpr const char* kInvalidAuthorization = "28000";
inline constexpr const char* kInsufficientPrivilege = "42501";
inline constexpr const char* kUnsupported = "0A000";
inline constexpr const char* kDatatypeMismatch = "42804";
inline constexpr const char* kCannotCoerce = "42846";
inline constexpr const char* kOutOfRange = "22003";
inline constexpr const char* kTimeOutOfRange = "22008";
inline constexpr const char* kInvalidText = "22P02";
inline constexpr const char* kUntranslatable = "22P05";
inline constexpr const char* kQueryCanceled = "57014";
inline constexpr const char* kNotInState = "55000";
inline constexpr const char* kLimitExceeded = "54000";
inline constexpr const char* kOutOfMemory = "53200";
inline constexpr const char* kServerLost = "57P02";
inline constexpr const char* kProtocolViolation = "08P01";
inline constexpr const char* kInsufficientResources = "53000";
inline constexpr const char* kUndefinedFile = "58P01";
inline constexpr const char* kTooManyEngines = "53400";
inline constexpr const char* kInternal = "XX000";
}  // namespace sqlstate

/// A failure not caused by the script: a job may retry.
enum class EngineFailure : std::uint8_t {
    kNone,
    kNotStarted,  ///< the engine has not started to run the call
    kDied,
};

/// A failure with all its fields. Empty strings mean absent fields.
struct ErrorReport {
    std::string sqlstate = sqlstate::kInternal;
    std::string message;  ///< primary: lower-case, no full stop
    std::string detail;   ///< sentences
    std::string hint;     ///< sentences
    std::string context;  ///< lines, innermost first
    /// Name of the module that a script could not import, from Python's exception; untrusted input.
    std::string missing_module;
    // The remaining fields are filled only for errors raised by PostgreSQL.
    std::string detail_log;
    std::string schema_name;
    std::string table_name;
    std::string column_name;
    std::string datatype_name;
    std::string constraint_name;
    std::string internal_query;
    int cursor_position = 0;
    int internal_position = 0;
    std::string file;
    std::string function;
    int line = 0;
    EngineFailure engine_failure = EngineFailure::kNone;
};

/// A failure on its way to PostgreSQL. Every layer may throw it, except leaves.
class Error : public std::exception {
   public:
    Error(const char* state, std::string message, std::string hint = {}) {
        report_.sqlstate = state;
        report_.message = std::move(message);
        report_.hint = std::move(hint);
    }
    explicit Error(ErrorReport report) noexcept : report_(std::move(report)) {}

    const ErrorReport& report() const noexcept { return report_; }
    ErrorReport& report() noexcept { return report_; }
    const char* what() const noexcept override { return report_.message.c_str(); }

   private:
    ErrorReport report_;
};

}  // namespace epe
