// The REST gateway as the supervisor's child.
#include "engine/supervisor/supervised_gateway.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/pipeline/call_stats.h"
#include "engine/common/descriptor.h"
#include "engine/common/leftovers.h"

namespace epe::engine {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;  // nanoseconds
constexpr std::int64_t kLongestDelay = 60 * kSecond;

/// The child, after the fork: system calls only. It waits until its supervisor has made its record.
[[noreturn]] void become_gateway(char* const* arguments, pid_t supervisor, int gate) noexcept {
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != supervisor) _exit(0);  // it was too late for the signal
    char byte = 0;
    if (read(gate, &byte, 1) != 1) _exit(0);
    for (int number = 1; number < NSIG; ++number) (void)signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
    close_from(STDERR_FILENO + 1);
    (void)execv(arguments[0], arguments);
    constexpr int kNotFound = 127;
    _exit(kNotFound);
}

std::string describe(int status) {
    if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
    return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

void SupervisedGateway::configure(std::vector<std::string> command) {
    if (command == command_) {
        if (pid_ > 0) (void)kill(pid_, SIGHUP);
        return;
    }
    command_ = std::move(command);
    delay_ = 0;
    due_ = now_nanoseconds();
    if (pid_ == 0) return;
    (void)kill(pid_, SIGTERM);
    retiring_.push_back(std::exchange(pid_, 0));
    due_ += kSecond;  // by then the port is free
}

void SupervisedGateway::start_when_due(std::int64_t now) {
    if (!command_.empty() && pid_ == 0 && now >= due_) start();
}

void SupervisedGateway::start() {
    std::vector<char*> arguments;
    for (std::string& word : command_) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    started_ = now_nanoseconds();
    const pid_t supervisor = getpid();
    int ends[2] = {-1, -1};
    const pid_t child = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
    const Descriptor gate(ends[0]);
    Descriptor opener(ends[1]);
    if (child == 0) {
        opener.close();
        become_gateway(arguments.data(), supervisor, gate.get());
    }
    if (child < 0) {
        std::fprintf(stderr, "oml_epe: could not start the gateway: %s\n", std::strerror(errno));
        due_ = started_ + kLongestDelay;
        return;
    }
    pid_ = child;
    const std::string record =
        folder_ + "/" + gateway_folder_name(mark_of(child).value_or(ProcessMark{child, 0}));
    if (mkdir(record.c_str(), S_IRWXU) == 0 || errno == EEXIST) records_[child] = record;
    const ssize_t written = write(opener.get(), "", 1);
    (void)written;
}

void SupervisedGateway::forget(pid_t gateway) noexcept {
    const auto record = records_.find(gateway);
    if (record == records_.end()) return;
    remove_folder(record->second);
    records_.erase(record);
}

bool SupervisedGateway::note_exit(pid_t pid, int status) {
    if (pid != pid_ && std::find(retiring_.begin(), retiring_.end(), pid) == retiring_.end())
        return false;
    forget(pid);
    if (std::erase(retiring_, pid) > 0) return true;
    pid_ = 0;
    const std::int64_t now = now_nanoseconds();
    // A gateway that ran for a while is restarted at once.
    const bool has_run = now - started_ > kLongestDelay;
    delay_ = has_run ? kSecond : std::clamp(2 * delay_, kSecond, kLongestDelay);
    due_ = now + delay_;
    std::fprintf(
        stderr, "oml_epe: the gateway \"%s\" has ended (%s), the next one starts in %d s\n",
        command_.front().c_str(), describe(status).c_str(), static_cast<int>(delay_ / kSecond));
    return true;
}

void SupervisedGateway::end() noexcept {
    constexpr int kTries = 100;
    constexpr timespec kTry{0, 10'000'000};
    if (pid_ > 0) retiring_.push_back(std::exchange(pid_, 0));
    for (const pid_t each : retiring_) {
        (void)kill(each, SIGTERM);
        (void)kill(each, SIGCONT);  // it may be stopped
    }
    for (int i = 0; i < kTries && !retiring_.empty(); ++i) {
        std::erase_if(retiring_, [](pid_t each) { return waitpid(each, nullptr, WNOHANG) != 0; });
        if (!retiring_.empty()) (void)nanosleep(&kTry, nullptr);
    }
    for (const pid_t each : retiring_) (void)kill(each, SIGKILL);
}

}  // namespace epe::engine
