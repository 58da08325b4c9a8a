// A process with Python and its packages loaded; engines are forked from it.
#include "engine/program/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/common/channel.h"
#include "engine/program/engine_server.h"
#include "engine/program/warm_up.h"
#include "engine/sandbox/namespaces.h"
#include "engine/sandbox/sandbox.h"
#include "engine/sandbox/seccomp_filter.h"
#include "engine/sandbox/watch_guard.h"
#include "engine/supervisor/child_signals.h"
#include "py/engine/forked_interpreter.h"

namespace epe::engine {

namespace {

/// An engine's ends of the objects that it shares with its backend.
struct Connections {
    Descriptor socket{};
    Descriptor lifeline{};
};

/// From now on, the kernel kills this process when the other end of the pipe is closed, even while
/// it is stopped. Without the kernel's help, a running engine ends by itself, and others are ended
/// by the next supervisor.
void hang_on(const Descriptor& lifeline) noexcept {
    (void)fcntl(lifeline.get(), F_SETOWN, getpid());
    (void)fcntl(lifeline.get(), F_SETSIG, SIGKILL);
    (void)fcntl(lifeline.get(), F_SETFL, O_ASYNC);
    pollfd end{lifeline.get(), 0, 0};
    if (poll(&end, 1, 0) > 0) _exit(0);  // too late for the signal
}

class Zygote {
   public:
    explicit Zygote(ZygoteBirth birth)
        : birth_(std::move(birth)), channel_(std::move(birth_.socket), Receives::kDescriptors) {}

    [[noreturn]] void serve();

   private:
    void start();
    void wait_for_event();
    void handle_frame(Frame& frame);
    void fork_one(std::uint64_t id, Connections connections);
    [[noreturn]] void become_child(EngineBirth birth, Descriptor lifeline, Descriptor gate);
    void reap();
    void say(FromZygote type, const WireWriter& body, std::initializer_list<int> fds = {});

    ZygoteBirth birth_;
    Channel channel_;
    NamespaceReport namespaces_{};
    std::vector<std::string> python_folders_{};
    std::optional<SystemCallFilter> filter_{};
    WatchGuard guard_{};
};

void Zygote::say(FromZygote type, const WireWriter& body, std::initializer_list<int> fds) {
    channel_.put(type, body, fds);
    while (!channel_.flush()) {
        pollfd socket{channel_.descriptor(), POLLOUT, 0};
        (void)poll(&socket, 1, -1);
    }
}

void Zygote::start() {
    hold_child_signals();
    try {
        namespaces_ = enter_namespaces(birth_.kind.has_network);
        guard_.start();
        filter_.emplace(SystemCallFilter::prepare());
        py::start_engine_python(birth_.kind.environment, birth_.preload);
        python_folders_ = py::python_folders();
        warm_up();
        py::freeze_python();
    } catch (const std::exception& error) {
        WireWriter body;
        body.text(error.what());
        say(FromZygote::kFailed, body);
        _exit(1);
    }
    say(FromZygote::kReady, WireWriter());
}

void Zygote::serve() {
    start();
    Frame frame;
    while (true) {
        reap();
        wait_for_event();
        while (channel_.next(frame)) handle_frame(frame);
    }
}

void Zygote::wait_for_event() {
    pollfd socket{channel_.descriptor(), POLLIN, 0};
    if (poll_or_child(&socket, 1, nullptr) <= 0) return;
    if (!channel_.receive()) _exit(0);
}

void Zygote::handle_frame(Frame& frame) {
    WireReader from(frame.body);
    if (static_cast<ToZygote>(frame.type) != ToZygote::kFork || frame.descriptors.size() != 2)
        WireReader::fail("request to a zygote");
    fork_one(from.number<std::uint64_t>(),
             {std::move(frame.descriptors[0]), std::move(frame.descriptors[1])});
}

void Zygote::fork_one(std::uint64_t id, Connections connections) {
    int ends[2] = {-1, -1};
    int gate_ends[2] = {-1, -1};
    pid_t child = -1;
    Descriptor guard = guard_.connect();
    // The pipe is not read while an engine runs: a full pipe must not block the engine.
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(gate_ends, O_CLOEXEC) == 0)
        child = py::fork_python();
    Descriptor stack_reader(ends[0]);
    Descriptor stack_writer(ends[1]);
    Descriptor gate_reader(gate_ends[0]);
    Descriptor gate_writer(gate_ends[1]);
    if (child == 0) {
        stack_reader.close();
        gate_writer.close();
        guard_.leave();
        EngineBirth birth;
        birth.socket = std::move(connections.socket);
        birth.stack = std::move(stack_writer);
        birth.guard_socket = std::move(guard);
        birth.guard = guard_.pid();
        become_child(std::move(birth), std::move(connections.lifeline), std::move(gate_reader));
    }
    if (child < 0) {
        say(FromZygote::kNoFork,
            body_of(FailedFork{id, "could not fork: " + std::generic_category().message(errno)}));
        return;
    }
    // Not reaped before the report: the process ID cannot be reused.
    const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
    if (!process) {
        kill(child, SIGKILL);
        say(FromZygote::kNoFork, body_of(FailedFork{id, "this kernel has no pidfd_open"}));
        return;
    }
    say(FromZygote::kForked, body_of(ForkedEngine{id, child}),
        {process.get(), stack_reader.get(), gate_writer.get()});
}

/// Waits at the gate until the supervisor knows of this engine and has created its folder, whose
/// path is sent through the gate. Before that, the engine touches nothing: if the zygote dies
/// without having reported it, the next one gets the request.
void Zygote::become_child(EngineBirth birth, Descriptor lifeline, Descriptor gate) {
    channel_ = Channel();  // drops what arrived there for other engines
    prctl(PR_SET_NAME, "epe_engine");
    std::array<char, PIPE_BUF> folder{};
    const ssize_t size = read(gate.get(), folder.data(), folder.size());
    if (size <= 0) _exit(0);
    gate.close();
    hang_on(lifeline);
    (void)lifeline.release();  // open for as long as the process lives
    setsid();
    signal(SIGCHLD, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    birth.namespaces = namespaces_;
    birth.filter = &*filter_;
    birth.python_folders = python_folders_;
    // Last messages of native code go to the stack pipe: engines must not fill the server's log.
    (void)dup2(birth.stack.get(), STDOUT_FILENO);
    (void)dup2(birth.stack.get(), STDERR_FILENO);
    birth.temp_folder.assign(folder.data(), static_cast<std::size_t>(size));
    serve_backend(std::move(birth));
}

void Zygote::reap() {
    int status = 0;
    for (pid_t child = 0; (child = waitpid(-1, &status, WNOHANG)) > 0;) {
        say(FromZygote::kExited, body_of(ExitedChild{child, status}));
    }
}

}  // namespace

void serve_supervisor(ZygoteBirth birth) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != birth.supervisor) _exit(0);  // too late for the signal
    prctl(PR_SET_NAME, "epe_zygote");
    try {
        Zygote(std::move(birth)).serve();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "oml_epe: zygote: %s\n", error.what());
    }
    _exit(1);
}

}  // namespace epe::engine
