// Delivers the results of a request's slices in call order, whichever engine finishes first.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/pipeline/host.h"
#include "core/pipeline/ports.h"

namespace epe::engine {

/// A line that a script printed, or a warning.
struct Line {
    bool is_warning = false;
    std::string text{};
};

using SliceEvent = std::variant<CallResult, Line>;

/// Some calls that one engine was given together, and those of their results that wait for the
/// results of earlier calls.
struct Slice {
    std::vector<Call> calls{};
    std::deque<SliceEvent> events{};
    std::size_t waiting_bytes = 0;
    std::int64_t last_result = 0;  ///< number of the call of the last result
    bool is_done = false;
    std::optional<ErrorReport> failure{};
};

/// The slices of one request. Results and lines go to the sink and to the client in call order, and
/// of several failures the first in that order is thrown.
class OrderedDelivery {
   public:
    explicit OrderedDelivery(Host& host) : host_(host) {}

    /// Names the calls in the context of errors. `plan` must outlive this object.
    void set_plan(const CallPlan& plan) noexcept { plan_ = &plan; }
    /// Until there is a sink, everything waits.
    void set_sink(ResultSink& sink) noexcept { sink_ = &sink; }

    /// Appends a slice; its calls follow those of the previous one.
    Slice& append_slice(std::vector<Call> calls);
    bool is_empty() const noexcept { return slices_.empty(); }
    /// Whether it is the slice that the others wait for.
    bool is_first(const Slice& slice) const noexcept { return &slice == &slices_.front(); }
    /// Whether so much waits that only the engine of the first slice should be read from.
    bool is_full() const noexcept;

    /// Delivers an event of a slice at once, if nothing precedes it; `bytes` is its size.
    void add_event(Slice& slice, SliceEvent event, std::size_t bytes);
    /// Prints a line that belongs to no slice, such as one printed while a script is loaded.
    void print_line(const Line& line);
    void complete_slice(Slice& slice);
    /// Delivers everything that does not wait for an earlier slice. Throws the failure of the first
    /// slice.
    void deliver_ready();

   private:
    void deliver_event(const Slice& slice, SliceEvent event);
    void add_waiting_bytes(Slice& slice, std::size_t bytes) noexcept;
    bool is_new_warning(const std::string& text);

    Host& host_;
    const CallPlan* plan_ = nullptr;
    ResultSink* sink_ = nullptr;
    std::list<Slice> slices_{};  // in call order
    std::size_t waiting_bytes_ = 0;
    std::set<std::string> warned_{};  // warnings already sent
};

}  // namespace epe::engine
