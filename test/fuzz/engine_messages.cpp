// Fuzz target: a whole request of a backend with arbitrary messages of its engines, after their
// greeting or instead of it. It must end, with results in order or an Error.
//
// No process is started: while the backend waits, the target acts as the supervisor, and sends the
// input as each engine that the backend requests.
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/client/engine_pool.h"
#include "engine/client/process_engine.h"
#include "private_member.h"
#include "support/engine_support.h"
#include "target.h"

namespace epe::fuzz {

using namespace engine;

struct SessionSupervisor {
    using Type = Channel EnginePool::*;
    friend Type member(SessionSupervisor);
};

template struct PrivateMember<SessionSupervisor, &EnginePool::supervisor_>;

}  // namespace epe::fuzz

namespace {

using namespace epe::engine;
using epe::fuzz::require;

/// Supervisor and engines of one request.
class Peers final : public epe::Waiter {
   public:
    explicit Peers(std::string_view input) : input_(input) {
        auto [ours, theirs] = make_socket_pair();
        EnginePool::current().*member(epe::fuzz::SessionSupervisor()) =
            Channel(std::move(ours), Receives::kDescriptors);
        supervisor_ = Channel(std::move(theirs), Receives::kDescriptors);
    }
    Peers(const Peers&) = delete;
    Peers& operator=(const Peers&) = delete;
    ~Peers() override {
        supervisor_.close();
        EnginePool::current().receive();
    }

    void wait_readable(int descriptor, std::int64_t) override {
        constexpr int kMostWaits = 100000;
        require(++waits_ < kMostWaits, "the backend waits forever");
        serve();
        for (Descriptor& engine : engines_) drain(engine);
        pollfd polled{descriptor, POLLIN, 0};
        if (descriptor >= 0) (void)poll(&polled, 1, 0);
    }
    void check() override {}

   private:
    void serve() {
        (void)supervisor_.receive();
        for (Frame frame; supervisor_.next(frame);) {
            if (static_cast<ToSupervisor>(frame.type) != ToSupervisor::kAcquire) continue;
            WireReader from(frame.body);
            start(from.number<std::uint64_t>(), std::move(frame.descriptors.at(0)));
        }
        (void)supervisor_.flush();
    }
    void start(std::uint64_t id, Descriptor socket) {
        WireWriter started;
        started.number(id);
        started.number(std::int32_t{1});
        supervisor_.put(FromSupervisor::kStarted, started, {process_.get()});
        // Some inputs hold their connection open: only the exit report shows that they are gone.
        (void)send(socket.get(), input_.data(), input_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (input_.size() % 16 != 0) (void)shutdown(socket.get(), SHUT_WR);
        engines_.push_back(std::move(socket));
        WireWriter exited;
        exited.number(id);
        exited.number(std::int32_t{SIGSEGV});
        exited.text("");
        supervisor_.put(FromSupervisor::kExited, exited);
    }
    /// Reads the messages of the backend, so that it never blocks on them.
    static void drain(Descriptor& engine) {
        char bytes[4096];
        while (recv(engine.get(), bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
        }
    }

    std::string_view input_;
    Channel supervisor_{};
    Descriptor process_{eventfd(0, EFD_CLOEXEC)};  // signals to it have no effect
    std::list<Descriptor> engines_{};
    int waits_ = 0;
};

/// A sink in place of PostgreSQL's.
void read(const epe::CallResult& result) {
    require(result.call_number >= 1 && result.call_number <= 3, "call number");
    require(result.call_name == std::to_string(result.call_number), "name of a call");
    require(result.batch.columns.size() == 1, "columns");
    require(result.batch.columns[0].length == result.batch.length, "length");
    require(result.batch.schema != nullptr, "schema");
}

EngineOptions options_of(std::string_view input) {
    static std::uint32_t last_role = 1U << 20U;  // so that requests never share engines
    EngineOptions options;
    options.program = "/nowhere/oml_epe_engine";
    options.folder = "/nowhere";
    options.socket = "/nowhere/socket";
    options.requires_sandbox = false;
    options.wait_milliseconds = epe::test::kPatienceMilliseconds;
    options.most_engines = 1 + static_cast<int>(input.size() / 2 % 2);
    options.role = ++last_role;
    options.sandbox.memory_bytes = std::uint64_t{8} << 20U;
    return options;
}

void run(std::string_view input) {
    epe::test::FakeRequest request;
    epe::test::FakeHost host;
    epe::test::FakeSink sink;
    Peers peers(input);
    sink.on_add = read;
    host.on_execute = [&](const std::string& sql) {
        if (sql.size() % 2 == 1) throw epe::Error("42601", "syntax error");
        epe::HostResult result;
        result.schema = request.schema;
        result.batch = epe::test::numbers(1, 10);
        return result;
    };
    try {
        const auto engine = make_process_engine(options_of(input), host, peers);
        engine->begin(request.plan);
        epe::test::run_calls(*engine, request.work(1, 3), sink);
        epe::test::finish_request(*engine, sink);
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

EPE_FUZZ_TARGET(engine_messages, run, kNone)
