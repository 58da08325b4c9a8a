#include "arrow_stream.h"

#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

#include "api_error.h"
#include "arrow_message.h"
#include "value_text.h"

namespace epe::gateway {
namespace {

constexpr std::size_t kAlignment = 8;

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end) return std::nullopt;
    return number;
}

/// The body of a batch under construction and its description in the message.
class BatchBody {
   public:
    BatchBody(const TableRows& rows) : rows_(rows) {}

    void add_column(int index, const TableColumn& column);

    std::string finish() {
        return arrow_batch_message(rows_.rows(), nodes_, buffers_,
                                   static_cast<std::int64_t>(body_.size())) +
               body_;
    }

   private:
    void add_buffer(std::string_view bytes) {
        buffers_.push_back(
            {static_cast<std::int64_t>(body_.size()), static_cast<std::int64_t>(bytes.size())});
        body_ += bytes;
        body_.resize((body_.size() + kAlignment - 1) / kAlignment * kAlignment);
    }

    void add_validity(int column);
    void add_bits(int column);
    void add_bytes(int index, const TableColumn& column);

    template <typename Number, typename Read>
    void add_numbers(int index, const TableColumn& column, Read read);

    [[noreturn]] void refuse(int row, int index, const TableColumn& column) const {
        throw ApiError(400, "column \"" + column.name + "\" holds \"" +
                                std::string(rows_.value(row, index).substr(0, 40)) +
                                "\", which its Arrow type cannot hold; give the column type text");
    }

    const TableRows& rows_;
    std::vector<ArrowNode> nodes_{};
    std::vector<ArrowBuffer> buffers_{};
    std::string body_{};
};

void set_bit(std::string& bits, int index) {
    char& byte = bits[static_cast<std::size_t>(index / 8)];
    byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << (index % 8)));
}

std::size_t bytes_for_bits(int count) { return static_cast<std::size_t>(count + 7) / 8; }

void BatchBody::add_validity(int column) {
    std::string bits(bytes_for_bits(rows_.rows()), '\0');
    std::int64_t nulls = 0;
    for (int row = 0; row < rows_.rows(); ++row) {
        if (rows_.is_null(row, column))
            ++nulls;
        else
            set_bit(bits, row);
    }
    nodes_.push_back({rows_.rows(), nulls});
    add_buffer(nulls > 0 ? bits : std::string_view());
}

void BatchBody::add_bits(int column) {
    std::string bits(bytes_for_bits(rows_.rows()), '\0');
    for (int row = 0; row < rows_.rows(); ++row)
        if (!rows_.is_null(row, column) && rows_.value(row, column) == "t") set_bit(bits, row);
    add_buffer(bits);
}

void BatchBody::add_bytes(int index, const TableColumn& column) {
    std::vector<std::int32_t> offsets{0};
    std::string bytes;
    for (int row = 0; row < rows_.rows(); ++row) {
        if (!rows_.is_null(row, index)) {
            const std::string_view text = rows_.value(row, index);
            if (column.kind == ColumnKind::kBinary) {
                const auto value = bytes_of(text);
                if (!value) refuse(row, index, column);
                bytes += *value;
            } else {
                bytes += text;
            }
        }
        if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
            throw ApiError(400, "column \"" + column.name + "\" is too large for an Arrow batch");
        offsets.push_back(static_cast<std::int32_t>(bytes.size()));
    }
    add_buffer(
        {reinterpret_cast<const char*>(offsets.data()), offsets.size() * sizeof(std::int32_t)});
    add_buffer(bytes);
}

template <typename Number, typename Read>
void BatchBody::add_numbers(int index, const TableColumn& column, Read read) {
    std::string buffer(static_cast<std::size_t>(rows_.rows()) * sizeof(Number), '\0');
    for (int row = 0; row < rows_.rows(); ++row) {
        if (rows_.is_null(row, index)) continue;
        const std::optional<Number> number = read(rows_.value(row, index));
        if (!number) refuse(row, index, column);
        std::memcpy(buffer.data() + static_cast<std::size_t>(row) * sizeof(Number), &*number,
                    sizeof(Number));
    }
    add_buffer(buffer);
}

void BatchBody::add_column(int index, const TableColumn& column) {
    add_validity(index);
    switch (column.kind) {
        case ColumnKind::kBool:
            return add_bits(index);
        case ColumnKind::kInt16:
            return add_numbers<std::int16_t>(index, column, number_of<std::int16_t>);
        case ColumnKind::kInt32:
            return add_numbers<std::int32_t>(index, column, number_of<std::int32_t>);
        case ColumnKind::kInt64:
            return add_numbers<std::int64_t>(index, column, number_of<std::int64_t>);
        case ColumnKind::kFloat32:
            return add_numbers<float>(index, column, number_of<float>);
        case ColumnKind::kFloat64:
            return add_numbers<double>(index, column, number_of<double>);
        case ColumnKind::kDecimal:
            return add_numbers<__int128>(index, column, [&](std::string_view text) {
                return decimal_of(text, column.scale);
            });
        case ColumnKind::kDate:
            return add_numbers<std::int32_t>(index, column, days_of);
        case ColumnKind::kTimestamp:
        case ColumnKind::kTimestampUtc:
            return add_numbers<std::int64_t>(index, column, microseconds_of);
        case ColumnKind::kBinary:
        case ColumnKind::kUtf8:
            return add_bytes(index, column);
    }
}

}  // namespace

std::string ArrowStreamWriter::begin() { return arrow_schema_message(columns_); }

std::string ArrowStreamWriter::write(const TableRows& rows) {
    BatchBody body(rows);
    for (std::size_t i = 0; i < columns_.size(); ++i)
        body.add_column(static_cast<int>(i), columns_[i]);
    return body.finish();
}

std::string ArrowStreamWriter::end() { return arrow_end_mark(); }

}  // namespace epe::gateway
