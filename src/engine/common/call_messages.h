// The messages that a backend and an engine exchange while calls run. Rows that belong to a message
// follow it (row_transport.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/ports.h"
#include "engine/common/engine_messages.h"

namespace epe::engine {

/// kResult: a piece of a call's result. Its rows follow.
struct ResultMessage {
    std::int64_t call_number = 0;
    std::optional<std::string> call_name{};
    std::int64_t first_row = 0;
    bool is_frame = false;
};

/// kExecute: an SQL statement of a script. The parameters point to `types`; if one of them has
/// bytes, these follow as one row.
struct ExecuteMessage {
    std::string sql{};
    std::vector<std::string> types{};
    std::vector<HostParameter> parameters{};
};

/// Outcome of Execute.
enum class ReplyStatus : std::uint8_t {
    kDone,
    kError,  ///< only its subtransaction was rolled back: the script may catch it
    kFatal,  ///< the statement must end
};

/// kReply, to kExecute.
struct ExecuteReply {
    ReplyStatus status = ReplyStatus::kFatal;
    ErrorReport error{};  ///< of kError
    HostResult result{};  ///< of kDone, without its rows, which follow if it has columns
};

/// kStreamBatch, to kNextBatch.
struct StreamReply {
    bool has_batch = false;  ///< rows follow; else the stream has ended
};

/// kArena, kArenaGrant, kArenaReturn, kArenaFree: the backend's number of an arena.
struct ArenaId {
    std::uint32_t id = 0;
};

/// kArenaRequest.
struct ArenaSize {
    std::uint64_t least_bytes = 0;
};

void write(WireWriter& to, const ResultMessage& message);
ResultMessage read_result(WireReader& from);
/// Bytes are not sent here but as the rows that follow (parameter_batch.h).
void write(WireWriter& to, const std::vector<HostParameter>& parameters);
/// `types` owns the types. Bytes are present, but empty.
std::vector<HostParameter> read_parameters(WireReader& from, std::vector<std::string>& types);
void write_execute(WireWriter& to, const std::string& sql,
                   const std::vector<HostParameter>& parameters);
/// Fills `message`, whose parameters point into it: it must not be copied.
void read_execute(WireReader& from, ExecuteMessage& message);
void write(WireWriter& to, const ExecuteReply& reply);
ExecuteReply read_execute_reply(WireReader& from);
void write(WireWriter& to, const StreamReply& reply);
StreamReply read_stream_reply(WireReader& from);
void write(WireWriter& to, const EngineTimes& times);
EngineTimes read_times(WireReader& from);
void write(WireWriter& to, const ArenaId& arena);
ArenaId read_arena_id(WireReader& from);
void write(WireWriter& to, const ArenaSize& size);
ArenaSize read_arena_size(WireReader& from);

}  // namespace epe::engine
