// Fuzzing of what the backend reads of a hostile engine: descriptions and data of batches.
//
// With libFuzzer, on one line:
//     clang++ -std=c++20 -g -Isrc -DEPE_FUZZING -fsanitize=fuzzer,address,undefined
//     test/unit/fuzz_batch_codec.cpp src/engine/{batch_codec,batch_check,wire}.cpp
//     src/core/{batch,buffer,column_type,utf8}.cpp
//
// In the unit tests the same target runs over encodings of all kinds of columns and mutations of
// them. An input is the size of the description in two bytes, the description, and the data.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "engine/batch_codec.h"

namespace {

using epe::Batch;
using epe::Column;
using epe::Kind;

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "fuzz_batch_codec: %s\n", what);
    std::abort();
}

/// Touches every byte that a reader of the server may touch, in the way that readers do it.
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

/// What is accepted can be sent on, and is accepted again.
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
    constexpr std::int64_t kMostToRead = 10000;  // without any data there may be 2^40 rows
    std::int64_t rows = batch.length;
    for (const Column& column : batch.columns) {
        require(column.length == batch.length, "length of a column");
        if (column.type.kind == Kind::kList && !column.children.empty())
            rows = std::max(rows, column.children.front().length);
    }
    if (rows > kMostToRead) return;
    Reader reader;
    for (const Column& column : batch.columns) {
        for (std::int64_t row = 0; row < batch.length; ++row) reader.read(column, row);
        reader.read_unusual(column);
    }
    [[maybe_unused]] static volatile std::uint64_t kept;  // so that nothing is optimised away
    kept = reader.sum();
    check_again(batch);
}

class NoLease final : public epe::Lease {
   private:
    void on_free() noexcept override {}
};

void run_input(const std::uint8_t* data, std::size_t size) {
    std::uint16_t description_size = 0;
    if (size < sizeof(description_size)) return;
    std::memcpy(&description_size, data, sizeof(description_size));
    data += sizeof(description_size);
    size -= sizeof(description_size);
    if (description_size > size) return;
    const std::string_view description(reinterpret_cast<const char*>(data), description_size);
    // Of exactly that size, so that ASan sees a byte too many.
    const auto* const rest = reinterpret_cast<const std::byte*>(data) + description_size;
    std::vector<std::byte> area(rest, rest + (size - description_size));
    try {
        epe::engine::WireReader reader(description);
        const Batch batch = epe::engine::decode_copied(reader, area);
        reader.expect_end();
        read_batch(batch);
    } catch (const epe::engine::ProtocolError&) {
        // The usual fate of a mutation.
    }
    try {
        NoLease lease;
        epe::engine::WireReader reader(description);
        (void)epe::engine::decode_borrowed(reader, area, lease);
    } catch (const epe::engine::ProtocolError&) {  // NOLINT(bugprone-empty-catch): as above
    }
}

}  // namespace

#ifdef EPE_FUZZING
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    run_input(data, size);
    return 0;
}
#else
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "codec_support.h"

namespace {

std::string input_of(epe::test::Encoded encoded) {
    const auto size = static_cast<std::uint16_t>(encoded.description.size());
    std::string input(reinterpret_cast<const char*>(&size), sizeof(size));
    input += encoded.description;
    input.append(reinterpret_cast<const char*>(encoded.data.data()), encoded.data.span().size());
    return input;
}

const std::vector<std::string>& corpus() {
    static const std::vector<std::string> inputs = [] {
        std::vector<std::string> made;
        for (const epe::ColumnType& type : epe::test::all_types()) {
            for (const std::int64_t rows : {0, 1, 20}) {
                made.push_back(input_of(epe::test::encode(epe::test::mixed_batch(type, 0, rows))));
                made.push_back(
                    input_of(epe::test::encode(epe::test::mixed_batch(type, 3, rows, false))));
            }
        }
        return made;
    }();
    return inputs;
}

void run_target(const std::string& input) {
    // A copy of exactly that size: a string has a byte more.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    run_input(bytes.data(), bytes.size());
}

template <typename T>
void put(std::string& input, std::size_t at, T value) {
    if (at + sizeof(value) <= input.size()) std::memcpy(input.data() + at, &value, sizeof(value));
}

std::string mutate(std::string input, std::mt19937& random) {
    static constexpr std::int64_t kNumbers[] = {-1,
                                                0,
                                                1,
                                                2,
                                                7,
                                                8,
                                                19,
                                                20,
                                                21,
                                                255,
                                                256,
                                                std::int64_t{1} << 31,
                                                std::int64_t{1} << 40,
                                                std::numeric_limits<std::int64_t>::max(),
                                                std::numeric_limits<std::int64_t>::min()};
    const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
        const std::size_t at = 2 + below(below(2) == 0 ? 64 : input.size());
        const std::int64_t number = kNumbers[below(std::size(kNumbers))];
        switch (below(6)) {
            case 0:
                put(input, at, static_cast<std::uint8_t>(random()));
                break;
            case 1:
                put(input, at, static_cast<std::uint8_t>(below(24)));
                break;
            case 2:
                put(input, at, static_cast<std::int32_t>(number));
                break;
            case 3:
                put(input, at, number);
                break;
            case 4:
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << below(8));
                break;
            default:
                if (at < input.size()) input.resize(below(4) == 0 ? at : input.size() + below(9));
                break;
        }
    }
    return input;
}

TEST(FuzzBatchCodec, HoldsForItsCorpus) {
    for (const std::string& input : corpus()) run_target(input);
}

TEST(FuzzBatchCodec, HoldsForMutations) {
    std::mt19937 random(20240229);  // always the same mutations
    for (const std::string& input : corpus()) {
        std::string current = input;
        for (int round = 0; round < 400; ++round) {
            const std::string mutated = mutate(current, random);
            run_target(mutated);
            current = round % 4 == 3 ? input : mutated;
        }
    }
}

TEST(FuzzBatchCodec, HoldsForRandomBytes) {
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        std::string input(random() % 200, ' ');
        for (char& byte : input) byte = static_cast<char>(random() % 3 == 0 ? random() : 0);
        put(input, 0, static_cast<std::uint16_t>(input.size() / 2));
        run_target(input);
    }
}

}  // namespace
#endif  // EPE_FUZZING
