// The engine launcher: a background worker that keeps the supervisor of the engines running. It
// does nothing else: if a child of the postmaster dies by a signal, the whole server restarts, so
// processes that run user code, or communicate with such processes, are its descendants. So is the
// REST gateway.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "core/pipeline/call_stats.h"
#include "engine/client/engine_connection.h"
#include "engine/client/supervisor_launch.h"
#include "engine/common/channel.h"
#include "engine/common/leftovers.h"
#include "engine/common/supervisor_messages.h"
#include "entry/engine_launcher.h"
#include "pg/backend/background_worker.h"
#include "pg/backend/gateway_settings.h"
#include "pg/backend/settings.h"
#include "pg/boundary/function_call.h"

namespace {

using epe::engine::Channel;
using epe::pg::WorkerEvent;

constexpr const char* kEntry = "epe_engine_launcher_main";
constexpr long kRetryMilliseconds = 1000;
constexpr std::int64_t kTooSoonNanoseconds = 1'000'000'000;

void configure(Channel& supervisor) {
    const epe::pg::EngineSettings settings = epe::pg::engine_settings();
    const epe::engine::SupervisorConfiguration configuration{.most_engines = settings.most_engines,
                                                             .idle_seconds = settings.idle_seconds,
                                                             .preload = settings.preload};
    supervisor.put(epe::engine::ToSupervisor::kConfigure, epe::engine::body_of(configuration));
    const epe::engine::GatewayCommand command{epe::pg::gateway_command()};
    supervisor.put(epe::engine::ToSupervisor::kGateway, epe::engine::body_of(command));
    (void)supervisor.flush();
}

/// Ends a supervisor whose connection has been closed, and returns its wait status. One that does
/// not end by itself must not block the server's shutdown or its own successor.
int await_end(pid_t supervisor) {
    constexpr int kTries = 200;
    constexpr long kTryMilliseconds = 10;
    int status = 0;
    (void)kill(supervisor, SIGCONT);  // it may be stopped
    for (int i = 0; i < kTries; ++i) {
        if (waitpid(supervisor, &status, WNOHANG) == supervisor) return status;
        (void)epe::pg::wait_in_worker(-1, kTryMilliseconds);
    }
    (void)kill(supervisor, SIGKILL);
    while (waitpid(supervisor, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

struct SupervisorEnd {
    bool has_served = false;  ///< it has started successfully
    int status = 0;           ///< of wait()
    bool must_stop = false;   ///< the worker must end too
};

bool has_greeted(Channel& supervisor) {
    epe::engine::Frame frame;
    bool has_frame = false;
    while (supervisor.next(frame)) has_frame = true;
    return has_frame;
}

/// Runs one supervisor until it ends. Throws Error when it cannot be started.
SupervisorEnd keep_one(const std::string& folder, int listener) {
    epe::engine::LaunchedSupervisor launched =
        epe::engine::launch_supervisor(epe::pg::engine_settings().program, folder, listener);
    Channel supervisor(std::move(launched.owner), epe::engine::Receives::kNoDescriptors);
    configure(supervisor);
    SupervisorEnd end;
    while (true) {
        const WorkerEvent event = epe::pg::wait_in_worker(supervisor.descriptor(), -1);
        if (event == WorkerEvent::kReload) configure(supervisor);
        const bool is_alive = supervisor.receive();
        if (has_greeted(supervisor)) end.has_served = true;
        if (event != WorkerEvent::kStop && is_alive) continue;
        supervisor.close();  // it ends its engines and exits
        end.status = await_end(launched.pid);
        end.must_stop = event == WorkerEvent::kStop;
        return end;
    }
}

/// Reports to the sessions that wait for a supervisor that there is none.
void turn_away(int listener, const std::string& why) {
    while (true) {
        epe::engine::Descriptor connection(
            accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!connection) return;
        Channel session(std::move(connection), epe::engine::Receives::kNoDescriptors);
        epe::engine::WireWriter body;
        body.text(why);
        session.put(epe::engine::FromSupervisor::kUnavailable, body);
        (void)session.flush();
    }
}

/// Starts supervisors, one after the other, until the worker must stop. Sessions wait for the next
/// one in the listener's queue, unless several have failed to start.
void keep_supervisors(const std::string& folder, int listener) {
    constexpr int kMostFailures = 3;
    int failures = 0;
    while (true) {
        const std::int64_t start = epe::now_nanoseconds();
        std::string why;
        try {
            const SupervisorEnd end = keep_one(folder, listener);
            if (end.must_stop) return;
            if (!end.has_served && !epe::engine::was_ended_from_outside(end.status))
                why = "the supervisor of the engines " +
                      epe::engine::describe_exit(epe::engine::EngineExit{end.status, {}});
            epe::pg::log_in_worker("the supervisor of the engines has ended: starting another");
        } catch (const epe::Error& error) {
            why = error.what();
        }
        failures = why.empty() ? 0 : failures + 1;
        if (!why.empty()) epe::pg::log_in_worker(why.c_str());
        if (failures >= kMostFailures) turn_away(listener, why);
        if (epe::now_nanoseconds() - start > kTooSoonNanoseconds) continue;
        if (epe::pg::wait_in_worker(-1, kRetryMilliseconds) == WorkerEvent::kStop) return;
    }
}

void keep() {
    std::error_code ignored;
    std::filesystem::create_directory(epe::pg::engine_folder(), ignored);
    (void)chmod(epe::pg::engine_folder().c_str(), S_IRWXU);
    const epe::engine::Descriptor listener = epe::engine::listen_at(epe::pg::supervisor_socket());
    const std::string folder = epe::engine::owner_folder(epe::pg::engine_folder());
    keep_supervisors(folder, listener.get());
    // A supervisor that was killed has left engines, and possibly there is no next one.
    epe::engine::end_owner(folder);
}

}  // namespace

namespace epe {

void register_engine_launcher() noexcept { pg::register_worker("oml_epe engine launcher", kEntry); }

}  // namespace epe

extern "C" {
EPE_EXPORT void epe_engine_launcher_main(std::uintptr_t argument);
void epe_engine_launcher_main(std::uintptr_t) {
    epe::pg::start_worker();
    try {
        keep();
    } catch (const std::exception& error) {
        epe::pg::log_in_worker(error.what());
    }
    epe::pg::end_worker();
}
}
