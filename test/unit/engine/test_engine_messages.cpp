// Tests of engine/common/engine_messages and call_messages: round trips of all messages; malformed
// ones are rejected.
#include "engine/common/engine_messages.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "engine/common/call_messages.h"
#include "support/codec_support.h"
#include "support/error_support.h"

namespace epe::engine {
namespace {

Schema nested_schema() {
    Schema schema;
    for (const ColumnType& type : test::all_types()) {
        Field field;
        field.name = "c" + std::to_string(schema.size());
        field.type = type;
        field.sql_type = "type";
        field.type_oid = 23;
        field.type_modifier = -1;
        schema.push_back(std::move(field));
    }
    return schema;
}

void expect_equal(const Schema& left, const Schema& right) {
    ASSERT_EQ(left.size(), right.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
        EXPECT_EQ(left[i].name, right[i].name);
        EXPECT_EQ(left[i].type.kind, right[i].type.kind);
        EXPECT_EQ(left[i].sql_type, right[i].sql_type);
        EXPECT_EQ(left[i].type_oid, right[i].type_oid);
        EXPECT_EQ(left[i].type_modifier, right[i].type_modifier);
        expect_equal(left[i].type.fields, right[i].type.fields);
    }
}

Greeting some_greeting() {
    Greeting greeting;
    greeting.sandbox.read_paths = {"/a", "/b c"};
    greeting.sandbox.tcp_ports = {80, 65535};
    greeting.sandbox.temp_folder = "/t";
    greeting.sandbox.temp_bytes = 1;
    greeting.sandbox.memory_bytes = ~std::uint64_t{0};
    greeting.sandbox.niceness = 19;
    return greeting;
}

Ready some_ready() {
    Ready ready{kProtocolVersion, "3.11.2", {}};
    ready.report.protections = {{"files", true, true, "Landlock"}, {"network", false, false, ""}};
    return ready;
}

struct SomeRequest {
    SomeRequest() {
        script = {"ann", "f", "def f(): pass", true, 42};
        plan.script = &script;
        plan.function = EvalFunction::kGroup;
        plan.controls.input_type = InputType::kArrow;
        plan.controls.keep_nan = true;
        plan.arguments_json = R"({"a":1})";
        shape.form = OutputFormat::Form::kXml;
        shape.is_scalar = true;
        shape.columns = nested_schema();
        plan.shape = &shape;
    }
    Script script{};
    OutputShape shape{};
    CallPlan plan{};
};

RunMessage some_run() { return {{{7, "seven", 1, 2, 3}}, RunInput::kRows}; }

ErrorReport some_report() {
    ErrorReport report;
    report.sqlstate = "22P02";
    report.message = "m\xC3\xA9";
    report.detail = "D.";
    report.hint = "H.";
    report.context = "c\nd";
    return report;
}

ResultMessage some_result() { return {3, "three", 9, true}; }

ExecuteReply reply_of_rows() {
    ExecuteReply reply{.status = ReplyStatus::kDone};
    reply.result.row_count = 8;
    reply.result.schema = nested_schema();
    return reply;
}

ExecuteReply reply_of_error() { return {.status = ReplyStatus::kError, .error = some_report()}; }

/// A message as bytes, and the function that reads it.
struct Sample {
    const char* name;
    std::string bytes;
    std::function<void(WireReader&)> read;
};

std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto add = [&](const char* name, auto&& write_body, auto&& read) {
        WireWriter to;
        write_body(to);
        all.push_back({name, to.bytes(), read});
    };
    add(
        "greeting", [](WireWriter& to) { write(to, some_greeting()); },
        [](WireReader& from) { read_greeting(from); });
    add(
        "ready", [](WireWriter& to) { write(to, some_ready()); },
        [](WireReader& from) { read_ready(from); });
    add(
        "request",
        [](WireWriter& to) {
            const SomeRequest request;
            write_request(to, request.plan, &request.shape.columns);
        },
        [](WireReader& from) {
            RequestMessage message;
            read_request(from, message);
        });
    add(
        "run", [](WireWriter& to) { write(to, some_run()); },
        [](WireReader& from) { read_run(from); });
    add(
        "check",
        [](WireWriter& to) {
            write(to, CheckMessage{"f", "def f(): pass"});
        },
        [](WireReader& from) { read_check(from); });
    add(
        "result", [](WireWriter& to) { write(to, some_result()); },
        [](WireReader& from) { read_result(from); });
    add(
        "execute",
        [](WireWriter& to) {
            write_execute(to, "SELECT $1", {{"1", "int4"}, {std::nullopt, ""}});
        },
        [](WireReader& from) {
            ExecuteMessage message;
            read_execute(from, message);
        });
    add(
        "reply of rows", [](WireWriter& to) { write(to, reply_of_rows()); },
        [](WireReader& from) { read_execute_reply(from); });
    add(
        "reply of an error", [](WireWriter& to) { write(to, reply_of_error()); },
        [](WireReader& from) { read_execute_reply(from); });
    add(
        "fatal reply", [](WireWriter& to) { write(to, ExecuteReply()); },
        [](WireReader& from) { read_execute_reply(from); });
    add(
        "stream reply", [](WireWriter& to) { write(to, StreamReply{true}); },
        [](WireReader& from) { read_stream_reply(from); });
    add(
        "arena", [](WireWriter& to) { write(to, ArenaId{7}); },
        [](WireReader& from) { read_arena_id(from); });
    add(
        "arena size", [](WireWriter& to) { write(to, ArenaSize{7}); },
        [](WireReader& from) { read_arena_size(from); });
    add(
        "report", [](WireWriter& to) { write(to, some_report()); },
        [](WireReader& from) { read_report(from); });
    add(
        "parameters",
        [](WireWriter& to) {
            write(to, std::vector<HostParameter>{{"1", "int4"}, {std::nullopt, ""}});
        },
        [](WireReader& from) {
            std::vector<std::string> types;
            read_parameters(from, types);
        });
    add(
        "times",
        [](WireWriter& to) {
            write(to, EngineTimes{1, 2});
        },
        [](WireReader& from) { read_times(from); });
    add(
        "place",
        [](WireWriter& to) {
            write(to, DataPlace{1, 2});
        },
        [](WireReader& from) { read_place(from); });
    return all;
}

TEST(Protocol, BringsGreetingsBack) {
    WireWriter to;
    write(to, some_greeting());
    write(to, some_ready());
    WireReader from(to.bytes());
    const Greeting greeting = read_greeting(from);
    EXPECT_EQ(greeting.version, kProtocolVersion);
    EXPECT_TRUE(greeting.requires_sandbox);
    EXPECT_EQ(greeting.sandbox.read_paths, some_greeting().sandbox.read_paths);
    EXPECT_EQ(greeting.sandbox.tcp_ports, some_greeting().sandbox.tcp_ports);
    EXPECT_EQ(greeting.sandbox.temp_folder, "/t");
    EXPECT_EQ(greeting.sandbox.temp_bytes, 1U);
    EXPECT_EQ(greeting.sandbox.memory_bytes, ~std::uint64_t{0});
    EXPECT_EQ(greeting.sandbox.niceness, 19);
    const Ready ready = read_ready(from);
    EXPECT_EQ(ready.python_version, "3.11.2");
    ASSERT_EQ(ready.report.protections.size(), 2U);
    EXPECT_EQ(ready.report.protections[0].detail, "Landlock");
    EXPECT_TRUE(ready.report.protections[0].is_needed);
    EXPECT_FALSE(ready.report.protections[1].is_enforced);
    from.expect_end();
}

TEST(Protocol, RefusesAnotherVersion) {
    Greeting greeting = some_greeting();
    ++greeting.version;
    WireWriter to;
    write(to, greeting);
    WireReader from(to.bytes());
    EXPECT_THROW(read_greeting(from), ProtocolError);
}

TEST(Protocol, BringsRequestsBack) {
    const SomeRequest request;
    WireWriter to;
    write_request(to, request.plan, &request.shape.columns);
    WireReader from(to.bytes());
    RequestMessage message;
    read_request(from, message);
    from.expect_end();
    EXPECT_EQ(message.script.owner, "ann");
    EXPECT_EQ(message.script.name, "f");
    EXPECT_EQ(message.script.source, "def f(): pass");
    EXPECT_EQ(message.script.version, 42U);
    EXPECT_EQ(message.plan.script, &message.script);
    EXPECT_EQ(message.plan.shape, &message.shape);
    EXPECT_EQ(message.plan.function, EvalFunction::kGroup);
    EXPECT_EQ(message.plan.controls.input_type, InputType::kArrow);
    EXPECT_TRUE(message.plan.controls.keep_nan);
    EXPECT_FALSE(message.plan.controls.use_decimal);
    EXPECT_EQ(message.plan.arguments_json, R"({"a":1})");
    EXPECT_EQ(message.shape.form, OutputFormat::Form::kXml);
    EXPECT_TRUE(message.shape.is_scalar);
    expect_equal(message.shape.columns, request.shape.columns);
    expect_equal(message.input, request.shape.columns);
}

TEST(Protocol, BringsTheRestBack) {
    WireWriter to;
    write(to, some_run());
    write(to, some_report());
    write(to, std::vector<HostParameter>{{"1", "int4"}, {std::nullopt, ""}});
    write(to, EngineTimes{1, 2});
    write(to, DataPlace{3, 4});
    WireReader from(to.bytes());
    const RunMessage run = read_run(from);
    EXPECT_EQ(run.input, RunInput::kRows);
    ASSERT_EQ(run.calls.size(), 1U);
    const Call& call = run.calls.front();
    EXPECT_EQ(call.number, 7);
    EXPECT_EQ(call.name, "seven");
    EXPECT_EQ(call.first_row, 1);
    EXPECT_EQ(call.row_count, 2);
    EXPECT_EQ(call.input_row, 3);
    const ErrorReport report = read_report(from);
    EXPECT_EQ(report.sqlstate, "22P02");
    EXPECT_EQ(report.message, "m\xC3\xA9");
    EXPECT_EQ(report.detail, "D.");
    EXPECT_EQ(report.hint, "H.");
    EXPECT_EQ(report.context, "c\nd");
    std::vector<std::string> types;
    const std::vector<HostParameter> parameters = read_parameters(from, types);
    ASSERT_EQ(parameters.size(), 2U);
    EXPECT_EQ(parameters[0].text, "1");
    EXPECT_STREQ(parameters[0].sql_type, "int4");
    EXPECT_EQ(parameters[1].text, std::nullopt);
    EXPECT_STREQ(parameters[1].sql_type, "");
    EXPECT_EQ(read_times(from).python, 2);
    const DataPlace place = read_place(from);
    EXPECT_EQ(place.arena, 3U);
    EXPECT_EQ(place.size, 4U);
    from.expect_end();
}

TEST(Protocol, TellsWhetherPickledArgumentsFollow) {
    for (const bool has_pickled : {false, true}) {
        SomeRequest request;
        if (has_pickled) request.plan.pickled = "bytes, which are not sent in the message";
        WireWriter to;
        write_request(to, request.plan, nullptr);
        WireReader from(to.bytes());
        RequestMessage message;
        read_request(from, message);
        from.expect_end();
        EXPECT_EQ(message.has_pickled, has_pickled);
        EXPECT_TRUE(message.plan.pickled.empty());
    }
}

TEST(Protocol, BringsTheMessagesOfCallsBack) {
    WireWriter to;
    write(to, CheckMessage{"f", "def f(): pass"});
    write(to, some_result());
    write_execute(to, "SELECT $1", {{"1", "int4"}});
    write(to, StreamReply{true});
    write(to, StreamReply{false});
    write(to, ArenaId{7});
    write(to, ArenaSize{std::uint64_t{1} << 40});
    WireReader from(to.bytes());
    const CheckMessage check = read_check(from);
    EXPECT_EQ(check.name, "f");
    EXPECT_EQ(check.source, "def f(): pass");
    const ResultMessage result = read_result(from);
    EXPECT_EQ(result.call_number, 3);
    EXPECT_EQ(result.call_name, "three");
    EXPECT_EQ(result.first_row, 9);
    EXPECT_TRUE(result.is_frame);
    ExecuteMessage execute;
    read_execute(from, execute);
    EXPECT_EQ(execute.sql, "SELECT $1");
    ASSERT_EQ(execute.parameters.size(), 1U);
    EXPECT_EQ(execute.parameters[0].text, "1");
    EXPECT_EQ(execute.parameters[0].sql_type, execute.types[0].c_str());
    EXPECT_TRUE(read_stream_reply(from).has_batch);
    EXPECT_FALSE(read_stream_reply(from).has_batch);
    EXPECT_EQ(read_arena_id(from).id, 7U);
    EXPECT_EQ(read_arena_size(from).least_bytes, std::uint64_t{1} << 40);
    from.expect_end();
}

TEST(Protocol, BringsRepliesBack) {
    WireWriter to;
    write(to, reply_of_rows());
    write(to, reply_of_error());
    write(to, ExecuteReply());
    WireReader from(to.bytes());
    const ExecuteReply rows = read_execute_reply(from);
    EXPECT_EQ(rows.status, ReplyStatus::kDone);
    EXPECT_EQ(rows.result.row_count, 8);
    expect_equal(rows.result.schema, nested_schema());
    const ExecuteReply error = read_execute_reply(from);
    EXPECT_EQ(error.status, ReplyStatus::kError);
    EXPECT_EQ(error.error.sqlstate, "22P02");
    EXPECT_EQ(read_execute_reply(from).status, ReplyStatus::kFatal);
    from.expect_end();
}

TEST(Protocol, RefusesEveryMessageThatEndsEarly) {
    for (const Sample& sample : samples()) {
        SCOPED_TRACE(sample.name);
        for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
            // Of exactly that size on the heap, so that ASan sees a byte too many.
            const std::vector<char> bytes(sample.bytes.begin(),
                                          sample.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            WireReader from({bytes.data(), size});
            EXPECT_THROW(sample.read(from), ProtocolError) << size;
        }
        WireReader whole(sample.bytes);
        EXPECT_NO_THROW(sample.read(whole));
        EXPECT_NO_THROW(whole.expect_end());
    }
}

TEST(Protocol, ThrowsNothingElseForMutations) {
    std::mt19937 random(20240229);
    for (const Sample& sample : samples()) {
        SCOPED_TRACE(sample.name);
        for (int round = 0; round < 3000; ++round) {
            std::string bytes = sample.bytes;
            for (std::size_t changes = 1 + random() % 3; changes > 0; --changes)
                bytes[random() % bytes.size()] =
                    random() % 2 == 0 ? static_cast<char>(random()) : '\xFF';
            WireReader from(bytes);
            try {
                sample.read(from);
            } catch (const ProtocolError&) {  // NOLINT(bugprone-empty-catch): as it should be
            }
        }
    }
}

TEST(Protocol, RefusesSchemasThatAreTooDeep) {
    Schema schema(1);
    for (int depth = 0; depth < 200; ++depth) {
        Schema outer(1);
        outer[0].type.kind = Kind::kList;
        outer[0].type.fields = std::move(schema);
        schema = std::move(outer);
    }
    WireWriter to;
    write(to, schema);
    WireReader from(to.bytes());
    EXPECT_THROW(read_schema(from), ProtocolError);
}

TEST(Protocol, TakesOnlyErrorsForErrors) {
    for (const char* const state : {"00000", "01000", "02000", "0200", "38000x", "3800a", ""}) {
        ErrorReport report = some_report();
        report.sqlstate = state;
        WireWriter to;
        write(to, report);
        WireReader from(to.bytes());
        EXPECT_THROW(read_report(from), ProtocolError) << state;
    }
}

TEST(Protocol, SendsReportsThatPostgresqlCanTake) {
    ErrorReport report = some_report();
    report.message = std::string("a\0b", 3);
    report.context = std::string(3 << 20, 'x');
    WireWriter to;
    write(to, report);
    WireReader from(to.bytes());
    const ErrorReport read = read_report(from);
    EXPECT_EQ(read.message, "a b");
    EXPECT_LE(read.context.size(), (std::size_t{1} << 20) + 3);
}

}  // namespace
}  // namespace epe::engine
