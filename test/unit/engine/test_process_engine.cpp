// Tests of engine/client/process_engine with engines played by the test: conforming, failing,
// hostile.
#include "engine/client/process_engine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <limits>
#include <numeric>
#include <set>

#include "support/engine_support.h"
#include "support/error_support.h"

namespace epe::engine {
namespace {

using test::EngineScript;
using test::FakeEngine;
using test::FakeHost;
using test::FakeRequest;
using test::FakeSink;
using test::FakeSupervisor;
using test::FakeWaiter;
using test::Fate;
using test::frame_bytes;
using test::Leave;
using test::numbers;
using test::result_body;

using Message = FakeEngine::Message;

std::vector<std::int64_t> counted(std::int64_t count) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 1);
    return all;
}

/// Some calls over a backend's engine.
struct Backend {
    explicit Backend(EngineOptions with, EvalFunction function = EvalFunction::kRow)
        : options(std::move(with)), request(function) {}

    void start() {
        engine = make_process_engine(options, host, waiter);
        engine->begin(request.plan);
    }
    void run(std::int64_t calls, std::int64_t rows = 1) {
        start();
        test::run_calls(*engine, request.work(1, calls, rows), sink);
        test::finish_request(*engine, sink);
        engine.reset();
    }
    ErrorReport fail(const char* state, std::int64_t calls = 3) {
        ErrorReport report = test::error_of(state, [&] { run(calls); });
        engine.reset();
        return report;
    }

    EngineOptions options;
    FakeRequest request;
    FakeHost host{};
    FakeWaiter waiter{};
    FakeSink sink{};
    std::unique_ptr<Engine> engine{};
};

// ---------------------------------------------------------------------------------------- honest

TEST(ProcessEngine, BringsResultsInOrder) {
    FakeSupervisor supervisor(test::is_honest);
    Backend backend(supervisor.options());
    backend.run(5);
    EXPECT_EQ(backend.sink.call_numbers(), counted(5));
    EXPECT_EQ(backend.sink.results.at(4).call_name, "5");
    EXPECT_EQ(backend.sink.results.at(4).batch.columns.at(0).values.as<std::int32_t>()[0], 5);
    EXPECT_EQ(backend.sink.results.at(4).batch.schema, &backend.request.shape.columns);
}

TEST(ProcessEngine, UsesAWarmEngineAgainForTheSameRoleAndOwnerOnly) {
    FakeSupervisor supervisor(test::is_honest);
    Backend backend(supervisor.options());
    for (int i = 0; i < 3; ++i) backend.run(1);
    EXPECT_EQ(supervisor.acquired(), 1U);
    backend.request.script.owner = "bob";
    backend.run(1);
    EXPECT_EQ(supervisor.acquired(), 2U);
    ++backend.options.sandbox.niceness;
    backend.run(1);
    EXPECT_EQ(supervisor.acquired(), 3U);
}

TEST(ProcessEngine, TakesANewEngineWhenTheWarmOneHasDiedOrSpoken) {
    for (const bool dies : {true, false}) {
        FakeSupervisor supervisor([dies](FakeEngine& engine, const Message& message) {
            if (engine.index > 0 || message.type != ToEngine::kEnd) return false;
            engine.put(ToBackend::kEnded);
            if (dies) throw Leave();
            usleep(10000);
            engine.put(ToBackend::kRunDone, test::times_body());  // for the next request
            return true;
        });
        Backend backend(supervisor.options());
        backend.run(1);
        usleep(20000);  // until it has arrived; if not, the next request notices it itself
        backend.sink.results.clear();
        backend.run(2);
        EXPECT_EQ(backend.sink.call_numbers(), counted(2));
        EXPECT_EQ(supervisor.acquired(), 2U);
    }
}

TEST(ProcessEngine, SendsEachSliceItsRows) {
    std::mutex mutex;
    std::map<std::int64_t, std::vector<std::int32_t>> rows;
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        const FakeEngine::Slice slice = engine.read_slice(message);
        const std::lock_guard lock(mutex);
        for (const Call& call : slice.calls) {
            const auto first = slice.rows.begin() + call.first_row;
            rows[call.number].assign(first, first + call.row_count);
            EXPECT_EQ(call.input_row, (call.number - 1) * 3);
        }
        return false;
    });
    Backend backend(supervisor.options(3));
    backend.run(100, 3);
    EXPECT_EQ(backend.sink.call_numbers(), counted(100));
    ASSERT_EQ(rows.size(), 100U);
    for (const auto& [number, values] : rows)
        EXPECT_EQ(values, std::vector<std::int32_t>(3, static_cast<std::int32_t>(number)));
}

