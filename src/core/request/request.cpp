// Turns the SQL arguments of an eval function into a Request.
#include "core/request/request.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/request/control_json.h"
#include "core/request/identifiers.h"

namespace epe {
namespace {

// The SQL names of the arguments, for messages.
constexpr const char* kInputName = "inp_nam";
constexpr const char* kParameters = "par_lst";
constexpr const char* kOutputFormat = "out_fmt";
constexpr const char* kRowCount = "row_num";
constexpr const char* kGroupColumns = "grp_col";
constexpr const char* kOrderColumns = "ord_col";
constexpr const char* kTimes = "times_num";
constexpr const char* kScriptName = "scr_name";

constexpr std::string_view kControlPrefix = "oml_";
constexpr std::string_view kTimeout = "timeout";

std::string in_quotes(std::string_view name) { return '"' + std::string(name) + '"'; }

[[noreturn]] void throw_argument_error(const std::string& message, std::string detail = {},
                                       std::string hint = {}) {
    ErrorReport report;
    report.sqlstate = sqlstate::kInvalidArgument;
    report.message = message;
    report.detail = std::move(detail);
    report.hint = std::move(hint);
    throw Error(std::move(report));
}

bool is_blank(const std::optional<std::string>& text) { return !text || trim(*text).empty(); }

// -------------------------------------------------------------------- control arguments

constexpr std::array<std::pair<std::string_view, InputType>, 11> kInputTypes{{
    {"default", InputType::kDefault},
    {"pandas.DataFrame", InputType::kPandas},
    {"numpy.recarray", InputType::kRecarray},
    {"numpy.ndarray", InputType::kNdarray},
    {"dict", InputType::kDict},
    {"pyarrow.Table", InputType::kArrow},
    {"polars.DataFrame", InputType::kPolars},
    {"pandas", InputType::kPandas},
    {"numpy", InputType::kNdarray},
    {"pyarrow", InputType::kArrow},
    {"polars", InputType::kPolars},
}};
/// The words after the first are short forms, which messages omit.
constexpr std::size_t kFullNames = 7;

[[noreturn]] void throw_bad_control(const JsonMember& member, const std::string& expected) {
    std::string message = "invalid value for control argument " + in_quotes(member.key);
    if (member.kind == JsonKind::kString) message += ": " + in_quotes(shorten(member.text));
    throw_argument_error(message, {}, expected);
}

bool read_boolean(const JsonMember& member, const char* expected = "Use true or false.") {
    switch (member.kind) {
        case JsonKind::kBool:
            return member.boolean;
        case JsonKind::kNumber:
            if (member.number == 0 || member.number == 1) return member.number == 1;
            break;
        case JsonKind::kString:
            if (equals_ignoring_case(member.text, "true")) return true;
            if (equals_ignoring_case(member.text, "false")) return false;
            break;
        default:
            break;
    }
    throw_bad_control(member, expected);
}

/// The position of a member's text in a list of words, or an error that lists them.
std::size_t read_word(const JsonMember& member, std::initializer_list<std::string_view> words) {
    std::string expected;
    std::size_t index = 0;
    for (const std::string_view word : words) {
        if (member.kind == JsonKind::kString && equals_ignoring_case(member.text, word))
            return index;
        const char* separator = index == 0 ? "" : (index + 1 == words.size() ? " or " : ", ");
        expected += separator + in_quotes(word);
        ++index;
    }
    throw_bad_control(member, "Use " + expected + ".");
}

void read_input_type(const JsonMember& member, EvalFunction function, Controls& controls) {
    constexpr std::string_view kIterator = "iterator";
    std::string_view name = member.text;
    if (member.kind == JsonKind::kString && name.starts_with(kIterator)) {
        const std::string_view of = name.substr(kIterator.size());
        if (of.empty()) {
            controls.is_iterator = true;
            name = "pandas.DataFrame";
        } else if (of.starts_with('[') && of.ends_with(']')) {
            controls.is_iterator = true;
            name = of.substr(1, of.size() - 2);
        }
    }
    const auto* found = std::find_if(kInputTypes.begin(), kInputTypes.end(),
                                     [&](const auto& entry) { return entry.first == name; });
    if (member.kind != JsonKind::kString || found == kInputTypes.end()) {
        std::string expected = "Use ";
        for (std::size_t i = 0; i < kFullNames; ++i)
            expected += in_quotes(kInputTypes[i].first) + ", ";
        throw_bad_control(member, expected + "\"iterator\" or \"iterator[...]\" with one of these "
                                             "in the brackets.");
    }
    controls.input_type = found->second;
    const bool can_iterate = function == EvalFunction::kTable || function == EvalFunction::kGroup;
    if (controls.is_iterator && !can_iterate)
        throw_bad_control(member, "Only table and group functions can take an iterator.");
}

/// An integer of at least `least`.
std::int64_t read_number(const JsonMember& member, std::int64_t least) {
    constexpr double kMost = 1'000'000'000;
    if (member.kind != JsonKind::kNumber || std::trunc(member.number) != member.number ||
        member.number < static_cast<double>(least) || member.number > kMost)
        throw_bad_control(member, "Use a whole number, " + std::to_string(least) + " or more.");
    return static_cast<std::int64_t>(member.number);
}

/// A number of engines, or a boolean. The settings limit it.
void read_parallel(const JsonMember& member, Controls& controls) {
    constexpr double kMost = 1'000'000;
    const bool is_count = member.kind == JsonKind::kNumber && member.number >= 0 &&
                          std::trunc(member.number) == member.number;
    if (!is_count && member.kind != JsonKind::kBool)
        throw_bad_control(member, "Use a number of engines.");
    if (is_count)
        controls.engines = static_cast<std::int64_t>(std::min(member.number, kMost));
    else
        controls.is_parallel = member.boolean;
}

void read_graphics(const JsonMember& member, Controls& controls) {
    controls.always_gives_row =
        member.kind == JsonKind::kString && equals_ignoring_case(member.text, "always");
    controls.capture_graphics =
        controls.always_gives_row || read_boolean(member, "Use true, false or \"always\".");
}

/// Kept with a job's PAR_LST, for the request of its result.
void check_comments(const JsonMember& member) {
    if (member.kind != JsonKind::kString) throw_bad_control(member, "Use a string.");
}

void read_control(const JsonMember& member, EvalFunction function, Controls& controls) {
    const std::string_view key = member.key;
    if (key == "oml_input_type")
        read_input_type(member, function, controls);
    else if (key == "oml_na_omit")
        controls.omit_incomplete = read_boolean(member);
    else if (key == "oml_graphics_flag")
        read_graphics(member, controls);
    else if (key == "oml_connect")
        controls.connect = read_boolean(member);
    else if (key == "oml_numeric")
        controls.use_decimal = read_word(member, {"float", "decimal"}) == 1;
    else if (key == "oml_interval")
        controls.use_month_day_nano = read_word(member, {"duration", "month_day_nano"}) == 1;
    else if (key == "oml_nan")
        controls.keep_nan = read_word(member, {"null", "keep"}) == 1;
    else if (key == "oml_nullable")
        controls.nullable = read_boolean(member);
    else if (key == "oml_comments")
        check_comments(member);
    else if (key == "oml_async_flag")
        controls.is_async = read_boolean(member);
    else if (key == "oml_retries")
        controls.retries = read_number(member, 0);
    else if (key == "oml_parallel_flag")
        controls.is_parallel = read_boolean(member);
    else if (key == "oml_parallel")
        read_parallel(member, controls);
    else if (key == "oml_service_level")
        controls.service_level =
            static_cast<ServiceLevel>(read_word(member, {"LOW", "MEDIUM", "HIGH"}));
}

bool is_known_control(std::string_view key) {
    static constexpr std::array<std::string_view, 14> kKnown{
        "oml_input_type", "oml_na_omit",       "oml_graphics_flag", "oml_connect",
        "oml_numeric",    "oml_nan",           "oml_async_flag",    "oml_parallel_flag",
        "oml_parallel",   "oml_service_level", "oml_retries",       "oml_comments",
        "oml_nullable",   "oml_interval"};
    return std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end();
}

/// `timeout` is a control argument of jobs only, else an ordinary argument.
MemberUse use_of_parameter(std::string_view key) noexcept {
    if (key.starts_with(kControlPrefix)) return MemberUse::kValue;
    return key == kTimeout ? MemberUse::kBoth : MemberUse::kText;
}

/// No other input has a type for them. Functions without input ignore both control arguments.
void require_arrow_for_months(const Controls& controls, EvalFunction function) {
    const bool has_input = function != EvalFunction::kEval && function != EvalFunction::kIndex;
    if (!controls.use_month_day_nano || !has_input || controls.input_type == InputType::kArrow)
        return;
    throw_argument_error(
        "control argument \"oml_interval\": \"month_day_nano\" requires input type pyarrow.Table",
        {},
        "Add \"oml_input_type\": \"pyarrow.Table\", or cast the intervals to text in the query.");
}

/// If a key is repeated, the last one wins, as in jsonb and in Python. null means the default.
Controls read_controls(const std::vector<JsonMember>& members, EvalFunction function) {
    Controls controls;
    for (auto member = members.begin(); member != members.end(); ++member) {
        const bool comes_again =
            std::any_of(std::next(member), members.end(),
                        [&](const JsonMember& other) { return other.key == member->key; });
        if (comes_again || member->key == kTimeout) continue;
        if (!is_known_control(member->key))
            controls.unknown.push_back(member->key);
        else if (member->kind != JsonKind::kNull)
            read_control(*member, function, controls);
    }
    require_arrow_for_months(controls, function);
    return controls;
}

/// The time limit of a job; takes its members out of the arguments.
void read_timeout(const std::vector<JsonMember>& members, Controls& controls,
                  std::string& arguments) {
    for (const JsonMember& member : members) {
        if (member.key != kTimeout) continue;
        controls.timeout.reset();
        if (member.kind != JsonKind::kNull) controls.timeout = read_number(member, 1);
    }
    for (auto member = members.rbegin(); member != members.rend(); ++member)
        if (member->key == kTimeout)
            arguments.erase(member->text_start, member->text_end - member->text_start);
}

/// PAR_LST: control arguments, and the arguments of the script's function.
void read_parameters(const std::optional<std::string>& parameters, Request& request) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (is_blank(parameters)) return;
    const bool has_mark = parameters->starts_with(kByteOrderMark);
    SplitJson split = has_mark ? split_json_object(parameters->substr(kByteOrderMark.size()),
                                                   kParameters, use_of_parameter)
                               : split_json_object(*parameters, kParameters, use_of_parameter);
    request.controls = read_controls(split.values, request.function);
    if (request.controls.is_async) read_timeout(split.values, request.controls, split.others);
    if (!split.others.empty()) split.others.pop_back();  // the last comma
    request.arguments_json = "{" + split.others + "}";
}

// ------------------------------------------------------------------------ plain arguments

const std::string& require_text(const std::optional<std::string>& value, const char* argument) {
    if (!value) throw_argument_error("argument " + in_quotes(argument) + " must not be null");
    if (value->empty())
        throw_argument_error("argument " + in_quotes(argument) + " must not be empty");
    return *value;
}

std::int64_t require_count(std::optional<std::int64_t> value, std::int64_t least,
                           const char* argument) {
    if (!value) throw_argument_error("argument " + in_quotes(argument) + " must not be null");
    if (*value < least)
        throw_argument_error("argument " + in_quotes(argument) + " must be at least " +
                                 std::to_string(least),
                             "It is " + std::to_string(*value) + ".");
    return *value;
}

bool takes_input(EvalFunction function) {
    return function == EvalFunction::kTable || function == EvalFunction::kRow ||
           function == EvalFunction::kGroup;
}

void read_group_arguments(const RawArguments& raw, Request& request) {
    request.group_columns =
        split_column_list(require_text(raw.group_columns, kGroupColumns), kGroupColumns);
    if (!is_blank(raw.order_columns))
        request.order_columns = split_order_list(*raw.order_columns, kOrderColumns);
}

std::vector<std::pair<std::string, std::string>> read_column_map(const std::string& text) {
    std::vector<std::pair<std::string, std::string>> columns;
    for (JsonMember& member : read_json_object(text, kOutputFormat)) {
        // PostgreSQL's names and type names are C strings.
        const bool has_zero = member.key.find('\0') != std::string::npos;
        if (member.key.empty() || has_zero)
            throw_argument_error("invalid column name in argument \"out_fmt\"",
                                 has_zero ? "A name must not contain a null byte."
                                          : "A name must not be empty.");
        if (member.kind != JsonKind::kString || trim(member.text).empty() ||
            member.text.find('\0') != std::string::npos)
            throw_argument_error("type of column " + in_quotes(member.key) +
                                     " in argument \"out_fmt\" must be a string",
                                 {}, "Give the name of an SQL type, such as \"numeric\".");
        for (const auto& [name, type] : columns)
            if (name == member.key)
                throw_argument_error("column " + in_quotes(name) +
                                     " is specified more than once in argument \"out_fmt\"");
        columns.emplace_back(std::move(member.key), std::move(member.text));
    }
    if (columns.empty()) throw_argument_error("argument \"out_fmt\" names no columns");
    return columns;
}

}  // namespace

