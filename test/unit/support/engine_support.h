// The peers of a backend's connections, played by threads: a supervisor that starts fake engines,
// which follow the protocol as far as their script allows. Does not use GoogleTest, so that fuzz
// targets can use it.
#pragma once

#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/pipeline/ports.h"
#include "engine/client/supervisor_launch.h"
#include "engine/common/arena.h"
#include "engine/common/batch_codec.h"
#include "engine/common/call_messages.h"
#include "engine/common/channel.h"
#include "engine/common/engine_messages.h"
#include "engine/common/engine_options.h"
#include "engine/supervisor/supervisor.h"

namespace epe::test {

inline constexpr int kPatienceMilliseconds = 20000;  // after this time a test hangs

/// Numbers first, first + 1, ... in one int32 column.
inline Batch numbers(std::int32_t first, std::int64_t count) {
    Batch batch;
    ColumnBuilder builder({Kind::kInt32}, false);
    for (std::int64_t i = 0; i < count; ++i)
        if (!builder.append(static_cast<std::int32_t>(first + i))) std::abort();
    batch.length = count;
    batch.columns.push_back(builder.finish());
    return batch;
}

/// A test engine's message for a batch: the head of a Result, and the rows in the frame.
inline engine::WireWriter result_body(std::int64_t call, const Batch& batch) {
    engine::WireWriter body;
    body.number(call);
    body.optional_text(std::nullopt);
    body.number(std::int64_t{0});
    body.boolean(false);
    const engine::BatchEncoder encoder(batch, 0, batch.length);
    engine::write(body, engine::DataPlace{0, encoder.data_size()});
    encoder.describe(body);
    std::vector<std::byte> data(encoder.data_size());
    encoder.write_data(data.data());
    body.append(data.data(), data.size());
    return body;
}

/// One frame, as sent on the connection.
inline std::string frame_bytes(std::uint8_t type, std::string_view body) {
    engine::WireWriter frame;
    frame.number(static_cast<std::uint32_t>(body.size()));
    frame.number(type);
    frame.number(std::uint8_t{0});
    frame.number(std::uint16_t{0});
    frame.append(body.data(), body.size());
    return frame.bytes();
}
inline std::string frame_bytes(engine::ToBackend type, const engine::WireWriter& body) {
    return frame_bytes(static_cast<std::uint8_t>(type), body.bytes());
}

inline engine::WireWriter ready_body() {
    engine::WireWriter body;
    engine::write(body, engine::Ready{engine::kProtocolVersion, "3.11.2", {}});
    return body;
}

inline engine::WireWriter times_body(std::int64_t python = 1000) {
    engine::WireWriter body;
    engine::write(body, EngineTimes{1000, python});
    return body;
}

inline engine::WireWriter failure_body(const std::string& message) {
    engine::WireWriter body;
    engine::write(body, Error(sqlstate::kScriptFailed, message).report());
    return body;
}

inline engine::WireWriter text_body(std::string_view text) {
    engine::WireWriter body;
    body.text(text);
    return body;
}

inline engine::WireWriter question_body(std::string_view sql) {
    engine::WireWriter body;
    body.text(sql);
    engine::write(body, std::vector<HostParameter>{});
    return body;
}

/// An engine at the far end of a connection.
class FakeEngine {
   public:
    struct Message {
        engine::ToEngine type{};
        std::string body{};
    };

    FakeEngine(std::size_t number, engine::Descriptor socket, int stop)
        : index(number), channel_(std::move(socket), engine::Receives::kDescriptors), stop_(stop) {}

    const std::size_t index;  ///< of its supervisor's, from 0

    /// The backend's next message, except about arenas, which are kept. None when it is gone.
    std::optional<Message> next() {
        engine::Frame frame;
        if (!waiting_.empty()) {
            Message first = std::move(waiting_.front());
            waiting_.erase(waiting_.begin());
            return first;
        }
        while (true) {
            while (channel_.next(frame)) {
                const auto type = static_cast<engine::ToEngine>(frame.type);
                if (keep_arena(type, frame)) continue;
                return Message{type, std::string(frame.body)};
            }
            if (!wait(POLLIN) || !channel_.receive()) return std::nullopt;
        }
    }
    /// The answer to a question. Earlier messages are kept for next().
    std::optional<Message> next(engine::ToEngine wanted) {
        std::vector<Message> others;
        std::optional<Message> message = next();
        for (; message && message->type != wanted; message = next())
            others.push_back(std::move(*message));
        waiting_ = std::move(others);
        return message;
    }
    void put(engine::ToBackend type, const engine::WireWriter& body = {}) {
        channel_.put(type, body);
        while (!channel_.flush() && wait(POLLOUT)) {
        }
    }
    void put_bytes(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent =
                send(channel_.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent > 0)
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            else if (errno != EAGAIN || !wait(POLLOUT))
                return;
        }
    }
    /// Discards the backend's messages until it closes the connection.
    void listen() {
        while (next()) {
        }
    }

