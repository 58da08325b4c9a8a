// The bodies of the messages between a backend and its engines.
#include "engine/common/engine_messages.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/request/identifiers.h"
#include "core/utf8.h"

namespace epe::engine {

namespace {

constexpr std::int64_t kMostItems = 1 << 20;  // of any list in a message
constexpr std::size_t kLongestReportText = std::size_t{1} << 20;
constexpr int kMostDepth = 64;  // of nested column types
constexpr std::int64_t kMostRows = std::numeric_limits<std::int64_t>::max() / 64;

void write_texts(WireWriter& to, const std::vector<std::string>& texts) {
    to.number(static_cast<std::int64_t>(texts.size()));
    for (const std::string& text : texts) to.text(text);
}

std::vector<std::string> read_texts(WireReader& from) {
    std::vector<std::string> texts(static_cast<std::size_t>(from.count(kMostItems)));
    for (std::string& text : texts) text = from.text();
    return texts;
}

void write_controls(WireWriter& to, const Controls& controls) {
    to.number(controls.input_type);
    for (const bool flag :
         {controls.is_iterator, controls.omit_incomplete, controls.capture_graphics,
          controls.always_gives_row, controls.use_decimal, controls.keep_nan, controls.nullable})
        to.boolean(flag);
}

Controls read_controls(WireReader& from) {
    Controls controls;
    controls.input_type = from.enumerator(InputType::kPolars);
    for (bool* flag : {&controls.is_iterator, &controls.omit_incomplete, &controls.capture_graphics,
                       &controls.always_gives_row, &controls.use_decimal, &controls.keep_nan,
                       &controls.nullable})
        *flag = from.boolean();
    return controls;
}

void write_field(WireWriter& to, const Field& field) {
    to.text(field.name);
    to.number(field.type.kind);
    to.number(field.type.variant);
    write(to, field.type.fields);
    to.text(field.sql_type);
    to.number(field.type_oid);
    to.number(field.type_modifier);
}

Schema read_fields(WireReader& from, int depth);

Field read_field(WireReader& from, int depth) {
    Field field;
    field.name = from.text();
    field.type.kind = from.enumerator(kLastKind);
    field.type.variant = from.enumerator(Variant::kHstore);
    field.type.fields = read_fields(from, depth + 1);
    field.sql_type = from.text();
    field.type_oid = from.number<std::uint32_t>();
    field.type_modifier = from.number<std::int32_t>();
    return field;
}

Schema read_fields(WireReader& from, int depth) {
    if (depth > kMostDepth) WireReader::fail("nesting");
    Schema schema;
    const std::int64_t count = from.count(kMostItems);
    for (std::int64_t i = 0; i < count; ++i) schema.push_back(read_field(from, depth));
    return schema;
}

constexpr std::size_t kStateLength = 5;

/// The texts of a report that an engine may set.
std::array<std::string ErrorReport::*, 6> report_texts() {
    return {&ErrorReport::sqlstate, &ErrorReport::message, &ErrorReport::detail,
            &ErrorReport::hint,     &ErrorReport::context, &ErrorReport::missing_module};
}

}  // namespace

void write(WireWriter& to, const Schema& schema) {
    to.number(static_cast<std::int64_t>(schema.size()));
    for (const Field& field : schema) write_field(to, field);
}

Schema read_schema(WireReader& from) { return read_fields(from, 0); }

void write(WireWriter& to, const Greeting& greeting) {
    to.number(greeting.version);
    to.boolean(greeting.requires_sandbox);
    write_texts(to, greeting.sandbox.read_paths);
    to.number(static_cast<std::int64_t>(greeting.sandbox.tcp_ports.size()));
    for (const std::uint16_t port : greeting.sandbox.tcp_ports) to.number(port);
    to.text(greeting.sandbox.temp_folder);
    to.number(greeting.sandbox.temp_bytes);
    to.number(greeting.sandbox.memory_bytes);
    to.number(greeting.sandbox.niceness);
}

Greeting read_greeting(WireReader& from) {
    Greeting greeting;
    greeting.version = from.number<std::uint32_t>();
    if (greeting.version != kProtocolVersion)
        throw ProtocolError("the engine program is of another version");
    greeting.requires_sandbox = from.boolean();
    greeting.sandbox.read_paths = read_texts(from);
    greeting.sandbox.tcp_ports.resize(static_cast<std::size_t>(from.count(kMostItems)));
    for (std::uint16_t& port : greeting.sandbox.tcp_ports) port = from.number<std::uint16_t>();
    greeting.sandbox.temp_folder = from.text();
    greeting.sandbox.temp_bytes = from.number<std::uint64_t>();
    greeting.sandbox.memory_bytes = from.number<std::uint64_t>();
    greeting.sandbox.niceness = from.number<int>();
    return greeting;
}

void write(WireWriter& to, const Ready& ready) {
    to.number(ready.version);
    to.text(ready.python_version);
    to.number(static_cast<std::int64_t>(ready.report.protections.size()));
    for (const Protection& each : ready.report.protections) {
        to.text(each.name);
        to.boolean(each.is_enforced);
        to.boolean(each.is_needed);
        to.text(each.detail);
    }
}

Ready read_ready(WireReader& from) {
    constexpr std::int64_t kMostProtections = 100;
    Ready ready;
    ready.version = from.number<std::uint32_t>();
    ready.python_version = read_clean_text(from);
    const std::int64_t count = from.count(kMostProtections);
    for (std::int64_t i = 0; i < count; ++i) {
        Protection each;
        each.name = read_clean_text(from);
        each.is_enforced = from.boolean();
        each.is_needed = from.boolean();
        each.detail = read_clean_text(from);
        ready.report.protections.push_back(std::move(each));
    }
    return ready;
}

void write_request(WireWriter& to, const CallPlan& plan, const Schema* input) {
    const Script& script = *plan.script;
    to.text(script.owner);
    to.text(script.name);
    to.text(script.source);
    to.number(script.version);
    to.number(plan.function);
    write_controls(to, plan.controls);
    to.text(plan.arguments_json);
    to.boolean(plan.is_trusted);
    to.number(plan.shape->form);
    to.boolean(plan.shape->is_scalar);
    to.boolean(plan.shape->by_position);
    to.number(plan.shape->most_items);
    write(to, plan.shape->columns);
    write(to, input == nullptr ? Schema() : *input);
    to.boolean(!plan.pickled.empty());
}

void read_request(WireReader& from, RequestMessage& message) {
    message.script.owner = from.text();
    message.script.name = from.text();
    message.script.source = from.text();
    message.script.version = from.number<std::uint64_t>();
    message.plan.function = from.enumerator(EvalFunction::kIndex);
    message.plan.controls = read_controls(from);
    message.plan.arguments_json = from.text();
    message.plan.is_trusted = from.boolean();
    message.shape.form = from.enumerator(OutputFormat::Form::kStored);
    message.shape.is_scalar = from.boolean();
    message.shape.by_position = from.boolean();
    message.shape.most_items = from.count(kMostRows);
    message.shape.columns = read_schema(from);
    message.input = read_schema(from);
    message.has_pickled = from.boolean();
    message.plan.script = &message.script;
    message.plan.shape = &message.shape;
}

void write(WireWriter& to, const CheckMessage& message) {
    to.text(message.name);
    to.text(message.source);
}

CheckMessage read_check(WireReader& from) {
    CheckMessage message;
    message.name = from.text();
    message.source = from.text();
    return message;
}

void write(WireWriter& to, const RunMessage& message) {
    to.number(static_cast<std::int64_t>(message.calls.size()));
    for (const Call& call : message.calls) {
        to.number(call.number);
        to.optional_text(call.name);
        to.number(call.first_row);
        to.number(call.row_count);
        to.number(call.input_row);
    }
    to.number(message.input);
}

RunMessage read_run(WireReader& from) {
    constexpr std::int64_t kMostCalls = 1 << 24;
    RunMessage message;
    const auto count = static_cast<std::size_t>(from.count(kMostCalls));
    message.calls.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        Call& call = message.calls.emplace_back();
        call.number = from.count(kMostRows);
        call.name = from.optional_text();
        call.first_row = from.count(kMostRows);
        call.row_count = from.count(kMostRows);
        call.input_row = from.count(kMostRows);
    }
    message.input = from.enumerator(RunInput::kStream);
    return message;
}

