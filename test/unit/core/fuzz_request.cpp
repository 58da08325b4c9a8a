// Seeded mutations for the fuzz targets of texts that users write (test/fuzz/request.cpp and
// names.cpp): PAR_LST, OUT_FMT, names and type names.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/fuzz_target.h"

namespace {

const std::vector<std::string>& corpus() {
    using namespace std::string_literals;
    static const std::vector<std::string> texts{
        "",
        "\0"s,
        "{}",
        R"({"n":3,"oml_input_type":"iterator[numpy]","oml_na_omit":1,"oml_parallel":0})",
        R"({"oml_connect":"true","oml_numeric":"decimal","oml_nan":"keep","oml_x":null})",
        R"({"oml_async_flag":false,"oml_service_level":"LOW","oml_graphics_flag":true})",
        R"-({"NAME":"varchar2(7 char)","t":"timestamp(3) with local time zone"})-",
        R"-({"a":"interval day(2) to second(3)","a":"long raw","":"int"})-",
        R"({"a":[{"b":[1.5e300,-0,1e999]},"\u00e9\ud83d\ude00\ud800"]})",
        "{\"a\":\"\xC3\xA9\xF0\x9F\x98\x80\xFF\"}",
        "\xEF\xBB\xBF{\"a\":1}",
        "[[[[[[[[[[[[[[[[",
        "schema.\"Ta\"\"ble\"",
        R"("a"."b"."c"."d")",
        "\"a\"desc nulls first, b asc, \"c,d\" NULLS LAST",
        "Species, species, \"Species\", SPECIES",
        "/* a /* b */ c */ -- d\n (select/**/1)",
        "with",
        "table .x",
        "values(1)",
        "select.5",
        "varchar2(3)[2][]",
        "number(",
    };
    return texts;
}

void run_target(const std::string& text) {
    for (const char* target : {"request", "names"})
        epe::test::run_fuzz_target(target, text.data(), text.size());
}

std::string mutate(std::string text, std::mt19937& random) {
    static constexpr std::array<std::string_view, 16> kPieces{
        "\"", "\"\"",    "{",  "}",  "[",    "]",     ",",    ".",
        ":",  "\\u0000", "/*", "*/", "oml_", " desc", "\xC3", "(*,"};
    const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
        const std::size_t at = below(text.size() + 1);
        switch (below(5)) {
            case 0:
                text.insert(at, kPieces[below(kPieces.size())]);
                break;
            case 1:
                text.erase(at, below(4));
                break;
            case 2:
                if (at < text.size()) text[at] = static_cast<char>(random());
                break;
            case 3:
                text.insert(at, text.substr(below(text.size() + 1), below(20)));
                break;
            default: {
                const std::string& other = corpus()[below(corpus().size())];
                text.insert(at, other.substr(below(other.size() + 1), below(30)));
                break;
            }
        }
    }
    return text;
}

TEST(FuzzRequest, HoldsForItsCorpus) {
    for (const std::string& text : corpus()) run_target(text);
    for (const char c : {'[', '{', '(', '"', '.', ',', ' ', '-'}) run_target(std::string(20000, c));
}

TEST(FuzzRequest, HoldsForMutations) {
    std::mt19937 random(20240229);  // deterministic mutations
    for (const std::string& text : corpus()) {
        std::string current = text;
        for (int round = 0; round < 300; ++round) {
            const std::string mutated = mutate(current, random);
            SCOPED_TRACE(mutated);
            run_target(mutated);
            current = round % 10 == 9 ? text : mutated;
        }
    }
}

}  // namespace
