// Reads datums of query results into column builders: the hot half of the input path.
#pragma once

extern "C" {
#include "postgres.h"

#include "fmgr.h"
}

#include <vector>

#include "core/batch/batch_builder.h"

#ifndef USE_FLOAT8_BYVAL
#error "oml_epe needs a 64-bit PostgreSQL: eight-byte values must pass by value"
#endif

#include "pg/input/column_values_internal.h"
#include "pg/input/plain_values_internal.h"
#include "pg/types/extension_types_internal.h"

namespace epe::pg {

/// Appends the values of one column (or of one element or field of it) to its builder. Created by a
/// facade; append() and to_double() are leaves: they may raise, also for exhausted memory.
struct DatumReader {
    using Append = bool (*)(DatumReader&, Datum, ColumnBuilder&) noexcept;

    Append append = nullptr;
    PlainAppender append_plain = nullptr;           ///< null when each value is converted by itself
    double (*to_double)(Datum) noexcept = nullptr;  ///< numeric kinds only
    Oid declared_type = InvalidOid;                 ///< may be a domain
    Oid type = InvalidOid;                          ///< base type
    bool uses_memory = false;                       ///< pallocs: the row context must be reset
    /// Width of values that are the low bytes of their datum and are appended directly, without a
    /// call: integers, floats, booleans. 0 for the others.
    std::uint8_t copied_width = 0;
    bool (*is_nan)(Datum) noexcept = nullptr;  ///< null when the type has no NaN
    FmgrInfo output{};                         ///< for text and for unusual values
    std::int16_t element_length = 0;
    bool element_by_value = false;
    char element_alignment = 0;
    ReadingCasts casts{};  ///< of types of other extensions
    std::vector<DatumReader> children{};

    void append_value(Datum value, bool is_null, ColumnBuilder& builder) noexcept {
        if (is_null ? !builder.append_null() : !append_present(value, builder))
            raise_out_of_memory();
    }
    /// Appends the first values of a column that need neither memory nor a conversion that may
    /// raise, up to `count`; returns how many. append_value() takes the next one.
    std::size_t append_plain_values(const ColumnValues& column, std::size_t count,
                                    ColumnBuilder& builder) const noexcept;
    /// Numeric kinds: writes the values as doubles, NaN for NULL, to every `stride`-th place.
    void convert_to_doubles(const ColumnValues& column, std::size_t count, double* to,
                            std::size_t stride) const noexcept;
    [[noreturn]] static void raise_out_of_memory() noexcept;

   private:
    bool append_present(Datum value, ColumnBuilder& builder) noexcept {
        switch (copied_width) {
            case 8:
                return builder.append(static_cast<std::uint64_t>(value));
            case 4:
                return builder.append(static_cast<std::uint32_t>(value));
            case 2:
                return builder.append(static_cast<std::uint16_t>(value));
            case 1:
                return builder.append(static_cast<std::uint8_t>(value));
            default:
                return append(*this, value, builder);
        }
    }
};

/// The settings that affect the text forms of values. A value that is passed as text is always
/// printed in the form that PostgreSQL reads back: ISO dates, all digits.
struct TextStyle {
    int dates;
    int intervals;
    int float_digits;
};
TextStyle text_style() noexcept;
void set_text_style(const TextStyle& style) noexcept;

/// Held by a facade that runs readers: restores the session's style when an output function raised.
/// Readers, which are leaves, do so themselves after each value.
class TextStyleGuard {
   public:
    TextStyleGuard() noexcept : session_(text_style()) {}
    ~TextStyleGuard() { set_text_style(session_); }
    TextStyleGuard(const TextStyleGuard&) = delete;
    TextStyleGuard& operator=(const TextStyleGuard&) = delete;

   private:
    TextStyle session_;
};

/// A reader for values of the field's type; its function look-ups live in the current memory
/// context. Throws PgError.
DatumReader make_datum_reader(const Field& field);

}  // namespace epe::pg
