// The messages between a supervisor and its clients: the backends and the engine launcher.
//
// Each message is a frame (channel.h) whose body is one of the structs below, written by write()
// and read by the function of its name. The readers throw ProtocolError for a malformed body.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "engine/common/wire.h"

namespace epe::engine {

/// Client to supervisor.
enum class ToSupervisor : std::uint8_t {
    kConfigure = 1,  ///< from the owner only: SupervisorConfiguration
    kAcquire,  ///< EngineRequest; descriptors: engine's socket, status page, engine's lifeline
    kForget,   ///< EngineId: kill the engine, or drop the request
    kList,     ///< no body
    kStack,    ///< ProcessId
    kGateway,  ///< from the owner only: GatewayCommand
    kAdopt,    ///< EngineAdoption; descriptors: status page, pidfd
};

/// Supervisor to client.
enum class FromSupervisor : std::uint8_t {
    kStarted = 1,  ///< EngineStart; descriptor: pidfd
    kRefused,      ///< EngineRefusal
    kExited,       ///< EngineEnd
    kEngines,      ///< EngineRows
    kStackText,    ///< StackText
    kHello,        ///< no body; first: the supervisor serves this client
    kUnavailable,  ///< text: why there is no supervisor; sent by the engine launcher in its place
};

/// The client's number for an engine.
struct EngineId {
    std::uint64_t id = 0;
};

struct ProcessId {
    std::int32_t pid = 0;
};

/// A client's request for an engine, or its engine from an earlier supervisor.
struct EngineRequest {
    std::uint64_t id = 0;       ///< the client's number for it
    std::string environment{};  ///< as in EngineOptions
    bool has_network = false;
    std::int64_t asked = 0;         ///< time of the first request, by now_nanoseconds()
    std::uint32_t role = 0;         ///< OID of the role that it is counted for
    std::int64_t most_of_role = 0;  ///< engines of that role; 0: no limit
    bool is_first = true;           ///< mandatory for the call
};

/// An engine that an earlier supervisor has started.
struct EngineAdoption {
    EngineRequest request{};
    std::int32_t pid = 0;
};

struct SupervisorConfiguration {
    std::int64_t most_engines = 16;
    std::int64_t idle_seconds = 300;  ///< idle engines are retired after this time; 0: never
    std::vector<std::string> preload{};
};

struct GatewayCommand {
    std::vector<std::string> words{};  ///< as SupervisedGateway::configure() takes them
};

struct EngineStart {
    std::uint64_t id = 0;
    std::int32_t pid = 0;
};

struct EngineRefusal {
    std::uint64_t id = 0;
    ErrorReport report{};  ///< SQLSTATE 53000: message, detail and hint
};

struct EngineEnd {
    std::uint64_t id = 0;
    std::int32_t status = 0;  ///< of wait()
    std::string stack{};      ///< the stack that the engine wrote
};

/// One engine in the answer to kList.
struct EngineRow {
    std::int32_t pid = 0;
    std::int32_t backend = 0;
    std::uint32_t role = 0;
    std::uint32_t database = 0;
    std::string environment{};
    std::string state{};
    std::string script{};
    std::int64_t since = 0;
    std::int64_t rows_in = 0;
    std::int64_t rows_out = 0;
    std::int64_t memory = 0;  ///< resident bytes
};

struct StackText {
    std::int32_t pid = 0;
    bool is_found = false;
    std::string text{};
};

void write(WireWriter& to, const EngineId& id);
void write(WireWriter& to, const ProcessId& process);
void write(WireWriter& to, const EngineRequest& request);
void write(WireWriter& to, const EngineAdoption& adoption);
void write(WireWriter& to, const SupervisorConfiguration& configuration);
void write(WireWriter& to, const GatewayCommand& command);
void write(WireWriter& to, const EngineStart& start);
void write(WireWriter& to, const EngineRefusal& refusal);
void write(WireWriter& to, const EngineEnd& end);
void write(WireWriter& to, const std::vector<EngineRow>& rows);
void write(WireWriter& to, const StackText& stack);

EngineId read_engine_id(WireReader& from);
ProcessId read_process_id(WireReader& from);
EngineRequest read_engine_request(WireReader& from);
EngineAdoption read_engine_adoption(WireReader& from);
SupervisorConfiguration read_supervisor_configuration(WireReader& from);
GatewayCommand read_gateway_command(WireReader& from);
EngineStart read_engine_start(WireReader& from);
EngineRefusal read_engine_refusal(WireReader& from);
EngineEnd read_engine_end(WireReader& from);
std::vector<EngineRow> read_engine_rows(WireReader& from);
StackText read_stack_text(WireReader& from);

}  // namespace epe::engine
