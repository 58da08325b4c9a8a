// Finds and ends processes of supervisors that no longer exist.
#include "engine/common/leftovers.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "core/pipeline/call_stats.h"

namespace epe::engine {

namespace {

constexpr char kBetweenMarks = '-';
constexpr const char* kGatewayPrefix = "gateway-";

/// Start times count from boot. Without the boot in its name, a folder of an earlier boot could
/// match a process of this one.
std::string boot_tag() {
    constexpr std::size_t kLength = 8;
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    file >> id;
    return id.size() < kLength ? "0" : id.substr(0, kLength);
}

std::string parent_of(const std::string& folder) {
    return std::filesystem::path(folder).parent_path().string();
}

std::string below(const std::string& folder, const std::string& name) {
    return (std::filesystem::path(folder) / name).string();
}

std::vector<std::string> entries_of(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator each(folder, error), end; !error && each != end;
         each.increment(error))
        names.push_back(each->path().filename().string());
    return names;
}

/// Process ID that a whole name is; 0 if it is not one.
pid_t number_of(const std::string& name) {
    pid_t pid = 0;
    const char* const end = name.data() + name.size();
    const auto [last, error] = std::from_chars(name.data(), end, pid);
    return error == std::errc() && last == end ? pid : 0;
}

/// Whether a name below the common folder belongs to an owner that has ended. Version 1.0.0 named
/// the folders by the process ID alone.
bool is_dead_owner(const std::string& name) {
    if (const pid_t pid = number_of(name); pid > 0) return kill(pid, 0) != 0 && errno == ESRCH;
    const std::size_t dot = name.rfind('.');
    if (dot == std::string::npos) return false;
    const std::optional<ProcessMark> owner = read_mark(std::string_view(name).substr(0, dot));
    if (!owner) return false;
    return name.substr(dot + 1) != boot_tag() || !open_process(*owner);
}

/// Value of kFolderVariable in a process's initial environment; empty if there is none.
std::string folder_in_environment(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/environ");
    const std::string prefix = std::string(kFolderVariable) + "=";
    for (std::string variable; std::getline(file, variable, '\0');)
        if (variable.starts_with(prefix)) return variable.substr(prefix.size());
    return {};
}

std::string name_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
    std::string name;
    std::getline(file, name);
    return name;
}

bool is_of_this_user(pid_t pid) {
    struct stat status {};
    return stat(("/proc/" + std::to_string(pid)).c_str(), &status) == 0 &&
           status.st_uid == geteuid();
}

/// Kills the processes found and returns them, to be waited for.
std::vector<Descriptor> kill_processes_of(const std::string& folder) {
    std::vector<Descriptor> killed;
    for (const EngineRecord& record : engine_records(folder))
        if (Descriptor process = open_process(record.engine)) killed.push_back(std::move(process));
    for (const GatewayRecord& record : gateway_records(folder))
        if (Descriptor process = open_process(record.gateway)) killed.push_back(std::move(process));
    for (MarkedProcess& each : marked_processes(parent_of(folder)))
        if (each.folder == folder) killed.push_back(std::move(each.process));
    for (const Descriptor& process : killed) send_signal(process, SIGKILL);
    return killed;
}

}  // namespace

std::string owner_folder(const std::string& parent) {
    const ProcessMark self = mark_of(getpid()).value_or(ProcessMark{getpid(), 0});
    return parent + "/" + to_text(self) + "." + boot_tag();
}

std::string engine_folder_name(const ProcessMark& engine, const ProcessMark& backend) {
    return to_text(engine) + kBetweenMarks + to_text(backend);
}

std::vector<EngineRecord> engine_records(const std::string& folder) {
    std::vector<EngineRecord> records;
    for (const std::string& name : entries_of(folder)) {
        const std::size_t middle = name.find(kBetweenMarks);
        if (middle == std::string::npos) continue;
        const std::optional<ProcessMark> engine = read_mark(name.substr(0, middle));
        const std::optional<ProcessMark> backend = read_mark(name.substr(middle + 1));
        if (engine && backend) records.push_back({*engine, *backend, below(folder, name)});
    }
    return records;
}

std::string gateway_folder_name(const ProcessMark& gateway) {
    return kGatewayPrefix + to_text(gateway);
}

std::vector<GatewayRecord> gateway_records(const std::string& folder) {
    std::vector<GatewayRecord> records;
    for (const std::string& name : entries_of(folder)) {
        if (!name.starts_with(kGatewayPrefix)) continue;
        const std::string_view mark = std::string_view(name).substr(std::strlen(kGatewayPrefix));
        if (const auto gateway = read_mark(mark))
            records.push_back({*gateway, below(folder, name)});
    }
    return records;
}

std::vector<MarkedProcess> marked_processes(const std::string& parent) {
    std::vector<MarkedProcess> found;
    for (const std::string& name : entries_of("/proc")) {
        const pid_t pid = number_of(name);
        if (pid <= 0 || pid == getpid() || !is_of_this_user(pid)) continue;
        if (parent_of(folder_in_environment(pid)) != parent) continue;
        Descriptor process = open_process(pid);
        // Checked again, since the ID may have been reused by now.
        std::string folder = folder_in_environment(pid);
        const std::optional<ProcessMark> mark = mark_of(pid);
        if (!process || !mark || has_ended(process) || parent_of(folder) != parent) continue;
        found.push_back({*mark, std::move(process), std::move(folder), name_of(pid)});
    }
    return found;
}

void end_owner(const std::string& folder) {
    constexpr std::int64_t kPatienceNanoseconds = 1'000'000'000;
    const std::int64_t deadline = now_nanoseconds() + kPatienceNanoseconds;
    // Repeated until nothing is found: a zygote may have forked during the search.
    while (true) {
        const std::vector<Descriptor> killed = kill_processes_of(folder);
        if (killed.empty() || now_nanoseconds() > deadline) break;
        for (const Descriptor& process : killed) {
            pollfd end{process.get(), POLLIN, 0};
            const std::int64_t left = (deadline - now_nanoseconds()) / 1'000'000;
            (void)poll(&end, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
        }
    }
    remove_folder(folder);
}

void end_dead_owners(const std::string& parent) {
    for (const std::string& name : entries_of(parent))
        if (is_dead_owner(name)) end_owner(below(parent, name));
    // Their folders may have been removed before they were found.
    for (const MarkedProcess& each : marked_processes(parent))
        if (is_dead_owner(std::filesystem::path(each.folder).filename().string()))
            send_signal(each.process, SIGKILL);
}

void remove_folder(const std::string& folder) noexcept {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
}

}  // namespace epe::engine
