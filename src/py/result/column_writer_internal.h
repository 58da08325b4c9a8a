// Writers of columns from Python values: rows, bytes, NULLs and errors.
#pragma once

#include <new>
#include <string>
#include <string_view>

#include "core/batch/batch.h"
#include "core/error.h"
#include "py/base/interrupt_internal.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// SQLSTATE for characters that PostgreSQL cannot store.
inline constexpr const char* kBadCharacter = "22021";

/// Location of the values of a column or of its elements, for messages.
class Place {
   public:
    /// `first_row` is the 0-based number of the column's first row in the result.
    Place(const Field& column, std::int64_t first_row) : column_(&column), first_row_(first_row) {}
    /// The elements of lists, whose ends are int64 `offsets`; null for the fields of a struct.
    Place(const Place& outer, const Buffer* offsets)
        : column_(outer.column_), outer_(&outer), offsets_(offsets) {}

    /// Throws `what` followed by: column "name", row 3.
    [[noreturn]] void fail(const char* state, std::string_view what, std::int64_t index,
                           std::string hint = {}) const;
    [[noreturn]] void fail_range(std::int64_t index) const {
        fail(sqlstate::kOutOfRange, "value out of range for", index);
    }
    [[noreturn]] void fail_time_range(std::int64_t index) const {
        fail(sqlstate::kTimeOutOfRange, "value out of range for", index);
    }

   private:
    std::int64_t row_of(std::int64_t index) const;

    const Field* column_;
    std::int64_t first_row_ = 0;
    const Place* outer_ = nullptr;
    const Buffer* offsets_ = nullptr;
};

/// An empty column of fixed-width values, of `rows` rows; values are not initialised.
Column fixed_column(Kind kind, std::int64_t rows);
/// Sets a row to NULL in `validity`; the caller sets the value slot.
void mark_null(Column& column, std::int64_t row);
/// Turns NaN into NULL in a column of floats.
void mark_nans(Column& column);
/// The value slot under a NULL, as required by core/batch/batch.h.
void clear_slot(Column& column, std::int64_t row);
std::string float_text(double value);
/// A float or a decimal as digits without an exponent, the way numeric prints it.
std::string decimal_text(PyObject* value);

/// Appends the rows of a bytes column.
class BytesWriter {
   public:
    BytesWriter(Kind kind, std::int64_t rows);
    void append(std::string_view bytes);
    /// A str; throws 22021 for a NUL character or a lone surrogate.
    void append_text(PyObject* text, const Place& place, std::int64_t index);
    void append_null();
    Column finish();

   private:
    void add(std::string_view bytes);
    void end_row();

    Column column_{};
    std::int64_t row_ = 0;
    std::size_t unchecked_ = 0;  // bytes since the last check for interrupts
};

/// To be called with the index of each value of a long loop: checks for interrupts periodically.
inline void check_now_and_then(std::int64_t number) {
    constexpr std::int64_t kEvery = 65536;
    if (number % kEvery == kEvery - 1) check_cancel();
}

/// UTF-8 of a str. Throws 22021 for a NUL character or a lone surrogate.
std::string_view checked_utf8(PyObject* text, const Place& place, std::int64_t index);

}  // namespace epe::py
