// Seeded mutations for the fuzz targets of run requests and results (test/fuzz/gateway_body.cpp and
// gateway_table.cpp).
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <random>
#include <string>

#include "../../../test/unit/support/fuzz_target.h"

namespace {

/// Bodies of all endpoints, and results.
void run(const std::string& text) {
    for (char choice = 0; choice < 10; ++choice) {
        const std::string body = std::string(1, choice) + text;
        epe::test::run_fuzz_target("gateway_body", body.data(), body.size());
    }
    epe::test::run_fuzz_target("gateway_table", text.data(), text.size());
}

constexpr std::array kCorpus{
    R"({"parameters":"{\"num\":10,\"oml_async_flag\":true}","service":"LOW","asyncFlag":false})",
    R"({"input":"select * from iris","rows":10,"groupBy":"a, b","orderBy":"c","times":3})",
    R"({"asyncFlag":true,"timeout":1800,"comments":"a","parallel":3,"parallelFlag":true})",
    R"({"parameters":{"a":[1,{"b":null}],"oml_graphics_flag":1},"outputFormat":{"a":"int"}})",
    R"([{"a":1,"b":"x"},{"a":2.5,"c":[1]},{"a":true}])",
    R"({"x":[{"n":1}],"group":[1,2,null],"":{"group":1}})",
    "text/csv;q=0.5, application/json;q=0.1, */*",
    "2024-02-29 12:34:56.789+05:30 BC",
    "-123.45",
    "\\x00ff",
};

TEST(FuzzRunRequest, SurvivesMutations) {
    constexpr int kRounds = 3000;
    std::mt19937 random(7);
    for (int round = 0; round < kRounds; ++round) {
        std::string text = kCorpus[random() % kCorpus.size()];
        for (unsigned i = random() % 4; i > 0; --i) {
            const std::size_t at = random() % (text.size() + 1);
            switch (random() % 3) {
                case 0:
                    text.insert(at, 1, static_cast<char>(random()));
                    break;
                case 1:
                    text.erase(at, random() % 3);
                    break;
                default:
                    text.insert(at, kCorpus[random() % kCorpus.size()]);
            }
        }
        run(text);
    }
}

}  // namespace
