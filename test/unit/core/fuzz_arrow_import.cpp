// Seeded mutations for the fuzz target of Arrow streams (test/fuzz/arrow_import.cpp): a program for
// each format, mutations of them and random bytes.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "support/fuzz_target.h"

namespace {

constexpr std::size_t kFormats = 44;  // of the target

/// A table of one column of the format, everything else zeroes.
std::vector<std::uint8_t> program_of(std::size_t format) {
    std::vector<std::uint8_t> program(18, 0);
    program.push_back(static_cast<std::uint8_t>(format));
    program.resize(120, 0);
    return program;
}

void run_target(const std::vector<std::uint8_t>& input) {
    epe::test::run_fuzz_target("arrow_import", input.data(), input.size());
}

TEST(FuzzArrowImport, HoldsForItsCorpus) {
    for (std::size_t format = 0; format < kFormats; ++format) run_target(program_of(format));
}

TEST(FuzzArrowImport, HoldsForMutations) {
    std::mt19937 random(20240229);  // deterministic mutations
    for (std::size_t format = 0; format < kFormats; ++format) {
        for (int round = 0; round < 1500; ++round) {
            std::vector<std::uint8_t> input = program_of(format);
            for (std::size_t changes = 1 + random() % 5; changes > 0; --changes)
                input[random() % input.size()] = static_cast<std::uint8_t>(random());
            run_target(input);
        }
    }
}

TEST(FuzzArrowImport, HoldsForRandomBytes) {
    std::mt19937 random(7);
    for (int round = 0; round < 30000; ++round) {
        std::vector<std::uint8_t> input(random() % 300);
        for (std::uint8_t& byte : input)
            byte = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 60);
        run_target(input);
    }
}

}  // namespace
