// Seeded mutations for the fuzz target of batches (test/fuzz/batch.cpp): encodings of all kinds of
// columns, with mutated sizes, counts and flags.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/codec_support.h"
#include "support/fuzz_target.h"

namespace {

std::string input_of(epe::test::Encoded encoded) {
    const auto size = static_cast<std::uint16_t>(encoded.description.size());
    std::string input(reinterpret_cast<const char*>(&size), sizeof(size));
    input += encoded.description;
    input.append(reinterpret_cast<const char*>(encoded.data.data()), encoded.data.span().size());
    return input;
}

const std::vector<std::string>& corpus() {
    static const std::vector<std::string> inputs = [] {
        std::vector<std::string> made;
        for (const epe::ColumnType& type : epe::test::all_types()) {
            for (const std::int64_t rows : {0, 1, 20}) {
                made.push_back(input_of(epe::test::encode(epe::test::mixed_batch(type, 0, rows))));
                made.push_back(
                    input_of(epe::test::encode(epe::test::mixed_batch(type, 3, rows, false))));
            }
        }
        return made;
    }();
    return inputs;
}

void run_target(const std::string& input) {
    // A copy of exactly that size: a string has a byte more.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    epe::test::run_fuzz_target("batch", bytes.data(), bytes.size());
}

template <typename T>
void put(std::string& input, std::size_t at, T value) {
    if (at + sizeof(value) <= input.size()) std::memcpy(input.data() + at, &value, sizeof(value));
}

std::string mutate(std::string input, std::mt19937& random) {
    static constexpr std::int64_t kNumbers[] = {-1,
                                                0,
                                                1,
                                                2,
                                                7,
                                                8,
                                                19,
                                                20,
                                                21,
                                                255,
                                                256,
                                                std::int64_t{1} << 31,
                                                std::int64_t{1} << 40,
                                                std::numeric_limits<std::int64_t>::max(),
                                                std::numeric_limits<std::int64_t>::min()};
    const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
        const std::size_t at = 2 + below(below(2) == 0 ? 64 : input.size());
        const std::int64_t number = kNumbers[below(std::size(kNumbers))];
        switch (below(6)) {
            case 0:
                put(input, at, static_cast<std::uint8_t>(random()));
                break;
            case 1:
                put(input, at, static_cast<std::uint8_t>(below(24)));
                break;
            case 2:
                put(input, at, static_cast<std::int32_t>(number));
                break;
            case 3:
                put(input, at, number);
                break;
            case 4:
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << below(8));
                break;
            default:
                if (at < input.size()) input.resize(below(4) == 0 ? at : input.size() + below(9));
                break;
        }
    }
    return input;
}

TEST(FuzzBatchCodec, HoldsForItsCorpus) {
    for (const std::string& input : corpus()) run_target(input);
}

TEST(FuzzBatchCodec, HoldsForMutations) {
    std::mt19937 random(20240229);  // deterministic mutations
    for (const std::string& input : corpus()) {
        std::string current = input;
        for (int round = 0; round < 400; ++round) {
            const std::string mutated = mutate(current, random);
            run_target(mutated);
            current = round % 4 == 3 ? input : mutated;
        }
    }
}

TEST(FuzzBatchCodec, HoldsForRandomBytes) {
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        std::string input(random() % 200, ' ');
        for (char& byte : input) byte = static_cast<char>(random() % 3 == 0 ? random() : 0);
        put(input, 0, static_cast<std::uint16_t>(input.size() / 2));
        run_target(input);
    }
}

}  // namespace