TEST(ProcessEngine, PassesManyRowsThroughArenas) {
    constexpr std::int64_t kRows = 100000;
    std::atomic<std::int64_t> sum{0};
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        const FakeEngine::Slice slice = engine.read_slice(message);
        EXPECT_EQ(engine.arenas.size(), 1U);
        sum += std::accumulate(slice.rows.begin(), slice.rows.end(), std::int64_t{0});
        WireWriter free;
        free.number(engine.arenas.begin()->first);
        engine.put(ToBackend::kArenaFree, free);
        return false;
    });
    Backend backend(supervisor.options());
    for (int i = 0; i < 3; ++i) backend.run(1, kRows);
    EXPECT_EQ(sum, 3 * kRows);
    EXPECT_EQ(supervisor.acquired(), 1U);
}

class FewBatches final : public BatchStream {
   public:
    bool next(Batch& batch) override {
        if (given == 3) return false;
        batch = numbers(++given, 1);
        return true;
    }
    int given = 0;
};

TEST(ProcessEngine, FeedsAnIterator) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        for (int i = 0; i < 4; ++i) {
            engine.put(ToBackend::kNextBatch);
            const auto reply = engine.next(ToEngine::kStreamBatch);
            WireReader from(reply->body);
            EXPECT_EQ(from.boolean(), i < 3);
        }
        engine.put(ToBackend::kResult, result_body(1, numbers(1, 1)));
        engine.put(ToBackend::kRunDone, test::times_body());
        return true;
    });
    Backend backend(supervisor.options(), EvalFunction::kTable);
    backend.start();
    FewBatches stream;
    Work work = backend.request.work(1, 1);
    work.batch = Batch();
    work.stream = &stream;
    test::run_calls(*backend.engine, std::move(work), backend.sink);
    test::finish_request(*backend.engine, backend.sink);
    EXPECT_EQ(stream.given, 3);
    EXPECT_EQ(backend.sink.call_numbers(), counted(1));
}

TEST(ProcessEngine, AnswersQuestions) {
    std::string errors;
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        for (const char* const sql : {"rows", "fails", "\xFF", "none"}) {
            engine.put(ToBackend::kExecute, test::question_body(sql));
            const auto reply = engine.next(ToEngine::kReply);
            WireReader from(reply->body);
            const auto status = from.enumerator(ReplyStatus::kFatal);
            if (status == ReplyStatus::kError) errors += read_report(from).sqlstate + " ";
        }
        return false;
    });
    Backend backend(supervisor.options());
    backend.host.on_execute = [&](const std::string& sql) {
        if (sql == "fails") throw Error("22012", "division by zero");
        HostResult result;
        result.row_count = 7;
        if (sql != "rows") return result;
        result.schema = backend.request.schema;
        result.batch = numbers(1, 50000);
        return result;
    };
    backend.run(1);
    EXPECT_EQ(errors, "22012 22021 ");
    EXPECT_EQ(backend.host.statements.size(), 3U);
}

TEST(ProcessEngine, EndsTheStatementWhenItsSqlMust) {
    class Fatal final : public Error {
       public:
        Fatal() : Error("57014", "canceling statement due to user request") {}
    };
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        engine.put(ToBackend::kExecute, test::question_body("x"));
        return true;
    });
    Backend backend(supervisor.options());
    backend.host.on_execute = [](const std::string&) -> HostResult { throw Fatal(); };
    backend.fail("57014");
}

// -------------------------------------------------------------------------------------- parallel

TEST(ProcessEngine, DeliversInCallOrderAtEveryDegree) {
    for (const int engines : {1, 2, 5}) {
        FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
            if (message.type == ToEngine::kRun && engine.index % 2 == 0) usleep(500);
            return false;
        });
        Backend backend(supervisor.options(engines));
        backend.start();
        for (int batch = 0; batch < 4; ++batch)
            test::run_calls(*backend.engine, backend.request.work(batch * 100 + 1, 100),
                            backend.sink);
        test::finish_request(*backend.engine, backend.sink);
        EXPECT_EQ(backend.sink.call_numbers(), counted(400));
        EXPECT_LE(supervisor.acquired(), static_cast<std::size_t>(engines));
        CallStats stats;
        backend.engine->report(stats);
        EXPECT_GE(stats.engines, 1);
    }
}

