// Fuzz target: exports any batch that the backend accepts to an Arrow library.
//
// The output is read like by a consumer, under the rules of the Arrow C data interface.
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batch_input.h"
#include "core/arrow/arrow.h"
#include "core/error.h"
#include "target.h"

namespace {

using epe::fuzz::require;

std::uint64_t sum = 0;

void touch(const void* from, std::int64_t size) {
    const auto* const bytes = static_cast<const unsigned char*>(from);
    for (std::int64_t i = 0; i < size; ++i) sum += bytes[i];
}

/// Bytes of a value by the format's letter; 0 for others, -1 for bits.
int width_of(std::string_view format) {
    if (format == "b") return -1;
    if (format == "s") return 2;
    if (format == "i" || format == "f" || format == "tdD") return 4;
    if (format == "l" || format == "g" || format.starts_with("t")) return 8;
    return 0;
}

bool is_valid(const ArrowArray& array, std::int64_t row) {
    const auto* const bits = static_cast<const std::uint8_t*>(array.buffers[0]);
    return bits == nullptr || (bits[row >> 3] >> (row & 7) & 1) != 0;
}

void read(const ArrowSchema& schema, const ArrowArray& array);

void read_offsets(const ArrowArray& array, std::int64_t most, const char* bytes) {
    std::int64_t last = 0;
    for (std::int64_t row = 0; row <= array.length && array.buffers[1] != nullptr; ++row) {
        std::int64_t end = 0;
        std::memcpy(&end, static_cast<const char*>(array.buffers[1]) + row * 8, sizeof(end));
        require(end >= last && (most < 0 || end <= most), "offsets");
        if (bytes != nullptr) touch(bytes + last, end - last);
        last = end;
    }
}

void read_values(const ArrowSchema& schema, const ArrowArray& array) {
    const std::string_view format = schema.format;
    const int width = width_of(format);
    if (width < 0) {
        touch(array.buffers[1], (array.length + 7) / 8);
    } else if (width > 0) {
        touch(array.buffers[1], array.length * width);
    } else if (format == "U" || format == "Z") {
        require(array.n_buffers == 3, "buffers of texts");
        read_offsets(array, -1, static_cast<const char*>(array.buffers[2]));
    } else if (format == "+L") {
        require(array.n_children == 1, "children of a list");
        read_offsets(array, array.children[0]->length, nullptr);
    } else {
        require(format == "+s" || format == "n", "format");
    }
}

void read_codes(const ArrowArray& array) {
    for (std::int64_t row = 0; row < array.length; ++row) {
        std::int32_t code = 0;
        std::memcpy(&code, static_cast<const char*>(array.buffers[1]) + row * 4, sizeof(code));
        if (is_valid(array, row)) require(code >= 0 && code < array.dictionary->length, "code");
    }
}

void read(const ArrowSchema& schema, const ArrowArray& array) {
    require(array.offset == 0 && array.length >= 0, "length");
    require(schema.n_children == array.n_children, "children");
    require((schema.dictionary == nullptr) == (array.dictionary == nullptr), "dictionary");
    std::int64_t nulls = 0;
    if (std::string_view(schema.format) != "n") {
        for (std::int64_t row = 0; row < array.length; ++row) nulls += is_valid(array, row) ? 0 : 1;
        require(array.null_count == nulls, "number of NULLs");
    }
    read_values(schema, array);
    if (array.dictionary != nullptr) {
        read_codes(array);
        read(*schema.dictionary, *array.dictionary);
    }
    for (std::int64_t i = 0; i < array.n_children; ++i) {
        if (std::string_view(schema.format) == "+s")
            require(array.children[i]->length == array.length, "length of a field");
        read(*schema.children[i], *array.children[i]);
    }
}

void consume(ArrowArrayStream& stream) {
    ArrowSchema schema{};
    require(stream.get_schema(&stream, &schema) == 0, "get_schema");
    ArrowArray array{};
    require(stream.get_next(&stream, &array) == 0, "get_next");
    ArrowArray end{};
    require(stream.get_next(&stream, &end) == 0 && end.release == nullptr, "one batch");
    stream.release(&stream);
    // Both outlive the stream, and children outlive their parent.
    read(schema, array);
    array.release(&array);
    schema.release(&schema);
    require(array.release == nullptr && schema.release == nullptr, "release");
}

void run(std::string_view input) {
    std::optional<epe::fuzz::BatchInput> parts = epe::fuzz::split_batch(input);
    if (!parts) return;
    std::optional<epe::Batch> batch = epe::fuzz::copied_batch(*parts);
    if (!batch || !epe::fuzz::is_small(*batch)) return;
    epe::Schema schema;
    for (const epe::Column& column : batch->columns) schema.push_back({"c", column.type});
    batch->schema = &schema;
    ArrowArrayStream stream{};
    try {
        epe::export_stream(std::move(*batch), stream);
    } catch (const epe::Error& error) {
        const std::string& state = error.report().sqlstate;
        require(state == "22008" || state == "0A000", "unexpected SQLSTATE");
        return;
    }
    consume(stream);
    [[maybe_unused]] static volatile std::uint64_t kept;  // prevents optimising the reads away
    kept = sum;
}

}  // namespace

EPE_FUZZ_TARGET(arrow_export, run, kBytes)