    struct Slice {
        std::vector<Call> calls{};
        std::vector<std::int32_t> rows{};
    };
    Slice read_slice(const Message& message) {
        Slice slice;
        engine::WireReader from(message.body);
        engine::RunMessage run = engine::read_run(from);
        slice.calls = std::move(run.calls);
        if (run.input != engine::RunInput::kRows) return slice;
        const Batch batch = read_rows(from);
        const auto* const values = batch.columns.at(0).values.as<std::int32_t>();
        slice.rows.assign(values, values + batch.length);
        return slice;
    }
    Batch read_rows(engine::WireReader& from) {
        const engine::DataPlace place = engine::read_place(from);
        if (place.arena == 0) {
            const std::string_view data = from.take_tail(place.size);
            return engine::decode_copied(from, std::as_bytes(std::span(data)));
        }
        return engine::decode_copied(from, {arenas.at(place.arena).data(), place.size});
    }

    /// The answers of a conforming engine: each call returns one row, its number.
    void answer(const Message& message) {
        switch (message.type) {
            case engine::ToEngine::kGreeting:
                put(engine::ToBackend::kReady, ready_body());
                break;
            case engine::ToEngine::kRun:
                for (const Call& call : read_slice(message).calls)
                    put(engine::ToBackend::kResult,
                        result_body(call.number,
                                    numbers(static_cast<std::int32_t>(call.number), 1)));
                put(engine::ToBackend::kRunDone, times_body());
                break;
            case engine::ToEngine::kStop:
                put(engine::ToBackend::kStopped);
                break;
            case engine::ToEngine::kEnd:
            case engine::ToEngine::kCheckScript:
                put(engine::ToBackend::kEnded);
                break;
            default:
                break;
        }
    }

    std::map<std::uint32_t, engine::Mapping> arenas{};
    std::vector<std::uint32_t> granted{};   ///< arenas for results
    std::vector<std::uint32_t> returned{};  ///< of the granted ones

   private:
    bool keep_arena(engine::ToEngine type, engine::Frame& frame) {
        engine::WireReader from(frame.body);
        if (type == engine::ToEngine::kArenaReturn) {
            returned.push_back(from.number<std::uint32_t>());
            return true;
        }
        if (type != engine::ToEngine::kArena && type != engine::ToEngine::kArenaGrant) return false;
        const auto id = from.number<std::uint32_t>();
        arenas[id] = engine::map_arena(frame.descriptors.at(0).release());
        if (type == engine::ToEngine::kArenaGrant) granted.push_back(id);
        return true;
    }
    bool wait(short events) {
        pollfd polled[] = {{channel_.descriptor(), events, 0}, {stop_, POLLIN, 0}};
        return poll(polled, 2, kPatienceMilliseconds) > 0 && polled[1].revents == 0;
    }

    engine::Channel channel_;
    std::vector<Message> waiting_{};
    int stop_;
};

/// The supervisor's reaction to a request for an engine.
enum class Fate : std::uint8_t {
    kStart,
    kRefuse,
    kNever,
    kDie,          ///< the supervisor dies; the next one serves the same socket
    kStartAndDie,  ///< the same, after the start of the engine and before the report
    kUnavailable,  ///< the engine launcher's answer instead of a supervisor's
};

/// Decides an engine's reaction to a message: true when it has handled it, false for the conforming
/// answer. Throws Leave to end the engine.
struct Leave {};
using EngineScript = std::function<bool(FakeEngine&, const FakeEngine::Message&)>;

inline bool is_honest(FakeEngine&, const FakeEngine::Message&) { return false; }