TEST(ProcessEngine, KeepsLinesAmongTheResultsOfTheirCalls) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        for (const Call& call : engine.read_slice(message).calls) {
            if (call.number == 1) usleep(30000);
            engine.put(ToBackend::kNotice, test::text_body(std::to_string(call.number)));
            engine.put(ToBackend::kWarning, test::text_body("the same"));
        }
        engine.put(ToBackend::kRunDone, test::times_body());
        return true;
    });
    Backend backend(supervisor.options(2));
    backend.run(20);
    std::vector<std::string> expected;
    for (int i = 1; i <= 20; ++i) expected.push_back(std::to_string(i));
    EXPECT_EQ(backend.host.notices, expected);
    EXPECT_EQ(backend.host.warnings, std::vector<std::string>{"the same"});
}

TEST(ProcessEngine, TellsTheFirstFailureInCallOrder) {
    std::mutex mutex;
    std::condition_variable failed;
    bool has_failed = false;
    // The first call fails only after a later one has.
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        const std::int64_t number = engine.read_slice(message).calls.front().number;
        std::unique_lock lock(mutex);
        if (number == 1)
            failed.wait_for(lock, std::chrono::seconds(10), [&] { return has_failed; });
        engine.put(ToBackend::kFailed, test::failure_body("call " + std::to_string(number)));
        has_failed = has_failed || number != 1;
        failed.notify_all();
        return true;
    });
    Backend backend(supervisor.options(2));
    EXPECT_EQ(backend.fail("38000", 100).message, "call 1");
    EXPECT_TRUE(backend.sink.results.empty());
}

TEST(ProcessEngine, WorksWithTheEnginesThatItGets) {
    for (const Fate fate : {Fate::kRefuse, Fate::kNever}) {
        FakeSupervisor supervisor(
            [](FakeEngine&, const Message& message) {
                if (message.type == ToEngine::kRun) usleep(2000);
                return false;
            },
            [fate](std::size_t index) { return index == 0 ? Fate::kStart : fate; });
        Backend backend(supervisor.options(4));
        backend.run(50);
        EXPECT_EQ(backend.sink.call_numbers(), counted(50));
        EXPECT_EQ(supervisor.acquired(), 2U);
    }
}

TEST(ProcessEngine, FailsWhenItsFirstEngineIsRefused) {
    FakeSupervisor supervisor(test::is_honest, [](std::size_t) { return Fate::kRefuse; });
    const ErrorReport report = Backend(supervisor.options()).fail("53000");
    EXPECT_EQ(report.message, "there is no room");
    EXPECT_EQ(report.detail, "It is full.");
    EXPECT_EQ(report.hint, "Make some.");
}

TEST(ProcessEngine, WaitsForItsFirstEngineNoLongerThanItMay) {
    FakeSupervisor supervisor(test::is_honest, [](std::size_t) { return Fate::kNever; });
    EngineOptions options = supervisor.options(2);
    options.wait_milliseconds = 30;
    EXPECT_EQ(Backend(options).fail("53400").message, "no Python engine became free within 30 ms");
}

TEST(ProcessEngine, BoundsWhatWaitsForAnEarlierCall) {
    constexpr std::int64_t kLines = 20000;  // empty ones, of each call but the first
    constexpr std::int64_t kCalls = 50;
    std::atomic<std::int64_t> sent{0};
    std::int64_t most = 0;
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        for (const Call& call : engine.read_slice(message).calls) {
            if (call.number == 1) {  // ends when the other engine has stopped
                while (most != sent || sent == 0) {
                    most = sent;
                    usleep(300000);
                }
                continue;
            }
            for (std::int64_t i = 0; i < kLines; ++i) {
                engine.put(ToBackend::kNotice, test::text_body(""));
                ++sent;
            }
        }
        engine.put(ToBackend::kRunDone, test::times_body(1));
        return true;
    });
    Backend backend(supervisor.options(2));
    backend.run(kCalls);
    EXPECT_EQ(backend.host.notices.size(), (kCalls - 1U) * kLines);
    EXPECT_LT(most, (kCalls - 1) * kLines);
}

// ------------------------------------------------------------------------------------ interrupts

TEST(ProcessEngine, GivesUpWhenInterruptedAndKeepsAnEngineThatEndsInTime) {
    std::atomic<bool> is_interrupted{false};
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun || is_interrupted) return false;
        while (!is_interrupted) usleep(1000);
        engine.put(ToBackend::kExecute, test::question_body("x"));  // answered, but not executed
        EXPECT_TRUE(engine.next(ToEngine::kReply));
        engine.put(ToBackend::kFailed, test::failure_body("KeyboardInterrupt"));
        return true;
    });
    Backend backend(supervisor.options());
    backend.waiter.interrupt = [&] {
        if (backend.waiter.waits <= 3) return;
        is_interrupted = true;
        throw Error("57014", "canceling statement due to user request");
    };
    backend.fail("57014");
    EXPECT_TRUE(backend.host.statements.empty());
    backend.waiter.interrupt = {};
    backend.run(2);
    EXPECT_EQ(backend.sink.call_numbers(), counted(2));
    EXPECT_EQ(supervisor.acquired(), 1U);
}

