// Deforms the tuples of a heap page column by column.
#include "pg/input/page_deformer_internal.h"

#include <algorithm>
#include <cstring>

#if PG_VERSION_NUM >= 160000
extern "C" {
#include "varatt.h"
}
#endif

namespace epe::pg {

namespace {

constexpr auto kMostTuples = static_cast<std::size_t>(MaxHeapTuplesPerPage);
constexpr std::int16_t kVarlena = -1;

std::uint16_t alignment_of(char alignment) noexcept {
    switch (alignment) {
        case 's':
            return ALIGNOF_SHORT;
        case 'i':
            return ALIGNOF_INT;
        case 'd':
            return ALIGNOF_DOUBLE;
        default:
            return 1;
    }
}

std::uint32_t align(std::uint32_t offset, std::uint32_t alignment) noexcept {
    return (offset + alignment - 1) & ~(alignment - 1);
}

/// As fetch_att().
template <typename T>
Datum load(const char* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return static_cast<Datum>(value);
}

Datum pointer(const char* to) noexcept { return reinterpret_cast<Datum>(to); }

/// Calls `use` with the function that fetches values of this attribute.
template <typename Use>
void with_fetch(const TupleLayout::Attribute& attribute, Use use) noexcept {
    if (!attribute.is_by_value)
        use([](const char* at) noexcept { return pointer(at); });
    else if (attribute.length == 8)
        use([](const char* at) noexcept { return load<std::uint64_t>(at); });
    else if (attribute.length == 4)
        use([](const char* at) noexcept { return load<std::int32_t>(at); });
    else if (attribute.length == 2)
        use([](const char* at) noexcept { return load<std::int16_t>(at); });
    else
        use([](const char* at) noexcept { return load<char>(at); });
}

}  // namespace

TupleLayout::TupleLayout(TupleDesc descriptor, const std::vector<AttrNumber>& columns)
    : descriptor_(descriptor) {
    const int last = columns.empty() ? 0 : *std::max_element(columns.begin(), columns.end());
    std::int64_t offset = 0;
    for (int i = 0; i < last; ++i) {
        const Form_pg_attribute from = TupleDescAttr(descriptor, i);
        Attribute attribute{from->attlen, alignment_of(from->attalign), from->attbyval};
        if (offset >= 0 && from->attlen > 0) {
            attribute.offset =
                static_cast<int>(align(static_cast<std::uint32_t>(offset), attribute.alignment));
            offset = attribute.offset + from->attlen;
        } else {
            offset = -1;
        }
        attributes_.push_back(attribute);
    }
    for (const AttrNumber number : columns) {
        Attribute& attribute = attributes_[static_cast<std::size_t>(number - 1)];
        if (attribute.column < 0) attribute.column = static_cast<int>(sources_.size());
        sources_.push_back(attribute.column);
    }
}

PageDeformer::PageDeformer(std::size_t column_count)
    : data_(kMostTuples), lengths_(kMostTuples), bitmaps_(kMostTuples), stored_(kMostTuples),
      offsets_(kMostTuples), values_((column_count + 1) * kMostTuples),
      nulls_(std::make_unique<bool[]>((column_count + 1) * kMostTuples)), columns_(column_count) {}

void PageDeformer::start(const TupleLayout& layout) noexcept {
    layout_ = &layout;
    count_ = 0;
    has_nulls_ = false;
    is_corrupt_ = false;
    fewest_ = MaxHeapAttributeNumber;
    shortest_ = BLCKSZ;
}

void PageDeformer::add(Page page, ItemId item) noexcept {
    const auto* tuple = reinterpret_cast<const HeapTupleHeaderData*>(PageGetItem(page, item));
    const std::uint32_t length = ItemIdGetLength(item);
    if (ItemIdGetOffset(item) + length > BLCKSZ || length < SizeofHeapTupleHeader) {
        is_corrupt_ = true;
        return;
    }
    const bool has_nulls = (tuple->t_infomask & HEAP_HASNULL) != 0;
    const int stored = HeapTupleHeaderGetNatts(tuple);
    const std::uint32_t header = tuple->t_hoff;
    const std::size_t bitmap = has_nulls ? BITMAPLEN(stored) : 0;
    is_corrupt_ = is_corrupt_ || header > length || SizeofHeapTupleHeader + bitmap > header;
    data_[count_] = reinterpret_cast<const char*>(tuple) + header;
    lengths_[count_] = length - header;
    bitmaps_[count_] = has_nulls ? tuple->t_bits : nullptr;
    stored_[count_] = stored;
    has_nulls_ = has_nulls_ || has_nulls;
    fewest_ = std::min(fewest_, stored);
    shortest_ = std::min(shortest_, lengths_[count_]);
    ++count_;
}

Datum* PageDeformer::values_of(int column) noexcept {
    const std::size_t index = column < 0 ? columns_.size() : static_cast<std::size_t>(column);
    return values_.data() + index * kMostTuples;
}

bool* PageDeformer::nulls_of(int column) noexcept {
    const std::size_t index = column < 0 ? columns_.size() : static_cast<std::size_t>(column);
    return nulls_.get() + index * kMostTuples;
}

const ColumnValues* PageDeformer::deform() noexcept {
    if (is_corrupt_) return nullptr;
    bool is_walking = false;
    int end = 0;  // of the data before the attribute, until tuples are walked
    const std::vector<Attribute>& attributes = layout_->attributes();
    for (int number = 0; number < static_cast<int>(attributes.size()); ++number) {
        const Attribute& attribute = attributes[static_cast<std::size_t>(number)];
        Datum* values = values_of(attribute.column);
        bool* nulls = nulls_of(attribute.column);
        const bool is_partial = (has_nulls_ || number >= fewest_) && find_nulls(number, nulls);
        if (!is_walking && !is_partial && attribute.offset >= 0) {
            end = attribute.offset + attribute.length;
            if (static_cast<std::uint32_t>(end) > shortest_) return nullptr;
            if (attribute.column >= 0) read_fixed(attribute, values);
        } else {
            if (!is_walking) std::fill_n(offsets_.begin(), count_, end);
            is_walking = true;
            if (!walk(attribute, attribute.column < 0 ? nullptr : values,
                      is_partial ? nulls : nullptr))
                return nullptr;
        }
        if (attribute.column < 0) continue;
        if (number >= fewest_) fill_missing(number, values, nulls);
        columns_[static_cast<std::size_t>(attribute.column)] = {values,
                                                                is_partial ? nulls : nullptr};
    }
    const std::vector<int>& sources = layout_->sources();
    for (std::size_t i = 0; i < columns_.size(); ++i)
        columns_[i] = columns_[static_cast<std::size_t>(sources[i])];
    return columns_.data();
}

/// Finds the tuples that do not store the attribute; returns whether there are any.
bool PageDeformer::find_nulls(int number, bool* nulls) const noexcept {
    const int byte = number >> 3;
    const int bit = 1 << (number & 7);
    bool has_any = false;
    for (std::size_t i = 0; i < count_; ++i) {
        nulls[i] =
            number >= stored_[i] || (bitmaps_[i] != nullptr && (bitmaps_[i][byte] & bit) == 0);
        has_any = has_any || nulls[i];
    }
    return has_any;
}

/// Tuples stored before the attribute was added to the table have its missing value.
void PageDeformer::fill_missing(int number, Datum* values, bool* nulls) const noexcept {
    bool is_null = false;
    const Datum missing = getmissingattr(layout_->descriptor(), number + 1, &is_null);
    if (is_null) return;
    for (std::size_t i = 0; i < count_; ++i) {
        if (number < stored_[i]) continue;
        values[i] = missing;
        nulls[i] = false;
    }
}

void PageDeformer::read_fixed(const Attribute& attribute, Datum* values) const noexcept {
    with_fetch(attribute, [this, values, offset = attribute.offset](auto fetch) noexcept {
        for (std::size_t i = 0; i < count_; ++i) values[i] = fetch(data_[i] + offset);
    });
}

/// Reads the next attribute of all tuples but those for which it is NULL; only skips it if `values`
/// is null. False if it exceeds a tuple.
bool PageDeformer::walk(const Attribute& attribute, Datum* values, const bool* nulls) noexcept {
    const std::uint32_t alignment = attribute.alignment;
    const auto walk_tuples = [=, this](auto fetch, auto place, auto size) noexcept {
        for (std::size_t i = 0; i < count_; ++i) {
            if (nulls != nullptr && nulls[i]) continue;
            if (offsets_[i] >= lengths_[i]) return false;
            const std::uint32_t offset = place(data_[i], offsets_[i]);
            const char* at = data_[i] + offset;
            // In 64 bits: the size of a corrupt value may be anything.
            const std::uint64_t end = std::uint64_t{offset} + size(at, lengths_[i] - offset);
            if (end > lengths_[i]) return false;
            if (values != nullptr) values[i] = fetch(at);
            offsets_[i] = static_cast<std::uint32_t>(end);
        }
        return true;
    };
    const auto aligned = [alignment](const char*, std::uint32_t offset) noexcept {
        return align(offset, alignment);
    };
    if (attribute.length > 0) {
        const auto size = [length = static_cast<std::uint64_t>(attribute.length)](
                              const char*, std::uint32_t) noexcept { return length; };
        bool is_done = false;
        with_fetch(attribute,
                   [&](auto fetch) noexcept { is_done = walk_tuples(fetch, aligned, size); });
        return is_done;
    }
    const auto fetch = [](const char* at) noexcept { return pointer(at); };
    if (attribute.length == kVarlena) {
        const auto place = [alignment](const char* data, std::uint32_t offset) noexcept {
            return VARATT_NOT_PAD_BYTE(data + offset) ? offset : align(offset, alignment);
        };
        return walk_tuples(fetch, place, [](const char* at, std::uint32_t) noexcept {
            return std::uint64_t{VARSIZE_ANY(at)};
        });
    }
    // A C string; without an end it exceeds the tuple.
    return walk_tuples(fetch, aligned, [](const char* at, std::uint32_t most) noexcept {
        return std::uint64_t{strnlen(at, most)} + 1;
    });
}

}  // namespace epe::pg
