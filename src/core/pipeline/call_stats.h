// Time spent in the parts of a call.
#pragma once

#include <chrono>
#include <cstdint>

namespace epe {

/// Nanoseconds of a monotonic clock.
inline std::int64_t now_nanoseconds() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Times that an engine measures itself, in nanoseconds.
struct EngineTimes {
    std::int64_t convert = 0;  ///< batches to Python objects, and results back
    std::int64_t python = 0;   ///< in the script's function
};

/// One call of an eval function: times in nanoseconds, and counts. With several engines their times
/// are summed, so the sum may exceed `total`.
struct CallStats {
    std::int64_t total = 0;
    std::int64_t scan = 0;  ///< reading the input
    EngineTimes engine{};
    std::int64_t wait = 0;  ///< waiting for engine processes
    std::int64_t emit = 0;  ///< converting results to tuples
    std::int64_t rows_in = 0;
    std::int64_t rows_out = 0;
    std::int64_t calls = 0;
    std::int64_t engines = 0;  ///< engine processes; 0: the call ran in the backend
};

}  // namespace epe
