// Seeded mutations for the fuzz target of engine messages (test/fuzz/engine_messages.cpp): streams
// of conforming engines, with mutated types, lengths and bodies.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/engine_support.h"
#include "support/fuzz_target.h"

namespace {

using epe::engine::ToBackend;

using epe::engine::WireWriter;
using epe::test::frame_bytes;

std::string result_frame(std::int64_t call, std::int64_t rows) {
    return frame_bytes(ToBackend::kResult,
                       epe::test::result_body(call, epe::test::numbers(1, rows)));
}

WireWriter number_body(std::uint64_t number) {
    WireWriter body;
    body.number(number);
    return body;
}

/// Frames of an engine in the order that it sends them.
std::vector<std::vector<std::string>> corpus() {
    const std::string ready = frame_bytes(ToBackend::kReady, epe::test::ready_body());
    const std::string done = frame_bytes(ToBackend::kRunDone, epe::test::times_body());
    const std::string ended = frame_bytes(ToBackend::kEnded, {});
    return {
        {ready, result_frame(1, 1), result_frame(2, 0), result_frame(3, 5), done, ended},
        {ready, frame_bytes(ToBackend::kNotice, epe::test::text_body("hello")),
         frame_bytes(ToBackend::kExecute, epe::test::question_body("select 1")),
         frame_bytes(ToBackend::kWarning, epe::test::text_body("careful")), result_frame(1, 3),
         frame_bytes(ToBackend::kFailed, epe::test::failure_body("no")), ended},
        {ready, frame_bytes(ToBackend::kArenaRequest, number_body(100000)),
         frame_bytes(ToBackend::kNextBatch, {}), result_frame(3, 1), done, ended},
    };
}

std::string join(const std::vector<std::string>& frames) {
    std::string all;
    for (const std::string& frame : frames) all += frame;
    return all;
}

std::string mutate(std::vector<std::string> frames, std::mt19937& random) {
    const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
    static const std::vector<std::vector<std::string>> others = corpus();
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
        const std::size_t at = below(frames.size());
        std::string& frame = frames[at];
        switch (below(6)) {
            case 0:  // of the body or of its length
                if (!frame.empty()) frame[below(frame.size())] = static_cast<char>(random());
                break;
            case 1:
                frame.resize(below(frame.size()));
                break;
            case 2:
                std::swap(frame, frames[below(frames.size())]);
                break;
            case 3: {
                const std::vector<std::string>& other = others[below(others.size())];
                frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(at),
                              other[below(other.size())]);
                break;
            }
            case 4:
                if (frame.size() > 4) frame[4] = static_cast<char>(below(14));  // the type
                break;
            default:
                if (frame.size() > 16) frame.replace(8 + below(frame.size() - 16), 8, 8, '\xFF');
                break;
        }
    }
    return join(frames);
}

void run_input(std::string_view input) {
    epe::test::run_fuzz_target("engine_messages", input.data(), input.size());
}

TEST(FuzzEngineMessages, HoldsForItsCorpus) {
    run_input("");
    for (const auto& frames : corpus()) run_input(join(frames));
}

TEST(FuzzEngineMessages, HoldsForMutations) {
    std::mt19937 random(20240229);  // deterministic mutations
    for (const auto& frames : corpus()) {
        for (int round = 0; round < 1000; ++round) {
            const std::string mutated = mutate(frames, random);
            SCOPED_TRACE(testing::PrintToString(mutated));
            run_input(mutated);
        }
    }
}

}  // namespace
