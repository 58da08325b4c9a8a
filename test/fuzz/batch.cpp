// Fuzz target: descriptions and data of batches, as the backend reads them from an engine.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "batch_input.h"
#include "engine/common/batch_codec.h"
#include "target.h"

namespace {

using epe::Batch;
using epe::Column;
using epe::Kind;
using epe::fuzz::require;

/// Reads every byte that a reader of the server may access, in the same way.
class Reader {
   public:
    void read(const Column& column, std::int64_t row) {
        if (column.is_null(row)) return;
        switch (column.type.kind) {
            case Kind::kNull:
                require(false, "value of no kind");
                break;
            case Kind::kList:
                read_list(column, row);
                break;
            case Kind::kStruct:
                require(column.children.size() == column.type.fields.size(), "fields");
                for (const Column& child : column.children) read(child, row);
                break;
            case Kind::kTimeTz:
                require(std::abs(column.values.as<epe::TimeWithZone>()[row].seconds_east) < 86400,
                        "time zone");
                [[fallthrough]];
            default:
                if (epe::is_bytes(column.type.kind))
                    read_text(column, row);
                else
                    read_fixed(column, row);
        }
    }
    void read_unusual(const Column& column) {
        for (std::int64_t i = 0; i < column.unusual_count(); ++i) {
            require(!column.is_null(column.unusual_rows.as<std::int64_t>()[i]), "unusual NULL");
            read_text(*column.unusual, i);
        }
        for (const Column& child : column.children) read_unusual(child);
    }
    std::uint64_t sum() const noexcept { return sum_; }

   private:
    void touch(const char* bytes, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) sum_ += static_cast<unsigned char>(bytes[i]);
    }
    void read_text(const Column& column, std::int64_t row) {
        const Column& texts = column.has_dictionary ? column.children.front() : column;
        if (column.has_dictionary) row = column.values.as<std::int32_t>()[row];
        require(texts.bytes_length(row) >= 0, "length of a text");
        touch(texts.bytes_at(row), static_cast<std::size_t>(texts.bytes_length(row)));
    }
    void read_fixed(const Column& column, std::int64_t row) {
        const std::size_t width = epe::fixed_width(column.type.kind);
        const char* const at = column.values.as<char>() + static_cast<std::size_t>(row) * width;
        touch(at, width);
        require(column.type.kind != Kind::kBool || *at == 0 || *at == 1, "boolean");
    }
    void read_list(const Column& column, std::int64_t row) {
        const auto* const ends = column.offsets.as<std::int64_t>();
        if (!column.shapes.empty()) {
            const epe::ListShape& shape = column.shapes.as<epe::ListShape>()[row];
            std::int64_t product = shape.dimensions == 0 ? 0 : 1;
            for (int i = 0; i < shape.dimensions; ++i) product *= shape.sizes[i];
            require(product == ends[row + 1] - ends[row], "shape of a list");
        }
        for (std::int64_t at = ends[row]; at < ends[row + 1]; ++at)
            read(column.children.front(), at);
    }

    std::uint64_t sum_ = 0;
};

/// An accepted batch can be sent on, and is accepted again.
void check_again(const Batch& batch) {
    const epe::engine::BatchEncoder encoder(batch, 0, batch.length);
    epe::engine::WireWriter description;
    encoder.describe(description);
    std::vector<std::byte> data(encoder.data_size());
    encoder.write_data(data.data());
    epe::engine::WireReader reader(description.bytes());
    const Batch again = epe::engine::decode_copied(reader, data);
    reader.expect_end();
    require(again.length == batch.length && again.columns.size() == batch.columns.size(),
            "encoding changes a batch");
}

void read_batch(const Batch& batch) {
    for (const Column& column : batch.columns)
        require(column.length == batch.length, "length of a column");
    if (!epe::fuzz::is_small(batch)) return;
    Reader reader;
    for (const Column& column : batch.columns) {
        for (std::int64_t row = 0; row < batch.length; ++row) reader.read(column, row);
        reader.read_unusual(column);
    }
    [[maybe_unused]] static volatile std::uint64_t kept;  // prevents optimising the reads away
    kept = reader.sum();
    check_again(batch);
}

class NoLease final : public epe::Lease {
   private:
    void on_free() noexcept override {}
};

void run(std::string_view input) {
    std::optional<epe::fuzz::BatchInput> parts = epe::fuzz::split_batch(input);
    if (!parts) return;
    if (const std::optional<Batch> batch = epe::fuzz::copied_batch(*parts)) read_batch(*batch);
    try {
        NoLease lease;
        epe::engine::WireReader reader(parts->description);
        (void)epe::engine::decode_borrowed(reader, parts->data, lease);
    } catch (const epe::engine::ProtocolError&) {  // NOLINT(bugprone-empty-catch): the usual fate
    }
}

}  // namespace

EPE_FUZZ_TARGET(batch, run, kNone)