TEST(ProcessEngine, KillsAnEngineThatDoesNotEndInTime) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        engine.listen();
        return true;
    });
    Backend backend(supervisor.options());
    backend.waiter.interrupt = [&] {
        if (backend.waiter.waits > 3)
            throw Error("57014", "canceling statement due to user request");
    };
    backend.fail("57014");
    EXPECT_TRUE(supervisor.was_killed(0));
}

TEST(ProcessEngine, IsInterruptedByAnEngineThatNeverFallsSilent) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        WireWriter free;
        free.number(std::uint32_t{1});
        std::string many;
        for (int i = 0; i < 10000; ++i) many += frame_bytes(ToBackend::kArenaFree, free);
        for (int i = 0; i < 1000; ++i) engine.put_bytes(many);
        throw Leave();
    });
    Backend backend(supervisor.options());
    int checks = 0;
    backend.waiter.interrupt = [&] {
        if (++checks > 50) throw Error("57014", "canceling statement due to user request");
    };
    backend.fail("57014");
}

TEST(ProcessEngine, EndsTheRequestWhenTheSinkFails) {
    FakeSupervisor supervisor(test::is_honest);
    Backend backend(supervisor.options(2));
    CallResult refused;
    backend.sink.on_add = [&](const CallResult& result) {
        if (result.call_number < 5) return;
        refused.call_number = result.call_number;
        refused.input_row = result.input_row;
        refused.input_row_count = result.input_row_count;
        throw Error("22003", "integer out of range");
    };
    backend.fail("22003", 50);
    EXPECT_EQ(refused.call_number, 5);
    EXPECT_EQ(refused.input_row, 4);
    EXPECT_EQ(refused.input_row_count, 1);
}

// ------------------------------------------------------------------------------------- early end

/// Answers a Run with a result of its first call, and does something else when it is stopped.
EngineScript gives_one_result(std::function<void(FakeEngine&)> when_stopped) {
    return [when_stopped](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        engine.put(ToBackend::kResult, result_body(1, numbers(1, 1)));
        if (engine.next(ToEngine::kStop)) when_stopped(engine);
        return true;
    };
}

/// Steps up to the first result of one call.
void take_first(Backend& backend) {
    backend.start();
    CallResult result;
    ASSERT_EQ(backend.engine->next(result), EngineStep::kNeedsCalls);
    backend.engine->add_calls(backend.request.work(1, 1));
    ASSERT_EQ(backend.engine->next(result), EngineStep::kNeedsCalls);
    backend.engine->end_calls();
    ASSERT_EQ(backend.engine->next(result), EngineStep::kResult);
}

TEST(ProcessEngine, KeepsTheEngineOfAStoppedRequest) {
    FakeSupervisor supervisor(
        gives_one_result([](FakeEngine& engine) { engine.put(ToBackend::kStopped); }));
    Backend backend(supervisor.options(), EvalFunction::kTable);
    for (int i = 0; i < 3; ++i) {
        take_first(backend);
        backend.engine->stop();
        CallResult result;
        EXPECT_EQ(backend.engine->next(result), EngineStep::kEnd);
        backend.engine.reset();
    }
    EXPECT_EQ(supervisor.acquired(), 1U);
    EXPECT_EQ(supervisor.forgotten(), 0U);
}

TEST(ProcessEngine, ServesAScriptWhileItStops) {
    FakeSupervisor supervisor(gives_one_result([](FakeEngine& engine) {
        engine.put(ToBackend::kNotice, test::text_body("ahead"));
        engine.put(ToBackend::kResult, result_body(1, numbers(2, 100000)));
        engine.put(ToBackend::kNextBatch);
        const auto batch_message = engine.next(ToEngine::kStreamBatch);
        WireReader batch(batch_message->body);
        EXPECT_FALSE(read_stream_reply(batch).has_batch);
        engine.put(ToBackend::kFailed, test::failure_body("ahead"));
        engine.put(ToBackend::kStopped);
        engine.put(ToBackend::kNotice, test::text_body("finally"));
        engine.put(ToBackend::kExecute, test::question_body("x"));
        const auto reply_message = engine.next(ToEngine::kReply);
        WireReader reply(reply_message->body);
        EXPECT_EQ(read_execute_reply(reply).status, ReplyStatus::kDone);
    }));
    Backend backend(supervisor.options(), EvalFunction::kTable);
    take_first(backend);
    backend.engine->stop();
    EXPECT_EQ(backend.host.notices, std::vector<std::string>{"finally"});
    EXPECT_EQ(backend.host.statements, std::vector<std::string>{"x"});
    EXPECT_EQ(supervisor.forgotten(), 0U);
}

