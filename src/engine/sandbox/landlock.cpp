// Builds the Landlock rules. Constants and structures are defined here, since a distribution's
// header is often older than its kernel (Debian 12's header has version 2).
#include "engine/sandbox/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <span>

namespace epe::engine {
namespace {

#ifndef SYS_landlock_create_ruleset
// The same on every architecture.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
#else
constexpr long kCreateRuleset = SYS_landlock_create_ruleset;
constexpr long kAddRule = SYS_landlock_add_rule;
constexpr long kRestrictSelf = SYS_landlock_restrict_self;
#endif

struct RulesetAttributes {
    std::uint64_t handled_files;
    std::uint64_t handled_network;  // since version 4
    std::uint64_t scopes;           // since version 6
};

// Packed, as in the kernel.
struct __attribute__((packed)) PathRule {
    std::uint64_t allowed;
    std::int32_t parent;
};

struct PortRule {
    std::uint64_t allowed;
    std::uint64_t port;
};

constexpr unsigned kVersionFlag = 1;
constexpr int kRuleOfPath = 1;
constexpr int kRuleOfPort = 2;

namespace right {
constexpr std::uint64_t kWriteFile = 1U << 1;
constexpr std::uint64_t kReadFile = 1U << 2;
constexpr std::uint64_t kReadFolder = 1U << 3;
constexpr std::uint64_t kRemoveFolder = 1U << 4;
constexpr std::uint64_t kRemoveFile = 1U << 5;
constexpr std::uint64_t kMakeFolder = 1U << 7;
constexpr std::uint64_t kMakeFile = 1U << 8;
constexpr std::uint64_t kMakeLink = 1U << 12;
constexpr std::uint64_t kRefer = 1U << 13;     // since version 2: rename from folder to folder
constexpr std::uint64_t kTruncate = 1U << 14;  // since version 3
constexpr std::uint64_t kConnect = 1U << 1;    // of the network

constexpr std::uint64_t kReading = kReadFile | kReadFolder;
constexpr std::uint64_t kOfFiles = kReadFile | kWriteFile | kTruncate;
// Excludes executing, and making devices, sockets and pipes.
constexpr std::uint64_t kWriting = kReading | kWriteFile | kTruncate | kRemoveFolder | kRemoveFile |
                                   kMakeFolder | kMakeFile | kMakeLink | kRefer;
}  // namespace right

// Libraries, Python and its modules, and the data that they read. Symbolic links are followed.
constexpr const char* kReadable[] = {
    "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib",
    "/usr/share",  // time zones, fonts, matplotlib's data
    "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/fonts", "/etc/matplotlibrc",
    "/etc/mime.types", "/etc/python3", "/etc/python3.9", "/etc/python3.10", "/etc/python3.11",
    "/etc/python3.12", "/etc/python3.13", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/dev/urandom",
    "/dev/random",
    "/proc/self",  // resolves to this process's own folder at this point
    // Number of processors and amount of memory: OpenBLAS, joblib, Rust's threads, jemalloc.
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage"};

constexpr const char* kReadableForNetwork[] = {"/etc/resolv.conf",   "/etc/hosts",
                                               "/etc/nsswitch.conf", "/etc/host.conf",
                                               "/etc/gai.conf",      "/etc/services"};

constexpr const char* kWritableDevices[] = {"/dev/null", "/dev/zero", "/dev/full"};

/// A set of rules under construction. Remembers the first failure.
class Rules {
   public:
    explicit Rules(int abi) noexcept : handled_(handled_rights(abi)) {
        const RulesetAttributes attributes{handled_.files, handled_.network, handled_.scopes};
        // An old kernel rejects fields that it does not know.
        const std::size_t size = abi >= 6 ? sizeof attributes : abi >= 4 ? 16 : 8;
        ruleset_ = Descriptor(static_cast<int>(::syscall(kCreateRuleset, &attributes, size, 0U)));
        if (!ruleset_) error_ = errno;
    }

    /// Paths that cannot be opened are skipped: they stay inaccessible.
    void allow_path(const char* path, std::uint64_t rights) noexcept {
        const Descriptor place(::open(path, O_PATH | O_CLOEXEC));
        struct stat status {};
        if (!place || ::fstat(place.get(), &status) != 0) return;
        if (!S_ISDIR(status.st_mode)) rights &= right::kOfFiles;
        const PathRule rule{rights & handled_.files, place.get()};
        add(kRuleOfPath, &rule);
    }

    void allow_paths(std::span<const char* const> paths, std::uint64_t rights) noexcept {
        for (const char* path : paths) allow_path(path, rights);
    }

    void allow_port(std::uint16_t port) noexcept {
        const PortRule rule{right::kConnect, port};
        add(kRuleOfPort, &rule);
    }

    int enforce() const noexcept {
        if (error_ != 0) return error_;
        return ::syscall(kRestrictSelf, ruleset_.get(), 0U) == 0 ? 0 : errno;
    }

   private:
    void add(int kind, const void* rule) noexcept {
        if (error_ != 0) return;
        if (::syscall(kAddRule, ruleset_.get(), kind, rule, 0U) != 0) error_ = errno;
    }

    HandledRights handled_;
    Descriptor ruleset_{};
    int error_ = 0;
};

}  // namespace

int landlock_abi() noexcept {
    const long version = ::syscall(kCreateRuleset, nullptr, 0UL, kVersionFlag);
    return version > 0 ? static_cast<int>(version) : 0;
}

HandledRights handled_rights(int abi) noexcept {
    HandledRights handled;
    if (abi < 1) return handled;
    // 13 rights in version 1, then one by one: refer, truncate, (network,) the ioctls of devices.
    const int count = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
    handled.files = (1U << count) - 1;
    if (abi >= kFirstAbiWithNetwork) handled.network = 3;
    if (abi >= 6) handled.scopes = 3;
    return handled;
}

int restrict_files_and_ports(const SandboxPlan& plan, int abi) {
    if (abi < 1) return ENOSYS;
    Rules rules(abi);
    rules.allow_paths(kReadable, right::kReading);
    rules.allow_paths(kWritableDevices, right::kReadFile | right::kWriteFile);
    for (const std::string& path : plan.read_paths) rules.allow_path(path.c_str(), right::kReading);
    if (!plan.tcp_ports.empty()) {
        rules.allow_paths(kReadableForNetwork, right::kReading);
        if (abi >= kFirstAbiWithNetwork) {
            for (const std::uint16_t port : plan.tcp_ports) rules.allow_port(port);
        }
    }
    rules.allow_path(plan.temp_folder.c_str(), right::kWriting);
    return rules.enforce();
}

}  // namespace epe::engine
