// Fuzz target: the bodies of the messages between a backend and its engines, in both directions.
//
// The first byte selects the message. A parsed body must be serialized to the same bytes.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/utf8.h"
#include "engine/common/call_messages.h"
#include "engine/common/engine_messages.h"
#include "target.h"

namespace {

using namespace epe::engine;
using epe::fuzz::require;

// The choices below and above select a message by their last digit.
constexpr std::uint8_t kFirstCallChoice = 200;
constexpr std::uint8_t kLastCallChoice = 203;

/// Reads a value, and requires that writing it gives the bytes that it was read from.
template <typename Read>
void round_trip(std::string_view body, Read read) {
    WireReader reader(body);
    const auto value = read(reader);
    const std::string_view taken = body.substr(0, body.size() - reader.left());
    WireWriter writer;
    write(writer, value);
    require(writer.bytes() == taken, "a message changes when it is written again");
}

void check_request(std::string_view body) {
    WireReader reader(body);
    RequestMessage message;
    read_request(reader, message);
    if (message.has_pickled) message.plan.pickled = "follows as rows";
    const std::string_view taken = body.substr(0, body.size() - reader.left());
    WireWriter writer;
    write_request(writer, message.plan, &message.input);
    require(writer.bytes() == taken, "a request changes when it is written again");
}

/// Long texts of reports are truncated; SQLSTATE and texts must be valid for PostgreSQL.
void check_report(std::string_view body) {
    WireReader reader(body);
    const epe::ErrorReport report = read_report(reader);
    require(report.sqlstate.size() == 5 && report.sqlstate >= "03", "SQLSTATE");
    for (const std::string* text : {&report.message, &report.detail, &report.hint, &report.context})
        require(epe::is_clean_utf8(*text), "text of a report");
    WireWriter once;
    write(once, report);
    WireReader again(once.bytes());
    const epe::ErrorReport same = read_report(again);
    again.expect_end();
    require(same.message == report.message || report.message.size() > 1000000, "message");
}

void check_parameters(std::string_view body) {
    WireReader reader(body);
    std::vector<std::string> types;
    const std::vector<epe::HostParameter> parameters = read_parameters(reader, types);
    const std::string_view taken = body.substr(0, body.size() - reader.left());
    for (const epe::HostParameter& parameter : parameters) {
        require(parameter.sql_type != nullptr && epe::is_clean_utf8(parameter.sql_type), "type");
        require(!parameter.text || epe::is_clean_utf8(*parameter.text), "text");
    }
    WireWriter writer;
    write(writer, parameters);
    require(writer.bytes() == taken, "parameters change when they are written again");
}

void check_execute(std::string_view body) {
    WireReader reader(body);
    ExecuteMessage message;
    read_execute(reader, message);
    const std::string_view taken = body.substr(0, body.size() - reader.left());
    WireWriter writer;
    write_execute(writer, message.sql, message.parameters);
    require(writer.bytes() == taken, "a statement changes when it is written again");
}

/// Messages of running calls. Errors in replies are covered by check_report().
void dispatch_call(std::uint8_t choice, std::string_view body) {
    switch (choice) {
        case kFirstCallChoice:
            return round_trip(body, [](WireReader& from) { return read_result(from); });
        case kFirstCallChoice + 1:
            return check_execute(body);
        case kFirstCallChoice + 2: {
            WireReader reader(body);
            if (reader.enumerator(ReplyStatus::kFatal) == ReplyStatus::kError) return;
            return round_trip(body, [](WireReader& from) { return read_execute_reply(from); });
        }
        default:
            return round_trip(body, [](WireReader& from) { return read_check(from); });
    }
}

void dispatch(std::uint8_t choice, std::string_view body) {
    if (choice >= kFirstCallChoice && choice <= kLastCallChoice) return dispatch_call(choice, body);
    switch (choice % 10) {
        case 0:
            return round_trip(body, [](WireReader& from) { return read_greeting(from); });
        case 1:
            return round_trip(body, [](WireReader& from) { return read_ready(from); });
        case 2:
            return check_request(body);
        case 3:
            return round_trip(body, [](WireReader& from) { return read_schema(from); });
        case 4:
            return round_trip(body, [](WireReader& from) { return read_run(from); });
        case 5:
            return check_report(body);
        case 6:
            return check_parameters(body);
        case 7:
            return round_trip(body, [](WireReader& from) { return read_times(from); });
        case 8:
            return round_trip(body, [](WireReader& from) { return read_place(from); });
        default: {
            WireReader reader(body);
            require(epe::is_clean_utf8(read_clean_text(reader)), "text");
        }
    }
}

void run(std::string_view input) {
    epe::fuzz::Bytes bytes(input);
    const std::uint8_t choice = bytes.byte();
    try {
        dispatch(choice, bytes.rest());
    } catch (const ProtocolError&) {  // NOLINT(bugprone-empty-catch): the usual fate
    }
}

}  // namespace

EPE_FUZZ_TARGET(protocol, run, kBytes)
