// Starts the engine program as a supervisor.
#include "engine/client/supervisor_launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "engine/common/channel.h"
#include "engine/common/leftovers.h"

// NOLINTNEXTLINE(readability-identifier-naming): POSIX's name
extern char** environ;

namespace epe::engine {

namespace {

constexpr int kOwner = 3;  // descriptors of the new process
constexpr int kListener = 4;
constexpr int kListenBacklog = 128;

/// Variables for libraries that compute or load; all others are dropped because they may hold
/// secrets.
bool is_passed_on(std::string_view variable) {
    if (variable.find("_NUM_THREADS=") != std::string_view::npos) return false;
    static constexpr std::array<std::string_view, 13> kPrefixes{
        "LANG=",    "LC_",       "TZ=",  "PYTHONPATH=", "PYTHONMALLOC=",
        "OPENBLAS", "OMP_",      "MKL_", "NUMEXPR_",    "LD_LIBRARY_PATH=",
        "MALLOC_",  "NVPL_BLAS", "BLIS_"};
    for (const std::string_view prefix : kPrefixes)
        if (variable.starts_with(prefix)) return true;
    return false;
}

std::vector<std::string> make_environment(const std::string& folder) {
    std::vector<std::string> variables{
        "PATH=/usr/local/bin:/usr/bin:/bin",
        std::string(kFolderVariable) + "=" + folder,
        // A zygote must have one thread, and the server runs many engines.
        "OPENBLAS_NUM_THREADS=1",
        "OMP_NUM_THREADS=1",
        "MKL_NUM_THREADS=1",
        "NUMEXPR_MAX_THREADS=1",
        "MPLBACKEND=Agg",
        // Process pools need what the sandbox denies; threads work as well.
        "JOBLIB_MULTIPROCESSING=0",
        "PYTHONDONTWRITEBYTECODE=1",
        // pyarrow's allocator starts a thread on import. Engines would not inherit it, and do not
        // need it.
        "JE_ARROW_MALLOC_CONF=background_thread:false",
        // Every arena of malloc takes address space, which the memory limit counts.
        "MALLOC_ARENA_MAX=2",
    };
    for (char** each = environ; *each != nullptr; ++each)
        if (is_passed_on(*each)) variables.emplace_back(*each);
    return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// All data for the child, prepared before the fork: after it only system calls are safe.
struct Start {
    const char* program;
    char** arguments;
    char** environment;
    int owner;
    int listener;
    int failure;  // receives errno when the program cannot be executed
};

/// Moves a descriptor to a number that the program does not use.
int lifted(int descriptor) noexcept {
    constexpr int kOutOfTheWay = 10;
    return descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, kOutOfTheWay);
}

[[noreturn]] void fail_start(int failure) noexcept {
    const int error = errno;
    const ssize_t written = write(failure, &error, sizeof(error));
    (void)written;
    _exit(127);
}

[[noreturn]] void become_supervisor(const Start& start) noexcept {
    (void)setsid();  // statement_timeout signals the whole process group
    for (int number = 1; number < NSIG; ++number) (void)signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
    const int owner = lifted(start.owner);
    const int listener = lifted(start.listener);
    const int failure = lifted(start.failure);
    if (owner < 0 || failure < 0 || (start.listener >= 0 && listener < 0))
        fail_start(start.failure);
    (void)dup2(owner, kOwner);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    int last = kOwner;
    if (listener >= 0) last = dup2(listener, kListener);
    // PostgreSQL opens files and its client's socket without close-on-exec.
    (void)dup2(failure, last + 1);
    (void)fcntl(last + 1, F_SETFD, FD_CLOEXEC);
    close_from(last + 2);
    (void)execve(start.program, start.arguments, start.environment);
    fail_start(last + 1);
}

void make_folder(const std::string& folder) {
    const std::string parent = std::filesystem::path(folder).parent_path().string();
    for (const std::string& each : {parent, folder})
        if (mkdir(each.c_str(), S_IRWXU) != 0 && errno != EEXIST)
            throw_system_error(sqlstate::kUndefinedFile,
                               "could not create the folder \"" + each + "\"");
}

}  // namespace

LaunchedSupervisor launch_supervisor(const std::string& program, const std::string& folder,
                                     int listener) {
    make_folder(folder);
    auto [ours, theirs] = make_socket_pair();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        throw_system_error(sqlstate::kInsufficientResources, "could not create a pipe");
    const Descriptor failure_reader(ends[0]);
    Descriptor failure_writer(ends[1]);
    std::vector<std::string> words{program, "supervise", folder, std::to_string(kOwner)};
    if (listener >= 0) words.push_back(std::to_string(kListener));
    std::vector<std::string> variables = make_environment(folder);
    std::vector<char*> arguments = pointers_to(words);
    std::vector<char*> environment = pointers_to(variables);
    const Start start{program.c_str(), arguments.data(), environment.data(),
                      theirs.get(),    listener,         failure_writer.get()};
    // Until the child has set its own handlers, the server's must not run in it.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t child = fork();
    if (child == 0) become_supervisor(start);
    const int fork_error = errno;
    (void)sigprocmask(SIG_SETMASK, &before, nullptr);
    errno = fork_error;
    if (child < 0)
        throw_system_error(sqlstate::kInsufficientResources, "could not start a process");
    failure_writer.close();
    int error = 0;
    ssize_t count = 0;
    do {
        count = read(failure_reader.get(), &error, sizeof(error));
    } while (count < 0 && errno == EINTR);
    if (count == sizeof(error)) {
        while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
        }
        errno = error;
        throw_system_error(sqlstate::kUndefinedFile,
                           "could not run the engine program \"" + program + "\"");
    }
    return {child, std::move(ours)};
}

namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
        throw Error(sqlstate::kInvalidArgument, "path of a socket is too long: \"" + path + "\"");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

Descriptor make_socket() {
    // Non-blocking: a supervisor that accepts no connection must not block a backend forever.
    Descriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) throw_system_error(sqlstate::kInsufficientResources, "could not create a socket");
    return made;
}

}  // namespace

Descriptor listen_at(const std::string& path) {
    const sockaddr_un address = address_of(path);
    Descriptor listener = make_socket();
    (void)unlink(path.c_str());
    const mode_t mask = umask(S_IRWXG | S_IRWXO);
    const int bound =
        bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    (void)umask(mask);
    if (bound != 0 || listen(listener.get(), kListenBacklog) != 0)
        throw_system_error(sqlstate::kInsufficientResources,
                           "could not listen at \"" + path + "\"");
    return listener;
}

Descriptor connect_to(const std::string& path) {
    const sockaddr_un address = address_of(path);
    Descriptor connection = make_socket();
    if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
        0)
        return {};
    return connection;
}

}  // namespace epe::engine
