// Runs SQL statements over the job tables with their owner's rights.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epe::jobs {

/// A parameter: NULL, a text that the statement casts, or bytes.
struct Parameter {
    Parameter(std::nullopt_t) : is_null(true) {}
    Parameter(std::string_view value) : text(value) {}
    Parameter(const std::string& value) : text(value) {}
    Parameter(const char* value) : text(value) {}
    Parameter(const std::optional<std::string>& value)
        : text(value ? std::string_view(*value) : std::string_view()), is_null(!value) {}
    Parameter(std::int64_t value) : own(std::to_string(value)), is_own(true) {}
    static Parameter bytes(std::string_view value) {
        Parameter parameter(value);
        parameter.is_bytes = true;
        return parameter;
    }
    std::string_view value() const noexcept { return is_own ? std::string_view(own) : text; }

    std::string_view text{};  ///< borrowed
    std::string own{};
    bool is_own = false;
    bool is_null = false;
    bool is_bytes = false;
};

using Row = std::vector<std::optional<std::string>>;

enum class Visibility : std::uint8_t {
    kTransaction,  ///< a snapshot of the transaction; may write
    kLatest,       ///< the latest committed state, at any isolation level; read-only
};

inline constexpr const char* kLockNotAvailable = "55P03";

/// While it lives, statements of execute_sql() wait for a lock at most that long, else error
/// kLockNotAvailable.
class LockTimeout {
   public:
    explicit LockTimeout(int milliseconds) noexcept;
    ~LockTimeout();
    LockTimeout(const LockTimeout&) = delete;
    LockTimeout& operator=(const LockTimeout&) = delete;

   private:
    int outer_;
};

/// Whether a statement of execute_sql() is running in this process.
bool is_running_own() noexcept;

/// Runs one statement with the rights of the owner of the extension's tables, with pg_catalog alone
/// on the search path, and returns its rows: values as text in UTF-8, bytea as bytes. `sql` is a
/// literal: the plan cache uses its address as the key. Throws PgError.
std::vector<Row> execute_sql(const char* sql, const std::vector<Parameter>& parameters,
                             Visibility visibility = Visibility::kTransaction);

/// The text of an array with these elements.
std::string array_text(const std::vector<std::string>& elements);
/// The elements of an array's text.
std::vector<std::string> array_elements(const std::string& text);

}  // namespace epe::jobs
