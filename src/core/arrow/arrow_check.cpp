// Checks the contents of the buffers of an Arrow array.
#include "core/arrow/arrow_check.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/arrow/arrow_format.h"
#include "core/arrow/arrow_import.h"
#include "core/arrow/layout_check.h"
#include "core/utf8.h"

namespace epe {

namespace {

constexpr std::int32_t kInlineBytes = 12;  // of a view

/// The 16 bytes of a value of kView.
struct View {
    std::int32_t length;
    char prefix[4];  ///< or all bytes of a short value, on into the rest
    std::int32_t buffer;
    std::int32_t offset;
};
static_assert(sizeof(View) == 16);

class Check {
   public:
    Check(ArrowNode& node, const std::string& column)
        : node_(node), column_(column), rows_(node.offset + node.length),
          format_(*parse_arrow_format(node.format)) {}

    void check_node();

   private:
    void require(bool is_kept, const char* what) const {
        if (!is_kept) fail_arrow(column_, what);
    }
    bool is_null(std::int64_t row) const noexcept {
        if (node_.null_count == 0 || node_.buffers[0].empty()) return false;
        return (node_.buffers[0].as<std::uint8_t>()[row >> 3] >> (row & 7) & 1) == 0;
    }
    template <typename Offset>
    void check_texts() const;
    bool is_text(const char* bytes, std::int64_t size) const noexcept {
        return is_utf8({bytes, static_cast<std::size_t>(size)});
    }
    void check_views();
    template <typename Offset>
    void check_list() const;
    template <typename Offset>
    void check_list_views();
    void check_union() const;
    template <typename End>
    void check_run_ends() const;
    void check_dictionary();
    template <typename Code>
    void check_codes();

