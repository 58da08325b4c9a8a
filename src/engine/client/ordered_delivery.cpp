#include "engine/client/ordered_delivery.h"

#include <utility>

namespace epe::engine {

namespace {

/// Limit of results that wait; beyond it only the earliest are read.
constexpr std::size_t kMostWaitingBytes = std::size_t{64} << 20;

}  // namespace

Slice& OrderedDelivery::append_slice(std::vector<Call> calls) {
    Slice& slice = slices_.emplace_back();
    slice.calls = std::move(calls);
    return slice;
}

bool OrderedDelivery::is_full() const noexcept { return waiting_bytes_ > kMostWaitingBytes; }

void OrderedDelivery::add_waiting_bytes(Slice& slice, std::size_t bytes) noexcept {
    slice.waiting_bytes += bytes;
    waiting_bytes_ += bytes;
}

void OrderedDelivery::add_event(Slice& slice, SliceEvent event, std::size_t bytes) {
    if (is_first(slice) && slice.events.empty()) {
        if (const auto* const line = std::get_if<Line>(&event)) return print_line(*line);
    }
    bytes += sizeof(event);  // a line may be empty
    add_waiting_bytes(slice, bytes);
    slice.events.push_back({std::move(event), bytes});
}

void OrderedDelivery::complete_slice(Slice& slice) {
    slice.is_done = true;
    // Its calls are kept until the earlier slices are delivered.
    if (!is_first(slice)) add_waiting_bytes(slice, slice.calls.size() * sizeof(Call));
}

bool OrderedDelivery::next(CallResult& result) {
    while (!slices_.empty()) {
        Slice& first = slices_.front();
        while (!first.events.empty()) {
            WaitingEvent waiting = std::move(first.events.front());
            first.events.pop_front();
            first.waiting_bytes -= waiting.bytes;
            waiting_bytes_ -= waiting.bytes;
            if (const auto* const line = std::get_if<Line>(&waiting.event)) {
                print_line(*line);
                continue;
            }
            result = std::move(std::get<CallResult>(waiting.event));
            return true;
        }
        waiting_bytes_ -= std::exchange(first.waiting_bytes, 0);
        if (first.failure) throw Error(*first.failure);
        if (!first.is_done) return false;
        slices_.pop_front();
    }
    return false;
}

void OrderedDelivery::clear() noexcept {
    slices_.clear();
    waiting_bytes_ = 0;
}

void OrderedDelivery::print_line(const Line& line) {
    if (!line.is_warning)
        host_.notice(line.text);
    else if (is_new_warning(line.text))
        host_.warning(line.text);
}

/// Each engine sends its own warnings. This many are remembered; later ones may be repeated.
bool OrderedDelivery::is_new_warning(const std::string& text) {
    constexpr std::size_t kMostWarnings = 1000;
    constexpr std::size_t kLongest = 10000;
    if (warned_.contains(text)) return false;
    if (warned_.size() < kMostWarnings && text.size() < kLongest) warned_.insert(text);
    return true;
}

}  // namespace epe::engine
