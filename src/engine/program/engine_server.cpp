// An engine process: runs one backend's requests, one after the other.
#include "engine/program/engine_server.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "engine/common/call_messages.h"
#include "engine/common/parameter_batch.h"
#include "engine/link/backend_link.h"
#include "engine/link/remote_host.h"
#include "py/base/interrupt_internal.h"
#include "py/engine/forked_interpreter.h"
#include "py/engine/script_check.h"
#include "py/engine/script_engine.h"

namespace epe::engine {

namespace {

/// Ends the process as soon as the backend is gone, also inside a C function that never returns.
/// The supervisor does so as well: this is for the case that there is none.
void* watch_backend(void* link) noexcept {
    pollfd socket{static_cast<BackendLink*>(link)->descriptor(), POLLRDHUP, 0};
    while (true) {
        if (poll(&socket, 1, -1) < 0) continue;
        if ((socket.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0) _exit(0);
    }
}

void* serve_flushes(void* link) noexcept {
    static_cast<BackendLink*>(link)->serve_flushes();
    return nullptr;
}

/// Starts a thread that lives as long as the process, and so must `link`.
void start_thread(void* (*function)(void*), BackendLink& link) {
    constexpr std::size_t kStackBytes = std::size_t{64} << 10;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_t thread{};
    const int error = pthread_create(&thread, &attributes, function, &link);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0)
        throw Error(sqlstate::kInsufficientResources, "could not start a thread in an engine");
}

class EngineServer final {
   public:
    explicit EngineServer(Descriptor socket) : link_(std::move(socket)), host_(link_) {}

    void greet(EngineBirth& birth);
    [[noreturn]] void serve();

   private:
    void handle_message(const Message& message);
    void begin_request(WireReader& from);
    void run_work(WireReader& from);
    void run_calls(std::int64_t last_call);
    void send_result(CallResult result);
    void stop_request();
    void end_request();
    void check_script(WireReader& from);
    /// Runs a step of a request; an exception is reported, and the rest of the request skipped.
    template <typename Step>
    void attempt_step(Step&& step);
    void send_failure(const ErrorReport& report);

