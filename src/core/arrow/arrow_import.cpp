// Streams of the Arrow C Data Interface that another library made: structures, sizes and copies.
#include "core/arrow/arrow_import.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "core/arrow/arrow_check.h"
#include "core/arrow/arrow_format.h"
#include "core/arrow/layout_check.h"
#include "core/error.h"
#include "core/utf8.h"

namespace epe {

namespace {

constexpr std::size_t kPiece = std::size_t{4} << 20;
constexpr std::size_t kLongestFormat = 1024;
constexpr std::size_t kLongestName = 65536;
constexpr std::size_t kLongestMetadata = std::size_t{1} << 20;
constexpr std::int64_t kMostNodes = 20000;
constexpr std::int64_t kMostViewBuffers = std::int64_t{1} << 20;
constexpr std::int64_t kKnownFlags = 7;  // dictionary ordered, nullable, map keys sorted

class Importer {
   public:
    explicit Importer(ForeignMemory& memory) : memory_(memory) {}

    ArrowNode read_type(const ArrowSchema& schema, int depth);
    ArrowNode read_array(const ArrowArray& array, const ArrowNode& type, int depth);
    std::string read_text(const char* from, std::size_t longest, const char* what);

   private:
    [[noreturn]] void fail(const std::string& what) const { fail_arrow(column_, what); }
    void require(bool is_kept, const char* what) const {
        if (!is_kept) fail(what);
    }
    template <typename T>
    T read(const T* from, const char* what) {
        T value{};
        // NOLINTNEXTLINE(bugprone-sizeof-expression): T may be a pointer
        require(from != nullptr && memory_.copy(&value, from, sizeof value), what);
        return value;
    }
    void count_node() { require(++nodes_ <= kMostNodes, "more arrays than can be read"); }
    std::string read_metadata(const char* from);
    Buffer copy(const void* from, std::int64_t count, std::int64_t width);
    void read_validity(const void* from, ArrowNode& node);
    void read_buffers(const ArrowArray& array, const ArrowFormat& format, ArrowNode& node);
    void read_bytes(const std::vector<const void*>& from, const ArrowFormat& format,
                    ArrowNode& node);
    void read_views(const std::vector<const void*>& from, ArrowNode& node);
    void read_children(const ArrowArray& array, const ArrowNode& type, int depth, ArrowNode& node);

