// Tests of engine/client/engine_connection: transfer of rows, memory limits, states of an engine.
#include "engine/client/engine_connection.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "support/engine_support.h"
#include "support/error_support.h"

namespace epe::engine {
namespace {

using test::numbers;

constexpr std::int64_t kInlineRows = (32 << 10) / sizeof(std::int32_t);

/// A backend's side, and the far end of its connection.
struct Ends {
    explicit Ends(const EngineOptions& with = {}) : process(1, EngineKey(), with) {
        channel = Channel(process.make_far_ends().socket, Receives::kDescriptors);
    }
    /// The messages that the backend has sent, by type.
    std::vector<ToEngine> sent(std::string* last_body = nullptr) {
        std::vector<ToEngine> types;
        Frame frame;
        // A read returns the descriptors of one message at most.
        pollfd polled{channel.descriptor(), POLLIN, 0};
        while (!process.channel().flush() || poll(&polled, 1, 0) > 0)
            EXPECT_TRUE(channel.receive());
        while (channel.next(frame)) {
            types.push_back(static_cast<ToEngine>(frame.type));
            if (last_body != nullptr) *last_body = frame.body;
            for (Descriptor& each : frame.descriptors) arenas.push_back(map_arena(each.release()));
        }
        return types;
    }
    void put(const Batch& batch) {
        process.put_rows(ToEngine::kRun, WireWriter(), batch, 0, batch.length);
    }
    bool take(ToBackend type, std::uint64_t number) {
        WireWriter body;
        if (type == ToBackend::kArenaRequest)
            body.number(number);
        else
            body.number(static_cast<std::uint32_t>(number));
        WireReader from(body.bytes());
        return process.handle_arena(type, from);
    }
    /// Rows in an arena for results, as an engine describes them.
    Batch take_rows(std::uint32_t arena, std::uint64_t size, const Batch& batch) {
        WireWriter body;
        write(body, DataPlace{arena, size});
        BatchEncoder(batch, 0, batch.length).describe(body);
        WireReader from(body.bytes());
        return process.take_rows(from);
    }

