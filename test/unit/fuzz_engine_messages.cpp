// Fuzzing of a whole request against what an engine sends: any bytes, after its greeting or in its
// place. The backend must come to an end, with results or an Error.
//
// With libFuzzer, on one line:
//     clang++ -std=c++20 -g -Isrc -Itest/unit -DEPE_FUZZING -fsanitize=fuzzer,address,undefined
//     test/unit/fuzz_engine_messages.cpp
//     src/engine/{process_engine,process_engine_messages,process_engine_waiting}.cpp
//     src/engine/{engine_session,engine_process,parameter_batch}.cpp
//     src/engine/{arena,channel,protocol,wire,launch,batch_codec,batch_check,sandbox_report}.cpp
//     src/core/{arrow_layout,batch,batch_builder,buffer,call_place,column_builder,column_type}.cpp
//     src/core/{identifiers,text_dictionary,utf8}.cpp -lpthread
//
// In the unit tests the same target runs over streams of honest engines and mutations of them.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

#include "engine/process_engine.h"
#include "engine_support.h"

namespace {

using epe::engine::ToBackend;
using epe::engine::ToEngine;
using epe::test::FakeEngine;

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "fuzz_engine_messages: %s\n", what);
    std::abort();
}

/// Engines that send the input as soon as they are greeted, and are gone.
class Feeder {
   public:
    void set_input(std::string_view input) {
        const std::lock_guard lock(mutex_);
        input_ = input;
    }
    epe::engine::EngineOptions options(int engines) const { return supervisor_.options(engines); }

   private:
    bool feed(FakeEngine& engine, const FakeEngine::Message& message) {
        if (message.type != ToEngine::kGreeting) return true;
        std::string input;
        {
            const std::lock_guard lock(mutex_);
            input = input_;
        }
        engine.put_bytes(input);
        throw epe::test::Leave();
    }

    std::mutex mutex_{};
    std::string input_{};
    epe::test::FakeSupervisor supervisor_{
        [this](FakeEngine& engine, const FakeEngine::Message& message) {
            return feed(engine, message);
        }};
};

/// What PostgreSQL would do with results.
void read(const epe::CallResult& result) {
    require(result.call_number >= 1 && result.call_number <= 3, "call number");
    require(result.call_name == std::to_string(result.call_number), "name of a call");
    require(result.batch.columns.size() == 1, "columns");
    require(result.batch.columns[0].length == result.batch.length, "length");
    require(result.batch.schema != nullptr, "schema");
}

void run_input(Feeder& feeder, std::string_view input) {
    feeder.set_input(input);
    epe::test::FakeRequest request;
    epe::test::FakeHost host;
    epe::test::FakeWaiter waiter;
    epe::test::FakeSink sink;
    sink.on_add = read;
    host.on_execute = [&](const std::string& sql) {
        if (sql.size() % 2 == 1) throw epe::Error("42601", "syntax error");
        epe::HostResult result;
        result.schema = request.schema;
        result.batch = epe::test::numbers(1, 10);
        return result;
    };
    epe::engine::EngineOptions options = feeder.options(1 + static_cast<int>(input.size() % 2));
    options.sandbox.memory_bytes = std::uint64_t{8} << 20;
    try {
        const auto engine = epe::engine::make_process_engine(options, host, waiter);
        engine->begin(request.plan);
        engine->run(request.work(1, 3), sink);
        engine->finish(sink);
        require(std::is_sorted(sink.results.begin(), sink.results.end(),
                               [](const auto& left, const auto& right) {
                                   return left.call_number < right.call_number;
                               }),
                "order of results");
    } catch (const epe::Error& error) {
        const epe::ErrorReport& report = error.report();
        require(report.sqlstate.size() == 5 && report.sqlstate >= "03", "SQLSTATE");
    }
}

}  // namespace

#ifdef EPE_FUZZING
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static auto* const feeder = std::make_unique<Feeder>().release();
    run_input(*feeder, {reinterpret_cast<const char*>(data), size});
    return 0;
}
#else
#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace {

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

TEST(FuzzEngineMessages, HoldsForItsCorpus) {
    Feeder feeder;
    run_input(feeder, "");
    for (const auto& frames : corpus()) run_input(feeder, join(frames));
}

TEST(FuzzEngineMessages, HoldsForMutations) {
    Feeder feeder;
    std::mt19937 random(20240229);  // always the same mutations
    for (const auto& frames : corpus()) {
        for (int round = 0; round < 300; ++round) {
            const std::string mutated = mutate(frames, random);
            SCOPED_TRACE(testing::PrintToString(mutated));
            run_input(feeder, mutated);
        }
    }
}

}  // namespace
#endif  // EPE_FUZZING