TEST(ProcessEngine, EndsEnginesThatDoNotNoticeTheStop) {
    for (const bool dies : {false, true}) {
        FakeSupervisor supervisor(gives_one_result([dies](FakeEngine& engine) {
            if (dies) throw Leave();
            engine.listen();
        }));
        Backend backend(supervisor.options(), EvalFunction::kTable);
        take_first(backend);
        backend.engine->stop();  // the results are complete for the caller: no error
        EXPECT_TRUE(supervisor.was_killed(0));
    }
}

/// The backend must not hold what its consumer has not taken.
TEST(ProcessEngine, ReadsNoFurtherThanItsConsumer) {
    constexpr std::int64_t kRows = 1000;
    constexpr std::int64_t kResults = 10000;  // of 4 kB each
    std::atomic<std::int64_t> sent{0};
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        for (; sent < kResults; ++sent)
            engine.put(ToBackend::kResult, result_body(1, numbers(1, kRows)));
        engine.put(ToBackend::kRunDone, test::times_body());
        return true;
    });
    Backend backend(supervisor.options(), EvalFunction::kTable);
    take_first(backend);
    CallResult result;
    std::int64_t taken = 1;
    while (taken < kResults / 2) {
        ASSERT_EQ(backend.engine->next(result), EngineStep::kResult);
        ++taken;
    }
    // Buffers of both sockets, and the part of a result.
    EXPECT_LT(sent - taken, 1000);
    while (backend.engine->next(result) == EngineStep::kResult) ++taken;
    EXPECT_EQ(taken, kResults);
}

// ---------------------------------------------------------------------------------------- deaths

TEST(ProcessEngine, TellsHowAnEngineDied) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        engine.put(ToBackend::kResult, result_body(1, numbers(1, 1)));
        throw Leave();
    });
    supervisor.exit_stack = "Fatal Python error: Segmentation fault\n  File \"f\", line 1\n";
    Backend backend(supervisor.options());
    const ErrorReport report = backend.fail("38000");
    EXPECT_EQ(report.message, "Python engine was terminated by signal 11 (Segmentation fault)");
    EXPECT_NE(report.context.find("script \"ann.f\", chunk 2"), std::string::npos)
        << report.context;
    EXPECT_NE(report.context.find("line 1"), std::string::npos);
}

TEST(ProcessEngine, NoticesADeathThoughTheConnectionStaysOpen) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        engine.put(ToBackend::kResult, result_body(1, numbers(1, 1)));
        throw Leave();
    });
    supervisor.holds_connections = true;
    Backend backend(supervisor.options());
    EXPECT_EQ(backend.fail("38000").message,
              "Python engine was terminated by signal 11 (Segmentation fault)");
    EXPECT_EQ(backend.sink.results.size(), 1U);
}

TEST(ProcessEngine, ForgivesADeathAfterTheEnd) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kEnd) return false;
        if (engine.index == 0) usleep(30000);
        engine.put(ToBackend::kEnded);
        throw Leave();
    });
    Backend backend(supervisor.options(2));
    backend.run(50);
    EXPECT_EQ(backend.sink.call_numbers(), counted(50));
}

TEST(ProcessEngine, SurvivesTheEndOfTheStreamAtEveryByte) {
    std::string stream = frame_bytes(ToBackend::kReady, test::ready_body());
    for (int call = 1; call <= 3; ++call)
        stream += frame_bytes(ToBackend::kResult, result_body(call, numbers(call, 2)));
    stream += frame_bytes(ToBackend::kRunDone, test::times_body());
    std::atomic<std::size_t> length{0};
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type == ToEngine::kGreeting) {
            engine.put_bytes(std::string_view(stream).substr(0, length));
            throw Leave();
        }
        return true;
    });
    for (length = 0; length < stream.size(); length = length + 1) {
        Backend backend(supervisor.options());
        backend.fail("38000");
        EXPECT_LE(backend.sink.results.size(), 3U);
    }
}

