// Collects distinct texts while reading; gives up early when there are too many.
#include "core/batch/text_dictionary.h"

#include <functional>
#include <string_view>

namespace epe {

namespace {

// Above this number of distinct texts, a column keeps its dictionary only if it halves the size.
constexpr std::int64_t kAlwaysKept = 16384;
constexpr std::int64_t kMostDistinct = std::int64_t{1} << 20;
constexpr std::size_t kFirstSlots = 256;
// In a half-empty table, a run of used slots this long means deliberately colliding texts.
constexpr int kMostProbes = 256;

std::uint64_t hash_of(std::string_view text) noexcept {
    return std::hash<std::string_view>{}(text);
}

/// The bits of a hash that do not choose the slot.
std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32); }

}  // namespace

bool TextDictionary::rehash(std::size_t slots, const Column& distinct) noexcept {
    slots_.clear();
    if (!slots_.resize_zeroed(slots * sizeof(Slot))) return false;
    mask_ = slots - 1;
    const auto* hashes = hashes_.as<std::uint64_t>();
    auto* used = slots_.as<Slot>();
    for (std::int64_t code = 0; code < distinct.length; ++code) {
        std::size_t slot = hashes[code] & mask_;
        while (used[slot].code != 0) slot = (slot + 1) & mask_;
        used[slot] = {tag_of(hashes[code]), static_cast<std::int32_t>(code) + 1};
    }
    return true;
}

std::int32_t TextDictionary::encode(const char* text, std::size_t size, Column& distinct) noexcept {
    if (slots_.empty() && !rehash(kFirstSlots, distinct)) return -1;
    const std::uint64_t hash = hash_of({text, size});
    const std::uint32_t tag = tag_of(hash);
    const auto* used = slots_.as<Slot>();
    ++encoded_;
    std::size_t slot = hash & mask_;
    for (int probes = 0; used[slot].code != 0; slot = (slot + 1) & mask_) {
        if (++probes > kMostProbes) return -2;
        const std::int32_t code = used[slot].code - 1;
        if (used[slot].tag == tag &&
            static_cast<std::size_t>(distinct.bytes_length(code)) == size &&
            (size == 0 || std::memcmp(distinct.bytes_at(code), text, size) == 0))
            return code;
    }
    const std::int64_t count = distinct.length;
    if (count >= kMostDistinct || (count >= kAlwaysKept && count * 2 > encoded_)) return -2;
    if (distinct.offsets.empty() && !distinct.offsets.push(std::int64_t{0})) return -1;
    if (!distinct.values.append(text, size) || !hashes_.push(hash) ||
        !distinct.offsets.push(static_cast<std::int64_t>(distinct.values.size())))
        return -1;
    ++distinct.length;
    slots_.as<Slot>()[slot] = {tag, static_cast<std::int32_t>(count) + 1};
    // At most half full.
    if (static_cast<std::size_t>(distinct.length) * 2 > mask_ && !rehash((mask_ + 1) * 4, distinct))
        return -1;
    return static_cast<std::int32_t>(count);
}

void TextDictionary::clear() noexcept {
    slots_ = Buffer();
    hashes_ = Buffer();
    mask_ = 0;
    encoded_ = 0;
}

}  // namespace epe