    EngineConnection process;
    Channel channel{};
    std::vector<Mapping> arenas{};
};

using Types = std::vector<ToEngine>;

TEST(EngineConnection, GreetsFirst) {
    Ends ends;
    EXPECT_EQ(ends.sent(), Types{ToEngine::kGreeting});
}

TEST(EngineConnection, SendsFewRowsInTheFrameAndManyInAnArena) {
    Ends ends;
    ends.sent();
    std::string body;
    ends.put(numbers(1, kInlineRows));
    EXPECT_EQ(ends.sent(&body), Types{ToEngine::kRun});
    WireReader from(body);
    const DataPlace place = read_place(from);
    EXPECT_EQ(place.arena, 0U);
    EXPECT_EQ(place.size, 32U << 10);
    ends.put(numbers(1, kInlineRows + 1));
    EXPECT_EQ(ends.sent(&body), (Types{ToEngine::kArena, ToEngine::kRun}));
    WireReader more(body);
    const DataPlace shared = read_place(more);
    EXPECT_EQ(shared.arena, 1U);
    const Batch batch = decode_copied(more, {ends.arenas.at(0).data(), shared.size});
    EXPECT_EQ(batch.length, kInlineRows + 1);
    EXPECT_EQ(batch.columns[0].values.as<std::int32_t>()[kInlineRows], kInlineRows + 1);
}

TEST(EngineConnection, UsesAnArenaAgainOnceItIsFree) {
    Ends ends;
    ends.sent();
    const Batch rows = numbers(1, 2 * kInlineRows);
    ends.put(rows);
    ends.put(rows);
    EXPECT_EQ(ends.sent(),
              (Types{ToEngine::kArena, ToEngine::kRun, ToEngine::kArena, ToEngine::kRun}));
    EXPECT_TRUE(ends.take(ToBackend::kArenaFree, 2));
    EXPECT_TRUE(ends.take(ToBackend::kArenaFree, 99));  // not an arena of this backend
    std::string body;
    ends.put(rows);
    EXPECT_EQ(ends.sent(&body), Types{ToEngine::kRun});
    WireReader from(body);
    EXPECT_EQ(read_place(from).arena, 2U);
    // One that is too small is refused.
    EXPECT_TRUE(ends.take(ToBackend::kArenaFree, 1));
    ends.put(numbers(1, 20 * kInlineRows));
    EXPECT_EQ(ends.sent(), (Types{ToEngine::kArena, ToEngine::kRun}));
}

TEST(EngineConnection, GrantsArenasForResults) {
    Ends ends;
    ends.sent();
    EXPECT_FALSE(ends.take(ToBackend::kNotice, 0));
    EXPECT_TRUE(ends.take(ToBackend::kArenaRequest, 100000));
    EXPECT_EQ(ends.sent(), Types{ToEngine::kArenaGrant});
    ASSERT_EQ(ends.arenas.size(), 1U);
    EXPECT_EQ(ends.arenas[0].size(), arena_size(100000));
    const Batch rows = numbers(5, 20000);
    const BatchEncoder encoder(rows, 0, rows.length);
    encoder.write_data(ends.arenas[0].data());
    const Batch taken = ends.take_rows(1, encoder.data_size(), rows);
    EXPECT_EQ(taken.length, 20000);
    EXPECT_EQ(taken.columns[0].values.as<std::int32_t>()[19999], 20004);
    EXPECT_EQ(ends.sent(), Types{ToEngine::kArenaReturn});
    // A copy: later writes of the engine have no effect.
    std::memset(ends.arenas[0].data(), 0, ends.arenas[0].size());
    EXPECT_EQ(taken.columns[0].values.as<std::int32_t>()[19999], 20004);
}

TEST(EngineConnection, RefusesForgedPlaces) {
    Ends ends;
    EXPECT_TRUE(ends.take(ToBackend::kArenaRequest, 100000));
    ends.put(numbers(1, 2 * kInlineRows));  // arena 2 is one of the backend's own
    const Batch rows = numbers(1, 10);
    const std::size_t size = arena_size(100000);
    for (const auto& [arena, bytes] :
         std::vector<std::pair<std::uint32_t, std::uint64_t>>{{1, size + 1},
                                                              {1, ~std::uint64_t{0}},
                                                              {2, 64},
                                                              {3, 64},
                                                              {~0U, 64},
                                                              {0, 64},
                                                              {0, ~std::uint64_t{0}},
                                                              {1, 0},
                                                              {1, 8}})
        EXPECT_THROW(ends.take_rows(arena, bytes, rows), ProtocolError) << arena << " " << bytes;
    EXPECT_EQ(ends.take_rows(1, size, rows).length, 10);
}

TEST(EngineConnection, GrantsNoMoreThanTheMemoryLimit) {
    EngineOptions options;
    options.sandbox.memory_bytes = 10 << 20;
    Ends ends(options);
    for (const std::uint64_t size : {std::uint64_t{11} << 20, ~std::uint64_t{0}}) {
        const ErrorReport report =
            test::error_of("53200", [&] { ends.take(ToBackend::kArenaRequest, size); });
        EXPECT_NE(report.detail.find("10 MB"), std::string::npos);
    }
    // All of them together.
    std::size_t granted = 0;
    const auto take_all = [&] {
        for (; granted < 1000; ++granted) ends.take(ToBackend::kArenaRequest, 1 << 20);
    };
    test::error_of("53200", take_all);
    EXPECT_EQ(granted, 10U);
    test::error_of("53200", [&] { ends.put(numbers(1, 2 * kInlineRows)); });
    EXPECT_FALSE(ends.process.is_light());
}

TEST(EngineConnection, GrantsNoMoreThanSoManyArenas) {
    Ends ends;
    int granted = 0;
    EXPECT_THROW(
        {
            for (; granted < 1000; ++granted) ends.take(ToBackend::kArenaRequest, 1);
        },
        ProtocolError);
    EXPECT_EQ(granted, 64);
    EXPECT_TRUE(ends.process.is_light());
}

TEST(EngineConnection, TakesOneQuestionAtATime) {
    Ends ends;
    ends.sent();
    ends.process.take_question();
    WireWriter large;
    large.bytes().resize(10 << 20);
    ends.process.channel().put(ToEngine::kReply, large);
    ends.process.note_answer();
    (void)ends.process.channel().flush();
    EXPECT_THROW(ends.process.take_question(), ProtocolError);
    EXPECT_EQ(ends.sent(), Types{ToEngine::kReply});
    EXPECT_NO_THROW(ends.process.take_question());
}

TEST(EngineConnection, BelongsToOneOfItsSessionAndTheSupervisor) {
    EngineOptions options;
    options.role = 10;
    options.database = 5;
    EngineConnection process(1, EngineKey(), options);
    auto* const page =
        static_cast<StatusPage*>(mmap(nullptr, kStatusPageSize, PROT_READ | PROT_WRITE, MAP_SHARED,
                                      process.page_descriptor(), 0));
    ASSERT_NE(page, MAP_FAILED);
    EXPECT_EQ(page->state, EngineState::kBusy);
    EXPECT_TRUE(process.mark_busy(options, std::string(1000, 's')));
    EXPECT_EQ(page->role, 10U);
    EXPECT_EQ(page->database, 5U);
    EXPECT_EQ(std::strlen(page->script), sizeof(page->script) - 1);
    process.count_rows(3, 4);
    EXPECT_EQ(page->rows_in, 3);
    EXPECT_EQ(page->rows_out, 4);
    process.mark_idle();
    EXPECT_EQ(page->state, EngineState::kIdle);
    EXPECT_STREQ(page->script, "");
    EXPECT_TRUE(process.mark_busy(options, "ann.f"));
    EXPECT_STREQ(page->script, "ann.f");
    EXPECT_EQ(page->rows_in, 0);
    EXPECT_EQ(page->sequence % 2, 0U);
    process.mark_idle();
    page->state = EngineState::kRetired;
    EXPECT_FALSE(process.mark_busy(options, "ann.f"));
    munmap(page, kStatusPageSize);
}

TEST(EngineConnection, DescribesHowItEnded) {
    EXPECT_EQ(describe_exit(std::nullopt), "ended unexpectedly");
    EXPECT_EQ(describe_exit(EngineExit{-1, ""}), "ended unexpectedly");
    EXPECT_EQ(describe_exit(EngineExit{3 << 8, ""}), "exited with status 3");
    EXPECT_EQ(describe_exit(EngineExit{SIGKILL, ""}), "was terminated by signal 9 (Killed)");
}

}  // namespace
}  // namespace epe::engine
