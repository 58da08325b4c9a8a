// Starts engine programs as zygotes.
#include "engine/supervisor/zygote_program.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/common/channel.h"
#include "engine/common/engine_messages.h"
#include "engine/common/leftovers.h"

namespace epe::engine {

namespace {

constexpr std::string_view kCommand = "zygote";
constexpr std::size_t kWords = 7;  // before the modules to import

[[noreturn]] void report_failure(Descriptor socket, const std::string& why) {
    Channel channel(std::move(socket), Receives::kNoDescriptors);
    WireWriter body;
    body.text(why);
    channel.put(FromZygote::kFailed, body);
    while (!channel.flush()) {
        pollfd output{channel.descriptor(), POLLOUT, 0};
        (void)poll(&output, 1, -1);
    }
    _exit(1);
}

}  // namespace

void run_zygote_program(const std::string& program, ZygoteBirth birth, const std::string& folder) {
    std::vector<std::string> words{program,
                                   std::string(kCommand),
                                   std::to_string(kProtocolVersion),
                                   std::to_string(birth.socket.get()),
                                   std::to_string(birth.supervisor),
                                   birth.kind.has_network ? "1" : "0",
                                   birth.kind.environment};
    words.insert(words.end(), birth.preload.begin(), birth.preload.end());
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    (void)setenv(kFolderVariable, folder.c_str(), 1);
    (void)fcntl(birth.socket.get(), F_SETFD, 0);
    (void)execv(program.c_str(), arguments.data());
    report_failure(std::move(birth.socket), "could not run the engine program \"" + program +
                                                "\": " + std::generic_category().message(errno));
}

std::optional<ZygoteBirth> read_zygote_birth(std::span<char*> arguments) {
    if (arguments.size() < kWords || arguments[1] != kCommand) return std::nullopt;
    ZygoteBirth birth;
    birth.socket = Descriptor(std::atoi(arguments[3]));
    (void)fcntl(birth.socket.get(), F_SETFD, FD_CLOEXEC);
    if (arguments[2] != std::to_string(kProtocolVersion))
        report_failure(std::move(birth.socket),
                       "the engine program \"" + std::string(arguments[0]) +
                           "\" is of another version of oml_epe; install it again");
    birth.supervisor = std::atoi(arguments[4]);
    birth.kind.has_network = std::string_view(arguments[5]) == "1";
    birth.kind.environment = arguments[6];
    for (char* const module : arguments.subspan(kWords)) birth.preload.emplace_back(module);
    // It stays in /proc/PID/environ for leftovers.h. Scripts need not see it.
    (void)unsetenv(kFolderVariable);
    return birth;
}

}  // namespace epe::engine