TEST(ProcessEngine, SurvivesTheLossOfItsSupervisor) {
    auto supervisor = std::make_unique<FakeSupervisor>(test::is_honest);
    Backend backend(supervisor->options());
    backend.run(1);
    supervisor.reset();
    FakeSupervisor next(test::is_honest);
    backend.options.socket = next.options().socket;
    backend.sink.results.clear();
    backend.run(2);
    EXPECT_EQ(backend.sink.call_numbers(), counted(2));
    EXPECT_EQ(next.acquired(), 1U);
}

/// The supervisor's reactions, request by request; then all engines start.
std::function<Fate(std::size_t)> fates(std::vector<Fate> first) {
    return [first = std::move(first)](std::size_t index) {
        return index < first.size() ? first[index] : Fate::kStart;
    };
}

TEST(ProcessEngine, AsksEachNextSupervisorUntilOneAnswers) {
    FakeSupervisor supervisor(test::is_honest, fates({Fate::kDie, Fate::kDie, Fate::kDie}));
    Backend backend(supervisor.options());
    backend.run(3);
    EXPECT_EQ(backend.sink.call_numbers(), counted(3));
    const auto asked = supervisor.asked();
    EXPECT_EQ(asked.size(), 4U);
    EXPECT_EQ(std::set<std::uint64_t>(asked.begin(), asked.end()).size(), 1U);
}

/// It may have been started without a report. Its calls run in another one, and only there.
TEST(ProcessEngine, TellsNothingToAnEngineThatItHasNotHeardOf) {
    std::mutex mutex;
    std::map<std::size_t, std::vector<ToEngine>> heard;
    FakeSupervisor supervisor(
        [&](FakeEngine& engine, const Message& message) {
            const std::lock_guard lock(mutex);
            heard[engine.index].push_back(message.type);
            return false;
        },
        fates({Fate::kStartAndDie, Fate::kStartAndDie}));
    Backend backend(supervisor.options());
    backend.run(3);
    EXPECT_EQ(backend.sink.call_numbers(), counted(3));
    for (const std::size_t lost : {0U, 1U})
        for (const ToEngine type : heard[lost]) EXPECT_EQ(type, ToEngine::kGreeting);
    EXPECT_EQ(std::count(heard[2].begin(), heard[2].end(), ToEngine::kBegin), 1);
}

TEST(ProcessEngine, GoesOnWithTheEnginesThatItHasWhenTheSupervisorDies) {
    for (const Fate fate : {Fate::kDie, Fate::kStartAndDie}) {
        FakeSupervisor supervisor(
            [](FakeEngine&, const Message& message) {
                if (message.type == ToEngine::kRun) usleep(2000);
                return false;
            },
            fates({Fate::kStart, fate, fate}));  // for the second
        Backend backend(supervisor.options(2));
        backend.run(50);
        EXPECT_EQ(backend.sink.call_numbers(), counted(50));
        const auto asked = supervisor.asked();
        ASSERT_GE(asked.size(), 3U);
        EXPECT_EQ(asked[1], asked[2]);
        // Each next supervisor gets a report of the engine that works.
        const auto adopted = supervisor.adopted();
        EXPECT_EQ(std::count(adopted.begin(), adopted.end(), asked[0]), 2);
    }
}

TEST(ProcessEngine, AsksAgainInTheOrderOfItsRequests) {
    FakeSupervisor supervisor(test::is_honest, fates({Fate::kNever, Fate::kNever, Fate::kDie}));
    Backend first(supervisor.options());
    Backend second(supervisor.options());
    Backend third(supervisor.options());
    for (Backend* each : {&first, &second, &third}) each->start();
    for (Backend* each : {&third, &first, &second}) {
        test::run_calls(*each->engine, each->request.work(1, 2, 1), each->sink);
        test::finish_request(*each->engine, each->sink);
        EXPECT_EQ(each->sink.call_numbers(), counted(2));
    }
    const auto asked = supervisor.asked();
    ASSERT_EQ(asked.size(), 6U);
    EXPECT_TRUE(std::equal(asked.begin(), asked.begin() + 3, asked.begin() + 3));
    for (Backend* each : {&first, &second, &third}) each->engine.reset();
}

