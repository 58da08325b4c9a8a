// The format strings of the Arrow C Data Interface.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace epe {

/// The buffer layout of an Arrow array.
enum class ArrowLayout : std::uint8_t {
    kNull,         ///< no buffers
    kFixed,        ///< values of `width` bytes
    kBits,         ///< one bit per value
    kBytes,        ///< offsets of `width` bytes, bytes
    kView,         ///< views of 16 bytes, any number of buffers of bytes, their sizes
    kList,         ///< offsets of `width` bytes into the child
    kListView,     ///< offsets and sizes of `width` bytes into the child
    kFixedList,    ///< `width` values of the child per row
    kStruct,       ///< one child per field
    kSparseUnion,  ///< type codes; children of the array's length
    kDenseUnion,   ///< type codes and int32 offsets into the children
    kRunEnds,      ///< no buffers; run ends and values as children
};

struct ArrowFormat {
    ArrowLayout layout = ArrowLayout::kNull;
    std::int64_t width = 0;
    bool is_text = false;     ///< kBytes, kView: UTF-8
    bool is_map = false;      ///< kList: of structs of a key, never NULL, and a value
    bool is_integer = false;  ///< kFixed: may index a dictionary
    bool is_signed = false;
    std::vector<std::uint8_t> codes{};  ///< unions: the type code of each child

    /// Whether the first buffer is a bitmap of the values that are not NULL.
    bool has_validity() const noexcept;
    /// Buffers, validity included; the fewest of kView.
    std::int64_t buffer_count() const noexcept;
    /// Children; -1 for any number.
    std::int64_t child_count() const noexcept;
};

/// nullopt for a format that the interface does not define.
std::optional<ArrowFormat> parse_arrow_format(std::string_view text);

}  // namespace epe
