#include "csv.h"

namespace epe::gateway {
namespace {

void append_field(std::string& text, std::string_view value) {
    // Leading and trailing spaces are quoted for readers that trim.
    const bool is_plain = !value.empty() && value.find_first_of("\",\r\n") == value.npos &&
                          value.front() != ' ' && value.back() != ' ';
    if (is_plain) {
        text += value;
        return;
    }
    text += '"';
    for (const char c : value) {
        if (c == '"') text += '"';
        text += c;
    }
    text += '"';
}

}  // namespace

std::string CsvWriter::begin() {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (i > 0) text += ',';
        append_field(text, columns_[i].name);
    }
    return text + '\n';
}

std::string CsvWriter::write(const TableRows& rows) {
    std::string text;
    const int columns = static_cast<int>(columns_.size());
    for (int row = 0; row < rows.rows(); ++row) {
        for (int column = 0; column < columns; ++column) {
            if (column > 0) text += ',';
            if (rows.is_null(row, column)) continue;
            const std::string_view value = rows.value(row, column);
            if (columns_[static_cast<std::size_t>(column)].kind == ColumnKind::kBool)
                text += value == "t" ? "true" : "false";
            else
                append_field(text, value);
        }
        text += '\n';
    }
    return text;
}

}  // namespace epe::gateway
