// Decides which engine gets the next calls of a request, and how many.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/pipeline/call_stats.h"

namespace epe::engine {

/// What the scheduler knows of an engine.
struct EngineLoad {
    std::size_t slices = 0;    ///< those it was given and has not completed
    bool has_started = false;  ///< its process exists
    bool is_usable = false;    ///< it accepts slices: it is connected and has not failed
};

/// Distributes calls in slices, whose duration is estimated from the calls that have ended. With
/// several engines a slice takes some 10 ms, so that a slow call does not block the others; a
/// single engine is given all calls at once.
class SliceScheduler {
   public:
    explicit SliceScheduler(int most_engines) noexcept : most_engines_(most_engines) {}

    /// Lowers the number of engines, after the supervisor has refused one.
    void set_most_engines(int most_engines) noexcept { most_engines_ = most_engines; }
    /// Counts the calls of a completed slice and the time they took.
    void count_calls(std::size_t calls, const EngineTimes& times) noexcept;
    const EngineTimes& times() const noexcept { return times_; }

    /// Index of the engine for the next slice; none when all have enough to do.
    std::optional<std::size_t> choose_engine(std::span<const EngineLoad> engines) const noexcept;
    /// Whether one engine more would run the next slice sooner.
    bool needs_engine(std::span<const EngineLoad> engines) const noexcept;
    /// How many of the remaining calls the next slice gets.
    std::size_t slice_size(std::size_t calls_left) const noexcept;

   private:
    bool is_alone() const noexcept { return most_engines_ <= 1; }
    std::int64_t call_nanoseconds() const noexcept;
    std::size_t slices_at_once() const noexcept;

    int most_engines_;
    EngineTimes times_{};
    std::int64_t calls_done_ = 0;
};

}  // namespace epe::engine