    BackendLink link_;
    RemoteHost host_;
    py::EnginePlace place_ = py::EnginePlace::kProcess;
    bool has_failed_ = false;
    bool has_stopped_ = false;
    std::int64_t sink_time_ = 0;
    // The engine refers to the message, so destroy it first.
    std::unique_ptr<RequestMessage> request_{};
    std::unique_ptr<Engine> engine_{};
    std::optional<RemoteStream> stream_{};
};

void EngineServer::send_failure(const ErrorReport& report) {
    has_failed_ = true;
    WireWriter body;
    write(body, report);
    link_.put(ToBackend::kFailed, body);
}

template <typename Step>
void EngineServer::attempt_step(Step&& step) {
    try {
        std::forward<Step>(step)();
    } catch (const ProtocolError&) {
        throw;
    } catch (const Error& error) {
        send_failure(error.report());
    } catch (const std::bad_alloc&) {
        send_failure(Error(sqlstate::kOutOfMemory, "out of memory").report());
    } catch (const std::exception& error) {
        send_failure(Error(sqlstate::kInternal, error.what()).report());
    }
}

void EngineServer::greet(EngineBirth& birth) {
    const Message message = link_.wait();
    WireReader from(message.body);
    if (message.type != ToEngine::kGreeting) WireReader::fail("greeting");
    Greeting greeting = read_greeting(from);
    greeting.sandbox.temp_folder = birth.temp_folder;
    greeting.sandbox.guard_socket = birth.guard_socket.get();
    greeting.sandbox.guard = birth.guard;
    for (std::string& folder : birth.python_folders)
        greeting.sandbox.read_paths.push_back(std::move(folder));
    py::prepare_interrupts();
    Ready ready{kProtocolVersion, py::python_version(),
                confine(greeting.sandbox, birth.namespaces, *birth.filter)};
    birth.guard_socket.close();
    if (ready.report.is_complete()) place_ = py::EnginePlace::kSandbox;
    py::become_engine(birth.stack.get(), birth.temp_folder);
    start_thread(watch_backend, link_);
    start_thread(serve_flushes, link_);
    limit_threads(birth.namespaces, ready.report);
    WireWriter body;
    write(body, ready);
    link_.put(ToBackend::kReady, body);
    if (greeting.requires_sandbox && !ready.report.is_complete()) {
        // The backend has the reason; do not rely on its reaction.
        link_.flush(Patience::kAlways);
        _exit(1);
    }
}

void EngineServer::serve() {
    (void)cancel_flags();
    while (true) handle_message(link_.wait());
}

void EngineServer::handle_message(const Message& message) {
    WireReader from(message.body);
    switch (message.type) {
        case ToEngine::kBegin:
            clear_cancel();
            link_.begin_request();
            has_failed_ = has_stopped_ = false;
            attempt_step([&] { begin_request(from); });
            break;
        case ToEngine::kRun:
            if (!has_failed_ && !has_stopped_) attempt_step([&] { run_work(from); });
            break;
        case ToEngine::kEnd:
            end_request();
            break;
        case ToEngine::kCheckScript:
            clear_cancel();
            has_failed_ = false;
            attempt_step([&] { check_script(from); });
            end_request();
            break;
        default:  // the answer to a question of a call that has failed since
            break;
    }
}

void EngineServer::begin_request(WireReader& from) {
    request_ = std::make_unique<RequestMessage>();
    read_request(from, *request_);
    if (request_->has_pickled) {
        request_->pickled = link_.take_rows(from);
        std::vector<HostParameter> pickled(1);
        pickled[0].bytes.emplace();
        set_bytes(pickled, request_->pickled);
        request_->plan.pickled = *pickled[0].bytes;
    }
    request_->plan.takes_all = true;  // there is no other request
    engine_ = py::make_script_engine(host_, cancel_flags(), place_);
    engine_->begin(request_->plan);
    CallResult none;
    (void)engine_->next(none);  // it needs calls
}

void EngineServer::run_work(WireReader& from) {
    RunMessage message = read_run(from);
    Work work;
    work.function = request_->plan.function;
    work.calls = std::move(message.calls);
    const std::int64_t start = now_nanoseconds();
    switch (message.input) {
        case RunInput::kNone:
            break;
        case RunInput::kRows:
            work.batch = link_.take_rows(from);
            work.batch.schema = &request_->input;
            break;
        case RunInput::kStream:
            stream_.emplace(link_, request_->input);
            work.stream = &*stream_;
            break;
    }
    sink_time_ = 0;
    CallStats before;
    engine_->report(before);
    const std::int64_t last_call = work.calls.empty() ? 0 : work.calls.back().number;
    engine_->add_calls(std::move(work));
    run_calls(last_call);
    if (has_stopped_) return;
    CallStats after;
    engine_->report(after);
    EngineTimes times;
    times.python = after.engine.python - before.engine.python;
    times.convert = now_nanoseconds() - start - sink_time_ - times.python;
    WireWriter body;
    write(body, times);
    link_.put(ToBackend::kRunDone, body);
}

void EngineServer::run_calls(std::int64_t last_call) {
    while (!link_.is_stopped()) {
        CallResult result;
        if (engine_->next(result) != EngineStep::kResult) return;
        const bool is_last = result.is_last && result.call_number == last_call;
        send_result(std::move(result));
        if (!is_last) link_.flush_soon();
    }
    stop_request();
}

void EngineServer::stop_request() {
    has_stopped_ = true;
    link_.put(ToBackend::kStopped, WireWriter());
    link_.flush(Patience::kUntilCancelled);
    engine_->stop();
}

void EngineServer::end_request() {
    if (!has_failed_ && !has_stopped_ && engine_)
        attempt_step([&] {
            if (link_.is_stopped()) return stop_request();
            engine_->end_calls();
            CallResult none;
            (void)engine_->next(none);
        });
    engine_.reset();
    stream_.reset();
    request_.reset();
    link_.put(ToBackend::kEnded, WireWriter());
}

void EngineServer::check_script(WireReader& from) {
    const CheckMessage message = read_check(from);
    py::check_script(message.name, message.source, host_, cancel_flags());
}

void EngineServer::send_result(CallResult result) {
    const std::int64_t start = now_nanoseconds();
    const ResultMessage message{result.call_number, std::move(result.call_name), result.first_row,
                                result.is_frame};
    link_.put_rows(ToBackend::kResult, body_of(message), result.batch);
    sink_time_ += now_nanoseconds() - start;
}

}  // namespace

void serve_backend(EngineBirth birth) {
    (void)signal(SIGXFSZ, SIG_IGN);  // a full temporary folder is an error of the script's write
    try {
        EngineServer server(std::move(birth.socket));
        server.greet(birth);
        server.serve();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "oml_epe: engine: %s\n", error.what());
    }
    _exit(1);
}

}  // namespace epe::engine
