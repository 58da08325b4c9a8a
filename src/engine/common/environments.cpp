// Finds and describes virtual environments by reading their files; never runs their Python.
#include "engine/common/environments.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/request/identifiers.h"
#include "engine/common/environment_fault.h"
#include "engine/common/module_files.h"

namespace epe::engine {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPythonFolder = "python";
constexpr std::size_t kMostDescriptionBytes = 1000;
constexpr int kMostConfigurationLines = 1000;

/// "3.11" for "3.11.2", "3.11.2.final.0" or "3.11"; "" for anything else.
std::string minor_version(std::string_view text) {
    std::size_t end = 0;
    int parts = 0;
    while (parts < 2) {
        const std::size_t start = end;
        while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
        if (end == start) return {};
        if (++parts == 2) break;
        if (end == text.size() || text[end] != '.') return {};
        ++end;
    }
    return std::string(text.substr(0, end));
}

/// The names in a folder, sorted; incomplete or empty when it cannot be read.
std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    while (!error && entry != fs::directory_iterator()) {
        names.push_back(entry->path().filename().string());
        entry.increment(error);
    }
    std::sort(names.begin(), names.end());
    return names;
}

/// The value in pyvenv.cfg of the first of some keys that `read` accepts; "" if there is none.
template <typename Read>
std::string configured(const fs::path& configuration, const Read& read) {
    std::ifstream file(configuration);
    std::string line;
    for (int i = 0; i < kMostConfigurationLines && std::getline(file, line); ++i) {
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos) continue;
        const std::string key = fold_case(trim(std::string_view(line).substr(0, equals)));
        std::string value = read(key, trim(std::string_view(line).substr(equals + 1)));
        if (!value.empty()) return value;
    }
    return {};
}

/// `version` is venv's, `version_info` virtualenv's and uv's.
std::string configured_version(const fs::path& configuration) {
    return configured(configuration, [](const std::string& key, std::string_view value) {
        return key == "version" || key == "version_info" ? minor_version(value) : std::string();
    });
}

/// Whether the packages of the server's own Python are importable too.
bool sees_system_packages(const fs::path& configuration) {
    const std::string value =
        configured(configuration, [](const std::string& key, std::string_view each) {
            return key == "include-system-site-packages" ? fold_case(each) : std::string();
        });
    return value == "true";
}

/// If pyvenv.cfg does not say, the name of the only folder of packages does.
std::string version_of(const fs::path& folder) {
    std::string version = configured_version(folder / "pyvenv.cfg");
    if (!version.empty()) return version;
    for (const std::string& name : names_in(folder / "lib")) {
        if (!name.starts_with(kPythonFolder)) continue;
        const std::string found = minor_version(std::string_view(name).substr(6));
        if (found.empty()) continue;
        if (!version.empty()) return {};
        version = found;
    }
    return version;
}

/// Hints at names that differ only in case: the file system distinguishes them.
std::string hint_of(const fs::path& environments_dir, const std::string& name) {
    std::string meant;
    for (const std::string& other : names_in(environments_dir))
        if (equals_ignoring_case(other, name) && !fault_of(environments_dir / other))
            meant += (meant.empty() ? "" : " or ") + ("\"" + other + "\"");
    if (!meant.empty()) meant = "Perhaps you meant " + meant + ". ";
    return meant + "See pyq_list_envs() for the available environments.";
}

[[noreturn]] void throw_unknown(const std::string& name, std::string detail, std::string hint) {
    ErrorReport report;
    report.sqlstate = sqlstate::kUndefinedObject;
    report.message = "Python environment \"" + name + "\" does not exist";
    report.detail = std::move(detail);
    report.hint = std::move(hint);
    throw Error(std::move(report));
}

[[noreturn]] void throw_denied(const std::string& name, std::string detail) {
    ErrorReport report;
    report.sqlstate = sqlstate::kInsufficientPrivilege;
    report.message = "permission denied for Python environment \"" + name + "\"";
    report.detail = std::move(detail);
    report.hint = "Create it from a Python that the server's operating system user can read.";
    throw Error(std::move(report));
}

/// What makes an environment of another version of Python usable.
std::string hint_at_version(const std::string& version, const ServerPython& server) {
    constexpr int kOldestMinor = 10;
    std::string hint = "Create it with \"python" + server.version + " -m venv\"";
    if (!version.starts_with("3.") || std::atoi(version.c_str() + 2) < kOldestMinor)
        return hint + ".";
    return hint + ", or install an engine for it: \"make engine PYTHON_CONFIG=python" + version +
           "-config\".";
}

/// Hidden folders are not listed: pip and similar tools leave temporary ones behind.
bool can_be_name(std::string_view name) noexcept {
    return !name.empty() && name.front() != '.' && name.find('/') == std::string_view::npos &&
           name.find('\0') == std::string_view::npos;
}

