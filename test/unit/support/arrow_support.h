// Arrow structures in memory of their own, for tests of imports.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/arrow/arrow_format.h"
#include "core/arrow/arrow_import.h"

namespace epe::test {

/// Knows which memory is mapped: all of it was created here.
class ArrowMemory final : public ForeignMemory {
   public:
    bool copy(void* to, const void* from, std::size_t size) override {
        const auto at = reinterpret_cast<std::uintptr_t>(from);
        auto next = pieces_.upper_bound(at);
        if (size == 0) return true;
        if (next == pieces_.begin()) return false;
        --next;
        if (at - next->first > next->second || size > next->second - (at - next->first))
            return false;
        std::memcpy(to, from, size);
        return true;
    }
    void check_interrupts() override {}

    void add(const void* at, std::size_t size) {
        pieces_[reinterpret_cast<std::uintptr_t>(at)] = size;
    }
    /// A copy of the bytes that lives as long as this.
    template <typename T>
    T* keep(const T* from, std::size_t count) {
        // Of exactly that size, so that ASan detects an overread by one byte; texts are read in
        // pieces of 64.
        auto& piece =
            kept_.emplace_back(new std::byte[std::max<std::size_t>(count * sizeof(T), 1)]);
        if (count > 0) std::memcpy(piece.get(), from, count * sizeof(T));
        add(piece.get(), count * sizeof(T));
        return reinterpret_cast<T*>(piece.get());
    }
    template <typename T>
    T* keep(const T& value) {
        return keep(&value, 1);
    }
    /// A text with its null byte, padded so that a piece of 64 bytes can be read.
    const char* keep_text(std::string_view text) {
        std::string padded(text);
        padded.append(128, '\0');
        return keep(padded.data(), padded.size());
    }

   private:
    std::map<std::uintptr_t, std::size_t> pieces_{};
    std::deque<std::unique_ptr<std::byte[]>> kept_{};
};

inline void release_schema(ArrowSchema* schema) { schema->release = nullptr; }
inline void release_array(ArrowArray* array) { array->release = nullptr; }

/// A stream that returns one schema, and one array `count` times.
struct ArrowSource {
    ArrowSchema schema{};
    ArrowArray array{};
    int count = 1;
    int status = 0;
    const char* error = nullptr;

    ArrowArrayStream stream() {
        ArrowArrayStream made{};
        made.get_schema = [](ArrowArrayStream* self, ArrowSchema* out) {
            *out = of(self).schema;
            return 0;
        };
        made.get_next = [](ArrowArrayStream* self, ArrowArray* out) {
            ArrowSource& source = of(self);
            *out = ArrowArray{};
            if (source.count <= 0) return source.status;
            --source.count;
            *out = source.array;
            return 0;
        };
        made.get_last_error = [](ArrowArrayStream* self) { return of(self).error; };
        made.release = [](ArrowArrayStream* self) { self->release = nullptr; };
        made.private_data = this;
        return made;
    }
    static ArrowSource& of(ArrowArrayStream* stream) {
        return *static_cast<ArrowSource*>(stream->private_data);
    }
};

/// Reads every byte that a reader of a sound array may read; returns their sum.
class ArrowWalk {
   public:
    explicit ArrowWalk(const ArrowNode& node) { read(node); }
    std::uint64_t sum() const noexcept { return sum_; }

   private:
    void touch(const std::byte* at, std::int64_t size) {
        for (std::int64_t i = 0; i < size; ++i) sum_ += static_cast<std::uint64_t>(at[i]);
    }
    static bool is_null(const ArrowNode& node, std::int64_t row) {
        if (!node.has_validity || node.buffers.empty() || node.buffers[0].empty()) return false;
        return (node.buffers[0].as<std::uint8_t>()[row >> 3] >> (row & 7) & 1) == 0;
    }
    template <typename Offset>
    void read_bytes(const ArrowNode& node, std::int64_t row) {
        const auto* const ends = node.buffers[1].as<Offset>();
        touch(node.buffers[2].data() + ends[row], ends[row + 1] - ends[row]);
    }
    void read_row(const ArrowNode& node, const ArrowFormat& format, std::int64_t row) {
        switch (format.layout) {
            case ArrowLayout::kFixed:
                touch(node.buffers[1].data() + row * format.width, format.width);
                break;
            case ArrowLayout::kBits:
                touch(node.buffers[1].data() + row / 8, 1);
                break;
            case ArrowLayout::kBytes:
                format.width == 4 ? read_bytes<std::int32_t>(node, row)
                                  : read_bytes<std::int64_t>(node, row);
                break;
            case ArrowLayout::kView: {
                std::int32_t view[4];
                std::memcpy(view, node.buffers[1].data() + row * 16, sizeof view);
                if (view[0] > 12)
                    touch(node.buffers[2 + static_cast<std::size_t>(view[2])].data() + view[3],
                          view[0]);
                break;
            }
            default:
                break;
        }
    }
    void read(const ArrowNode& node) {
        constexpr std::int64_t kMostToRead = 100000;
        const auto format = parse_arrow_format(node.format);
        const std::int64_t end = node.offset + std::min(node.length, kMostToRead);
        for (std::int64_t row = node.offset; row < end; ++row)
            if (!is_null(node, row)) read_row(node, *format, row);
        for (const ArrowNode& child : node.children) read(child);
        for (const ArrowNode& values : node.dictionary) read(values);
    }

    std::uint64_t sum_ = 0;
};

}  // namespace epe::test
