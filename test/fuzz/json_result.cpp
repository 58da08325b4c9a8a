// Fuzz target: JSON results of an engine's calls, joined into one text.
//
// The first byte selects the function, the second the size of pieces; texts follow, each after a
// byte of flags and its size. Engines may send any bytes; valid JSON must result in valid JSON.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/pipeline/json_merger.h"
#include "core/pipeline/output_shape.h"
#include "core/utf8.h"
#include "target.h"

namespace {

using epe::fuzz::require;
using Json = nlohmann::json;

epe::Column column_of(std::string_view text) {
    epe::Column column;
    column.type.kind = epe::Kind::kJson;
    column.length = 1;
    const std::int64_t ends[] = {0, static_cast<std::int64_t>(text.size())};
    require(column.offsets.append(ends, sizeof(ends)), "memory");
    require(text.empty() || column.values.append(text.data(), text.size()), "memory");
    return column;
}

epe::CallResult result_of(std::int64_t number, std::uint8_t flags, std::string_view text) {
    constexpr std::size_t kNameBytes = 3;
    epe::CallResult result;
    result.call_number = number;
    result.is_frame = (flags & 1U) != 0;
    if ((flags & 2U) != 0) result.call_name = std::string(text.substr(0, kNameBytes));
    result.batch.length = 1;
    result.batch.columns.push_back(column_of(""));
    result.batch.columns.push_back((flags & 12U) == 12 ? epe::null_column(1) : column_of(text));
    return result;
}

std::string joined(const epe::CallResult& result) {
    const epe::Column& column = result.batch.columns.at(1);
    std::string all;
    for (std::int64_t row = 0; row < result.batch.length; ++row)
        all.append(column.bytes_at(row), static_cast<std::size_t>(column.bytes_length(row)));
    return all;
}

void run(std::string_view input) {
    constexpr std::size_t kMostBytes = 4096;
    epe::fuzz::Bytes bytes(input);
    const std::uint8_t choice = bytes.byte();
    const auto function = static_cast<epe::EvalFunction>(choice % 5);
    epe::OutputShape shape;
    shape.form = epe::OutputFormat::Form::kJson;
    shape.columns = {{"name", {epe::Kind::kText}}, {"value", {epe::Kind::kText}}};
    shape.piece_bytes = bytes.byte();
    const bool has_one_call =
        function == epe::EvalFunction::kEval || function == epe::EvalFunction::kTable;
    bool all_are_json = true;
    std::int64_t number = 0;
    epe::JsonResult result(function, shape, kMostBytes);
    try {
        do {
            const std::uint8_t flags = bytes.byte();
            const std::string_view text = bytes.take(bytes.byte());
            const bool is_null = (flags & 12U) == 12;
            all_are_json =
                all_are_json && (is_null || (epe::is_clean_utf8(text) && Json::accept(text)));
            // A frame's text is an array of records; an engine may set the flag for any text.
            result.add(result_of(++number, flags, text));
        } while (!bytes.is_empty() && !has_one_call);
        const epe::CallResult whole = result.release_rows();
        const std::string text = joined(whole);
        require(!all_are_json || Json::accept(text), "JSON is joined to something else");
        const epe::Column& column = whole.batch.columns.at(1);
        for (std::int64_t row = 0; row < whole.batch.length && all_are_json; ++row)
            require(epe::is_clean_utf8({column.bytes_at(row),
                                        static_cast<std::size_t>(column.bytes_length(row))}) ||
                        !epe::is_clean_utf8(text),
                    "a piece ends within a character");
    } catch (const epe::Error& error) {
        const std::string& state = error.report().sqlstate;
        require(state == "22023" || state == "54000" || state == "08P01", "unexpected SQLSTATE");
    }
}

}  // namespace

EPE_FUZZ_TARGET(json_result, run, kBytes)
