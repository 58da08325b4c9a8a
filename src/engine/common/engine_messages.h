// The protocol between a backend and its engines.
//
// A backend holds one end of a socket pair, the engine the other. The backend creates every piece
// of shared memory (arena); the engine only maps it.
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
// No message waits for an answer unnecessarily: a whole request may be sent at once. When something
// fails, the engine sends Failed once, skips everything up to End and sends Ended.
//
// A backend that wants no further results sends Stop and End. The engine notices Stop before its
// next piece of a result: it sends Stopped, closes the generator, whose finally blocks may still
// ask, and skips everything up to End. A backend that cannot answer any more sends SIGINT and End.
//
// While a call runs, the engine may ask: Execute -> Reply, NextBatch -> StreamBatch, ArenaRequest
// -> ArenaGrant. Few rows are sent in the frame, others in an arena: the engine has each of the
// backend's arenas until it sends ArenaFree; an arena that was granted for results is the engine's
// again after ArenaReturn.
//
// The backend is trusted. The engine is not: it runs untrusted code, which may write to its socket
// and to its arenas at any time. Its messages are checked before use, and read once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/pipeline/call_stats.h"
#include "core/pipeline/ports.h"
#include "engine/common/sandbox_policy.h"
#include "engine/common/wire.h"

namespace epe::engine {

inline constexpr std::uint32_t kProtocolVersion = 5;

/// Backend to engine.
enum class ToEngine : std::uint8_t {
    kGreeting = 1,
    kBegin,
    kRun,
    kEnd,
    kReply,
    kStreamBatch,
    kArena,        ///< an input arena, with a descriptor; before the first use
    kArenaGrant,   ///< an arena for results: as above
    kArenaReturn,  ///< an arena for results whose contents have been read
    kCheckScript,  ///< answered by Ended, or Failed and Ended
    kStop,         ///< no further result is wanted; End follows
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
    kArenaRequest,
    kArenaFree,  ///< an input arena
    kStopped,    ///< after Stop: no further call runs
};

/// The first message to an engine.
struct Greeting {
    std::uint32_t version = kProtocolVersion;
    SandboxPlan sandbox{};
    bool requires_sandbox = true;  ///< refuse to run anything in an incomplete sandbox
};

/// The answer to Greeting.
struct Ready {
    std::uint32_t version = 0;
    std::string python_version{};
    SandboxReport report{};
};

/// A CallPlan that owns its data, and the schema of the input.
struct RequestMessage {
    Script script{};
    CallPlan plan{};
    bool has_pickled = false;  ///< pickled arguments follow the message, as rows
    Batch pickled{};           ///< one binary value, for the receiver to set
    OutputShape shape{};
    Schema input{};
};

/// kCheckScript.
struct CheckMessage {
    std::string name{};
    std::string source{};
};

/// The input of the calls of a Run.
enum class RunInput : std::uint8_t {
    kNone,
    kRows,    ///< rows follow (row_transport.h)
    kStream,  ///< the engine asks by NextBatch
};

/// A Run without its rows, which follow. The calls number them from 0.
struct RunMessage {
    std::vector<Call> calls{};
    RunInput input = RunInput::kNone;
};

/// Where the bytes of a batch are.
struct DataPlace {
    std::uint32_t arena = 0;  ///< 0: in the frame, after everything else
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
void write(WireWriter& to, const CheckMessage& message);
CheckMessage read_check(WireReader& from);
void write(WireWriter& to, const Schema& schema);
Schema read_schema(WireReader& from);
void write(WireWriter& to, const RunMessage& message);
RunMessage read_run(WireReader& from);
/// The error of a call for which no engine could be started.
ErrorReport not_started(const char* sqlstate, const std::string& why);
/// Texts are truncated to a megabyte each.
void write(WireWriter& to, const ErrorReport& report);
/// Throws ProtocolError for texts that are not valid UTF-8, and for an invalid SQLSTATE.
ErrorReport read_report(WireReader& from);
/// A text of valid UTF-8 without null bytes, safe for PostgreSQL.
std::string read_clean_text(WireReader& from);
void write(WireWriter& to, const DataPlace& place);
DataPlace read_place(WireReader& from);

}  // namespace epe::engine
