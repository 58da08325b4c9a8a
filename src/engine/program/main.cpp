// The engine program: runs scripts outside the server's processes.
//
//   oml_epe_engine supervise FOLDER OWNER [LISTENER]
//   oml_epe_engine --version
//   oml_epe_engine zygote ...    for another minor version of Python: see zygote_program.h
//
// FOLDER is for temporary folders, OWNER and LISTENER are inherited descriptors (see supervisor.h).
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "engine/common/leftovers.h"
#include "engine/program/zygote.h"
#include "engine/supervisor/supervisor.h"
#include "engine/supervisor/zygote_program.h"
#include "py/engine/forked_interpreter.h"

namespace {

constexpr const char* kVersion =
#include "version.inc"
    ;

int usage() {
    std::fputs("oml_epe_engine is started by the PostgreSQL extension oml_epe\n", stderr);
    return 2;
}

}  // namespace

int main(int count, char** values) {
    const std::span<char*> arguments(values, static_cast<std::size_t>(count));
    if (arguments.size() == 2 && std::strcmp(arguments[1], "--version") == 0)
        return std::printf("oml_epe_engine %s\n", kVersion) < 0 ? 1 : 0;
    if (std::optional<epe::engine::ZygoteBirth> zygote = epe::engine::read_zygote_birth(arguments))
        epe::engine::serve_supervisor(std::move(*zygote));
    if (arguments.size() < 4 || std::strcmp(arguments[1], "supervise") != 0) return usage();
    epe::engine::SupervisorBirth birth;
    birth.folder = arguments[2];
    birth.zygotes = {epe::engine::serve_supervisor, arguments[0], epe::py::embedded_version(),
                     birth.folder};
    birth.owner = epe::engine::Descriptor(std::atoi(arguments[3]));
    if (arguments.size() > 4) birth.listener = epe::engine::Descriptor(std::atoi(arguments[4]));
    if (mkdir(birth.folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        std::perror("oml_epe: could not make the folder of the engines");
        return 1;
    }
    // It stays in /proc/PID/environ for leftovers.h. Scripts need not see it.
    unsetenv(epe::engine::kFolderVariable);
    epe::engine::supervise(std::move(birth));
}