Request make_request(EvalFunction function, const RawArguments& raw) {
    Request request;
    request.function = function;
    request.script_name = require_text(raw.script_name, kScriptName);
    if (!is_blank(raw.script_owner)) request.script_owner = *raw.script_owner;
    if (takes_input(function))
        request.input = parse_input(require_text(raw.input_name, kInputName));
    if (function == EvalFunction::kRow)
        request.row_count = require_count(raw.row_count, 1, kRowCount);
    if (function == EvalFunction::kGroup) read_group_arguments(raw, request);
    if (function == EvalFunction::kIndex) request.times = require_count(raw.times, 0, kTimes);
    if (!is_blank(raw.environment)) request.environment = *raw.environment;
    read_parameters(raw.parameters, request);
    return request;
}

Input parse_input(const std::string& text) {
    Input input;
    if (looks_like_query(text)) {
        input.query = text;
        return input;
    }
    try {
        input.relation = split_qualified_name(text, kInputName);
    } catch (Error& error) {
        error.report().hint = "Give the name of a table or view, or a query that begins with "
                              "SELECT, WITH, VALUES or TABLE.";
        throw;
    }
    return input;
}

std::vector<std::string> unknown_control_warnings(const Controls& controls) {
    std::vector<std::string> warnings;
    for (const std::string& name : controls.unknown)
        warnings.push_back("control argument " + in_quotes(name) + " is unknown and ignored");
    return warnings;
}

OutputFormat parse_output_format(const std::optional<std::string>& text) {
    using Form = OutputFormat::Form;
    static constexpr std::array<std::pair<std::string_view, Form>, 3> kFixed{
        {{"JSON", Form::kJson}, {"XML", Form::kXml}, {"PNG", Form::kPng}}};
    OutputFormat format;
    if (is_blank(text)) return format;
    const std::string_view trimmed = trim(*text);
    for (const auto& [word, form] : kFixed) {
        if (equals_ignoring_case(trimmed, word)) {
            format.form = form;
            return format;
        }
    }
    constexpr const char* kHint =
        "Use a JSON object of column names and types, the name of a table, view or composite "
        "type, 'JSON', 'XML' or 'PNG'.";
    if (trimmed.starts_with('[') || looks_like_query(trimmed))
        throw_argument_error("invalid output format", {}, kHint);
    if (trimmed.starts_with('{')) {
        format.column_map = read_column_map(*text);
        return format;
    }
    try {
        format.prototype = split_qualified_name(trimmed, kOutputFormat);
    } catch (Error& error) {
        error.report().hint = kHint;
        throw;
    }
    return format;
}

}  // namespace epe
