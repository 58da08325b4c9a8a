// The REST gateway as the supervisor's child.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace epe::engine {

/// Keeps one gateway running with the command from the server's settings. One that ends is
/// restarted, with a delay that depends on how long it ran. When the command changes, the old
/// gateway finishes its open requests and ends; the same happens when its supervisor dies.
class SupervisedGateway {
   public:
    /// `folder` is the owner's; it holds the record of the running gateway for later supervisors.
    explicit SupervisedGateway(std::string folder) : folder_(std::move(folder)) {}

    /// The program and its arguments; none: no gateway. Unchanged arguments: it reloads its
    /// certificate.
    void configure(std::vector<std::string> command);
    /// Starts a gateway when it is due, by now_nanoseconds().
    void start_when_due(std::int64_t now);
    /// True when the process was a gateway.
    bool note_exit(pid_t pid, int status);
    /// Ends all of them, and waits for it a short time.
    void end() noexcept;

   private:
    void start();
    void forget(pid_t gateway) noexcept;

    std::string folder_;
    std::vector<std::string> command_{};
    pid_t pid_ = 0;                           // 0: none runs
    std::vector<pid_t> retiring_{};           // with former commands
    std::map<pid_t, std::string> records_{};  // their folders
    std::int64_t started_ = 0;
    std::int64_t due_ = 0;
    std::int64_t delay_ = 0;  // before the next one
};

}  // namespace epe::engine
