// Checks the files that make a folder a virtual environment.
#include "engine/common/environment_fault.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace epe::engine {

namespace {

namespace fs = std::filesystem;
using Fault = EnvironmentFault;

/// Whether a file exists, following links. The error says why that is unknown.
bool is_there(const fs::path& path, std::error_code& error) {
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) error.clear();
    return fs::is_regular_file(status);
}

Fault access_fault(const fs::path& path, const std::error_code& error) {
    return {"The server cannot access \"" + path.string() + "\": " + error.message() + ".",
            error == std::errc::permission_denied};
}

/// A file of an environment. bin/python3 is usually a link to the Python that the environment was
/// created with.
std::optional<Fault> fault_of_file(const fs::path& folder, const char* name) {
    std::error_code error;
    const fs::path file = folder / name;
    if (is_there(file, error)) return std::nullopt;
    std::error_code ignored;
    const fs::path target = fs::read_symlink(file, ignored);
    if (target.empty()) {
        if (error) return access_fault(folder, error);
        return Fault{"The folder \"" + folder.string() + "\" has no " + name + "."};
    }
    const std::string link = "\"" + file.string() + "\" is a link to \"" + target.string() + "\", ";
    if (error == std::errc::permission_denied)
        return Fault{link + "which the server may not access.", true};
    if (error) return access_fault(file, error);
    return Fault{link + "which is not a file."};
}

}  // namespace

std::optional<Fault> fault_of(const fs::path& folder) {
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (status.type() == fs::file_type::not_found)
        return Fault{"There is no folder \"" + folder.string() + "\"."};
    if (error) return access_fault(folder, error);
    if (!fs::is_directory(status)) return Fault{"\"" + folder.string() + "\" is not a folder."};
    for (const char* const name : {"pyvenv.cfg", "bin/python3"})
        if (std::optional<Fault> fault = fault_of_file(folder, name)) return fault;
    // The directory may be listed only by others, or the program not be executable by the server.
    if (access((folder / "bin/python3").c_str(), R_OK | X_OK) != 0)
        return access_fault(folder / "bin/python3",
                            std::error_code(errno, std::generic_category()));
    return std::nullopt;
}

}  // namespace epe::engine
