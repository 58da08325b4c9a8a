// The supervisor's zygotes: one for each kind of engine.
#include "engine/supervisor/zygote_pool.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "engine/common/environments.h"
#include "engine/common/process_mark.h"
#include "engine/common/supervisor_messages.h"
#include "engine/supervisor/zygote_program.h"

namespace epe::engine {

namespace {

rlimit given_descriptors{};  // restored in zygotes

/// In the child: keeps the standard streams and `socket`, which becomes the first one after them.
Descriptor keep_only(int socket) {
    constexpr int kFirst = 3;
    if (socket != kFirst) dup2(socket, kFirst);
    close_from(kFirst + 1);
    if (given_descriptors.rlim_cur > 0) (void)setrlimit(RLIMIT_NOFILE, &given_descriptors);
    return Descriptor(kFirst);
}

}  // namespace

/// Each client and each engine takes some: a large server would exceed the usual 1024.
void raise_descriptor_limit() noexcept {
    constexpr rlim_t kEnough = rlim_t{1} << 16;
    if (getrlimit(RLIMIT_NOFILE, &given_descriptors) != 0) return;
    rlimit more = given_descriptors;
    more.rlim_cur = std::max(more.rlim_cur, std::min(more.rlim_max, kEnough));
    (void)setrlimit(RLIMIT_NOFILE, &more);
}

/// Whether it makes sense to start another one after this has ended. One that was killed has not
/// failed, but the kernel may kill each of them when memory is short.
bool ZygotePool::Zygote::may_be_followed() const noexcept {
    constexpr int kMostFailures = 2;
    constexpr int kMostKills = 20;
    return is_ready || (failure.empty() && failures < kMostFailures && kills < kMostKills);
}

void ZygotePool::set_preload(std::vector<std::string> preload) {
    const bool has_changed = preload != preload_;
    preload_ = std::move(preload);
    for (Zygote& zygote : zygotes_)
        if (has_changed) replace_zygote(zygote);
}

ZygotePool::Zygote& ZygotePool::zygote_of(const ZygoteKind& kind) {
    std::string stamp = environment_stamp(kind.environment);
    for (Zygote& zygote : zygotes_) {
        if (zygote.kind != kind) continue;
        if (zygote.stamp != stamp) {
            replace_zygote(zygote);  // packages that it has loaded have changed
            zygote.stamp = std::move(stamp);
        }
        return zygote;
    }
    start_zygote(kind);
    zygotes_.back().stamp = std::move(stamp);  // of before its start
    return zygotes_.back();
}

void ZygotePool::add_zygote(const ZygoteKind& kind, pid_t pid, Descriptor socket,
                            std::string failure) {
    Zygote& zygote = zygotes_.emplace_back();
    zygote.kind = kind;
    zygote.stamp = environment_stamp(kind.environment);
    zygote.pid = pid;
    zygote.channel = Channel(std::move(socket), Receives::kDescriptors);
    zygote.failure = std::move(failure);
}

/// The engine program for an environment of another version of Python; "" for this program.
std::string ZygotePool::program_of(const ZygoteKind& kind) const {
    if (kind.environment.empty()) return {};
    const std::string version = environment_python(kind.environment);
    return version.empty() || version == start_.python_version
               ? std::string()
               : program_for(start_.program, version);
}

void ZygotePool::start_zygote(const ZygoteKind& kind) {
    auto [ours, theirs] = make_socket_pair();
    const pid_t supervisor = getpid();
    const std::string program = program_of(kind);
    const pid_t child = fork();
    if (child == 0) {
        ZygoteBirth birth;
        birth.socket = keep_only(theirs.release());
        birth.kind = kind;
        birth.preload = preload_;
        birth.supervisor = supervisor;
        if (program.empty())
            start_.serve(std::move(birth));
        else
            run_zygote_program(program, std::move(birth), start_.folder);
        _exit(1);  // not reached
    }
    if (child < 0)
        add_zygote(kind, 0, {}, "could not fork: " + std::generic_category().message(errno));
    else
        add_zygote(kind, child, std::move(ours));
}

/// Engines continue: they become the supervisor's children. reap_children() starts the new zygote
/// after the old one is dead: an engine forked without a report would otherwise serve beside its
/// successor.
void ZygotePool::replace_zygote(Zygote& zygote) noexcept {
    if (zygote.pid == 0) return;
    ::kill(zygote.pid, SIGKILL);
    zygote.is_ready = true;  // also if it was not: the next one gets its requests
}

std::optional<std::string> ZygotePool::fork_engine(SupervisedEngine& engine) {
    Zygote& zygote = zygote_of(engine.order.kind);
    if (zygote.pid == 0) {
        std::string why = std::move(zygote.failure);
        zygotes_.remove_if([](const Zygote& each) { return each.pid == 0; });
        return why;
    }
    engine.phase = EnginePhase::kForking;
    zygote.channel.put(ToZygote::kFork, body_of(EngineId{engine.order.number}),
                       {engine.socket.get(), engine.lifeline.get()});
    (void)zygote.channel.flush();
    return std::nullopt;
}

void ZygotePool::add_polled(std::vector<pollfd>& polled) {
    for (Zygote& zygote : zygotes_) {
        if (!zygote.channel.is_open()) continue;
        const bool has_output = !zygote.channel.flush();
        polled.push_back({zygote.channel.descriptor(),
                          static_cast<short>(has_output ? POLLIN | POLLOUT : POLLIN), 0});
    }
}

void ZygotePool::handle_event(int descriptor, ZygoteEvents& events) {
    for (Zygote& zygote : zygotes_)
        if (zygote.channel.is_open() && zygote.channel.descriptor() == descriptor)
            (void)serve_zygote(zygote, events);
}

/// True when a message has arrived: messages with descriptors arrive one at a time.
bool ZygotePool::serve_zygote(Zygote& zygote, ZygoteEvents& events) {
    Frame frame;
    bool has_message = false;
    const bool is_alive = zygote.channel.receive();
    for (; zygote.channel.next(frame); has_message = true) handle_message(zygote, frame, events);
    // Its death is handled by reap_children(), which knows the cause.
    if (!is_alive) zygote.channel.close();
    return has_message;
}

void ZygotePool::handle_message(Zygote& zygote, Frame& frame, ZygoteEvents& events) {
    WireReader from(frame.body);
    switch (static_cast<FromZygote>(frame.type)) {
        case FromZygote::kReady:
            zygote.is_ready = true;
            break;
        case FromZygote::kFailed:
            zygote.failure = from.text();
            break;
        case FromZygote::kExited: {
            const ExitedChild child = read_exited_child(from);
            events.child_exited(child.pid, child.status);
            break;
        }
        case FromZygote::kNoFork: {
            const FailedFork failure = read_failed_fork(from);
            events.engine_not_forked(failure.number, failure.why);
            break;
        }
        case FromZygote::kForked: {
            const ForkedEngine forked = read_forked_engine(from);
            events.engine_forked(forked.number, forked.pid, frame.descriptors);
            break;
        }
        default:
            WireReader::fail("answer of a zygote");
    }
}

/// A zygote has died. Its requests are passed to the next one.
void ZygotePool::handle_end(std::list<Zygote>::iterator zygote, int status, ZygoteEvents& events) {
    // Its last messages.
    while (zygote->channel.is_open() && serve_zygote(*zygote, events)) {
    }
    events.zygote_lost(zygote->kind, zygote->may_be_followed(), zygote->failure);
    const Zygote lost = std::move(*zygote);
    zygotes_.erase(zygote);
    if (!lost.may_be_followed()) return;
    Zygote& next = zygote_of(lost.kind);
    if (lost.is_ready) return;
    const bool is_killed = was_ended_from_outside(status);
    next.failures = lost.failures + (is_killed ? 0 : 1);
    next.kills = lost.kills + (is_killed ? 1 : 0);
}

void ZygotePool::reap_children(ZygoteEvents& events) {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto zygote = std::find_if(zygotes_.begin(), zygotes_.end(),
                                         [&](const Zygote& each) { return each.pid == pid; });
        if (zygote == zygotes_.end())
            events.child_exited(pid, status);
        else
            handle_end(zygote, status, events);
    }
}

void ZygotePool::kill_zygotes() const noexcept {
    for (const Zygote& zygote : zygotes_)
        if (zygote.pid > 0) ::kill(zygote.pid, SIGKILL);
}

}  // namespace epe::engine
