// The background worker that keeps the supervisor of the engines alive. It does nothing else: the
// death of a child of the postmaster by a signal restarts the whole server, so whatever runs users'
// code, or talks to what does, is further down. So is the REST gateway.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "core/call_stats.h"
#include "engine/channel.h"
#include "engine/launch.h"
#include "engine/supervisor.h"
#include "entry/keeper.h"
#include "pg/background_worker.h"
#include "pg/function_call.h"
#include "pg/gateway_settings.h"
#include "pg/settings.h"

namespace {

using epe::engine::Channel;
using epe::pg::WorkerEvent;

constexpr const char* kEntry = "epe_keeper_main";
constexpr long kRetryMilliseconds = 1000;
constexpr std::int64_t kTooSoonNanoseconds = 1'000'000'000;

void configure(Channel& supervisor) {
    const epe::pg::EngineSettings settings = epe::pg::engine_settings();
    epe::engine::WireWriter body;
    body.number(std::int64_t{settings.most_engines});
    body.number(std::int64_t{settings.idle_seconds});
    body.number(static_cast<std::int64_t>(settings.preload.size()));
    for (const std::string& name : settings.preload) body.text(name);
    supervisor.put(epe::engine::ToSupervisor::kConfigure, body);
    const std::vector<std::string> command = epe::pg::gateway_command();
    epe::engine::WireWriter words;
    words.number(static_cast<std::int64_t>(command.size()));
    for (const std::string& word : command) words.text(word);
    supervisor.put(epe::engine::ToSupervisor::kGateway, words);
    (void)supervisor.flush();
}

/// Ends a supervisor whose connection has been closed. One that does not go by itself must hold up
/// neither the server's shutdown nor its own successor.
void await_end(pid_t supervisor) {
    constexpr int kTries = 200;
    constexpr long kTryMilliseconds = 10;
    for (int i = 0; i < kTries; ++i) {
        if (waitpid(supervisor, nullptr, WNOHANG) == supervisor) return;
        (void)epe::pg::wait_in_worker(-1, kTryMilliseconds);
    }
    (void)kill(supervisor, SIGKILL);
    while (waitpid(supervisor, nullptr, 0) < 0 && errno == EINTR) {
    }
}

/// Runs one supervisor until it ends. False when the worker must stop.
bool keep_one(int listener) {
    epe::engine::LaunchedSupervisor launched = epe::engine::launch_supervisor(
        epe::pg::engine_settings().program,
        epe::pg::engine_folder() + "/" + std::to_string(getpid()), listener);
    Channel supervisor(std::move(launched.owner), epe::engine::Receives::kNoDescriptors);
    configure(supervisor);
    while (true) {
        const WorkerEvent event = epe::pg::wait_in_worker(supervisor.descriptor(), -1);
        if (event == WorkerEvent::kReload) configure(supervisor);
        const bool is_alive = supervisor.receive();
        if (event != WorkerEvent::kStop && is_alive) continue;
        supervisor.close();  // it ends its engines and goes
        await_end(launched.pid);
        return event != WorkerEvent::kStop;
    }
}

void keep() {
    std::error_code ignored;
    std::filesystem::create_directory(epe::pg::engine_folder(), ignored);
    (void)chmod(epe::pg::engine_folder().c_str(), S_IRWXU);
    const epe::engine::Descriptor listener = epe::engine::listen_at(epe::pg::supervisor_socket());
    while (true) {
        const std::int64_t start = epe::now_nanoseconds();
        try {
            if (!keep_one(listener.get())) return;
            epe::pg::log_in_worker("the supervisor of the engines has ended: starting another");
        } catch (const epe::Error& error) {
            epe::pg::log_in_worker(error.what());
        }
        if (epe::now_nanoseconds() - start > kTooSoonNanoseconds) continue;
        if (epe::pg::wait_in_worker(-1, kRetryMilliseconds) == WorkerEvent::kStop) return;
    }
}

}  // namespace

namespace epe {

void register_keeper() noexcept { pg::register_worker("oml_epe engine keeper", kEntry); }

}  // namespace epe

extern "C" {
EPE_EXPORT void epe_keeper_main(std::uintptr_t argument);
void epe_keeper_main(std::uintptr_t) {
    epe::pg::start_worker();
    try {
        keep();
    } catch (const std::exception& error) {
        epe::pg::log_in_worker(error.what());
    }
    epe::pg::end_worker();
}
}
