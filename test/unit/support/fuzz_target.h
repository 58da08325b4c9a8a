// Runs fuzz targets of test/fuzz by name, for tests with mutations of their own.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include "../fuzz/target.h"

namespace epe::test {

/// With EPE_FUZZ_SEEDS=FOLDER inputs are written there, as seeds for tools/fuzz.
inline void keep_seed(std::string_view name, std::string_view input) {
    const char* const folder = std::getenv("EPE_FUZZ_SEEDS");
    if (folder == nullptr) return;
    const std::filesystem::path place = std::filesystem::path(folder) / name;
    std::filesystem::create_directories(place);
    const std::size_t number = std::hash<std::string_view>()(input);
    std::ofstream(place / std::to_string(number), std::ios::binary) << input;
}

inline void run_fuzz_target(std::string_view name, const void* data, std::size_t size) {
    for (const fuzz::Target& target : fuzz::targets()) {
        if (target.name != name) continue;
        keep_seed(name, {static_cast<const char*>(data), size});
        target.run({static_cast<const char*>(data), size});
        return;
    }
    FAIL() << "there is no fuzz target " << name;
}

}  // namespace epe::test
