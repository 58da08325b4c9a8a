// One call of an SQL function of the extension: arguments as C++ values, result, errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

struct FunctionCallInfoBaseData;

namespace epe::pg {

/// The arguments of the running call by position, from 0; NULL is nullopt. Texts are UTF-8 for
/// every server encoding. All methods may throw PgError.
class FunctionCall {
   public:
    explicit FunctionCall(FunctionCallInfoBaseData* info) noexcept : info_(info) {}

    bool is_null(int argument) const noexcept;
    /// text, varchar or name.
    std::optional<std::string> text(int argument) const;
    /// The same, which must not be NULL: Error 22023 with the argument's name.
    std::string required_text(int argument, const char* name) const;
    /// text, or jsonb as its text, depending on the declared type of the argument.
    std::optional<std::string> text_or_jsonb(int argument) const;
    /// bytea.
    std::optional<std::string> bytes(int argument) const;
    std::optional<std::int64_t> int64(int argument) const;
    std::optional<bool> boolean(int argument) const;
    std::optional<double> float64(int argument) const;
    /// interval; a month has 30 days.
    std::optional<std::int64_t> milliseconds(int argument) const;
    /// The actual type of a polymorphic argument; 0 when it is unknown.
    unsigned argument_type(int argument) const;

    void return_null() noexcept;
    void return_bool(bool value) noexcept;
    void return_int64(std::int64_t value);
    /// Characters that the server's encoding lacks are escaped, as in Python.
    void return_text(const std::string& utf8);
    /// JSON as text; strings in it as above.
    void return_json(const std::string& utf8);
    /// The result of a trigger; null does not mean SQL NULL there.
    void return_pointer(void* value) noexcept { result_ = reinterpret_cast<std::uintptr_t>(value); }

    FunctionCallInfoBaseData* info() const noexcept { return info_; }
    std::uintptr_t result() const noexcept { return result_; }

   private:
    FunctionCallInfoBaseData* info_;
    std::uintptr_t result_ = 0;
};

/// Runs a body: catches all exceptions, destroys every C++ object, and only then raises. Error and
/// PgError keep all their fields.
std::uintptr_t run_entry(FunctionCallInfoBaseData* info, void (*body)(FunctionCall&));

/// The record from which PostgreSQL learns a function's calling convention (Pg_finfo_record).
struct FunctionInfo {
    int api_version;
};
inline constexpr FunctionInfo kFunctionInfo{1};

}  // namespace epe::pg

/// Visible to the dynamic linker; everything else is hidden (-fvisibility=hidden, exports.map).
#define EPE_EXPORT __attribute__((visibility("default")))

/// EPE_FUNCTION(epe_name) { ... call.text(0) ... } defines the C symbol of an SQL function.
#define EPE_FUNCTION(name)                                                             \
    static void name##_body(epe::pg::FunctionCall& call);                              \
    extern "C" {                                                                       \
    EPE_EXPORT const epe::pg::FunctionInfo* pg_finfo_##name();                         \
    const epe::pg::FunctionInfo* pg_finfo_##name() { return &epe::pg::kFunctionInfo; } \
    EPE_EXPORT std::uintptr_t name(FunctionCallInfoBaseData* info);                    \
    std::uintptr_t name(FunctionCallInfoBaseData* info) {                              \
        return epe::pg::run_entry(info, name##_body);                                  \
    }                                                                                  \
    }                                                                                  \
    static void name##_body([[maybe_unused]] epe::pg::FunctionCall& call)
