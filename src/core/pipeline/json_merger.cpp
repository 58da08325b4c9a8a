// Joins the JSON results of several calls into one text for OUT_FMT 'JSON'.
#include "core/pipeline/json_merger.h"

#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/error.h"

namespace epe {
namespace {

constexpr std::size_t kValueColumn = 1;  // of the JSON shape: name, value

/// The brackets around the joined results; none for a single call.
struct Frame {
    std::string_view opening;
    std::string_view closing;
};

constexpr Frame frame_of(EvalFunction function) noexcept {
    switch (function) {
        case EvalFunction::kRow:
        case EvalFunction::kIndex:
            return {"[", "]"};
        case EvalFunction::kGroup:
            return {"{", "}"};
        default:
            return {"", ""};
    }
}

std::string_view value_of(const Batch& batch) {
    if (batch.length != 1 || batch.columns.size() <= kValueColumn)
        throw Error(sqlstate::kProtocolViolation,
                    "JSON result of a call is not one row of two columns");
    const Column& column = batch.columns[kValueColumn];
    if (column.is_null(0)) return "null";
    // An engine process is not trusted to send the right kind of column.
    if (column.type.kind != Kind::kText && column.type.kind != Kind::kJson)
        throw Error(sqlstate::kProtocolViolation, "JSON result of a call is not text");
    const bool is_code = column.has_dictionary;
    const Column& texts = is_code ? column.children.front() : column;
    const std::int64_t row = is_code ? column.values.as<std::int32_t>()[0] : 0;
    return {texts.bytes_at(row), static_cast<std::size_t>(texts.bytes_length(row))};
}

/// The records of a frame without the enclosing array.
std::string_view records_of(std::string_view array) {
    constexpr std::string_view kSpace = " \t\r\n";
    const auto trim_json = [&](std::string_view text) {
        const std::size_t first = text.find_first_not_of(kSpace);
        if (first == std::string_view::npos) return std::string_view();
        return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
    };
    const std::string_view trimmed = trim_json(array);
    if (trimmed.size() < 2 || !trimmed.starts_with('[') || !trimmed.ends_with(']'))
        throw Error(sqlstate::kProtocolViolation, "JSON result of a frame is not an array");
    return trim_json(trimmed.substr(1, trimmed.size() - 2));
}

[[nodiscard]] Column text_column(Kind kind) {
    Column column;
    column.type.kind = kind;
    if (!column.offsets.push(std::int64_t{0})) throw std::bad_alloc();
    return column;
}

void add_row(Column& column, std::size_t end) {
    ++column.length;
    if (!column.offsets.push(static_cast<std::int64_t>(end))) throw std::bad_alloc();
}

void add_null(Column& column) {
    if (column.length % 8 == 0 && !column.validity.push(std::uint8_t{0})) throw std::bad_alloc();
    ++column.null_count;
    add_row(column, 0);
}

/// End of a piece of at most `most` bytes that starts at `start`: never within a character.
std::size_t piece_end(std::string_view text, std::size_t start, std::size_t most) {
    if (text.size() - start <= most) return text.size();
    const auto is_within = [&](std::size_t at) {
        return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
    };
    std::size_t end = start + most;
    while (end > start + 1 && is_within(end)) --end;
    while (end < text.size() && is_within(end)) ++end;  // a character is longer than the piece
    return end;
}

}  // namespace

JsonResult::JsonResult(EvalFunction function, const OutputShape& shape, std::size_t most_bytes)
    : function_(function), shape_(&shape), most_bytes_(most_bytes) {
    append(frame_of(function).opening);
}

void JsonResult::append(std::string_view text) {
    if (text.size() > most_bytes_ - text_.size()) {
        ErrorReport report;
        report.sqlstate = sqlstate::kLimitExceeded;
        report.message = "JSON result is too large";
        report.detail = "A text holds at most " + std::to_string(most_bytes_) + " bytes.";
        report.hint = "Ask for rows instead: give a column map or a row type in place of 'JSON'.";
        throw Error(std::move(report));
    }
    if (!text_.append(text.data(), text.size())) throw std::bad_alloc();
}

/// A JSON string; invalid UTF-8 is replaced.
void JsonResult::append_key(const CallResult& result) {
    using Json = nlohmann::json;
    const std::string name = result.call_name.value_or(std::to_string(result.call_number));
    if (!keys_.insert(name).second) {
        ErrorReport report;
        report.sqlstate = sqlstate::kInvalidArgument;
        report.message = "two groups are named \"" + name + "\"";
        report.detail = "A JSON object has each key once; the values of several grouping columns "
                        "are joined by \"_\".";
        report.hint = "Group by one expression that tells them apart, or ask for rows or 'XML'.";
        throw Error(std::move(report));
    }
    append(Json(name).dump(-1, ' ', false, Json::error_handler_t::replace));
    append(":");
}

void JsonResult::add(CallResult result) {
    std::string_view value = value_of(result.batch);
    if (function_ == EvalFunction::kRow && result.is_frame) {
        value = records_of(value);
        if (value.empty()) return;
    }
    if (has_value_) append(",");
    if (function_ == EvalFunction::kGroup) append_key(result);
    append(value);
    has_value_ = true;
}

CallResult JsonResult::release_rows() {
    const Frame frame = frame_of(function_);
    if (!has_value_ && frame.opening.empty()) append("null");  // the single call had no result
    append(frame.closing);

    const std::string_view text(text_.as<char>(), text_.size());
    const std::size_t most =
        shape_->piece_bytes > 0 ? static_cast<std::size_t>(shape_->piece_bytes) : text.size();
    Column name = text_column(Kind::kText);
    Column value = text_column(Kind::kJson);
    std::size_t end = 0;
    do {
        end = piece_end(text, end, most);
        add_row(value, end);
        add_null(name);
    } while (end < text.size());
    value.values = std::move(text_);

    CallResult result;
    result.call_number = 1;
    result.batch.schema = &shape_->columns;
    result.batch.length = value.length;
    result.batch.columns.push_back(std::move(name));
    result.batch.columns.push_back(std::move(value));
    return result;
}

}  // namespace epe