    ArrowNode& node_;
    const std::string& column_;
    std::int64_t rows_;
    ArrowFormat format_;
};

void Check::check_node() {
    switch (format_.layout) {
        case ArrowLayout::kFixed:
            if (!node_.dictionary.empty()) check_dictionary();
            break;
        case ArrowLayout::kBytes:
            if (!format_.is_text) break;
            format_.width == 4 ? check_texts<std::int32_t>() : check_texts<std::int64_t>();
            break;
        case ArrowLayout::kView:
            check_views();
            break;
        case ArrowLayout::kList:
            format_.width == 4 ? check_list<std::int32_t>() : check_list<std::int64_t>();
            break;
        case ArrowLayout::kListView:
            format_.width == 4 ? check_list_views<std::int32_t>()
                               : check_list_views<std::int64_t>();
            break;
        case ArrowLayout::kFixedList: {
            std::int64_t values = 0;
            require(!__builtin_mul_overflow(rows_, format_.width, &values) &&
                        node_.children[0].length >= values,
                    "length of a list's values");
            break;
        }
        case ArrowLayout::kStruct:
            for (const ArrowNode& child : node_.children)
                require(child.length >= rows_, "length of a field");
            break;
        case ArrowLayout::kSparseUnion:
        case ArrowLayout::kDenseUnion:
            check_union();
            break;
        case ArrowLayout::kRunEnds: {
            const std::string& ends = node_.children[0].format;
            if (ends == "s") check_run_ends<std::int16_t>();
            if (ends == "i") check_run_ends<std::int32_t>();
            if (ends == "l") check_run_ends<std::int64_t>();
            break;
        }
        default:
            break;
    }
}

template <typename Offset>
void Check::check_texts() const {
    const auto* const ends = node_.buffers[1].as<Offset>();
    const char* const bytes = node_.buffers[2].as<char>();
    const auto size = static_cast<std::int64_t>(node_.buffers[2].size());
    if (is_text(bytes, size) && are_character_starts(bytes, size, ends, rows_ + 1)) return;
    // Values under a NULL, before the first row or between rows are arbitrary.
    for (std::int64_t row = node_.offset; row < rows_; ++row)
        require(is_null(row) || is_text(bytes + ends[row], ends[row + 1] - ends[row]),
                "text that is not UTF-8");
}

void Check::check_views() {
    auto* const views = node_.buffers[1].as<View>();
    const std::size_t count = node_.buffers.size() - 3;
    for (std::int64_t row = 0; row < rows_; ++row) {
        View& view = views[row];
        if (row < node_.offset || is_null(row)) {
            view = View{};
            continue;
        }
        require(view.length >= 0, "length of a view");
        const char* bytes = reinterpret_cast<const char*>(&view) + sizeof view.length;
        if (view.length > kInlineBytes) {
            require(view.buffer >= 0 && static_cast<std::size_t>(view.buffer) < count,
                    "buffer of a view");
            const Buffer& data = node_.buffers[2 + static_cast<std::size_t>(view.buffer)];
            require(view.offset >= 0 && std::int64_t{view.offset} + view.length <=
                                            static_cast<std::int64_t>(data.size()),
                    "offset of a view");
            bytes = data.as<char>() + view.offset;
            require(std::memcmp(bytes, view.prefix, sizeof view.prefix) == 0, "prefix of a view");
        }
        require(!format_.is_text || is_text(bytes, view.length), "text that is not UTF-8");
    }
}

template <typename Offset>
void Check::check_list() const {
    const auto* const ends = node_.buffers[1].as<Offset>();
    const ArrowNode& values = node_.children[0];
    require(ends[rows_] <= values.length, "offset of a list");
    if (!format_.is_map) return;
    require(values.null_count == 0 && values.children[0].null_count == 0, "NULL in a map");
}

template <typename Offset>
void Check::check_list_views() {
    auto* const offsets = node_.buffers[1].as<Offset>();
    auto* const sizes = node_.buffers[2].as<Offset>();
    const std::int64_t length = node_.children[0].length;
    for (std::int64_t row = 0; row < rows_; ++row) {
        if (row < node_.offset || is_null(row)) offsets[row] = sizes[row] = 0;
        require(offsets[row] >= 0 && sizes[row] >= 0 && sizes[row] <= length &&
                    offsets[row] <= length - sizes[row],
                "offset of a list");
    }
}

void Check::check_union() const {
    std::int64_t lengths[256];
    std::fill_n(lengths, 256, -1);
    for (std::size_t i = 0; i < format_.codes.size(); ++i)
        lengths[format_.codes[i]] = node_.children[i].length;
    const auto* const codes = node_.buffers[0].as<std::uint8_t>();
    if (format_.layout == ArrowLayout::kSparseUnion) {
        for (const ArrowNode& child : node_.children)
            require(child.length >= rows_, "length of a union's values");
        for (std::int64_t row = 0; row < rows_; ++row)
            require(lengths[codes[row]] >= 0, "type code of a union");
        return;
    }
    const auto* const offsets = node_.buffers[1].as<std::int32_t>();
    for (std::int64_t row = 0; row < rows_; ++row) {
        require(lengths[codes[row]] >= 0, "type code of a union");
        require(offsets[row] >= 0 && offsets[row] < lengths[codes[row]], "offset of a union");
    }
}

template <typename End>
void Check::check_run_ends() const {
    const ArrowNode& runs = node_.children[0];
    require(runs.null_count == 0, "NULL among run ends");
    require(node_.children[1].length >= runs.length, "length of the values of runs");
    const auto* const ends = runs.buffers[1].as<End>() + runs.offset;
    std::int64_t before = 0;
    for (std::int64_t run = 0; run < runs.length; ++run) {
        require(ends[run] > before, "run end");
        before = ends[run];
    }
    require(before >= rows_, "last run end");
}

template <typename Code>
void Check::check_codes() {
    auto* const codes = node_.buffers[1].as<Code>();
    for (std::int64_t row = 0; row < rows_; ++row)
        if (row < node_.offset || is_null(row)) codes[row] = 0;
    // A dictionary may be empty when every index is under a NULL.
    const std::int64_t end = node_.dictionary[0].length;
    if (node_.length == node_.null_count) return;
    require(are_codes(codes + node_.offset, node_.length, 0, end), "index into a dictionary");
}

void Check::check_dictionary() {
    switch (format_.width * (format_.is_signed ? 1 : -1)) {
        case 1:
            return check_codes<std::int8_t>();
        case -1:
            return check_codes<std::uint8_t>();
        case 2:
            return check_codes<std::int16_t>();
        case -2:
            return check_codes<std::uint16_t>();
        case 4:
            return check_codes<std::int32_t>();
        case -4:
            return check_codes<std::uint32_t>();
        case 8:
            return check_codes<std::int64_t>();
        default:
            return check_codes<std::uint64_t>();
    }
}

}  // namespace

void check_arrow_values(ArrowNode& node, const std::string& column) {
    Check(node, column).check_node();
}

}  // namespace epe
