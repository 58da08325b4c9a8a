// What a backend and its engines say to each other.
//
// A backend holds one end of a socket pair, the engine the other. The backend creates every piece
// of shared memory (arena); the engine only maps what it is given.
//
//   backend                                        engine
//   Greeting (version, limits, sandbox)   ->       confines itself
//                                         <-       Ready (version, protections)
//   then for each request:
//   Begin (script, arguments, shape)      ->       loads the script
//   Run (calls, rows) ...                 ->       runs them one after the other
//                                         <-       Result ..., Message ..., RunDone, for each Run
//   End                                   ->
//                                         <-       Ended
//
// Nothing waits for an answer that need not: a whole request may be sent at once. When something
// fails, the engine sends Failed once, skips what comes up to End and sends Ended. A backend that
// wants to end a request early sends SIGINT and End.
//
// While a call runs the engine may ask: Execute -> Reply, NextBatch -> StreamBatch,
// ArenaRequest -> ArenaGrant. Rows travel in the frame when they are few, else in an arena: of the
// backend's arenas one engine has each until it says ArenaFree; an arena that was granted for
// results is the engine's again after ArenaReturn.
//
// The backend is trusted. The engine is not: it runs anybody's code, which may write to its socket
// and to its arenas at any time. Whatever it sends is checked before use, and read once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/pipeline/call_stats.h"
#include "core/pipeline/ports.h"
#include "engine/common/sandbox_policy.h"
#include "engine/common/wire.h"

namespace epe::engine {

inline constexpr std::uint32_t kProtocolVersion = 4;

/// Backend to engine.
enum class ToEngine : std::uint8_t {
    kGreeting = 1,
    kBegin,
    kRun,
    kEnd,
    kReply,
    kStreamBatch,
    kArena,        ///< an input arena: id, size and a descriptor; before the first use
    kArenaGrant,   ///< an arena for results: as above
    kArenaReturn,  ///< id of an arena for results whose contents have been taken
    kCheckScript,  ///< name, source; answered by Ended, or Failed and Ended
};

/// Engine to backend.
enum class ToBackend : std::uint8_t {
    kReady = 1,
    kResult,
    kRunDone,
    kFailed,
    kEnded,
    kNotice,
    kWarning,
    kExecute,
    kNextBatch,
    kArenaRequest,  ///< least size
    kArenaFree,     ///< id of an input arena
};

/// What an engine is told before anything else.
struct Greeting {
    std::uint32_t version = kProtocolVersion;
    SandboxPlan sandbox{};
    bool requires_sandbox = true;  ///< refuse to run anything when it is not complete
};

/// The answer to Greeting.
struct Ready {
    std::uint32_t version = 0;
    std::string python_version{};
    SandboxReport report{};
};

/// A CallPlan with owners for what it points to, and the schema of the input.
struct RequestMessage {
    Script script{};
    CallPlan plan{};
    Batch pickled{};  ///< one binary value, when there are pickled arguments
    OutputShape shape{};
    Schema input{};
};

/// How the answer to Execute ended.
enum class ReplyStatus : std::uint8_t {
    kDone,
    kError,  ///< rolled back alone: the script may catch it
    kFatal,  ///< the statement must end
};

/// Where the bytes of a batch are.
struct DataPlace {
    std::uint32_t arena = 0;  ///< 0: in the frame, behind everything else
    std::uint64_t size = 0;
};

void write(WireWriter& to, const Greeting& greeting);
Greeting read_greeting(WireReader& from);
void write(WireWriter& to, const Ready& ready);
Ready read_ready(WireReader& from);
/// The pointers of `plan` must be set.
void write_request(WireWriter& to, const CallPlan& plan, const Schema* input);
/// Fills `message`; its plan points into it.
void read_request(WireReader& from, RequestMessage& message);
void write(WireWriter& to, const Schema& schema);
Schema read_schema(WireReader& from);
void write(WireWriter& to, const Call& call);
Call read_call(WireReader& from);
/// The error of a call that has no engine because none could be started.
ErrorReport not_started(const char* sqlstate, const std::string& why);
/// Texts are cut to a megabyte each.
void write(WireWriter& to, const ErrorReport& report);
/// Throws ProtocolError for texts that are not clean UTF-8, and for what is no SQLSTATE.
ErrorReport read_report(WireReader& from);
/// A text of clean UTF-8, without null bytes: whatever goes on to PostgreSQL.
std::string read_clean_text(WireReader& from);
/// Bytes do not travel here but as the rows that follow (parameter_batch.h).
void write(WireWriter& to, const std::vector<HostParameter>& parameters);
/// The types stay alive in `types`. Bytes are there, but empty.
std::vector<HostParameter> read_parameters(WireReader& from, std::vector<std::string>& types);
void write(WireWriter& to, const EngineTimes& times);
EngineTimes read_times(WireReader& from);
void write(WireWriter& to, const DataPlace& place);
DataPlace read_place(WireReader& from);

}  // namespace epe::engine
