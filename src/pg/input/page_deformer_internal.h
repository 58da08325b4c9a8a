// Deforms the tuples of a heap page column by column.
#pragma once

extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "storage/bufpage.h"
}

#include <memory>
#include <vector>

#include "pg/input/column_values_internal.h"

namespace epe::pg {

/// The attributes of a table up to the last one that is read.
class TupleLayout {
   public:
    struct Attribute {
        std::int16_t length = 0;
        std::uint16_t alignment = 1;
        bool is_by_value = false;
        int column = -1;  ///< of the page deformer; -1: not read
        /// From the start of the data, if no attribute before it is NULL or of variable length;
        /// -1: it varies.
        int offset = -1;
    };

    /// `columns`: the number of the attribute that each column reads.
    TupleLayout(TupleDesc descriptor, const std::vector<AttrNumber>& columns);

    TupleDesc descriptor() const noexcept { return descriptor_; }
    const std::vector<Attribute>& attributes() const noexcept { return attributes_; }
    /// For each column the one that is read in its place: the first with the same attribute.
    const std::vector<int>& sources() const noexcept { return sources_; }

   private:
    TupleDesc descriptor_;
    std::vector<Attribute> attributes_{};
    std::vector<int> sources_{};
};

/// Deforms up to a page of tuples at once. While all tuples have an attribute at the same offset,
/// its values are read from there; after the first NULL, missing value or variable length, tuples
/// are walked attribute by attribute.
class PageDeformer {
   public:
    explicit PageDeformer(std::size_t column_count);

    /// Removes all tuples, and reads tuples of this layout from now on. A leaf, as all below.
    void start(const TupleLayout& layout) noexcept;
    /// Adds a tuple, at most MaxHeapTuplesPerPage of them. The page must stay pinned as long as the
    /// values are used.
    void add(Page page, ItemId item) noexcept;
    std::size_t count() const noexcept { return count_; }
    /// One element for each column; null if a tuple exceeds the page, or an attribute its tuple.
    const ColumnValues* deform() noexcept;

   private:
    using Attribute = TupleLayout::Attribute;

    Datum* values_of(int column) noexcept;
    bool* nulls_of(int column) noexcept;
    bool find_nulls(int number, bool* nulls) const noexcept;
    void fill_missing(int number, Datum* values, bool* nulls) const noexcept;
    void read_fixed(const Attribute& attribute, Datum* values) const noexcept;
    bool walk(const Attribute& attribute, Datum* values, const bool* nulls) noexcept;

    const TupleLayout* layout_ = nullptr;
    std::size_t count_ = 0;
    bool is_corrupt_ = false;
    bool has_nulls_ = false;      // a tuple has a bitmap
    int fewest_ = 0;              // attributes stored in a tuple
    std::uint32_t shortest_ = 0;  // data of a tuple
    // Of the tuples: data, their length, bitmap of NULLs or null, attributes stored, offset of the
    // next attribute to walk.
    std::vector<const char*> data_;
    std::vector<std::uint32_t> lengths_;
    std::vector<const std::uint8_t*> bitmaps_;
    std::vector<int> stored_;
    std::vector<std::uint32_t> offsets_;
    // Of all columns, and one more for an attribute that is not read.
    std::vector<Datum> values_;
    std::unique_ptr<bool[]> nulls_;
    std::vector<ColumnValues> columns_;
};

}  // namespace epe::pg
