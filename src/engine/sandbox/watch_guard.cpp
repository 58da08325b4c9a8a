// Limits the epoll watches of engines, which Linux limits only per user.
#include "engine/sandbox/watch_guard.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <list>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/sandbox/watch_guard_messages.h"

namespace epe::engine {
namespace {

// The same on every architecture; older headers lack them.
constexpr long kOpenPidfd = 434;
constexpr long kGetDescriptor = 438;

/// The guard's own descriptors start here. Lower numbers are those of engines' files.
constexpr int kFirstOwn = 1024;
constexpr std::size_t kMostInstances = 128;  // per engine, with watches
constexpr std::uint64_t kProof = 0x6f6d6c5f65706531;

struct Hello {
    std::int32_t pid = 0;
    std::uint64_t proof = 0;  ///< address of kProof in the engine
};

/// Moves a descriptor of the guard to a number that no engine's file uses. Empty on failure.
Descriptor move_up(Descriptor low) noexcept {
    if (!low) return {};
    return Descriptor(::fcntl(low.get(), F_DUPFD_CLOEXEC, kFirstOwn));
}

/// An address in an engine, for process_vm_readv().
void* address_in_engine(std::uint64_t address) noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it comes as a number
    return reinterpret_cast<void*>(address);
}

bool is_same_file(int one, int other) noexcept {
    const pid_t self = ::getpid();
    return ::syscall(SYS_kcmp, self, self, KCMP_FILE, one, other) == 0;
}

/// Whether a descriptor of a process is an epoll instance; the process is given as its descriptor
/// folder in /proc.
bool is_instance(const std::string& folder, int number) {
    std::array<char, 64> target{};
    const std::string path = folder + "/" + std::to_string(number);
    return ::readlink(path.c_str(), target.data(), target.size() - 1) > 0 &&
           std::strcmp(target.data(), "anon_inode:[eventpoll]") == 0;
}

/// The descriptor numbers that an epoll instance of the guard watches.
std::vector<int> watches_of(int instance) {
    std::vector<int> numbers;
    std::ifstream file("/proc/self/fdinfo/" + std::to_string(instance));
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("tfd:")) numbers.push_back(std::atoi(line.c_str() + 4));
    return numbers;
}

/// An engine and its watches, in the guard.
class Guarded {
   public:
    explicit Guarded(Descriptor socket) noexcept : socket_(std::move(socket)) {}

    int socket() const noexcept { return socket_.get(); }
    int process() const noexcept { return process_.get(); }
    int listener() const noexcept { return listener_.get(); }
    /// False when there is nothing to guard.
    bool serve_socket();
    void serve_listener();

   private:
    bool may_look(const Hello& hello) noexcept;
    Descriptor fetch(int number) const noexcept;
    int add_watch(const seccomp_data& call);
    int find_instance(Descriptor fetched);
    bool has_room();
    std::vector<int> list_descriptors() const;
    void drop_watches(int instance) const;
    void count();

    Descriptor socket_;  // until it is confined
    Descriptor process_{};
    Descriptor listener_{};
    pid_t pid_ = 0;
    std::vector<Descriptor> instances_{};
    int most_watches_ = 0;  // an upper bound, exact after count()
};

/// A file of the engine; empty, with errno, when the engine has no descriptor of that number.
Descriptor Guarded::fetch(int number) const noexcept {
    return Descriptor(static_cast<int>(::syscall(kGetDescriptor, process_.get(), number, 0)));
}

bool Guarded::may_look(const Hello& hello) noexcept {
    pid_ = hello.pid;
    process_ = move_up(Descriptor(static_cast<int>(::syscall(kOpenPidfd, pid_, 0))));
    const Descriptor file = process_ ? fetch(STDERR_FILENO) : Descriptor();
    std::uint64_t proof = 0;
    iovec here{&proof, sizeof proof};
    iovec there{address_in_engine(hello.proof), sizeof proof};
    return file && is_same_file(file.get(), file.get()) &&
           ::process_vm_readv(pid_, &here, 1, &there, 1, 0) == sizeof proof && proof == kProof;
}

