// The REST gateway as the supervisor's child.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace epe::engine {

/// Keeps one gateway running with the command that the server's settings say. One that ends is
/// started again, sooner or later according to how long it ran. When the command changes, the old
/// one answers the requests that it has and goes; so does one whose supervisor dies.
class SupervisedGateway {
   public:
    /// `folder` is the owner's, where the gateway that runs is told to later supervisors.
    explicit SupervisedGateway(std::string folder) : folder_(std::move(folder)) {}

    /// The program and its arguments; none: no gateway. The same as before: it reads its
    /// certificate again.
    void configure(std::vector<std::string> command);
    /// Starts one when it is time to, as now_nanoseconds() has it.
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
