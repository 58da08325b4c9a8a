// The supervisor's children: zygotes, and engines whose zygote has died.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "engine/common/engine_messages.h"
#include "engine/common/environments.h"
#include "engine/common/leftovers.h"
#include "engine/supervisor/child_signals.h"
#include "engine/supervisor/supervisor_state.h"

namespace epe::engine {

namespace {

constexpr int kUnknownStatus = -1;

rlimit given_descriptors{};  // restored in zygotes

/// Each client and each engine takes some: a large server would exceed the usual 1024.
void take_more_descriptors() noexcept {
    constexpr rlim_t kEnough = rlim_t{1} << 16;
    if (getrlimit(RLIMIT_NOFILE, &given_descriptors) != 0) return;
    rlimit more = given_descriptors;
    more.rlim_cur = std::max(more.rlim_cur, std::min(more.rlim_max, kEnough));
    (void)setrlimit(RLIMIT_NOFILE, &more);
}

/// In the child: keeps the standard streams and `socket`, which becomes the first one after them.
Descriptor keep_only(int socket) {
    constexpr int kFirst = 3;
    if (socket != kFirst) dup2(socket, kFirst);
    close_from(kFirst + 1);
    if (given_descriptors.rlim_cur > 0) (void)setrlimit(RLIMIT_NOFILE, &given_descriptors);
    return Descriptor(kFirst);
}

}  // namespace

ZygoteRecord& Supervisor::zygote_of(const ZygoteKind& kind) {
    std::string stamp = environment_stamp(kind.environment);
    for (ZygoteRecord& zygote : zygotes_) {
        if (zygote.kind != kind) continue;
        if (zygote.stamp != stamp) {
            replace_zygote(zygote);  // packages that it has loaded have changed
            zygote.stamp = std::move(stamp);
        }
        return zygote;
    }
    zygotes_.emplace_back();
    zygotes_.back().kind = kind;
    zygotes_.back().stamp = std::move(stamp);
    start_zygote(zygotes_.back());
    return zygotes_.back();
}

void Supervisor::start_zygote(ZygoteRecord& zygote) {
    auto [ours, theirs] = make_socket_pair();
    const pid_t supervisor = getpid();
    const pid_t child = fork();
    if (child == 0) {
        ZygoteBirth birth;
        birth.socket = keep_only(theirs.release());
        birth.kind = zygote.kind;
        birth.preload = configuration_.preload;
        birth.supervisor = supervisor;
        birth_.serve_zygote(std::move(birth));
        _exit(1);
    }
    zygote.pid = std::max<pid_t>(child, 0);
    zygote.is_ready = false;
    zygote.channel = Channel(std::move(ours), Receives::kDescriptors);
    if (child < 0) zygote.failure = "could not fork: " + std::generic_category().message(errno);
}

/// True when a message has arrived: messages with descriptors arrive one at a time.
bool Supervisor::serve_zygote(ZygoteRecord& zygote) {
    Frame frame;
    bool has_spoken = false;
    const bool is_alive = zygote.channel.receive();
    for (; zygote.channel.next(frame); has_spoken = true) handle_zygote(zygote, frame);
    // Its death is handled by reap(), which knows the cause.
    if (!is_alive) zygote.channel.close();
    return has_spoken;
}

void Supervisor::handle_zygote(ZygoteRecord& zygote, Frame& frame) {
    WireReader from(frame.body);
    const auto type = static_cast<FromZygote>(frame.type);
    if (type == FromZygote::kReady) {
        zygote.is_ready = true;
        return;
    }
    if (type == FromZygote::kFailed) {
        zygote.failure = from.text();
        return;
    }
    if (type == FromZygote::kExited) {
        const ExitedChild child = read_exited_child(from);
        note_exit(child.pid, child.status);
        return;
    }
    if (type == FromZygote::kNoFork) {
        const FailedFork failure = read_failed_fork(from);
        const auto engine = find_engine(failure.number);
        if (engine != engines_.end()) refuse(engine, failure.why);
        return;
    }
    if (frame.descriptors.size() != 3) WireReader::fail("answer of a zygote");
    const ForkedEngine forked = read_forked_engine(from);
    const auto engine = find_engine(forked.number);
    if (engine != engines_.end()) start_engine(engine, forked.pid, frame);
}

Supervisor::Engines::iterator Supervisor::find_engine(std::uint64_t number) {
    return std::find_if(engines_.begin(), engines_.end(),
                        [&](const SupervisedEngine& each) { return each.order.number == number; });
}

/// Creates the engine's folder, which names it to later supervisors, and opens its gate. In that
/// order: a running engine has a folder.
void Supervisor::start_engine(Engines::iterator engine, pid_t pid, Frame& frame) {
    engine->pid = pid;
    engine->process = std::move(frame.descriptors[0]);
    engine->stack = std::move(frame.descriptors[1]);
    const auto owner = clients_.find(engine->order.client);
    // It is not reaped before its zygote reports it, so this is its start time; unless it has
    // ended.
    engine->folder =
        birth_.folder + "/" +
        engine_folder_name(mark_of(engine->pid).value_or(ProcessMark{engine->pid, 0}),
                           owner == clients_.end() ? ProcessMark{} : owner->second.mark);
    if (mkdir(engine->folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        refuse(engine, "could not make its folder: " + std::generic_category().message(errno));
        return;
    }
    engine->phase = EnginePhase::kRunning;
    const ssize_t written =
        ::write(frame.descriptors[2].get(), engine->folder.data(), engine->folder.size());
    (void)written;
    engine->socket.close();
    engine->lifeline.close();
    if (engine->is_forgotten) {
        engine->kill();
        return;
    }
    say(engine->order.client, FromSupervisor::kStarted,
        body_of(EngineStart{engine->order.client_id, engine->pid}), {engine->process.get()});
}

void Supervisor::fork_engine(SupervisedEngine& engine) {
    ZygoteRecord& zygote = zygote_of(engine.order.kind);
    engine.phase = EnginePhase::kForking;
    zygote.channel.put(ToZygote::kFork, body_of(EngineId{engine.order.number}),
                       {engine.socket.get(), engine.lifeline.get()});
    (void)zygote.channel.flush();
}

void Supervisor::refuse(Engines::iterator engine, const std::string& why) {
    refuse(engine, not_started(sqlstate::kInsufficientResources, why));
}

void Supervisor::refuse(Engines::iterator engine, const ErrorReport& report) {
    say(engine->order.client, FromSupervisor::kRefused,
        body_of(EngineRefusal{engine->order.client_id, report}));
    engines_.erase(engine);
}

/// A zygote has died. Its requests are passed to the next one; an engine that it may have forked
/// for them without a report ends by itself.
void Supervisor::lose_zygote(ZygoteRecord& zygote) {
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto engine = each++;
        if (engine->order.kind != zygote.kind) continue;
        if (engine->phase == EnginePhase::kForking) {
            if (engine->is_forgotten)
                engines_.erase(engine);
            else if (zygote.may_be_followed())
                engine->phase = EnginePhase::kQueued;
            else
                refuse(engine, zygote.failure.empty() ? "Python did not start" : zygote.failure);
            continue;
        }
        // Reaped by the zygote, which died before its report; or about to become a child of this
        // process.
        if (engine->phase == EnginePhase::kRunning && engine->is_reaped())
            end_engine(engine, kUnknownStatus);
    }
}

/// Engines continue: they become the supervisor's children. reap() starts the new zygote after the
/// old one is dead: an engine forked without a report would otherwise serve beside its successor.
void Supervisor::replace_zygote(ZygoteRecord& zygote) {
    if (zygote.pid == 0) return;
    ::kill(zygote.pid, SIGKILL);
    zygote.is_ready = true;  // also if it was not: the next one gets its requests
}

void Supervisor::note_exit(pid_t pid, int status) {
    if (pid <= 0) return;  // no process: waiting engines have this number
    if (gateway_.note_exit(pid, status)) return;
    const auto engine = std::find_if(engines_.begin(), engines_.end(),
                                     [&](const SupervisedEngine& each) { return each.pid == pid; });
    if (engine != engines_.end()) end_engine(engine, status);
}

void Supervisor::end_engine(Engines::iterator engine, int status) {
    if (engine->stack_client >= 0) answer_stack(*engine, true);
    say(engine->order.client, FromSupervisor::kExited,
        body_of(EngineEnd{engine->order.client_id, status, engine->take_stack_text()}));
    if (!engine->folder.empty()) remove_folder(engine->folder);
    engines_.erase(engine);
}

void Supervisor::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto zygote = std::find_if(zygotes_.begin(), zygotes_.end(),
                                         [&](const ZygoteRecord& each) { return each.pid == pid; });
        if (zygote == zygotes_.end()) {
            note_exit(pid, status);
            continue;
        }
        // Its last messages.
        while (zygote->channel.is_open() && serve_zygote(*zygote)) {
        }
        lose_zygote(*zygote);
        const ZygoteRecord lost = std::move(*zygote);
        zygotes_.erase(zygote);
        if (!lost.may_be_followed()) continue;
        ZygoteRecord& next = zygote_of(lost.kind);
        if (lost.is_ready) continue;
        const bool is_killed = was_ended_from_outside(status);
        next.failures = lost.failures + (is_killed ? 0 : 1);
        next.kills = lost.kills + (is_killed ? 1 : 0);
    }
}

// ---------------------------------------------------------------------------------------- start

void supervise(SupervisorBirth birth) {
    prctl(PR_SET_NAME, "epe_supervisor");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    // A supervisor that is stopped when its owner ends must still end its children.
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    take_more_descriptors();
    signal(SIGPIPE, SIG_IGN);
    hold_child_signals();
    try {
        Supervisor(std::move(birth)).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "oml_epe: supervisor: %s\n", error.what());
    }
    _exit(1);
}

}  // namespace epe::engine
