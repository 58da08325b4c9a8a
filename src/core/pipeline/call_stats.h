// Where the time of a call went.
#pragma once

#include <chrono>
#include <cstdint>

namespace epe {

/// Nanoseconds on a clock that never goes back.
inline std::int64_t now_nanoseconds() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// What an engine measures of itself, in nanoseconds.
struct EngineTimes {
    std::int64_t convert = 0;  ///< batches to Python objects, and results back
    std::int64_t python = 0;   ///< in the script's function
};

/// One call of an eval function, in nanoseconds and numbers. With several engines their times are
/// added up, so that the sum may be more than `total`.
struct CallStats {
    std::int64_t total = 0;
    std::int64_t scan = 0;  ///< reading the input
    EngineTimes engine{};
    std::int64_t wait = 0;  ///< for engine processes
    std::int64_t emit = 0;  ///< results to tuples
    std::int64_t rows_in = 0;
    std::int64_t rows_out = 0;
    std::int64_t calls = 0;
    std::int64_t engines = 0;  ///< processes; 0: the backend itself
};

}  // namespace epe
