// The body of the five run endpoints (docs/reference/rest.md, "Run").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "json_text.h"

namespace epe::gateway {

enum class ApiVersion : std::uint8_t { kV1, kV2 };
enum class RunKind : std::uint8_t { kEval, kTable, kRow, kGroup, kIndex };

/// What a client asked for; absent where it said nothing or null.
struct RunRequest {
    RunKind kind = RunKind::kEval;
    std::optional<bool> async_flag{};
    std::optional<bool> graphics_flag{};
    std::optional<bool> parallel_flag{};
    std::optional<std::int32_t> parallel{};
    std::optional<std::int32_t> timeout{};
    std::optional<std::int32_t> rows{};
    std::optional<std::int32_t> times{};
    std::optional<std::string> service{};
    std::optional<std::string> environment{};
    std::optional<std::string> input{};
    std::optional<std::string> group_by{};
    std::optional<std::string> order_by{};
    std::optional<std::string> comments{};
    std::optional<std::string> parameters{};     ///< text of a JSON object
    std::optional<std::string> output_format{};  ///< text of a JSON object, or a name

    /// async_flag and graphics_flag, else what the control arguments in `parameters` say.
    bool is_async = false;
    bool wants_graphics = false;

    /// PAR_LST: `parameters` with the fields that are control arguments. `engines` is `parallel`
    /// within what the service level allows.
    std::string par_lst(std::optional<std::int32_t> engines) const;
};

/// Reads and checks a body. Throws ApiError 400.
RunRequest read_run_request(std::string_view body, RunKind kind, ApiVersion version);

/// The JSON schema of the body, made from the same table as the reading.
nlohmann::json run_request_schema(RunKind kind);

/// Whether a control argument of PAR_LST, already parsed, says true.
bool is_control_set(const Json& parameters, const char* name);
/// The same of oml_graphics_flag, which may be "always", too.
bool asks_for_figures(const Json& parameters);

}  // namespace epe::gateway
