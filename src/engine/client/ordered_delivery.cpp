// Distributes calls to engine processes, and delivers their results in order.
#include <algorithm>
#include <utility>

#include "core/pipeline/call_context.h"
#include "engine/client/engine_dialogue.h"

namespace epe::engine {

namespace {

/// The running slice, and one in advance, so that the engine need not wait for the next.
constexpr std::size_t kSlicesAtOnce = 2;
/// Target duration of a slice when there are several engines.
constexpr std::int64_t kSliceNanoseconds = 10'000'000;

}  // namespace

// ------------------------------------------------------------------------------------- giving out

/// With several engines, slices are sent in advance only while slices are short, as far as known: a
/// slice queued behind a long one could run in another engine.
std::size_t ProcessEngine::slices_at_once() const noexcept {
    const bool is_alone = options_.most_engines <= 1;
    const bool are_short =
        calls_done_ > 0 && (times_.convert + times_.python) / calls_done_ <= kSliceNanoseconds;
    return is_alone || are_short ? kSlicesAtOnce : 1;
}

/// The engine with the fewest slices among those that accept one; null when none does.
Worker* ProcessEngine::free_worker() {
    const bool is_alone = options_.most_engines <= 1;
    const std::size_t most_slices = slices_at_once();
    Worker* best = nullptr;
    for (Worker& worker : workers_) {
        const bool has_started = &worker == &workers_.front() || worker.process->pid != 0;
        if (!has_started || worker.is_gone || worker.has_failed ||
            worker.slices.size() >= most_slices)
            continue;
        if (best == nullptr || worker.slices.size() < best->slices.size()) best = &worker;
    }
    if (is_alone) return best;
    if (waiting_bytes_ > kMostWaitingBytes) return nullptr;  // earlier calls first
    const bool all_work = best == nullptr || !best->slices.empty();
    const bool all_started = std::all_of(workers_.begin(), workers_.end(),
                                         [](const Worker& each) { return each.process->pid != 0; });
    if (all_work && all_started &&
        workers_.size() < static_cast<std::size_t>(options_.most_engines)) {
        Worker& added = add_worker(*plan_->script);
        send_begin(added);
        if (added.process->pid != 0) return &added;  // a warm one
    }
    return best;
}

/// As many calls as take about a slice's time, estimated from earlier calls; fewer towards the end
/// of the input, so that all engines end together.
std::size_t ProcessEngine::slice_size(std::size_t left) const noexcept {
    if (options_.most_engines <= 1) return left;
    if (calls_done_ == 0) return 1;
    const std::int64_t each =
        std::max<std::int64_t>((times_.convert + times_.python) / calls_done_, 1);
    const auto wanted = static_cast<std::size_t>(kSliceNanoseconds / each);
    const std::size_t share =
        left / (kSlicesAtOnce * static_cast<std::size_t>(options_.most_engines));
    return std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(share, 1));
}

void ProcessEngine::assign(Worker& worker, const Work& work, std::size_t first, std::size_t count) {
    enum class Input : std::uint8_t { kNone, kRows, kStream };
    Slice& slice = slices_.emplace_back();
    slice.calls.assign(work.calls.begin() + static_cast<std::ptrdiff_t>(first),
                       work.calls.begin() + static_cast<std::ptrdiff_t>(first + count));
    worker.slices.push_back(&slice);
    const std::int64_t first_row = slice.calls.front().first_row;
    WireWriter body;
    body.number(static_cast<std::int64_t>(count));
    for (Call call : slice.calls) {
        call.first_row -= first_row;
        write(body, call);
    }
    if (work.stream != nullptr) {
        body.number(Input::kStream);
        worker.process->channel().put(ToEngine::kRun, body);
    } else if (work.batch.schema == nullptr) {
        body.number(Input::kNone);
        worker.process->channel().put(ToEngine::kRun, body);
    } else {
        body.number(Input::kRows);
        const Call& last = slice.calls.back();
        const std::int64_t rows = last.first_row + last.row_count - first_row;
        worker.process->count_rows(rows, 0);
        worker.process->put_rows(ToEngine::kRun, std::move(body), work.batch, first_row, rows);
    }
}

// ----------------------------------------------------------------------------------- in call order

/// Each engine sends its own warnings. This many are remembered; later ones may be repeated.
bool ProcessEngine::is_new_warning(const std::string& text) {
    constexpr std::size_t kMostWarnings = 1000;
    constexpr std::size_t kLongest = 10000;
    if (warned_.contains(text)) return false;
    if (warned_.size() < kMostWarnings && text.size() < kLongest) warned_.insert(text);
    return true;
}

void ProcessEngine::deliver_event(Slice& slice, std::variant<CallResult, Line> event) {
    if (auto* const line = std::get_if<Line>(&event)) {
        if (!line->is_warning)
            host_.notice(line->text);
        else if (is_new_warning(line->text))
            host_.warning(line->text);
        return;
    }
    auto& result = std::get<CallResult>(event);
    const std::int64_t number = result.call_number;
    try {
        sink_->add(std::move(result));
    } catch (Error& error) {
        std::string& context = error.report().context;
        const Call* const call =
            &slice.calls[static_cast<std::size_t>(number - slice.calls.front().number)];
        context += (context.empty() ? "" : "\n") + place_of(*plan_, call);
        throw;
    }
}

/// Delivers everything that does not wait for an earlier slice.
void ProcessEngine::deliver() {
    while (!slices_.empty()) {
        Slice& head = slices_.front();
        while (!head.events.empty()) {
            auto event = std::move(head.events.front());
            head.events.pop_front();
            deliver_event(head, std::move(event));
        }
        waiting_bytes_ -= std::exchange(head.waiting_bytes, 0);
        if (head.failure) throw_failure(*head.failure);
        if (!head.is_done) return;
        slices_.pop_front();
    }
}

}  // namespace epe::engine
