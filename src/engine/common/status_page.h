// What one engine does at the moment: a page that the backend writes and the supervisor reads.
#pragma once

#include <atomic>
#include <cstdint>

namespace epe::engine {

/// Who may use an engine. Only the holder of a state moves it on, by compare-and-exchange: an idle
/// engine that the supervisor retires at the moment its session wants it again belongs to exactly
/// one of them.
enum class EngineState : std::uint32_t {
    kIdle,     ///< pooled by its session; the supervisor may take it away
    kBusy,     ///< runs a request
    kRetired,  ///< the supervisor ends it
};

/// Lies at the start of a sealed memfd that the backend creates; never shown to the engine. The
/// fields from `role` on are written by the backend between two increments of `sequence` (odd
/// while they change).
struct StatusPage {
    std::atomic<EngineState> state;
    std::atomic<std::uint32_t> sequence;
    std::uint32_t role;      ///< OID of the calling role
    std::uint32_t database;  ///< OID
    std::int64_t since;      ///< microseconds since 1970-01-01 UTC: when `state` was last set
    std::atomic<std::int64_t> rows_in;
    std::atomic<std::int64_t> rows_out;
    char script[400];  ///< owner.name, cut; empty when idle
};

inline constexpr std::size_t kStatusPageSize = 4096;
static_assert(sizeof(StatusPage) <= kStatusPageSize);

}  // namespace epe::engine