void require_name(const std::string& name) {
    if (can_be_name(name)) return;
    if (name.empty()) throw Error(sqlstate::kInvalidArgument, "argument env_name is empty");
    const std::string shown = shorten(name.substr(0, name.find('\0')));
    throw Error(sqlstate::kInvalidArgument,
                "argument env_name cannot be \"" + shown + "\": it names a folder",
                "Pass the name alone, without a path and without a leading dot.");
}

/// Length of the UTF-8 character at the front of a text that is not empty; 0 when there is none.
std::size_t character_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x80) return 1;
    const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
    if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    // Overlong forms, surrogates and code points beyond Unicode are detected by the second byte.
    const bool is_valid =
        !(byte(0) == 0xE0 && byte(1) < 0xA0) && !(byte(0) == 0xED && byte(1) > 0x9F) &&
        !(byte(0) == 0xF0 && byte(1) < 0x90) && !(byte(0) == 0xF4 && byte(1) > 0x8F);
    return is_valid ? length : 0;
}

/// The text with "?" for invalid UTF-8, NUL and other control characters.
std::string printable(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        const auto first = static_cast<unsigned char>(text.front());
        if (length == 0 || (first < 0x20 && first != '\t') || first == 0x7F)
            result += '?';
        else
            result += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
}

/// It may have been truncated within a character.
void drop_last_character(std::string& text) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
        text.pop_back();
    if (!text.empty()) text.pop_back();
}

/// Links are not followed: a user who may write into an environment could otherwise make the server
/// read another file to it.
std::string description_of(const fs::path& folder) {
    for (const char* const name : {"description", "description.txt"}) {
        std::error_code error;
        if (!fs::is_regular_file(fs::symlink_status(folder / name, error))) continue;
        std::ifstream file(folder / name);
        std::string text(kMostDescriptionBytes, '\0');
        file.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(file.gcount()));
        text.resize(std::min(text.size(), text.find('\n')));
        if (text.size() == kMostDescriptionBytes) drop_last_character(text);
        return printable(trim(text));
    }
    return {};
}

bool is_package(std::string_view name) noexcept {
    return name.ends_with(".dist-info") || name.ends_with(".egg-info");
}

/// Adds up the sizes of the files below some folders.
class FolderSize {
   public:
    explicit FolderSize(const std::function<void()>& check_interrupts)
        : check_interrupts_(check_interrupts) {}

    void add(const fs::path& top) {
        std::vector<fs::path> folders{top};
        while (!folders.empty()) {
            const fs::path folder = std::move(folders.back());
            folders.pop_back();
            if (check_interrupts_) check_interrupts_();
            for (const std::string& name : names_in(folder)) add_entry(folder / name, folders);
        }
    }
    std::uintmax_t bytes() const noexcept { return bytes_; }

   private:
    /// std::filesystem does not expose a file's identity, which is needed to detect hard links.
    void add_entry(const fs::path& path, std::vector<fs::path>& folders) {
        struct stat status {};
        if (lstat(path.c_str(), &status) != 0) return;
        if (S_ISDIR(status.st_mode)) folders.push_back(path);
        if (!S_ISREG(status.st_mode)) return;
        if (status.st_nlink > 1 && !linked_.emplace(status.st_dev, status.st_ino).second) return;
        bytes_ += static_cast<std::uintmax_t>(status.st_size);
    }

    const std::function<void()>& check_interrupts_;
    std::set<std::pair<dev_t, ino_t>> linked_;
    std::uintmax_t bytes_ = 0;
};

/// Counts packages, in folders that may be listed more than once.
int count_packages(const std::vector<fs::path>& site_directories) {
    std::set<fs::path> seen;  // lib64 is often a link to lib
    int count = 0;
    for (const fs::path& site : site_directories) {
        std::error_code error;
        const fs::path folder = fs::canonical(site, error);
        if (error || !seen.insert(folder).second) continue;
        const std::vector<std::string> names = names_in(folder);
        count += static_cast<int>(std::count_if(names.begin(), names.end(), is_package));
    }
    return count;
}

Environment describe_default(const ServerPython& server,
                             const std::function<void()>& check_interrupts) {
    FolderSize size(check_interrupts);
    std::vector<fs::path> sites;
    for (const std::string& site : server.site_directories) {
        if (std::find(sites.begin(), sites.end(), fs::path(site)) != sites.end()) continue;
        sites.emplace_back(site);
        size.add(sites.back());
    }
    return {.name = kDefaultEnvironment,
            .folder = {},
            .size_bytes = size.bytes(),
            .description = "The server's own Python",
            .package_count = count_packages(sites),
            .python_version = server.version};
}

