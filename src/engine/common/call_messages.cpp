#include "engine/common/call_messages.h"

#include <limits>

namespace epe::engine {

namespace {

constexpr std::int64_t kLongestTime = std::numeric_limits<std::int64_t>::max() / 64;

}  // namespace

void write(WireWriter& to, const ResultMessage& message) {
    to.number(message.call_number);
    to.optional_text(message.call_name);
    to.number(message.first_row);
    to.boolean(message.is_frame);
}

ResultMessage read_result(WireReader& from) {
    constexpr std::int64_t kMostResultRows = std::int64_t{1} << 40;
    ResultMessage message;
    message.call_number = from.number<std::int64_t>();
    message.call_name = from.optional_text();
    message.first_row = from.count(kMostResultRows);
    message.is_frame = from.boolean();
    return message;
}

void write(WireWriter& to, const std::vector<HostParameter>& parameters) {
    to.number(static_cast<std::int64_t>(parameters.size()));
    for (const HostParameter& parameter : parameters) {
        to.boolean(parameter.bytes.has_value());
        if (!parameter.bytes) to.optional_text(parameter.text);
        to.text(parameter.sql_type);
        to.optional_text(parameter.alternative);
    }
}

std::vector<HostParameter> read_parameters(WireReader& from, std::vector<std::string>& types) {
    constexpr std::int64_t kMostParameters = 65535;  // as in PostgreSQL's own protocol
    const auto count = static_cast<std::size_t>(from.count(kMostParameters));
    std::vector<HostParameter> parameters(count);
    types.resize(count);  // before a pointer into it is taken
    for (std::size_t i = 0; i < count; ++i) {
        if (from.boolean())
            parameters[i].bytes.emplace();
        else if (from.boolean())
            parameters[i].text = read_clean_text(from);
        types[i] = read_clean_text(from);
        parameters[i].sql_type = types[i].c_str();
        if (from.boolean()) parameters[i].alternative = read_clean_text(from);
    }
    return parameters;
}

void write_execute(WireWriter& to, const std::string& sql,
                   const std::vector<HostParameter>& parameters) {
    to.text(sql);
    write(to, parameters);
}

void read_execute(WireReader& from, ExecuteMessage& message) {
    message.sql = from.text();
    message.parameters = read_parameters(from, message.types);
}

void write(WireWriter& to, const ExecuteReply& reply) {
    to.number(reply.status);
    if (reply.status == ReplyStatus::kError) write(to, reply.error);
    if (reply.status != ReplyStatus::kDone) return;
    to.number(reply.result.row_count);
    write(to, reply.result.schema);
}

ExecuteReply read_execute_reply(WireReader& from) {
    ExecuteReply reply;
    reply.status = from.enumerator(ReplyStatus::kFatal);
    if (reply.status == ReplyStatus::kError) reply.error = read_report(from);
    if (reply.status != ReplyStatus::kDone) return reply;
    reply.result.row_count = from.number<std::int64_t>();
    reply.result.schema = read_schema(from);
    return reply;
}

void write(WireWriter& to, const StreamReply& reply) { to.boolean(reply.has_batch); }

StreamReply read_stream_reply(WireReader& from) { return {from.boolean()}; }

void write(WireWriter& to, const EngineTimes& times) {
    to.number(times.convert);
    to.number(times.python);
}

EngineTimes read_times(WireReader& from) {
    EngineTimes times;
    times.convert = from.count(kLongestTime);
    times.python = from.count(kLongestTime);
    return times;
}

void write(WireWriter& to, const ArenaId& arena) { to.number(arena.id); }

ArenaId read_arena_id(WireReader& from) { return {from.number<std::uint32_t>()}; }

void write(WireWriter& to, const ArenaSize& size) { to.number(size.least_bytes); }

ArenaSize read_arena_size(WireReader& from) { return {from.number<std::uint64_t>()}; }

}  // namespace epe::engine
