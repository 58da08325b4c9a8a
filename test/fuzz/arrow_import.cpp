// Fuzz target: the import of other libraries' Arrow streams: formats, counts, pointers, buffers.
//
// An input is a program that builds a tree of arrays: a byte selects a format, further bytes select
// the modifications. Zeroes, and the end of the input, make a sound array of two rows.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "core/error.h"
#include "support/arrow_support.h"
#include "target.h"

namespace {

using epe::ArrowFormat;
using epe::ArrowLayout;
using epe::fuzz::require;
using epe::test::ArrowMemory;

constexpr std::array<const char*, 44> kFormats{
    "l",   "n",       "b",       "c",   "C",          "s",   "S",    "i",       "I",
    "L",   "e",       "f",       "g",   "u",          "U",   "z",    "Z",       "vu",
    "vz",  "d:9,2",   "w:3",     "tdD", "tdm",        "tts", "ttn",  "tsu:UTC", "tDn",
    "tiM", "tiD",     "tin",     "+l",  "+L",         "+vl", "+vL",  "+w:2",    "+s",
    "+m",  "+ud:0,5", "+us:0,1", "+r",  "d:40,2,256", "w:0", "+ud:", "+w:0"};
constexpr std::array<std::int64_t, 16> kNumbers{-1,
                                                -2,
                                                0,
                                                1,
                                                2,
                                                3,
                                                7,
                                                8,
                                                9,
                                                64,
                                                255,
                                                std::int64_t{1} << 31,
                                                std::int64_t{1} << 40,
                                                std::int64_t{1} << 62,
                                                std::numeric_limits<std::int64_t>::max(),
                                                std::numeric_limits<std::int64_t>::min()};

/// Builds the structures that an input describes.
class Builder {
   public:
    Builder(ArrowMemory& memory, const std::uint8_t* data, std::size_t size)
        : memory_(memory), at_(data), left_(size) {}

    void build(ArrowSchema& schema, ArrowArray& array, int depth);

   private:
    std::uint8_t byte() {
        if (left_ == 0) return 0;
        --left_;
        return *at_++;
    }
    /// The number itself, unless the input says another.
    std::int64_t number(std::int64_t right) {
        const std::uint8_t choice = byte();
        if (choice < 200) return right;
        if (choice < 230) return kNumbers[choice % kNumbers.size()];
        return static_cast<std::int8_t>(byte());
    }
    template <typename T>
    T* pointer(T* right) {
        const std::uint8_t choice = byte();
        if (choice < 230) return right;
        return choice < 245 ? nullptr : reinterpret_cast<T*>(std::uintptr_t{choice});
    }
    std::int64_t rows_of(const ArrowArray& array) const {
        return std::clamp<std::int64_t>(array.length, 0, 64) +
               std::clamp<std::int64_t>(array.offset, 0, 64);
    }
    const void* bytes(std::int64_t size) {
        const std::uint8_t choice = byte();
        std::vector<std::uint8_t> made(static_cast<std::size_t>(size));
        if (choice >= 128)
            for (std::uint8_t& each : made) each = byte();
        if (choice >= 250) made.resize(made.size() / 2);
        return pointer(memory_.keep(made.data(), made.size()));
    }
    std::vector<const void*> buffers_of(const ArrowFormat& format, const ArrowArray& array);
    void add_children(const ArrowFormat& format, ArrowSchema& schema, ArrowArray& array, int depth);

