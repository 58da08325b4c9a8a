// The process that starts engines for backends, and manages all of them.
#include "engine/supervisor/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <utility>
#include <variant>
#include <vector>

#include "core/pipeline/call_stats.h"
#include "engine/common/leftovers.h"
#include "engine/supervisor/child_signals.h"

namespace epe::engine {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;  // nanoseconds
constexpr std::int64_t kTick = kSecond;
/// How long the supervisor of an engine launcher collects requests before it serves the first:
/// sessions that asked its predecessor need that time to return, and the oldest request must be
/// served first. No zygote is ready before that anyway.
constexpr std::int64_t kSettle = kSecond / 10;

pid_t parent_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("PPid:")) return std::atoi(line.c_str() + 5);
    return 0;
}

}  // namespace

Supervisor::Supervisor(SupervisorBirth birth)
    : folder_(std::move(birth.folder)), clients_(std::move(birth.listener)),
      engines_(clients_, folder_), queue_(engines_.engines()), zygotes_(std::move(birth.zygotes)),
      gateway_(folder_), strays_(folder_) {
    (void)clients_.add_client(std::move(birth.owner), getppid(), /* is_owner */ true);
    if (!clients_.has_listener()) return;
    settle_until_ = now_nanoseconds() + kSettle;
    // The parent of the engine launcher is the postmaster.
    postmaster_ = open_process(parent_of(getppid()));
}

void Supervisor::run_loop() {
    while (true) {
        zygotes_.reap_children(*this);
        engines_.note_adopted_exits();
        strays_.end_processes();
        gateway_.start_when_due(now_nanoseconds());
        serve_queue();
        wait_for_events();
    }
}

void Supervisor::serve_queue() {
    if (now_nanoseconds() < settle_until_) return;
    settle_until_ = 0;
    while (true) {
        const QueueStep step = queue_.next_step(configuration_.most_engines);
        if (const auto* start = std::get_if<StartStep>(&step)) {
            const auto failure = zygotes_.fork_engine(*start->request);
            if (failure) engines_.refuse_engine(start->request, *failure);
        } else if (const auto* refusal = std::get_if<RefuseStep>(&step)) {
            engines_.refuse_engine(refusal->request, refusal->report);
        } else {
            return;
        }
    }
}

void Supervisor::retire_idle() {
    if (configuration_.idle_seconds == 0) return;
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    queue_.retire_idle((now.tv_sec - configuration_.idle_seconds) * 1'000'000);
}

void Supervisor::wait_for_events() {
    std::vector<pollfd> polled;
    clients_.add_polled(polled);
    zygotes_.add_polled(polled);
    // The loop itself handles the events of these.
    engines_.add_polled(polled);
    strays_.add_polled(polled);
    if (postmaster_) polled.push_back({postmaster_.get(), POLLIN, 0});
    const std::int64_t wait =
        settle_until_ == 0 ? kTick : std::max<std::int64_t>(settle_until_ - now_nanoseconds(), 0);
    const timespec limit{static_cast<time_t>(wait / kSecond), static_cast<long>(wait % kSecond)};
    const int ready = poll_or_child(polled.data(), polled.size(), &limit);
    retire_idle();
    engines_.answer_stacks();
    if (ready <= 0) return;
    for (const pollfd& each : polled)
        if (each.revents != 0) handle_event(each.fd);
}

void Supervisor::handle_event(int descriptor) {
    if (postmaster_ && descriptor == postmaster_.get())
        wake_owner();
    else if (!clients_.handle_event(descriptor, *this))
        zygotes_.handle_event(descriptor, *this);
}

/// The postmaster has died. A stopped engine launcher must be continued, so that it notices and
/// ends; this supervisor ends after it.
void Supervisor::wake_owner() {
    (void)kill(getppid(), SIGCONT);
    postmaster_.close();
}

/// The owner is gone, so all its processes end.
void Supervisor::end_all() {
    zygotes_.kill_zygotes();
    engines_.kill_engines();
    gateway_.end();
    // While they live, they can create files.
    engines_.await_ends();
    end_owner(folder_);
    _exit(0);
}

// ------------------------------------------------------------------------- messages of clients

void Supervisor::configure_engines(SupervisorConfiguration wanted) {
    configuration_ = std::move(wanted);
    zygotes_.set_preload(configuration_.preload);
    if (clients_.has_listener()) zygotes_.prepare_zygote({});  // warm before the first request
}

void Supervisor::configure_gateway(GatewayCommand command) {
    gateway_.configure(std::move(command.words));
}

void Supervisor::request_engine(int client, EngineRequest request,
                                std::vector<Descriptor>& descriptors) {
    engines_.add_request(client, std::move(request), descriptors);
}

void Supervisor::adopt_engine(int client, EngineAdoption adoption,
                              std::vector<Descriptor>& descriptors) {
    engines_.adopt_engine(client, std::move(adoption), descriptors);
}

void Supervisor::forget_engine(int client, std::uint64_t id) { engines_.forget_engine(client, id); }

void Supervisor::list_engines(int client) { engines_.list_engines(client); }

void Supervisor::request_stack(int client, pid_t engine) { engines_.request_stack(client, engine); }

void Supervisor::client_gone(int client, bool is_owner) {
    if (is_owner) end_all();
    engines_.forget_client(client);
}

// ------------------------------------------------------------------------- events of processes

void Supervisor::engine_forked(std::uint64_t number, pid_t pid,
                               std::vector<Descriptor>& descriptors) {
    engines_.start_engine(number, pid, descriptors);
}

void Supervisor::engine_not_forked(std::uint64_t number, const std::string& why) {
    engines_.refuse_engine(number, why);
}

void Supervisor::child_exited(pid_t pid, int status) {
    if (pid <= 0) return;  // no process: engines without one have this number
    if (!gateway_.note_exit(pid, status)) engines_.note_exit(pid, status);
}

void Supervisor::zygote_lost(const ZygoteKind& kind, bool may_be_followed,
                             const std::string& failure) {
    engines_.note_lost_zygote(kind, may_be_followed, failure);
}

void supervise(SupervisorBirth birth) {
    prctl(PR_SET_NAME, "epe_supervisor");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    // A supervisor that is stopped when its owner ends must still end its children.
    prctl(PR_SET_PDEATHSIG, SIGCONT);
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    hold_child_signals();
    try {
        Supervisor(std::move(birth)).run_loop();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "oml_epe: supervisor: %s\n", error.what());
    }
    _exit(1);
}

}  // namespace epe::engine
