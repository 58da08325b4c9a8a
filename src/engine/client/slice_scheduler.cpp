#include "engine/client/slice_scheduler.h"

#include <algorithm>

namespace epe::engine {

namespace {

/// The running slice, and one in advance, so that the engine need not wait for the next.
constexpr std::size_t kSlicesAtOnce = 2;
/// Target duration of a slice when there are several engines.
constexpr std::int64_t kSliceNanoseconds = 10'000'000;
/// Maximum for all times of a request: an engine may report any.
constexpr std::int64_t kLongestTime = std::int64_t{1} << 60;

}  // namespace

void SliceScheduler::count_calls(std::size_t calls, const EngineTimes& times) noexcept {
    times_.convert = std::min(times_.convert + times.convert, kLongestTime);
    times_.python = std::min(times_.python + times.python, kLongestTime);
    calls_done_ += static_cast<std::int64_t>(calls);
}

/// Average duration of a call; 0 before the first has ended.
std::int64_t SliceScheduler::call_nanoseconds() const noexcept {
    return calls_done_ == 0 ? 0 : (times_.convert + times_.python) / calls_done_;
}

/// With several engines, slices are sent in advance only while slices are short, as far as known: a
/// slice queued behind a long one could run in another engine.
std::size_t SliceScheduler::slices_at_once() const noexcept {
    const bool are_short = calls_done_ > 0 && call_nanoseconds() <= kSliceNanoseconds;
    return is_alone() || are_short ? kSlicesAtOnce : 1;
}

/// The engine with the fewest slices among those that accept one. The first engine is given slices
/// before it has started.
std::optional<std::size_t>
SliceScheduler::choose_engine(std::span<const EngineLoad> engines) const noexcept {
    const std::size_t most_slices = slices_at_once();
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < engines.size(); ++i) {
        const EngineLoad& engine = engines[i];
        const bool has_started = i == 0 || engine.has_started;
        if (!has_started || !engine.is_usable || engine.slices >= most_slices) continue;
        if (!best || engine.slices < engines[*best].slices) best = i;
    }
    return best;
}

/// Only when all engines have started and have work.
bool SliceScheduler::needs_engine(std::span<const EngineLoad> engines) const noexcept {
    if (is_alone() || engines.size() >= static_cast<std::size_t>(most_engines_)) return false;
    const std::optional<std::size_t> best = choose_engine(engines);
    if (best && engines[*best].slices == 0) return false;
    return std::all_of(engines.begin(), engines.end(),
                       [](const EngineLoad& each) { return each.has_started; });
}

/// As many calls as take about a slice's time; fewer towards the end of the input, so that all
/// engines end together.
std::size_t SliceScheduler::slice_size(std::size_t calls_left) const noexcept {
    if (is_alone()) return calls_left;
    if (calls_done_ == 0) return 1;
    const auto wanted =
        static_cast<std::size_t>(kSliceNanoseconds / std::max<std::int64_t>(call_nanoseconds(), 1));
    const std::size_t share =
        calls_left / (kSlicesAtOnce * static_cast<std::size_t>(most_engines_));
    return std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(share, 1));
}

}  // namespace epe::engine
