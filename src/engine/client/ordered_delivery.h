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

struct WaitingEvent {
    SliceEvent event{};
    std::size_t bytes = 0;  ///< its size
};

/// Some calls that one engine was given together, and those of their results that wait for the
/// results of earlier calls or for the consumer.
struct Slice {
    std::vector<Call> calls{};
    std::deque<WaitingEvent> events{};
    std::size_t waiting_bytes = 0;
    std::int64_t last_result = 0;  ///< number of the call of the last result
    bool is_done = false;
    std::optional<ErrorReport> failure{};
};

/// The slices of one request. The consumer takes their results, and the client gets their lines, in
/// call order; of several failures the first in that order is thrown.
class OrderedDelivery {
   public:
    explicit OrderedDelivery(Host& host) : host_(host) {}

    /// Appends a slice; its calls follow those of the previous one.
    Slice& append_slice(std::vector<Call> calls);
    bool is_empty() const noexcept { return slices_.empty(); }
    /// Whether it is the slice that the others wait for.
    bool is_first(const Slice& slice) const noexcept { return &slice == &slices_.front(); }
    /// Whether so much waits that only the engine of the first slice should be read from.
    bool is_full() const noexcept;

    /// Adds an event of a slice, of `bytes` bytes. A line is printed at once if nothing precedes
    /// it.
    void add_event(Slice& slice, SliceEvent event, std::size_t bytes);
    /// Prints a line that belongs to no slice, such as one printed while a script is loaded.
    void print_line(const Line& line);
    void complete_slice(Slice& slice);
    /// Sets the next result, unless it has not arrived; prints the lines before it. Throws the
    /// failure of the first slice after the results of that.
    bool next(CallResult& result);
    /// Drops all slices and their results.
    void clear() noexcept;

   private:
    void add_waiting_bytes(Slice& slice, std::size_t bytes) noexcept;
    bool is_new_warning(const std::string& text);

    Host& host_;
    std::list<Slice> slices_{};  // in call order
    std::size_t waiting_bytes_ = 0;
    std::set<std::string> warned_{};  // warnings already sent
};

}  // namespace epe::engine
