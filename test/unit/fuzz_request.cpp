// Fuzzing of everything that reads text from a user: PAR_LST, OUT_FMT, names and type names.
//
// With libFuzzer, on one line:
//     clang++ -std=c++20 -g -Isrc -DEPE_FUZZING -fsanitize=fuzzer,address,undefined
//     test/unit/fuzz_request.cpp src/core/{request,json_object,identifiers,type_names}.cpp
//
// In the unit tests the same target runs over a corpus of its own and mutations of it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/identifiers.h"
#include "core/request.h"
#include "core/type_names.h"

namespace {

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "fuzz_request: %s\n", what);
    std::abort();
}

/// Runs an action that may throw a well-made Error of an argument and nothing else.
template <typename Action>
void attempt(Action action) {
    constexpr std::size_t kLongestMessage = 1000;
    try {
        action();
    } catch (const epe::Error& error) {
        const epe::ErrorReport& report = error.report();
        const std::string& state = report.sqlstate;
        require(state == "22023" || state == "0A000" || state == "42702" || state == "42703",
                "unexpected SQLSTATE");
        require(!report.message.empty() && report.message.back() != '.', "message style");
        require(report.detail.empty() || report.detail.back() == '.', "detail is no sentence");
        require(report.hint.empty() || report.hint.back() == '.', "hint is no sentence");
        require(report.detail.size() <= kLongestMessage, "detail is too long");
    }
}

void check_request(const std::string& text, epe::EvalFunction function) {
    epe::RawArguments raw;
    raw.input_name = "iris";
    raw.script_name = "f";
    raw.row_count = 1;
    raw.times = 1;
    raw.group_columns = "a";
    epe::RawArguments named = raw;
    raw.parameters = text;
    attempt([&] {
        const epe::Request request = epe::make_request(function, raw);
        require(!request.arguments_json.empty(), "arguments are never empty");
        for (const std::string& key : request.controls.unknown)
            require(key.starts_with("oml_"), "unknown key without prefix");
    });
    named.input_name = text;
    named.group_columns = text;
    named.order_columns = text;
    named.script_owner = text;
    attempt([&] { epe::make_request(function, named); });
}

void check_format(const std::string& text) {
    attempt([&] {
        const epe::OutputFormat format = epe::parse_output_format(text);
        require(format.column_map.empty() || format.prototype.empty(), "two shapes at once");
        for (const auto& [name, type] : format.column_map) {
            require(!name.empty() && !type.empty(), "empty name or type");
            require(!epe::postgres_type_name(type).empty(), "type name lost");
        }
    });
}

void check_names(const std::string& text) {
    attempt([&] {
        std::string again;
        const std::vector<epe::NamePart> parts = epe::split_qualified_name(text, "x");
        require(!parts.empty() && parts.size() <= 3, "number of parts");
        for (const epe::NamePart& part : parts)
            again += (again.empty() ? "" : ".") + epe::quote_identifier(part.text);
        const std::vector<epe::NamePart> same = epe::split_qualified_name(again, "x");
        require(same.size() == parts.size(), "quoting changes the number of parts");
        for (std::size_t i = 0; i < parts.size(); ++i)
            require(same[i].text == parts[i].text && same[i].was_quoted, "quoting changes a name");
    });
    attempt([&] {
        for (const epe::OrderColumn& column : epe::split_order_list(text, "x"))
            require(!column.name.text.empty(), "empty name");
    });
    attempt([&] {
        const epe::Schema schema{{"Species", {epe::Kind::kText}}, {"species", {epe::Kind::kText}}};
        for (const epe::NamePart& name : epe::split_column_list(text, "x"))
            require(epe::require_column(schema, name, "the input") >= 0, "index");
    });
    epe::looks_like_query(text);
    epe::postgres_type_name(text);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto function = static_cast<epe::EvalFunction>(size % 5);
    check_request(text, function);
    check_format(text);
    check_names(text);
    return 0;
}

#ifndef EPE_FUZZING
#include <gtest/gtest.h>

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
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
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
    std::mt19937 random(20240229);  // always the same mutations
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
#endif  // EPE_FUZZING