TEST(ProcessEngine, FailsWithTheReasonWhenThereIsNoSupervisor) {
    // The pool may connect again before the first request has failed.
    FakeSupervisor supervisor(test::is_honest, [](std::size_t index) {
        return index == 0 ? Fate::kUnavailable : Fate::kDie;
    });
    EXPECT_EQ(Backend(supervisor.options()).fail("53000").message,
              "could not start a Python engine: there is none");
    EngineOptions own = supervisor.options();
    own.socket.clear();
    EXPECT_EQ(Backend(own).fail("58P01").message,
              "could not start a Python engine: could not run the engine program "
              "\"/nowhere/oml_epe_engine\": No such file or directory");
    own.program = "/bin/false";
    EXPECT_EQ(Backend(own).fail("53000").message,
              "could not start a Python engine: its supervisor exited with status 1");
}

TEST(ProcessEngine, WaitsForASupervisorNoLongerThanItMay) {
    FakeSupervisor supervisor(test::is_honest);
    EngineOptions options = supervisor.options();
    options.socket += "_of_nobody";
    options.wait_milliseconds = 30;
    EXPECT_EQ(Backend(options).fail("53000").message,
              "the supervisor of the Python engines has not answered within 30 ms");
    const Descriptor listener = listen_at(options.socket);  // accepts no connection
    EXPECT_EQ(Backend(options).fail("53000").message,
              "the supervisor of the Python engines has not answered within 30 ms");
}

// --------------------------------------------------------------------------------------- hostile

/// A message that an engine sends as soon as it has calls 1 to 3, and must not send.
struct Violation {
    const char* name;
    std::string bytes;
};

std::string result_of(std::int64_t call) {
    return frame_bytes(ToBackend::kResult, result_body(call, numbers(1, 1)));
}

std::vector<Violation> violations() {
    const std::string done = frame_bytes(ToBackend::kRunDone, test::times_body());
    const std::string failed = frame_bytes(ToBackend::kFailed, test::failure_body("x"));
    WireWriter two_columns;
    {
        Batch batch = numbers(1, 1);
        batch.columns.push_back(std::move(numbers(1, 1).columns.front()));
        two_columns = result_body(1, batch);
    }
    WireWriter long_times = test::times_body();
    long_times.boolean(true);
    WireWriter forged;
    forged.number(std::int64_t{1});
    forged.optional_text(std::nullopt);
    forged.number(std::int64_t{0});
    forged.boolean(false);
    write(forged, DataPlace{77, 100});
    WireWriter bad_times;
    write(bad_times, EngineTimes{-1, 0});
    WireWriter state;
    for (const char* const text : {"00000", "done", "", "", ""}) state.text(text);
    return {
        {"results out of order", result_of(2) + result_of(1)},
        {"call 0", result_of(0)},
        {"call 4", result_of(4)},
        {"the least call", result_of(std::numeric_limits<std::int64_t>::min())},
        {"the last call", result_of(std::numeric_limits<std::int64_t>::max())},
        {"two columns", frame_bytes(ToBackend::kResult, two_columns)},
        {"an arena that is not there", frame_bytes(ToBackend::kResult, forged)},
        {"a result after the run", done + result_of(3)},
        {"two ends of a run", done + done},
        {"end before the run is over", frame_bytes(ToBackend::kEnded, {})},
        {"two failures", failed + failed},
        {"the end of a run that failed", failed + done},
        {"a result of a run that failed", failed + result_of(1)},
        {"negative times", frame_bytes(ToBackend::kRunDone, bad_times)},
        {"bytes behind the end", frame_bytes(ToBackend::kRunDone, long_times)},
        {"a second greeting", frame_bytes(ToBackend::kReady, test::ready_body())},
        {"success as failure", frame_bytes(ToBackend::kFailed, state)},
        {"text that is none", frame_bytes(ToBackend::kNotice, test::text_body("\xFF"))},
        {"text with a null", frame_bytes(ToBackend::kNotice, test::text_body({"a\0b", 3}))},
        {"a question for batches", frame_bytes(ToBackend::kNextBatch, {})},
        {"an unknown type", frame_bytes(99, "")},
        {"type 0", frame_bytes(0, "")},
        {"a frame too long", std::string("\xFF\xFF\xFF\xFF\x02\0\0\0", 8)},
        {"descriptors", std::string("\0\0\0\0\x02\x01\0\0", 8)},
        {"garbage", std::string(100, '\x55')},
    };
}

TEST(ProcessEngine, EndsEnginesThatBreakTheProtocol) {
    std::string bytes;
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        engine.put_bytes(bytes);
        return true;
    });
    std::size_t index = 0;
    for (const Violation& violation : violations()) {
        SCOPED_TRACE(violation.name);
        bytes = violation.bytes;
        Backend backend(supervisor.options());
        const ErrorReport report = backend.fail("08P01");
        EXPECT_EQ(report.detail, "The engine has been ended.");
        EXPECT_EQ(report.context, "script \"ann.f\"");
        EXPECT_TRUE(supervisor.was_killed(index++));
    }
}

