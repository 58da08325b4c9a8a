// Fuzz target: PAR_LST and OUT_FMT, that is, the JSON and the column maps that users write.
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "attempt.h"
#include "core/request/oracle_type_names.h"
#include "core/request/request.h"
#include "target.h"

namespace {

using epe::fuzz::attempt;
using epe::fuzz::require;

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
        const auto arguments = nlohmann::json::parse(request.arguments_json);
        require(arguments.is_object(), "arguments are no object");
        for (const auto& [key, value] : arguments.items())
            require(!key.starts_with("oml_"), "a control argument is left");
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

void run(std::string_view input) {
    const std::string text(input);
    check_request(text, static_cast<epe::EvalFunction>(input.size() % 5));
    check_format(text);
}

}  // namespace

EPE_FUZZ_TARGET(request, run, kBytes)