/// A supervisor that backends find at options().socket.
class FakeSupervisor {
   public:
    explicit FakeSupervisor(EngineScript script, std::function<Fate(std::size_t)> fate = {})
        : script_(std::move(script)), fate_(std::move(fate)), stop_(eventfd(0, EFD_CLOEXEC)),
          wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        std::string name = std::filesystem::temp_directory_path() / "epe_unit_XXXXXX";
        if (mkdtemp(name.data()) == nullptr) std::abort();
        folder_ = name;
        listener_ = engine::listen_at(folder_ + "/socket");
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeSupervisor() {
        raise(stop_);
        thread_.join();
        for (std::thread& each : engines_) each.join();
        for (const pid_t child : children_) {
            if (child > 0) (void)::kill(child, SIGKILL);  // -1 would be every process
            (void)waitpid(child, nullptr, 0);
        }
        std::filesystem::remove_all(folder_);
    }
    FakeSupervisor(const FakeSupervisor&) = delete;
    FakeSupervisor& operator=(const FakeSupervisor&) = delete;

    /// With a role of its own, so that tests do not share warm engines.
    engine::EngineOptions options(int most_engines = 1) const {
        static std::atomic<std::uint32_t> last_role{0};
        engine::EngineOptions made;
        made.program = "/nowhere/oml_epe_engine";
        made.folder = folder_ + "/own";
        made.socket = folder_ + "/socket";
        made.requires_sandbox = false;
        made.wait_milliseconds = kPatienceMilliseconds;
        made.most_engines = most_engines;
        made.role = ++last_role;
        return made;
    }
    std::size_t acquired() const { return acquired_; }
    /// The session's numbers for the requested engines, and for its earlier ones.
    std::vector<std::uint64_t> asked() {
        const std::lock_guard lock(mutex_);
        return asked_;
    }
    std::vector<std::uint64_t> adopted() {
        const std::lock_guard lock(mutex_);
        return adopted_;
    }
    std::size_t forgotten() const { return forgotten_; }
    /// Whether the process of an engine has been killed by the backend; waits for it.
    bool was_killed(std::size_t index) {
        const std::lock_guard lock(mutex_);
        siginfo_t info{};
        for (int i = 0; i < 2000; ++i) {
            info.si_pid = 0;
            (void)waitid(P_PID, static_cast<id_t>(children_.at(index)), &info,
                         WEXITED | WNOHANG | WNOWAIT);
            if (info.si_pid != 0) return info.si_status == SIGKILL;
            usleep(1000);
        }
        return false;
    }
    /// Whether processes keep engines' connections open, like processes started by a script.
    bool holds_connections = false;
    /// Exit status of engines that leave, and their stack.
    int exit_status = SIGSEGV;
    std::string exit_stack{};

