// Builds one column, value by value.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/batch/batch.h"
#include "core/batch/text_dictionary.h"

namespace epe {

/// Builds one column. Appending never throws: it returns false when memory is exhausted, because
/// it happens below PostgreSQL's executor.
class ColumnBuilder {
   public:
    ColumnBuilder(const ColumnType& type, bool share_text);

    std::int64_t length() const noexcept { return column_.length; }
    Kind kind() const noexcept { return column_.type.kind; }
    std::size_t bytes() const noexcept;
    /// A text appended before, of a bytes kind without dictionary.
    std::string_view text(std::int64_t row) const noexcept {
        return {column_.bytes_at(row), static_cast<std::size_t>(column_.bytes_length(row))};
    }

    /// Allocates memory for rows to come, as far as their size is known. Only a hint.
    void reserve(std::int64_t rows) noexcept;
    [[nodiscard]] bool append_null() noexcept;
    /// Fixed-width kinds: T must have the size of the kind.
    template <typename T>
    [[nodiscard]] bool append(T value) noexcept {
        if (!column_.values.push(value)) return false;
        if (column_.null_count != 0 && !mark_valid()) return false;
        ++column_.length;
        return true;
    }
    /// Appends up to `count` values: those of `convert(0, value)` and so on, until it returns
    /// false. Returns how many, or -1 when memory is exhausted.
    template <typename T, typename Convert>
    [[nodiscard]] std::int64_t append_while(std::int64_t count, Convert convert) noexcept {
        const std::size_t start = column_.values.size();
        if (!column_.values.resize(start + static_cast<std::size_t>(count) * sizeof(T))) return -1;
        auto* to = reinterpret_cast<T*>(column_.values.data() + start);
        std::int64_t done = 0;
        while (done < count && convert(done, to[done])) ++done;
        if (column_.null_count != 0 && !mark_all_valid(done)) return -1;
        column_.length += done;
        return column_.values.resize(start + static_cast<std::size_t>(done) * sizeof(T)) ? done
                                                                                         : -1;
    }
    [[nodiscard]] bool append_uuid(const void* bytes16) noexcept;
    [[nodiscard]] bool append_bytes(const char* bytes, std::size_t size) noexcept;
    /// A value that Python's own type cannot hold, as PostgreSQL prints it.
    [[nodiscard]] bool append_unusual(const char* text, std::size_t size) noexcept;
    /// Lists: the elements have been appended to child(0) before.
    [[nodiscard]] bool append_list(int dimensions, const std::int32_t* sizes) noexcept;
    /// Structs: every field has been appended to its child before.
    [[nodiscard]] bool append_struct() noexcept;
    ColumnBuilder& child(std::size_t index) noexcept { return children_[index]; }
    std::size_t child_count() const noexcept { return children_.size(); }

    /// Appends rows of a column of the same type, as finish() of another builder returned it.
    [[nodiscard]] bool append_rows(const Column& from, std::int64_t first,
                                   std::int64_t count) noexcept;
    /// Returns the built column; the builder is empty afterwards.
    Column finish();

   private:
    bool mark_valid() noexcept;
    bool mark_all_valid(std::int64_t rows) noexcept;
    bool mark_null() noexcept;
    bool append_empty_slot() noexcept;
    bool start_bytes() noexcept;
    bool leave_dictionary() noexcept;
    bool append_row(const Column& from, std::int64_t row) noexcept;
    bool append_list_row(const Column& from, std::int64_t row) noexcept;

    Column column_{};
    std::vector<ColumnBuilder> children_{};
    TextDictionary dictionary_{};
    bool share_text_ = false;
};

}  // namespace epe
