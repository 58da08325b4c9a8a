// The target of a column's conversion, shared by the files column_*.
#pragma once

#include <cstdint>
#include <string>

#include "py/result/column_writer_internal.h"
#include "py/result/value_classifier_internal.h"

namespace epe::py {

/// The target of a column.
struct Target {
    const Field& field;
    const Place& place;
    bool keep_nan;

    Kind kind() const noexcept { return field.type.kind; }
    /// A character string, to which PostgreSQL's text of any value can be assigned.
    bool is_text() const noexcept {
        return kind() == Kind::kText && field.type.variant == Variant::kPlain;
    }
    /// A type without a kind of its own: its values are texts in Python.
    bool is_printed() const noexcept { return field.type.variant == Variant::kPrinted; }
    bool keeps_nan() const noexcept {
        return keep_nan &&
               (kind() == Kind::kFloat32 || kind() == Kind::kFloat64 || kind() == Kind::kDecimal);
    }
};

}  // namespace epe::py