   private:
    static void raise(const engine::Descriptor& event) {
        const std::uint64_t one = 1;
        if (write(event.get(), &one, sizeof(one)) != sizeof(one)) std::abort();
    }
    void serve() {
        while (true) {
            pollfd polled[] = {{listener_.get(), POLLIN, 0},
                               {wake_.get(), POLLIN, 0},
                               {stop_.get(), POLLIN, 0},
                               {channel_.descriptor(), POLLIN, 0}};
            (void)poll(polled, 4, -1);
            if (polled[2].revents != 0) return channel_.close();
            if (polled[0].revents != 0) {
                channel_ =
                    engine::Channel(engine::Descriptor(accept4(listener_.get(), nullptr, nullptr,
                                                               SOCK_CLOEXEC | SOCK_NONBLOCK)),
                                    engine::Receives::kDescriptors);
                ++lives_;
                say(engine::FromSupervisor::kHello, {});
            }
            if (polled[1].revents != 0) tell_exits();
            if (polled[3].revents == 0) continue;
            const bool is_alive = channel_.receive();
            engine::Frame frame;
            while (channel_.is_open() && channel_.next(frame)) handle(frame);
            if (!is_alive) channel_.close();
        }
    }
    void handle(engine::Frame& frame) {
        engine::WireReader from(frame.body);
        const auto id = from.number<std::uint64_t>();
        if (static_cast<engine::ToSupervisor>(frame.type) == engine::ToSupervisor::kForget) {
            ++forgotten_;
            return;
        }
        const bool is_new =
            static_cast<engine::ToSupervisor>(frame.type) == engine::ToSupervisor::kAcquire;
        {
            const std::lock_guard lock(mutex_);
            (is_new ? asked_ : adopted_).push_back(id);
        }
        if (!is_new) return;
        const std::size_t index = acquired_++;
        const Fate fate = fate_ ? fate_(index) : Fate::kStart;
        engine::WireWriter body;
        body.number(id);
        if (fate == Fate::kRefuse) {
            for (const char* text : {"there is no room", "It is full.", "Make some."})
                body.text(text);
            say(engine::FromSupervisor::kRefused, body);
        }
        if (fate == Fate::kUnavailable)
            say(engine::FromSupervisor::kUnavailable, text_body("there is none"));
        if (fate == Fate::kStartAndDie) {
            channel_.close();
            start(index, id, std::move(frame.descriptors.at(0)), body);
        }
        if (fate == Fate::kDie || fate == Fate::kUnavailable) channel_.close();
        if (fate == Fate::kNever) waiting_.push_back(std::move(frame.descriptors.at(0)));
        if (fate == Fate::kStart) start(index, id, std::move(frame.descriptors.at(0)), body);
    }
    /// A process that ends only by SIGKILL.
    static pid_t spawn() {
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        sigset_t all;
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &all);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        std::string words[] = {"/bin/sleep", "100"};
        char* const arguments[] = {words[0].data(), words[1].data(), nullptr};
        char* const environment[] = {nullptr};
        pid_t child = 0;
        if (posix_spawn(&child, words[0].c_str(), nullptr, &attributes, arguments, environment) !=
            0)
            std::abort();
        posix_spawnattr_destroy(&attributes);
        return child;
    }
    void start(std::size_t index, std::uint64_t id, engine::Descriptor socket,
               engine::WireWriter& body) {
        const pid_t child = holds_connections ? fork() : spawn();
        while (child == 0) pause();
        {
            const std::lock_guard lock(mutex_);
            children_.push_back(child);
        }
        const engine::Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
        body.number(static_cast<std::int32_t>(child));
        say(engine::FromSupervisor::kStarted, body, {process.get()});
        engines_.emplace_back([this, index, id, life = lives_, end = std::move(socket)]() mutable {
            {
                FakeEngine engine(index, std::move(end), stop_.get());
                try {
                    while (const auto message = engine.next())
                        if (!script_(engine, *message)) engine.answer(*message);
                } catch (const Leave&) {
                }
            }
            const std::lock_guard lock(mutex_);
            exits_.emplace_back(life, id);
            raise(wake_);
        });
    }
    void tell_exits() {
        std::uint64_t count = 0;
        if (read(wake_.get(), &count, sizeof(count)) != sizeof(count)) return;
        const std::lock_guard lock(mutex_);
        for (const auto& [life, id] : std::exchange(exits_, {})) {
            if (life != lives_) continue;  // the engine of a supervisor that has died
            engine::WireWriter body;
            body.number(id);
            body.number(static_cast<std::int32_t>(exit_status));
            body.text(exit_stack);
            say(engine::FromSupervisor::kExited, body);
        }
    }
    void say(engine::FromSupervisor type, const engine::WireWriter& body,
             std::initializer_list<int> descriptors = {}) {
        if (!channel_.is_open()) return;
        channel_.put(type, body, descriptors);
        while (!channel_.flush()) usleep(100);
    }

    EngineScript script_;
    std::function<Fate(std::size_t)> fate_;
    engine::Descriptor stop_;
    engine::Descriptor wake_;
    std::string folder_{};
    engine::Descriptor listener_{};
    engine::Channel channel_{};
    std::thread thread_{};
    std::vector<std::thread> engines_{};
    std::vector<engine::Descriptor> waiting_{};
    int lives_ = 0;  // connections so far: each is another supervisor
    std::vector<std::uint64_t> asked_{};
    std::vector<std::uint64_t> adopted_{};  // of engines that never start
    std::mutex mutex_{};
    std::vector<pid_t> children_{};
    std::vector<std::pair<int, std::uint64_t>> exits_{};
    std::atomic<std::size_t> acquired_{0};
    std::atomic<std::size_t> forgotten_{0};
};

