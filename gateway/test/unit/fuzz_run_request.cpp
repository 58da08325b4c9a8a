// Fuzzing of what reads text from a client: bodies of run requests, header Accept, and results on
// their way into tables.
//
// With libFuzzer, on one line:
//     clang++ -std=c++20 -g -Igateway/src -DEPE_FUZZING -fsanitize=fuzzer,address,undefined
//     gateway/test/unit/fuzz_run_request.cpp
//     gateway/src/{accept,arrow_message,arrow_stream,csv,json_text,run_request,table_result,table_writer,value_text,database,...}.cpp
//     -lpq
//
// In the unit tests the same target runs over a corpus of its own and mutations of it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "accept.h"
#include "api_error.h"
#include "run_request.h"
#include "table_result.h"
#include "value_text.h"

namespace {

using namespace epe::gateway;

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "fuzz_run_request: %s\n", what);
    std::abort();
}

/// Runs an action that may throw an ApiError and nothing else.
template <typename Action>
void attempt(Action action) {
    try {
        action();
    } catch (const ApiError& error) {
        require(error.status() == 400 || error.status() == 406, "unexpected status");
        require(error.what()[0] != '\0', "no message");
    }
}

/// What SQL is given must be what was read here.
void check_request(const std::string& text, RunKind kind, ApiVersion version) {
    attempt([&] {
        const RunRequest request = read_run_request(text, kind, version);
        const Json par_lst = Json::parse(request.par_lst(2));
        require(par_lst.is_object(), "PAR_LST is no object");
        require(is_control_set(par_lst, "oml_async_flag") == request.is_async, "async flag");
        require(asks_for_figures(par_lst) == request.wants_graphics, "graphics flag");
        require(!request.rows || *request.rows > 0, "rows");
        require(!request.input || request.input->find('\0') == std::string::npos, "zero byte");
    });
}

void check_table(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return;
    for (const RunKind kind : {RunKind::kEval, RunKind::kGroup}) {
        const TableResult table(json, kind);
        for (const MediaType type : {MediaType::kCsv, MediaType::kArrow}) {
            const auto writer = make_table_writer(type, table.columns());
            (void)(writer->begin() + writer->write(table) + writer->end());
        }
    }
}

void check(const std::string& text) {
    for (const RunKind kind :
         {RunKind::kEval, RunKind::kTable, RunKind::kRow, RunKind::kGroup, RunKind::kIndex})
        for (const ApiVersion version : {ApiVersion::kV1, ApiVersion::kV2})
            check_request(text, kind, version);
    attempt([&] { choose_media_type(text); });
    check_table(text);
    (void)days_of(text);
    (void)microseconds_of(text);
    (void)decimal_of(text, 2);
    (void)bytes_of(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check(std::string(reinterpret_cast<const char*>(data), size));
    return 0;
}

#ifndef EPE_FUZZING
#include <gtest/gtest.h>

namespace {

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
        check(text);
    }
}

}  // namespace
#endif