bool Guarded::serve_socket() {
    Hello hello;
    Descriptor none;
    const std::size_t size = receive_message(socket_.get(), &hello, sizeof hello, none);
    if (size == sizeof hello.pid && process_) {  // the number of the listener
        listener_ = move_up(fetch(hello.pid));
        const char answer = listener_ ? 1 : 0;
        // An engine that stopped waiting may have another file under that number by now.
        const bool is_awaited = send_message(socket_.get(), &answer, 1, -1);
        socket_.close();
        return is_awaited && static_cast<bool>(listener_);
    }
    if (size != sizeof hello || process_) return false;
    const char answer = may_look(hello) ? 1 : 0;
    return send_message(socket_.get(), &answer, 1, -1) && answer == 1;
}

/// Whether one more watch is allowed. Counts only when the number added since the last count may
/// exceed the limit.
bool Guarded::has_room() {
    if (most_watches_ >= kMostWatches || instances_.size() >= kMostInstances) count();
    return most_watches_ < kMostWatches && instances_.size() < kMostInstances;
}

/// The engine's descriptors.
std::vector<int> Guarded::list_descriptors() const {
    std::vector<int> numbers;
    std::error_code problem;
    for (const auto& each :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/fd", problem))
        numbers.push_back(std::atoi(each.path().filename().c_str()));
    return numbers;
}

/// Removes the watches of an instance that the engine has closed, as the kernel would do without
/// the guard. Those whose file has another number by now stay, and count.
void Guarded::drop_watches(int instance) const {
    for (const int number : watches_of(instance)) {
        const Descriptor file = fetch(number);
        if (!file || number >= kFirstOwn) continue;
        if (file.get() != number && ::dup3(file.get(), number, O_CLOEXEC) < 0) continue;
        (void)::epoll_ctl(instance, EPOLL_CTL_DEL, number, nullptr);
        if (file.get() != number) ::close(number);
    }
}

/// Counts the watches and drops the instances that have none.
void Guarded::count() {
    std::vector<bool> is_open(instances_.size());
    const std::string folder = "/proc/" + std::to_string(pid_) + "/fd";
    for (const int number : list_descriptors()) {
        if (!is_instance(folder, number)) continue;
        const Descriptor seen = fetch(number);
        for (std::size_t i = 0; seen && i < instances_.size(); ++i)
            if (is_same_file(seen.get(), instances_[i].get())) is_open[i] = true;
    }
    most_watches_ = 0;
    std::vector<Descriptor> kept;
    for (std::size_t i = 0; i < instances_.size(); ++i) {
        if (!is_open[i]) drop_watches(instances_[i].get());
        const std::size_t watches = watches_of(instances_[i].get()).size();
        most_watches_ += static_cast<int>(watches);
        if (watches > 0) kept.push_back(std::move(instances_[i]));
    }
    instances_ = std::move(kept);
}

/// The guard's descriptor of an instance, or a negative errno.
int Guarded::find_instance(Descriptor fetched) {
    for (const Descriptor& instance : instances_)
        if (is_same_file(instance.get(), fetched.get())) return instance.get();
    if (!is_instance("/proc/self/fd", fetched.get())) return -EINVAL;
    Descriptor kept = move_up(std::move(fetched));
    if (!kept) return -ENOSPC;
    return instances_.emplace_back(std::move(kept)).get();
}

/// Executes the engine's epoll_ctl() here. 0 or a negative errno.
int Guarded::add_watch(const seccomp_data& call) {
    const auto instance_number = static_cast<int>(call.args[0]);
    const auto number = static_cast<int>(call.args[2]);
    if (number >= kFirstOwn) return -EBADF;
    epoll_event event{};
    iovec here{&event, sizeof event};
    iovec there{address_in_engine(call.args[3]), sizeof event};
    if (::process_vm_readv(pid_, &here, 1, &there, 1, 0) != sizeof event) return -EFAULT;
    if (!has_room()) return -ENOSPC;
    Descriptor fetched = fetch(instance_number);
    if (!fetched) return -errno;
    const int instance = find_instance(std::move(fetched));
    if (instance < 0) return instance;
    // The watch must have the file's descriptor number in the engine.
    Descriptor file = fetch(number);
    if (!file) return -errno;
    if (file.get() != number && ::dup3(file.get(), number, O_CLOEXEC) < 0) return -errno;
    const int result = ::epoll_ctl(instance, EPOLL_CTL_ADD, number, &event) == 0 ? 0 : -errno;
    if (file.get() != number) ::close(number);
    if (result == 0) ++most_watches_;
    return result;
}

void Guarded::serve_listener() {
    // The kernel's structures may be larger than those of the headers.
    alignas(8) std::array<char, 512> request_space{};
    alignas(8) std::array<char, 512> answer_space{};
    auto* const request = reinterpret_cast<seccomp_notif*>(request_space.data());
    auto* const answer = reinterpret_cast<seccomp_notif_resp*>(answer_space.data());
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, request) != 0) return;
    answer->id = request->id;
    answer->error = add_watch(request->data);
    // A call that a signal has interrupted meanwhile (before Linux 5.19) is restarted and finds its
    // watch; libraries handle that error (EEXIST).
    (void)::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, answer);
}