    ArrowMemory& memory_;
    const std::uint8_t* at_;
    std::size_t left_;
};

std::vector<const void*> Builder::buffers_of(const ArrowFormat& format, const ArrowArray& array) {
    std::vector<const void*> made;
    const std::int64_t rows = rows_of(array);
    if (format.has_validity()) {
        const std::uint8_t choice = byte();
        made.push_back(choice < 128 ? nullptr : bytes((rows + 7) / 8));
    }
    switch (format.layout) {
        case ArrowLayout::kFixed:
            made.push_back(bytes(rows * format.width));
            break;
        case ArrowLayout::kBits:
            made.push_back(bytes((rows + 7) / 8));
            break;
        case ArrowLayout::kBytes:
            made.push_back(bytes((rows + 1) * format.width));
            made.push_back(bytes(byte() % 64));
            break;
        case ArrowLayout::kView: {
            made.push_back(bytes(rows * 16));
            std::vector<std::int64_t> sizes;
            for (std::int64_t left = byte() % 3; left > 0; --left) {
                sizes.push_back(byte() % 64);
                made.push_back(bytes(sizes.back()));
                sizes.back() = number(sizes.back());
            }
            made.push_back(pointer(memory_.keep(sizes.data(), sizes.size())));
            break;
        }
        case ArrowLayout::kList:
            made.push_back(bytes((rows + 1) * format.width));
            break;
        case ArrowLayout::kListView:
            made.push_back(bytes(rows * format.width));
            made.push_back(bytes(rows * format.width));
            break;
        case ArrowLayout::kDenseUnion:
            made.push_back(bytes(rows));
            made.push_back(bytes(rows * 4));
            break;
        case ArrowLayout::kSparseUnion:
            made.push_back(bytes(rows));
            break;
        default:
            break;
    }
    return made;
}

void Builder::add_children(const ArrowFormat& format, ArrowSchema& schema, ArrowArray& array,
                           int depth) {
    constexpr int kDeepest = 5;
    const std::int64_t wanted = format.child_count() < 0 ? 1 + byte() % 3 : format.child_count();
    std::vector<ArrowSchema*> schemas;
    std::vector<ArrowArray*> arrays;
    for (std::int64_t i = 0; i < wanted && depth < kDeepest; ++i) {
        ArrowSchema child_schema{};
        ArrowArray child_array{};
        build(child_schema, child_array, depth + 1);
        schemas.push_back(pointer(memory_.keep(child_schema)));
        arrays.push_back(pointer(memory_.keep(child_array)));
    }
    schema.n_children = number(static_cast<std::int64_t>(schemas.size()));
    schema.children = pointer(memory_.keep(schemas.data(), schemas.size()));
    array.n_children = number(static_cast<std::int64_t>(arrays.size()));
    array.children = pointer(memory_.keep(arrays.data(), arrays.size()));
    if (byte() < 128 || depth >= kDeepest) return;
    ArrowSchema values_schema{};
    ArrowArray values{};
    build(values_schema, values, depth + 1);
    schema.dictionary = pointer(memory_.keep(values_schema));
    array.dictionary = pointer(memory_.keep(values));
}

void Builder::build(ArrowSchema& schema, ArrowArray& array, int depth) {
    const std::uint8_t choice = byte();
    std::string format = depth == 0 && choice < 250 ? "+s" : kFormats[choice % kFormats.size()];
    if (choice >= 250)
        for (std::uint8_t left = byte() % 8; left > 0; --left) format += static_cast<char>(byte());
    const std::string name(byte() % 4, static_cast<char>(byte()));
    schema.format = pointer(memory_.keep_text(format));
    schema.name = pointer(memory_.keep_text(name));
    schema.flags = number(2);
    if (byte() >= 128) schema.metadata = static_cast<const char*>(bytes(byte()));
    // Function pointers are called unchecked: only a missing one is tested.
    schema.release = byte() < 230 ? epe::test::release_schema : nullptr;
    array.length = number(2);
    array.offset = number(0);
    array.null_count = number(-1);
    array.release = byte() < 230 ? epe::test::release_array : nullptr;
    const auto known = epe::parse_arrow_format(format);
    const ArrowFormat shape = known ? *known : ArrowFormat{};
    std::vector<const void*> made = buffers_of(shape, array);
    array.n_buffers = number(static_cast<std::int64_t>(made.size()));
    array.buffers = pointer(memory_.keep(made.data(), made.size()));
    add_children(shape, schema, array, depth);
}

/// Imported data can be read, and imported again.
void check_table(epe::ArrowTable&& table) {
    [[maybe_unused]] static volatile std::uint64_t kept;  // prevents optimising the reads away
    std::int64_t rows = 0;
    for (const epe::ArrowNode& chunk : table.chunks) {
        kept = epe::test::ArrowWalk(chunk).sum();
        rows += chunk.length;
    }
    ArrowArrayStream stream{};
    epe::export_table(std::move(table), stream);
    std::int64_t again = 0;
    while (true) {
        ArrowArray array{};
        require(stream.get_next(&stream, &array) == 0, "an exported stream fails");
        if (array.release == nullptr) break;
        again += array.length;
        array.release(&array);
    }
    stream.release(&stream);
    require(again == rows, "exporting changes a table");
}

void run_input(const std::uint8_t* data, std::size_t size) {
    ArrowMemory memory;
    epe::test::ArrowSource source;
    Builder(memory, data, size).build(source.schema, source.array, 0);
    ArrowArrayStream stream = source.stream();
    try {
        check_table(epe::import_stream(stream, memory));
    } catch (const epe::Error& error) {
        require(error.report().sqlstate == epe::sqlstate::kInvalidArgument, "SQLSTATE");
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): a width of 2^30
    }
}

void run(std::string_view input) {
    run_input(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

}  // namespace

EPE_FUZZ_TARGET(arrow_import, run, kNone)