ErrorReport not_started(const char* sqlstate, const std::string& why) {
    ErrorReport report;
    report.sqlstate = sqlstate;
    report.message = "could not start a Python engine: " + why;
    report.hint = "See the server log for details.";
    return report;
}

void write(WireWriter& to, const ErrorReport& report) {
    for (const auto text : report_texts()) {
        std::string shown = shorten(report.*text, kLongestReportText);
        // PostgreSQL's texts cannot contain it
        std::replace(shown.begin(), shown.end(), '\0', ' ');
        to.text(shown);
    }
}

ErrorReport read_report(WireReader& from) {
    ErrorReport report;
    for (const auto text : report_texts()) report.*text = read_clean_text(from);
    const std::string& state = report.sqlstate;
    const bool is_state =
        state.size() == kStateLength && std::all_of(state.begin(), state.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
        });
    // Classes 00 to 02 are not errors.
    if (!is_state || state < "03") WireReader::fail("SQLSTATE");
    return report;
}

std::string read_clean_text(WireReader& from) {
    const std::string_view text = from.text_view();
    if (!is_clean_utf8(text)) WireReader::fail("text");
    return std::string(text);
}

void write(WireWriter& to, const DataPlace& place) {
    to.number(place.arena);
    to.number(place.size);
}

DataPlace read_place(WireReader& from) {
    DataPlace place;
    place.arena = from.number<std::uint32_t>();
    place.size = from.number<std::uint64_t>();
    return place;
}

}  // namespace epe::engine
