// Replays the corpora of all fuzz targets as unit tests, and mutations of them.
//
// The mutations are a small, deterministic part of those of tools/fuzz, and need no clang.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "target.h"

namespace {

using epe::fuzz::Mutations;
using epe::fuzz::Target;
using epe::fuzz::targets;

/// Relative to the repository, where `make unit` runs.
const std::filesystem::path kCorpora = "test/fuzz";

struct Input {
    std::string name;
    std::string bytes;
};

std::vector<Input> corpus_of(const Target& target) {
    std::vector<Input> inputs;
    for (const auto& file : std::filesystem::directory_iterator(kCorpora / target.name)) {
        std::ifstream stream(file.path(), std::ios::binary);
        inputs.push_back({file.path().filename().string(),
                          std::string(std::istreambuf_iterator<char>(stream), {})});
    }
    std::sort(inputs.begin(), inputs.end(),
              [](const Input& left, const Input& right) { return left.name < right.name; });
    return inputs;
}

void run(const Target& target, const std::string& input) {
    // A copy of exactly that size, so that ASan detects an overread by one byte.
    const std::vector<char> exact(input.begin(), input.end());
    target.run({exact.data(), exact.size()});
}

std::string mutate(std::string input, const std::vector<Input>& corpus, std::mt19937& random) {
    constexpr std::size_t kLongestPiece = 32;
    const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
        const std::size_t at = below(input.size() + 1);
        switch (below(5)) {
            case 0:
                input.insert(at, 1, static_cast<char>(random()));
                break;
            case 1:
                input.erase(at, 1 + below(4));
                break;
            case 2:
                if (at < input.size()) input[at] = static_cast<char>(random());
                break;
            case 3:
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << below(8));
                break;
            default: {
                const std::string& other = corpus[below(corpus.size())].bytes;
                input.insert(at, other.substr(below(other.size() + 1), below(kLongestPiece)));
            }
        }
    }
    return input;
}

class FuzzCorpus : public testing::TestWithParam<Target> {};

TEST_P(FuzzCorpus, IsHandled) {
    const std::vector<Input> corpus = corpus_of(GetParam());
    ASSERT_FALSE(corpus.empty()) << "the corpus of " << GetParam().name << " is missing";
    for (const Input& input : corpus) {
        SCOPED_TRACE(input.name);
        run(GetParam(), input.bytes);
    }
}

TEST_P(FuzzCorpus, IsHandledWithMutations) {
    if (GetParam().mutations == Mutations::kNone) return;
    constexpr int kRounds = 1000;
    const std::vector<Input> corpus = corpus_of(GetParam());
    ASSERT_FALSE(corpus.empty());
    std::mt19937 random(20240229);  // deterministic mutations
    for (int round = 0; round < kRounds; ++round) {
        const Input& input = corpus[random() % corpus.size()];
        SCOPED_TRACE(input.name);
        run(GetParam(), mutate(input.bytes, corpus, random));
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpus, testing::ValuesIn(targets()),
                         [](const auto& target) { return std::string(target.param.name); });

/// Without this check, a corpus without a target, or a target that is not linked, would be skipped
/// silently.
TEST(FuzzCorpora, EachBelongsToATarget) {
    for (const auto& folder : std::filesystem::directory_iterator(kCorpora)) {
        if (!folder.is_directory()) continue;
        const std::string name = folder.path().filename().string();
        EXPECT_TRUE(std::filesystem::exists(kCorpora / (name + ".cpp"))) << name;
    }
    EXPECT_FALSE(targets().empty());
}

}  // namespace