Environment describe(const fs::path& folder, const std::string& name, const std::string& version,
                     const std::function<void()>& check_interrupts) {
    FolderSize size(check_interrupts);
    size.add(folder);
    const fs::path sites = fs::path(std::string(kPythonFolder) + version) / "site-packages";
    return {.name = name,
            .folder = folder.string(),
            .size_bytes = size.bytes(),
            .description = description_of(folder),
            .package_count = count_packages({folder / "lib" / sites, folder / "lib64" / sites}),
            .python_version = version};
}

struct OtherEnvironment {
    std::string name{};
    std::string python_version{};
};

/// The environments that a call may use, except the default one.
std::vector<OtherEnvironment> other_environments(const std::string& environments_dir,
                                                 const ServerPython& server,
                                                 std::size_t most_folders = SIZE_MAX) {
    std::vector<OtherEnvironment> found;
    if (environments_dir.empty()) return found;
    for (const std::string& name : names_in(environments_dir)) {
        if (most_folders-- == 0) break;
        if (!can_be_name(name) || name == kDefaultEnvironment) continue;
        // Such a name cannot be written in SQL.
        if (printable(name) != name) continue;
        const fs::path folder = fs::path(environments_dir) / name;
        if (fault_of(folder)) continue;
        std::string version = version_of(folder);
        if (server.can_run(version)) found.push_back({name, std::move(version)});
    }
    return found;
}

}  // namespace

bool ServerPython::can_run(const std::string& other) const {
    if (other == version) return true;
    return !other.empty() && access(program_for(program, other).c_str(), X_OK) == 0;
}

std::string environment_python(const std::string& folder) { return version_of(folder); }

std::string find_environment(const std::string& environments_dir, const std::string& name,
                             const ServerPython& server) {
    require_name(name);
    if (name == kDefaultEnvironment) return {};
    if (environments_dir.empty())
        throw_unknown(name, "The server has no other environment than \"default\".",
                      "Set oml_epe.environments_dir to a folder that holds virtual environments.");
    const fs::path folder = fs::path(environments_dir) / name;
    if (std::optional<EnvironmentFault> fault = fault_of(folder)) {
        if (fault->is_denied) throw_denied(name, std::move(fault->text));
        throw_unknown(name, std::move(fault->text), hint_of(environments_dir, name));
    }
    const std::string version = version_of(folder);
    if (server.can_run(version)) return folder.string();
    throw Error(sqlstate::kUnsupported,
                "Python environment \"" + name + "\" is for Python " +
                    (version.empty() ? "of an unknown version" : version) +
                    ", but the server embeds Python " + server.version,
                hint_at_version(version, server));
}

/// pip creates a folder beside each package, so the folder of the packages changes with them.
std::string environment_stamp(const std::string& folder) {
    if (folder.empty()) return {};
    std::string stamp;
    const auto add = [&](const fs::path& path) {
        struct stat status {};
        if (stat(path.c_str(), &status) != 0) return;
        for (const std::int64_t number : {static_cast<std::int64_t>(status.st_ino),
                                          static_cast<std::int64_t>(status.st_mtim.tv_sec),
                                          static_cast<std::int64_t>(status.st_mtim.tv_nsec)})
            stamp += std::to_string(number) + " ";
    };
    add(fs::path(folder) / "pyvenv.cfg");
    for (const std::string& name : names_in(fs::path(folder) / "lib"))
        if (name.starts_with(kPythonFolder)) add(fs::path(folder) / "lib" / name / "site-packages");
    return stamp;
}

std::vector<Environment> list_environments(const std::string& environments_dir,
                                           const ServerPython& server,
                                           const std::function<void()>& check_interrupts) {
    std::vector<Environment> environments{describe_default(server, check_interrupts)};
    for (const OtherEnvironment& other : other_environments(environments_dir, server))
        environments.push_back(describe(fs::path(environments_dir) / other.name, other.name,
                                        other.python_version, check_interrupts));
    return environments;
}

std::vector<std::string> environments_with(const std::string& module,
                                           const std::string& environments_dir,
                                           const ServerPython& server) {
    constexpr std::size_t kMostFolders = 200;
    std::vector<std::string> found;
    if (!can_be_module(module)) return found;
    const bool is_in_default =
        std::any_of(server.site_directories.begin(), server.site_directories.end(),
                    [&](const std::string& site) { return has_module(fs::path(site), module); });
    if (is_in_default) found.emplace_back(kDefaultEnvironment);
    for (const auto& [name, version] : other_environments(environments_dir, server, kMostFolders)) {
        if (found.size() == kMostNamed) break;
        const fs::path folder = fs::path(environments_dir) / name;
        const fs::path sites = fs::path(std::string(kPythonFolder) + version) / "site-packages";
        if (has_module(folder / "lib" / sites, module) ||
            has_module(folder / "lib64" / sites, module) ||
            (is_in_default && version == server.version &&
             sees_system_packages(folder / "pyvenv.cfg")))
            found.push_back(name);
    }
    return found;
}

}  // namespace epe::engine
