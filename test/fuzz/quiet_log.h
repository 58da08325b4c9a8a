// Suppresses the log of a fuzzed program, one line per input.
#pragma once

#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <cstdint>

namespace epe::fuzz {

/// Discards standard error while it lives. Reports of sanitizers are still printed.
class QuietLog {
   public:
    QuietLog() {
        static const int kept = dup(STDERR_FILENO);
        static const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<std::intptr_t>(kept)));
        kept_ = kept;
        (void)dup2(nowhere, STDERR_FILENO);
    }
    ~QuietLog() { (void)dup2(kept_, STDERR_FILENO); }
    QuietLog(const QuietLog&) = delete;
    QuietLog& operator=(const QuietLog&) = delete;

   private:
    int kept_ = -1;
};

}  // namespace epe::fuzz
