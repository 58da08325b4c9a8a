#include "engine/common/supervisor_messages.h"

namespace epe::engine {

namespace {

void write_texts(WireWriter& to, const std::vector<std::string>& texts) {
    to.number(static_cast<std::int64_t>(texts.size()));
    for (const std::string& text : texts) to.text(text);
}

std::vector<std::string> read_texts(WireReader& from) {
    constexpr std::int64_t kMost = 1000;
    std::vector<std::string> texts;
    const std::int64_t count = from.count(kMost);
    for (std::int64_t i = 0; i < count; ++i) texts.push_back(from.text());
    return texts;
}

}  // namespace

void write(WireWriter& to, const EngineId& id) { to.number(id.id); }

EngineId read_engine_id(WireReader& from) { return {from.number<std::uint64_t>()}; }

void write(WireWriter& to, const ProcessId& process) { to.number(process.pid); }

ProcessId read_process_id(WireReader& from) { return {from.number<std::int32_t>()}; }

void write(WireWriter& to, const EngineRequest& request) {
    to.number(request.id);
    to.text(request.environment);
    to.boolean(request.has_network);
    to.number(request.asked);
    to.number(request.role);
    to.number(request.most_of_role);
    to.boolean(request.is_first);
}

EngineRequest read_engine_request(WireReader& from) {
    EngineRequest request;
    request.id = from.number<std::uint64_t>();
    request.environment = from.text();
    request.has_network = from.boolean();
    request.asked = from.number<std::int64_t>();
    request.role = from.number<std::uint32_t>();
    request.most_of_role = from.number<std::int64_t>();
    request.is_first = from.boolean();
    return request;
}

void write(WireWriter& to, const EngineAdoption& adoption) {
    write(to, adoption.request);
    to.number(adoption.pid);
}

EngineAdoption read_engine_adoption(WireReader& from) {
    EngineAdoption adoption;
    adoption.request = read_engine_request(from);
    adoption.pid = from.number<std::int32_t>();
    return adoption;
}

void write(WireWriter& to, const SupervisorConfiguration& configuration) {
    to.number(configuration.most_engines);
    to.number(configuration.idle_seconds);
    write_texts(to, configuration.preload);
}

SupervisorConfiguration read_supervisor_configuration(WireReader& from) {
    SupervisorConfiguration configuration;
    configuration.most_engines = from.number<std::int64_t>();
    configuration.idle_seconds = from.number<std::int64_t>();
    configuration.preload = read_texts(from);
    return configuration;
}

void write(WireWriter& to, const GatewayCommand& command) { write_texts(to, command.words); }

GatewayCommand read_gateway_command(WireReader& from) { return {read_texts(from)}; }

void write(WireWriter& to, const EngineStart& start) {
    to.number(start.id);
    to.number(start.pid);
}

EngineStart read_engine_start(WireReader& from) {
    EngineStart start;
    start.id = from.number<std::uint64_t>();
    start.pid = from.number<std::int32_t>();
    return start;
}

void write(WireWriter& to, const EngineRefusal& refusal) {
    to.number(refusal.id);
    const ErrorReport& report = refusal.report;
    for (const std::string* text : {&report.message, &report.detail, &report.hint}) to.text(*text);
}

EngineRefusal read_engine_refusal(WireReader& from) {
    EngineRefusal refusal;
    refusal.id = from.number<std::uint64_t>();
    ErrorReport& report = refusal.report;
    report.sqlstate = sqlstate::kInsufficientResources;
    for (std::string* text : {&report.message, &report.detail, &report.hint}) *text = from.text();
    return refusal;
}

void write(WireWriter& to, const EngineEnd& end) {
    to.number(end.id);
    to.number(end.status);
    to.text(end.stack);
}

EngineEnd read_engine_end(WireReader& from) {
    EngineEnd end;
    end.id = from.number<std::uint64_t>();
    end.status = from.number<std::int32_t>();
    end.stack = from.text();
    return end;
}

void write(WireWriter& to, const std::vector<EngineRow>& rows) {
    to.number(static_cast<std::int64_t>(rows.size()));
    for (const EngineRow& row : rows) {
        to.number(row.pid);
        to.number(row.backend);
        to.number(row.role);
        to.number(row.database);
        for (const std::string* text : {&row.environment, &row.state, &row.script}) to.text(*text);
        for (const std::int64_t number : {row.since, row.rows_in, row.rows_out, row.memory})
            to.number(number);
    }
}

std::vector<EngineRow> read_engine_rows(WireReader& from) {
    constexpr std::int64_t kMost = 1 << 20;
    std::vector<EngineRow> rows;
    const std::int64_t count = from.count(kMost);
    for (std::int64_t i = 0; i < count; ++i) {
        EngineRow& row = rows.emplace_back();
        row.pid = from.number<std::int32_t>();
        row.backend = from.number<std::int32_t>();
        row.role = from.number<std::uint32_t>();
        row.database = from.number<std::uint32_t>();
        for (std::string* text : {&row.environment, &row.state, &row.script}) *text = from.text();
        for (std::int64_t* number : {&row.since, &row.rows_in, &row.rows_out, &row.memory})
            *number = from.number<std::int64_t>();
    }
    return rows;
}

void write(WireWriter& to, const StackText& stack) {
    to.number(stack.pid);
    to.boolean(stack.is_found);
    to.text(stack.text);
}

StackText read_stack_text(WireReader& from) {
    StackText stack;
    stack.pid = from.number<std::int32_t>();
    stack.is_found = from.boolean();
    stack.text = from.text();
    return stack;
}

}  // namespace epe::engine
