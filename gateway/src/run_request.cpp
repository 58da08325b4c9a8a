#include "run_request.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <variant>

#include "api_error.h"
#include "core/request/control_json.h"

namespace epe::gateway {
namespace {

// ---------------------------------------------------------------------------- the table of fields

using Flag = std::optional<bool> RunRequest::*;
using Count = std::optional<std::int32_t> RunRequest::*;
using Text = std::optional<std::string> RunRequest::*;
using Members = std::optional<Parameters> RunRequest::*;

enum class Form : std::uint8_t {
    kPlain,
    kService,  // one of kServices
    kObject,   // a JSON object, or a string that holds the text of one
    kFormat,   // the same, or the name of a table or type
};

constexpr unsigned bit(RunKind kind) { return 1U << static_cast<unsigned>(kind); }
constexpr unsigned kNone = 0;
constexpr unsigned kAll = 0x1F;
constexpr unsigned kCut = bit(RunKind::kRow) | bit(RunKind::kGroup) | bit(RunKind::kIndex);
constexpr unsigned kInput = bit(RunKind::kTable) | bit(RunKind::kRow) | bit(RunKind::kGroup);

struct Field {
    const char* name;
    std::variant<Flag, Count, Text, Members> member;
    Form form;
    unsigned taken_by;     // kinds that accept it; other kinds ignore it like an unknown key
    unsigned required_by;  // kinds that require it
    bool is_new;           // v2 only
    const char* description;
};

constexpr std::array<const char*, 3> kServices{"LOW", "MEDIUM", "HIGH"};

constexpr std::array<Field, 15> kFields{{
    {"parameters", &RunRequest::parameters, Form::kObject, kAll, kNone, false,
     "Arguments of the function by name, and control arguments (oml_...): a string with the "
     "text of a JSON object, or the object itself."},
    {"input", &RunRequest::input, Form::kPlain, kInput, kInput, false,
     "A query, or the name of a table or view."},
    {"rows", &RunRequest::rows, Form::kPlain, bit(RunKind::kRow), bit(RunKind::kRow), false,
     "Rows per chunk."},
    {"groupBy", &RunRequest::group_by, Form::kPlain, bit(RunKind::kGroup), bit(RunKind::kGroup),
     false, "Columns to group by, separated by commas."},
    {"orderBy", &RunRequest::order_by, Form::kPlain, bit(RunKind::kGroup), kNone, false,
     "Columns to sort each group by, separated by commas."},
    {"times", &RunRequest::times, Form::kPlain, bit(RunKind::kIndex), bit(RunKind::kIndex), false,
     "Number of calls; the function is called with 1, 2, ..."},
    {"parallelFlag", &RunRequest::parallel_flag, Form::kPlain, kCut, kNone, false,
     "Call in parallel in as many engines as the service level allows."},
    {"parallel", &RunRequest::parallel, Form::kPlain, kCut, kNone, false,
     "Number of engines; limited to the maximum of the service level."},
    {"service", &RunRequest::service, Form::kService, kAll, kNone, false,
     "Service level; default LOW."},
    {"envName", &RunRequest::environment, Form::kPlain, kAll, kNone, false,
     "Python environment to run in."},
    {"graphicsFlag", &RunRequest::graphics_flag, Form::kPlain, kAll, kNone, false,
     "Return the figures drawn by the function, beside its value."},
    {"asyncFlag", &RunRequest::async_flag, Form::kPlain, kAll, kNone, false,
     "Submit a job and return at once."},
    {"timeout", &RunRequest::timeout, Form::kPlain, kAll, kNone, false,
     "Time limit of the job in seconds, 1800 to 43200 by default; only with "
     "asyncFlag."},
    {"comments", &RunRequest::comments, Form::kPlain, kAll, kNone, true,
     "Text returned with the result of the job."},
    {"outputFormat", &RunRequest::output_format, Form::kFormat, kAll, kNone, false,
     "Columns of a typed result, for text/csv and Arrow: an object of names and SQL types, the "
     "text of one, or the name of a table or type. Not in Oracle's API."},
}};

bool takes(const Field& field, RunKind kind, ApiVersion version) {
    return (field.taken_by & bit(kind)) != 0 && (!field.is_new || version == ApiVersion::kV2);
}

// ------------------------------------------------------------------------------------ reading

[[noreturn]] void refuse(const Field& field, const std::string& expected) {
    throw ApiError(400, "field \"" + std::string(field.name) + "\" must be " + expected);
}

std::string in_field(const Field& field) { return "field \"" + std::string(field.name) + "\""; }

constexpr const char* kAlways = "always";
constexpr const char* kObjectExpected = "a JSON object, or a string that contains one";

bool holds_zero(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

constexpr std::string_view kTimeout = "timeout";

/// A control argument, or `timeout`, which is one of jobs.
bool is_control(std::string_view key) noexcept {
    return key.starts_with("oml_") || key == kTimeout;
}

Json value_of(const JsonMember& member) {
    switch (member.kind) {
        case JsonKind::kBool:
            return member.boolean;
        case JsonKind::kNumber:
            return member.number;
        case JsonKind::kString:
            return member.text;
        default:
            return nullptr;
    }
}

[[noreturn]] void refuse_text(const Field& field, const JsonFault& fault) {
    switch (fault.kind) {
        case JsonFault::Kind::kSyntax:
            throw_invalid_json(in_field(field), fault.byte);
        case JsonFault::Kind::kNumber:
            throw_large_number(in_field(field));
        case JsonFault::Kind::kDepth:
            throw_deep_json(in_field(field));
        default:
            refuse(field, kObjectExpected);
    }
}

/// The members of an object in a string, in one pass.
Parameters split_text(const Field& field, const std::string& text) {
    Parameters parameters;
    if (is_blank(text)) return parameters;
    // The parser treats a zero byte as the end of the text.
    if (const std::size_t zero = text.find('\0'); zero != std::string::npos)
        throw_invalid_json(in_field(field), zero + 1);
    const auto use_of = [](std::string_view key) noexcept {
        return is_control(key) ? MemberUse::kBoth : MemberUse::kText;
    };
    JsonFault fault;
    std::optional<SplitJson> split = split_json_text(text, use_of, kDeepestJson, fault);
    if (!split) refuse_text(field, fault);
    parameters.members = std::move(split->others);
    for (const JsonMember& member : split->values)
        parameters.controls[member.key] = value_of(member);
    return parameters;
}

void append_member(std::string& members, const std::string& key, const Json& value) {
    ((members += to_text(key)) += ':') += to_text(value);
    members += ',';
}

Parameters read_parameters(const Field& field, const Json& value) {
    if (value.is_string()) return split_text(field, value.get_ref<const std::string&>());
    if (!value.is_object()) refuse(field, kObjectExpected);
    Parameters parameters;
    for (const auto& [key, member] : value.items()) {
        append_member(parameters.members, key, member);
        if (is_control(key)) parameters.controls[key] = member;
    }
    return parameters;
}

std::string read_text(const Field& field, const Json& value) {
    if (field.form == Form::kFormat && value.is_object()) return to_text(value);
    if (!value.is_string()) refuse(field, "a string");
    auto text = value.get<std::string>();
    if (holds_zero(text)) refuse(field, "a string without zero bytes");
    if (field.form != Form::kService) return text;
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (std::find(kServices.begin(), kServices.end(), text) == kServices.end())
        refuse(field, "LOW, MEDIUM or HIGH");
    return text;
}

std::int32_t read_count(const Field& field, const Json& value) {
    constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
    // The parser reads numbers beyond 64 bits as floats.
    const bool is_count = value.is_number_integer() && value.get<std::int64_t>() >= 1 &&
                          (!value.is_number_unsigned() || value.get<std::uint64_t>() <= kMost) &&
                          value.get<std::int64_t>() <= kMost;
    if (!is_count) refuse(field, "a whole number from 1 to " + std::to_string(kMost));
    return value.get<std::int32_t>();
}

void read_field(const Field& field, const Json& value, RunRequest& request) {
    if (const auto* flag = std::get_if<Flag>(&field.member)) {
        if (!value.is_boolean()) refuse(field, "true or false");
        request.** flag = value.get<bool>();
    } else if (const auto* count = std::get_if<Count>(&field.member)) {
        request.** count = read_count(field, value);
    } else if (const auto* members = std::get_if<Members>(&field.member)) {
        request.** members = read_parameters(field, value);
    } else {
        request.*std::get<Text>(field.member) = read_text(field, value);
    }
}

void read_fields(const Json& body, ApiVersion version, RunRequest& request) {
    for (const Field& field : kFields) {
        if (!takes(field, request.kind, version)) continue;
        const auto found = body.find(field.name);
        if (found != body.end() && !found->is_null())
            read_field(field, *found, request);
        else if ((field.required_by & bit(request.kind)) != 0)
            throw ApiError(400, in_field(field) + " is required");
    }
}

/// Checks that involve several fields.
void check_together(RunRequest& request) {
    const Json controls = request.parameters.value_or(Parameters()).controls;
    request.is_async = request.async_flag.value_or(is_control_set(controls, "oml_async_flag"));
    request.wants_graphics = request.graphics_flag.value_or(asks_for_figures(controls));
    if (request.timeout && !request.is_async)
        throw ApiError(400, "field \"timeout\" requires asyncFlag");
    // SQL would take it as the job's time limit and not pass it to the function.
    if (request.is_async && controls.contains(kTimeout))
        throw ApiError(400, "field \"parameters\" must not contain \"timeout\" with asyncFlag: "
                            "use the field \"timeout\" for the time limit of the job");
    if (request.is_async && request.output_format)
        throw ApiError(400, "field \"outputFormat\" cannot be combined with asyncFlag");
}

nlohmann::json field_schema(const Field& field) {
    nlohmann::json schema;
    if (std::holds_alternative<Flag>(field.member)) {
        schema = {{"type", "boolean"}, {"default", false}};
    } else if (std::holds_alternative<Count>(field.member)) {
        schema = {{"type", "integer"}, {"format", "int32"}, {"minimum", 1}};
    } else if (field.form == Form::kService) {
        schema = {{"type", "string"}, {"enum", kServices}, {"default", kServices[0]}};
    } else if (field.form == Form::kPlain) {
        schema = {{"type", "string"}};
    } else {
        schema = {{"type", {"string", "object"}}};
    }
    schema["description"] = field.description;
    return schema;
}

}  // namespace

bool is_control_set(const Json& parameters, const char* name) {
    const auto found = parameters.find(name);
    if (found == parameters.end()) return false;
    return *found == Json(true) || *found == Json(1) || *found == Json("true");
}

bool asks_for_figures(const Json& parameters) {
    const auto found = parameters.find("oml_graphics_flag");
    return is_control_set(parameters, "oml_graphics_flag") ||
           (found != parameters.end() && *found == Json(kAlways));
}

RunRequest parse_run_body(std::string_view body, RunKind kind, ApiVersion version) {
    const Json parsed = is_blank(body) ? Json::object() : parse_json(body, "the request body");
    if (!parsed.is_object()) throw ApiError(400, "the request body must be a JSON object");
    RunRequest request;
    request.kind = kind;
    read_fields(parsed, version, request);
    check_together(request);
    return request;
}

std::string RunRequest::par_lst(std::optional<std::int32_t> engines) const {
    Json controls = Json::object();
    if (service) controls["oml_service_level"] = *service;
    if (parallel_flag) controls["oml_parallel_flag"] = *parallel_flag;
    if (engines) controls["oml_parallel"] = *engines;
    // Repeated even if `parameters` contains them: SQL must not read other values than those read
    // here.
    if (parameters || is_async) controls["oml_async_flag"] = is_async;
    if (wants_graphics)
        controls["oml_graphics_flag"] = kAlways;  // the value must be returned beside the figures
    else if (parameters)
        controls["oml_graphics_flag"] = false;
    if (is_async && comments) controls["oml_comments"] = *comments;
    if (timeout) controls["timeout"] = *timeout;

    // If a key is repeated, the last one wins.
    std::string members = parameters ? parameters->members : std::string();
    for (const auto& [key, value] : controls.items()) append_member(members, key, value);
    if (!members.empty()) members.pop_back();  // the last comma
    return "{" + members + "}";
}

nlohmann::json run_request_schema(RunKind kind) {
    nlohmann::json schema{{"type", "object"}};
    for (const Field& field : kFields) {
        if (!takes(field, kind, ApiVersion::kV2)) continue;
        schema["properties"][field.name] = field_schema(field);
        if ((field.required_by & bit(kind)) != 0) schema["required"].push_back(field.name);
    }
    return schema;
}

}  // namespace epe::gateway