    ForeignMemory& memory_;
    std::string column_{};
    std::int64_t nodes_ = 0;
};

// ----------------------------------------------------------------------------------------- schemas

/// Up to its null byte.
std::string Importer::read_text(const char* from, std::size_t longest, const char* what) {
    std::string text;
    // Reads no further than the end of an aligned piece: memory after the text may not be mapped.
    while (text.size() <= longest) {
        std::array<char, 64> piece{};
        const auto at = reinterpret_cast<std::uintptr_t>(from) + text.size();
        const std::size_t size = piece.size() - at % piece.size();
        require(memory_.copy(piece.data(), from + text.size(), size), what);
        const auto* const end = std::find(piece.data(), piece.data() + size, '\0');
        text.append(piece.data(), static_cast<std::size_t>(end - piece.data()));
        if (end != piece.data() + size) return text;
    }
    fail(what);
}

/// A count, and for each key and value their lengths and bytes.
std::string Importer::read_metadata(const char* from) {
    std::string metadata;
    const auto take_bytes = [&](std::size_t size) {
        require(size <= kLongestMetadata - metadata.size(), "metadata");
        const std::size_t before = metadata.size();
        metadata.resize(before + size);
        require(memory_.copy(metadata.data() + before, from + before, size), "metadata");
        return before;
    };
    const auto take_number = [&] {
        std::int32_t number = 0;
        const std::size_t at = take_bytes(sizeof(number));
        std::memcpy(&number, metadata.data() + at, sizeof(number));
        require(number >= 0, "metadata");
        return number;
    };
    const std::int64_t texts = std::int64_t{2} * take_number();
    for (std::int64_t i = 0; i < texts; ++i) take_bytes(static_cast<std::size_t>(take_number()));
    return metadata;
}

ArrowNode Importer::read_type(const ArrowSchema& schema, int depth) {
    require(depth <= kDeepestArrow, "depth");
    count_node();
    require(schema.release != nullptr, "schema that has been released");
    ArrowNode type;
    if (schema.name != nullptr) type.name = read_text(schema.name, kLongestName, "name");
    require(is_clean_utf8(type.name), "name that is not UTF-8");
    if (depth == 2) column_ = type.name;
    require(schema.format != nullptr, "schema without a format");
    type.format = read_text(schema.format, kLongestFormat, "format");
    const auto format = parse_arrow_format(type.format);
    require(format.has_value(), "unknown format");
    type.has_validity = format->has_validity();
    type.flags = schema.flags & kKnownFlags;
    if (schema.metadata != nullptr) type.metadata = read_metadata(schema.metadata);
    const std::int64_t wanted = format->child_count();
    require(schema.n_children >= 0 && schema.n_children <= kMostArrowChildren &&
                (wanted < 0 || wanted == schema.n_children),
            "count of children");
    for (std::int64_t i = 0; i < schema.n_children; ++i) {
        require(schema.children != nullptr, "children");
        const ArrowSchema* const child = read(schema.children + i, "children");
        type.children.push_back(read_type(read(child, "schema of a child"), depth + 1));
    }
    if (format->is_map)
        require(type.children[0].format == "+s" && type.children[0].children.size() == 2, "map");
    if (format->layout == ArrowLayout::kRunEnds) {
        const std::string& ends = type.children[0].format;
        require(ends == "s" || ends == "i" || ends == "l", "type of run ends");
    }
    if (schema.dictionary != nullptr) {
        require(format->is_integer, "type of a dictionary's indices");
        type.dictionary.push_back(
            read_type(read(schema.dictionary, "schema of a dictionary"), depth + 1));
    }
    return type;
}

// ------------------------------------------------------------------------------------------ arrays

/// `count` values of `width` bytes, in pieces: with a wrong length, the read ends at unmapped
/// memory.
Buffer Importer::copy(const void* from, std::int64_t count, std::int64_t width) {
    Buffer buffer;
    std::int64_t bytes = 0;
    require(!__builtin_mul_overflow(count, width, &bytes) && bytes >= 0, "length");
    const auto size = static_cast<std::size_t>(bytes);
    require(size == 0 || from != nullptr, "buffer that is a null pointer");
    for (std::size_t done = 0; done < size;) {
        const std::size_t piece = std::min(size - done, kPiece);
        check_allocated(buffer.resize(done + piece));
        require(memory_.copy(buffer.data() + done, static_cast<const char*>(from) + done, piece),
                "buffer that is shorter than the length of its array");
        done += piece;
        memory_.check_interrupts();
    }
    return buffer;
}

void Importer::read_validity(const void* from, ArrowNode& node) {
    node.buffers.emplace_back();
    if (from == nullptr || node.length == 0) {
        require(node.null_count <= 0, "NULL count without a bitmap");
        node.null_count = 0;
        return;
    }
    const std::int64_t rows = node.offset + node.length;
    Buffer bits = copy(from, (rows + 7) / 8, 1);
    const std::int64_t nulls = node.length - count_set_bits(bits, node.offset, node.length);
    require(node.null_count < 0 || node.null_count == nulls, "NULL count");
    node.null_count = nulls;
    if (nulls > 0) node.buffers.front() = std::move(bits);
}

/// Offsets and bytes, or only offsets for lists.
void Importer::read_bytes(const std::vector<const void*>& from, const ArrowFormat& format,
                          ArrowNode& node) {
    const std::int64_t rows = node.offset + node.length;
    Buffer offsets;
    if (rows == 0 && from[1] == nullptr)
        check_allocated(offsets.resize_zeroed(static_cast<std::size_t>(format.width)));
    else
        offsets = copy(from[1], rows + 1, format.width);
    const auto size_of = [&](const auto* ends) -> std::int64_t {
        constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
        require(are_offsets(ends, rows, 0, kMost), "offset");
        return ends[rows];
    };
    const std::int64_t size = format.width == 4 ? size_of(offsets.as<std::int32_t>())
                                                : size_of(offsets.as<std::int64_t>());
    node.buffers.push_back(std::move(offsets));
    if (format.layout == ArrowLayout::kBytes) node.buffers.push_back(copy(from[2], size, 1));
}

void Importer::read_views(const std::vector<const void*>& from, ArrowNode& node) {
    const std::size_t count = from.size() - 3;
    node.buffers.push_back(copy(from[1], node.offset + node.length, 16));
    Buffer sizes = copy(from.back(), static_cast<std::int64_t>(count), sizeof(std::int64_t));
    for (std::size_t i = 0; i < count; ++i)
        node.buffers.push_back(copy(from[2 + i], sizes.as<std::int64_t>()[i], 1));
    node.buffers.push_back(std::move(sizes));
}

void Importer::read_buffers(const ArrowArray& array, const ArrowFormat& format, ArrowNode& node) {
    const bool is_view = format.layout == ArrowLayout::kView;
    require(is_view ? array.n_buffers >= 3 && array.n_buffers <= kMostViewBuffers
                    : array.n_buffers == format.buffer_count(),
            "count of buffers");
    std::vector<const void*> from(static_cast<std::size_t>(array.n_buffers));
    for (std::size_t i = 0; i < from.size(); ++i) {
        require(array.buffers != nullptr, "buffers");
        from[i] = read(array.buffers + i, "buffers");
    }
    const std::int64_t rows = node.offset + node.length;
    if (format.has_validity()) {
        read_validity(from[0], node);
    } else {
        const bool is_null = format.layout == ArrowLayout::kNull;
        require(node.null_count <= 0 || (is_null && node.null_count == node.length), "NULL count");
        node.null_count = is_null ? node.length : 0;
    }
    switch (format.layout) {
        case ArrowLayout::kFixed:
            node.buffers.push_back(copy(from[1], rows, format.width));
            break;
        case ArrowLayout::kBits:
            node.buffers.push_back(copy(from[1], (rows + 7) / 8, 1));
            break;
        case ArrowLayout::kBytes:
        case ArrowLayout::kList:
            read_bytes(from, format, node);
            break;
        case ArrowLayout::kView:
            read_views(from, node);
            break;
        case ArrowLayout::kListView:
            node.buffers.push_back(copy(from[1], rows, format.width));
            node.buffers.push_back(copy(from[2], rows, format.width));
            break;
        case ArrowLayout::kDenseUnion:
            node.buffers.push_back(copy(from[0], rows, 1));
            node.buffers.push_back(copy(from[1], rows, sizeof(std::int32_t)));
            break;
        case ArrowLayout::kSparseUnion:
            node.buffers.push_back(copy(from[0], rows, 1));
            break;
        default:
            break;
    }
}

void Importer::read_children(const ArrowArray& array, const ArrowNode& type, int depth,
                             ArrowNode& node) {
    require(array.n_children == static_cast<std::int64_t>(type.children.size()),
            "count of children");
    for (std::size_t i = 0; i < type.children.size(); ++i) {
        require(array.children != nullptr, "children");
        const ArrowArray* const child = read(array.children + i, "children");
        if (depth == 1) column_ = type.children[i].name;
        node.children.push_back(
            read_array(read(child, "array of a child"), type.children[i], depth + 1));
    }
    require((array.dictionary != nullptr) == !type.dictionary.empty(), "dictionary");
    if (array.dictionary != nullptr)
        node.dictionary.push_back(
            read_array(read(array.dictionary, "dictionary"), type.dictionary.front(), depth + 1));
}

ArrowNode Importer::read_array(const ArrowArray& array, const ArrowNode& type, int depth) {
    count_node();
    require(array.release != nullptr, "array that has been released");
    require(array.length >= 0 && array.length <= kMostArrowRows, "length");
    require(array.offset >= 0 && array.offset <= kMostArrowRows - array.length, "offset");
    require(array.null_count >= -1 && array.null_count <= array.length, "NULL count");
    ArrowNode node;
    node.format = type.format;
    node.name = type.name;
    node.flags = type.flags;
    node.metadata = type.metadata;
    node.has_validity = type.has_validity;
    node.length = array.length;
    node.offset = array.offset;
    node.null_count = array.null_count;
    read_buffers(array, *parse_arrow_format(type.format), node);
    read_children(array, type, depth, node);
    if (depth > 1) check_arrow_values(node, column_);
    memory_.check_interrupts();
    return node;
}

/// Releases the producer's structure on every way out.
template <typename T>
struct Released {
    T value{};

