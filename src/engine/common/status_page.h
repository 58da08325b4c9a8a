// The current activity of one engine: a page that the backend writes and the supervisor reads.
#pragma once

#include <atomic>
#include <cstdint>

namespace epe::engine {

/// Who may use an engine. Only the holder of a state changes it, by compare-and-exchange: if the
/// supervisor retires an idle engine at the moment its session reuses it, exactly one of them gets
/// it.
enum class EngineState : std::uint32_t {
    kIdle,     ///< pooled by its session; the supervisor may retire it
    kBusy,     ///< runs a request
    kRetired,  ///< the supervisor ends it
};

/// At the start of a sealed memfd that the backend creates and never shares with the engine. The
/// backend writes the fields from `role` on between two increments of `sequence` (odd while they
/// change).
struct StatusPage {
    std::atomic<EngineState> state;
    std::atomic<std::uint32_t> sequence;
    std::uint32_t role;      ///< OID of the calling role
    std::uint32_t database;  ///< OID
    std::int64_t since;      ///< microseconds since 1970-01-01 UTC: when `state` was last set
    std::atomic<std::int64_t> rows_in;
    std::atomic<std::int64_t> rows_out;
    char script[400];  ///< owner.name, truncated; empty when idle
};

inline constexpr std::size_t kStatusPageSize = 4096;
static_assert(sizeof(StatusPage) <= kStatusPageSize);

}  // namespace epe::engine
