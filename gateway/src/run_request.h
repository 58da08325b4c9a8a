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

/// The field "parameters": a JSON object.
struct Parameters {
    std::string members{};  ///< each as `"key":value,` with the comma; numbers keep their digits
    Json controls = Json::object();  ///< those among them that are control arguments, or may be
};

/// The fields of a run request; absent if the client omitted them or sent null.
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
    std::optional<Parameters> parameters{};
    std::optional<std::string> output_format{};  ///< JSON object as text, or a name

    /// async_flag and graphics_flag, or else the corresponding control arguments in `parameters`.
    bool is_async = false;
    bool wants_graphics = false;

    /// PAR_LST: `parameters` plus the fields that are control arguments. `engines` is `parallel`
    /// limited to the maximum of the service level.
    std::string par_lst(std::optional<std::int32_t> engines) const;
};

/// Parses and validates a body. Throws ApiError 400.
RunRequest parse_run_body(std::string_view body, RunKind kind, ApiVersion version);

/// The JSON schema of the body, generated from the table of fields.
nlohmann::json run_request_schema(RunKind kind);

/// Whether a control argument of a parsed PAR_LST is true.
bool is_control_set(const Json& parameters, const char* name);
/// The same for oml_graphics_flag, which may also be "always".
bool asks_for_figures(const Json& parameters);

}  // namespace epe::gateway