TEST(ProcessEngine, WantsAGreetingFirst) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type == ToEngine::kGreeting)
            engine.put(ToBackend::kNotice, test::text_body("hello"));
        return true;
    });
    Backend(supervisor.options()).fail("08P01");
}

TEST(ProcessEngine, RefusesAnIncompleteSandbox) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kGreeting) return false;
        Ready ready{kProtocolVersion, "3.11.2", {}};
        ready.report.protections.push_back({"files", false, true, "no Landlock"});
        WireWriter body;
        write(body, ready);
        engine.put(ToBackend::kReady, body);
        return true;
    });
    EngineOptions options = supervisor.options();
    options.requires_sandbox = true;
    EXPECT_TRUE(Backend(options).sink.results.empty());
    Backend(options).fail("42501");
}

TEST(ProcessEngine, LetsNobodyAskWithoutReadingAnswers) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        for (int i = 0; i < 10000; ++i) engine.put(ToBackend::kExecute, test::question_body("x"));
        engine.listen();
        return true;
    });
    Backend backend(supervisor.options());
    backend.host.on_execute = [&](const std::string&) {
        HostResult result;
        result.schema = backend.request.schema;
        result.batch = numbers(1, 5000);
        return result;
    };
    backend.fail("08P01");
    EXPECT_LT(backend.host.statements.size(), 100U);
}

/// Runs one call after the other with an engine that sends `unasked` behind the first.
ErrorReport fail_between_runs(const char* state, ToBackend unasked, const WireWriter& body) {
    FakeSupervisor supervisor([&](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kRun) return false;
        engine.answer(message);
        engine.put(unasked, body);
        engine.listen();
        return true;
    });
    Backend backend(supervisor.options());
    backend.start();
    return test::error_of(state, [&] {
        for (int i = 0; i < 10; ++i)
            test::run_calls(*backend.engine, backend.request.work(i + 1, 1), backend.sink);
        test::finish_request(*backend.engine, backend.sink);
    });
}

TEST(ProcessEngine, EndsAnEngineThatEndsUnasked) {
    fail_between_runs("08P01", ToBackend::kEnded, {});
}

TEST(ProcessEngine, DoesNotWaitForAnEngineThatFailsUnasked) {
    const WireWriter body = test::failure_body("unasked");
    EXPECT_EQ(fail_between_runs("38000", ToBackend::kFailed, body).message, "unasked");
}

void check_some_script(const EngineOptions& options) {
    FakeHost host;
    FakeWaiter waiter;
    Script script;
    script.owner = "ann";
    check_script_in_process(script, options, host, waiter);
}

TEST(ProcessEngine, ChecksScripts) {
    FakeSupervisor supervisor(test::is_honest);
    EXPECT_NO_THROW(check_some_script(supervisor.options()));
}

TEST(ProcessEngine, TellsWhyAScriptIsNone) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kCheckScript) return false;
        engine.put(ToBackend::kFailed, test::failure_body("invalid syntax"));
        engine.put(ToBackend::kEnded);
        return true;
    });
    const EngineOptions options = supervisor.options();
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(test::error_of("38000", [&] { check_some_script(options); }).message,
                  "invalid syntax");
    EXPECT_EQ(supervisor.acquired(), 1U);
}

TEST(ProcessEngine, EndsEnginesThatBreakTheProtocolWhileTheyCheck) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type == ToEngine::kCheckScript) engine.put_bytes(std::string(50, '\x55'));
        return message.type == ToEngine::kCheckScript;
    });
    test::error_of("08P01", [&] { check_some_script(supervisor.options()); });
    EXPECT_TRUE(supervisor.was_killed(0));
}

TEST(ProcessEngine, ProbesTheSandbox) {
    FakeSupervisor supervisor([](FakeEngine& engine, const Message& message) {
        if (message.type != ToEngine::kGreeting) return false;
        Ready ready{kProtocolVersion, "3.11.2", {}};
        ready.report.protections.push_back({"files", true, true, "Landlock"});
        WireWriter body;
        write(body, ready);
        engine.put(ToBackend::kReady, body);
        return true;
    });
    FakeHost host;
    FakeWaiter waiter;
    const SandboxReport report = probe_sandbox(supervisor.options(), host, waiter);
    ASSERT_EQ(report.protections.size(), 1U);
    EXPECT_EQ(report.protections[0].name, "files");
}

}  // namespace
}  // namespace epe::engine
