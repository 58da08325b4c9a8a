// A fuzz target: a function that takes arbitrary bytes and must neither crash nor violate a
// property that it checks.
//
// The same source is built twice. With EPE_FUZZING it is a libFuzzer program (tools/fuzz). Without
// it the target registers itself with the unit tests, which replay its corpus (replay.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string_view>
#include <vector>

namespace epe::fuzz {

using Run = void (*)(std::string_view input);

/// Whether the unit tests mutate the corpus as well. Targets that have mutations of their own in
/// test/unit, or are slow, are only replayed.
enum class Mutations : std::uint8_t { kNone, kBytes };

struct Target {
    const char* name;
    Run run;
    Mutations mutations;
};

/// Found by GoogleTest, for its messages.
// NOLINTNEXTLINE(readability-identifier-naming): its name
inline void PrintTo(const Target& target, std::ostream* to) { *to << target.name; }

/// Targets of this program, in no particular order.
inline std::vector<Target>& targets() {
    static std::vector<Target> all;
    return all;
}

struct Registration {
    Registration(const char* name, Run run, Mutations mutations) {
        targets().push_back({name, run, mutations});
    }
};

/// Aborts when a property does not hold: a finding.
inline void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "fuzz target: %s\n", what);
    std::abort();
}

/// Reads the parts of an input from its front; missing bytes are zero or empty.
class Bytes {
   public:
    explicit Bytes(std::string_view bytes) noexcept : bytes_(bytes) {}

    std::uint8_t byte() noexcept {
        if (bytes_.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(bytes_.front());
        bytes_.remove_prefix(1);
        return value;
    }
    /// Low byte first.
    std::size_t size() noexcept {
        const std::size_t low = byte();
        return low | static_cast<std::size_t>(byte()) << 8U;
    }
    std::string_view take(std::size_t size) noexcept {
        const std::string_view part = bytes_.substr(0, size);
        bytes_.remove_prefix(part.size());
        return part;
    }
    std::string_view rest() noexcept { return take(bytes_.size()); }
    bool is_empty() const noexcept { return bytes_.empty(); }

   private:
    std::string_view bytes_;
};

}  // namespace epe::fuzz

/// Used once in each target's source, after its function. `name` is the name of the source and of
/// the corpus in test/fuzz.
#ifdef EPE_FUZZING
// NOLINTBEGIN(readability-identifier-naming): libFuzzer's names
#define EPE_FUZZ_TARGET(name, run, mutations)                                           \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
        run({reinterpret_cast<const char*>(data), size});                               \
        return 0;                                                                       \
    }
// NOLINTEND(readability-identifier-naming)
#else
#define EPE_FUZZ_TARGET(name, run, mutations)                          \
    static const epe::fuzz::Registration fuzz_registration(#name, run, \
                                                           epe::fuzz::Mutations::mutations);
#endif