/// Waits like a backend; `interrupt` throws the error that ends the statement.
class FakeWaiter final : public Waiter {
   public:
    void wait_readable(int descriptor, std::int64_t milliseconds) override {
        constexpr std::int64_t kMost = 20;  // as if the latch had been set
        ++waits;
        pollfd polled{descriptor, POLLIN, 0};
        const std::int64_t limit = milliseconds >= 0 ? std::min(milliseconds, kMost) : kMost;
        const int count = poll(&polled, descriptor >= 0 ? 1 : 0, static_cast<int>(limit));
        in_vain_ = count > 0 ? 0 : in_vain_ + 1;
        if (in_vain_ > kPatienceMilliseconds / kMost) {
            std::fprintf(stderr, "a test waits forever\n");
            std::abort();
        }
        check();
    }
    void check() override {
        if (interrupt) interrupt();
    }

    std::function<void()> interrupt{};
    int waits = 0;

   private:
    std::int64_t in_vain_ = 0;
};

class FakeHost final : public Host {
   public:
    void notice(std::string_view text) override { notices.emplace_back(text); }
    void warning(std::string_view text) override { warnings.emplace_back(text); }
    HostResult execute(const std::string& sql, const std::vector<HostParameter>&) override {
        statements.push_back(sql);
        if (on_execute) return on_execute(sql);
        HostResult result;
        result.row_count = 1;
        return result;
    }
    void check_interrupts() override {}

    std::vector<std::string> notices{};
    std::vector<std::string> warnings{};
    std::vector<std::string> statements{};
    std::function<HostResult(const std::string&)> on_execute{};
};

class FakeSink final : public ResultSink {
   public:
    void add(CallResult result) override {
        if (on_add) on_add(result);
        results.push_back(std::move(result));
    }
    std::vector<std::int64_t> call_numbers() const {
        std::vector<std::int64_t> all;
        for (const CallResult& each : results) all.push_back(each.call_number);
        return all;
    }
    std::vector<CallResult> results{};
    std::function<void(const CallResult&)> on_add{};
};

/// Passes results to a sink until the engine needs calls, or all calls are finished.
inline EngineStep take_results(Engine& engine, ResultSink& sink) {
    CallResult result;
    EngineStep step = engine.next(result);
    for (; step == EngineStep::kResult; step = engine.next(result)) sink.add(std::move(result));
    return step;
}
/// Takes the results up to the point where the engine accepts the calls, and after that.
inline void run_calls(Engine& engine, Work work, ResultSink& sink) {
    if (take_results(engine, sink) != EngineStep::kNeedsCalls) std::abort();
    engine.add_calls(std::move(work));
    (void)take_results(engine, sink);
}
inline void finish_request(Engine& engine, ResultSink& sink) {
    if (take_results(engine, sink) != EngineStep::kNeedsCalls) std::abort();
    engine.end_calls();
    if (take_results(engine, sink) != EngineStep::kEnd) std::abort();
}

/// A request of row_eval over one int32 column, with its dependencies.
struct FakeRequest {
    explicit FakeRequest(EvalFunction function = EvalFunction::kRow) {
        script.owner = "ann";
        script.name = "f";
        script.source = "def f(x): return x";
        Field field;
        field.name = "n";
        field.type.kind = Kind::kInt32;
        schema.push_back(field);
        shape.columns = schema;
        plan.script = &script;
        plan.function = function;
        plan.arguments_json = "{}";
        plan.shape = &shape;
        plan.input = function == EvalFunction::kIndex ? nullptr : &schema;
    }
    FakeRequest(const FakeRequest&) = delete;
    FakeRequest& operator=(const FakeRequest&) = delete;

    /// Calls [first, first + count), each of `rows` rows with the numbers of its own call.
    Work work(std::int64_t first, std::int64_t count, std::int64_t rows = 1) const {
        Work made;
        made.function = plan.function;
        ColumnBuilder builder({Kind::kInt32}, false);
        for (std::int64_t i = 0; i < count; ++i) {
            Call call;
            call.number = first + i;
            call.name = std::to_string(call.number);
            call.first_row = i * rows;
            call.row_count = rows;
            call.input_row = (first - 1 + i) * rows;
            made.calls.push_back(call);
            for (std::int64_t row = 0; row < rows; ++row)
                if (!builder.append(static_cast<std::int32_t>(call.number))) std::abort();
        }
        if (plan.function == EvalFunction::kIndex) return made;
        made.batch.length = count * rows;
        made.batch.columns.push_back(builder.finish());
        made.batch.schema = &schema;
        return made;
    }

    Script script{};
    Schema schema{};
    OutputShape shape{};
    CallPlan plan{};
};

}  // namespace epe::test