    Released() = default;
    Released(const Released&) = delete;
    Released& operator=(const Released&) = delete;
    ~Released() {
        if (value.release != nullptr) value.release(&value);
    }
};

[[noreturn]] void fail_stream(ArrowArrayStream& stream, int status, Importer& importer) {
    constexpr std::size_t kLongestMessage = 4096;
    std::string message = "the Arrow stream failed with error " + std::to_string(status);
    const char* const text =
        stream.get_last_error == nullptr ? nullptr : stream.get_last_error(&stream);
    if (text != nullptr) {
        const std::string own = importer.read_text(text, kLongestMessage, "text of an error");
        if (is_clean_utf8(own)) message += ": " + own;
    }
    throw Error(sqlstate::kScriptFailed, std::move(message));
}

}  // namespace

void fail_arrow(const std::string& column, const std::string& what) {
    std::string where = column.empty() ? "" : " in column \"" + column + "\"";
    throw Error(sqlstate::kInvalidArgument, "broken Arrow data" + where + ": " + what);
}

ArrowTable import_stream(ArrowArrayStream& given, ForeignMemory& memory) {
    Released<ArrowArrayStream> stream;
    stream.value = std::exchange(given, ArrowArrayStream{});
    if (stream.value.release == nullptr) fail_arrow({}, "stream that has been released");
    if (stream.value.get_schema == nullptr || stream.value.get_next == nullptr)
        fail_arrow({}, "stream without functions");
    Importer importer(memory);
    ArrowTable table;
    {
        Released<ArrowSchema> schema;
        if (const int status = stream.value.get_schema(&stream.value, &schema.value))
            fail_stream(stream.value, status, importer);
        table.type = importer.read_type(schema.value, 1);
    }
    std::int64_t rows = 0;
    while (true) {
        memory.check_interrupts();
        Importer reader(memory);
        Released<ArrowArray> array;
        if (const int status = stream.value.get_next(&stream.value, &array.value))
            fail_stream(stream.value, status, reader);
        if (array.value.release == nullptr) return table;
        table.chunks.push_back(reader.read_array(array.value, table.type, 1));
        check_arrow_values(table.chunks.back(), {});
        rows += table.chunks.back().length;
        if (rows > kMostArrowRows) fail_arrow({}, "length");
    }
}

}  // namespace epe