/// Serves engines until the zygote and all of them are gone.
[[noreturn]] void guard_engines(Descriptor zygote) {
    std::list<Guarded> engines;
    std::vector<pollfd> polled;
    while (zygote || !engines.empty()) {
        polled.clear();
        polled.push_back({zygote.get(), POLLIN, 0});
        for (const Guarded& engine : engines) {
            polled.push_back({engine.socket(), POLLIN, 0});
            polled.push_back({engine.process(), POLLIN, 0});
            polled.push_back({engine.listener(), POLLIN, 0});
        }
        if (::poll(polled.data(), polled.size(), -1) < 0) continue;
        std::size_t at = 1;
        for (auto each = engines.begin(); each != engines.end(); at += 3) {
            const auto engine = each++;
            bool is_there = polled[at + 1].revents == 0;  // its process has not ended
            if (is_there && polled[at].revents != 0) is_there = engine->serve_socket();
            if (is_there && (polled[at + 2].revents & POLLIN) != 0) engine->serve_listener();
            if (!is_there) engines.erase(engine);
        }
        if (polled[0].revents == 0) continue;
        char byte = 0;
        Descriptor socket;
        if (receive_message(zygote.get(), &byte, 1, socket) == 0) {
            zygote.close();
            continue;
        }
        if (Descriptor moved = move_up(std::move(socket))) engines.emplace_back(std::move(moved));
        (void)send_message(zygote.get(), &byte, 1, -1);
    }
    ::_exit(0);
}

[[noreturn]] void become_guard(int socket) noexcept {
    ::prctl(PR_SET_NAME, kGuardName);
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    // A number above the final one, so that nothing else is overwritten.
    Descriptor own(::fcntl(socket, F_DUPFD_CLOEXEC, kFirstOwn));
    if (!own) ::_exit(1);
    close_from(own.get() + 1);
    for (int number = 0; number < own.get(); ++number) ::close(number);
    try {
        guard_engines(std::move(own));
    } catch (const std::exception&) {
        ::_exit(1);
    }
}

}  // namespace

void WatchGuard::start() noexcept {
    int ends[2] = {-1, -1};
    socket_.close();
    pid_ = 0;
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
    Descriptor ours(ends[0]);
    const Descriptor theirs(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) become_guard(theirs.get());
    if (child < 0) return;
    socket_ = std::move(ours);
    pid_ = child;
}

Descriptor WatchGuard::connect() noexcept {
    constexpr int kTries = 2;
    for (int tries = 0; tries < kTries; ++tries) {
        int ends[2] = {-1, -1};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return {};
        Descriptor ours(ends[0]);
        const Descriptor theirs(ends[1]);
        if (socket_ && send_message(socket_.get(), "", 1, theirs.get()) &&
            receive_answer(socket_.get()))
            return ours;
        start();  // it was killed, or is stopped
    }
    return {};
}

GuardAnswer ask_guard(int socket, pid_t guard) noexcept {
    if (socket < 0) return GuardAnswer::kCannotGuard;
    // Needed where Yama allows only ancestors to access a process.
    (void)::prctl(PR_SET_PTRACER, guard, 0, 0, 0);
    const std::uint64_t proof = kProof;
    const Hello hello{::getpid(), reinterpret_cast<std::uint64_t>(&proof)};
    if (!send_message(socket, &hello, sizeof hello, -1)) return GuardAnswer::kNone;
    const std::optional<char> answer = receive_answer(socket);
    if (!answer) return GuardAnswer::kNone;
    return *answer == 1 ? GuardAnswer::kGuards : GuardAnswer::kCannotGuard;
}

bool give_listener(int socket, Descriptor listener) noexcept {
    // By its number: an engine cannot send descriptors while other processes have too many in
    // flight.
    const std::int32_t number = listener.get();
    return send_message(socket, &number, sizeof number, -1) && receive_answer(socket) == 1;
}

}  // namespace epe::engine
