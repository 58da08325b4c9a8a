// Reads what an engine still sends for a request that was abandoned.
#pragma once

#include <cstdint>

#include "engine/client/engine_connection.h"

namespace epe::engine {

/// Discards the messages of an engine up to Ended, answering its questions so that it does not wait
/// forever. Returns whether Ended has arrived before `deadline`, a time of now_nanoseconds().
bool drain_messages(EngineConnection& engine, std::int64_t deadline);

}  // namespace epe::engine
