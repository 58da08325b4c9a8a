// Columns from numpy arrays of numbers, booleans and texts, through the buffer protocol.
#include "py/result/column_arrays_internal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "py/result/column_from_python_internal.h"

namespace epe::py {

namespace {

/// IEEE half precision.
struct Half {
    std::uint16_t bits;

    explicit operator float() const noexcept {
        const unsigned exponent = bits >> 10 & 31U;
        const auto mantissa = static_cast<float>(bits & 1023U);
        const float sign = (bits & 0x8000U) != 0 ? -1.0F : 1.0F;
        if (exponent == 31)
            return mantissa == 0.0F ? sign * std::numeric_limits<float>::infinity()
                                    : std::numeric_limits<float>::quiet_NaN();
        if (exponent == 0) return sign * std::ldexp(mantissa, -24);
        return sign * std::ldexp(mantissa + 1024.0F, static_cast<int>(exponent) - 25);
    }
};

/// numpy's boolean: one byte, with any value in views of other arrays.
struct Truth {
    std::uint8_t byte;

    explicit operator bool() const noexcept { return byte != 0; }
    explicit operator std::uint8_t() const noexcept { return byte != 0 ? 1 : 0; }
    explicit operator std::int64_t() const noexcept { return byte != 0 ? 1 : 0; }
};

/// A view of a one-dimensional array in the machine's byte order, as returned by plain_array().
/// Elements may have any stride and alignment.
class ArrayView {
   public:
    explicit ArrayView(PyObject* array) {
        checked(PyObject_GetBuffer(array, &view_, PyBUF_STRIDED_RO | PyBUF_FORMAT));
    }
    ~ArrayView() { PyBuffer_Release(&view_); }
    ArrayView(const ArrayView&) = delete;
    ArrayView& operator=(const ArrayView&) = delete;

    std::int64_t count() const noexcept { return view_.shape[0]; }
    std::size_t width() const noexcept { return static_cast<std::size_t>(view_.itemsize); }
    bool is_dense() const noexcept { return view_.strides[0] == view_.itemsize; }
    const char* at(std::int64_t index) const noexcept {
        return static_cast<const char*>(view_.buf) + index * view_.strides[0];
    }
    template <typename T>
    T load(std::int64_t index) const noexcept {
        T value;
        std::memcpy(&value, at(index), sizeof(T));
        return value;
    }

   private:
    Py_buffer view_{};
};

/// Calls `body` with a value of the C type for a dtype's kind and width.
template <typename Body>
Column with_type(char kind, std::size_t width, PyObject* array, const Target& target, Body&& body) {
    // A dtype of another library may have one of numpy's kinds with a different width.
    switch (kind) {
        case 'b':
            if (width == 1) return body(Truth{});
            break;
        case 'i':
            if (width == 1) return body(std::int8_t{});
            if (width == 2) return body(std::int16_t{});
            if (width == 4) return body(std::int32_t{});
            if (width == 8) return body(std::int64_t{});
            break;
        case 'u':
            if (width == 1) return body(std::uint8_t{});
            if (width == 2) return body(std::uint16_t{});
            if (width == 4) return body(std::uint32_t{});
            if (width == 8) return body(std::uint64_t{});
            break;
        case 'f':
            if (width == 2) return body(Half{});
            if (width == 4) return body(float{});
            if (width == 8) return body(double{});
            if (width == sizeof(long double)) return body(static_cast<long double>(0));
            break;
        default:
            break;
    }
    fail_type(target, Ref::steal(PySequence_GetItem(array, 0)).get(), 0);
}

constexpr std::int64_t kPiece = std::int64_t{1} << 20;  // values between checks for interrupts

/// The element as its column holds it.
template <typename Out, typename In>
Out converted(In value) noexcept {
    if constexpr (std::is_same_v<In, Half>)
        return static_cast<Out>(static_cast<float>(value));
    else
        return static_cast<Out>(value);
}

template <typename In, typename Out>
Column copied(const ArrayView& view, Kind kind) {
    Column column = fixed_column(kind, view.count());
    auto* const out = column.values.as<Out>();
    if constexpr (std::is_same_v<In, Out>) {
        if (view.is_dense()) {
            for (std::int64_t i = 0; i < column.length; i += kPiece) {
                const std::int64_t count = std::min(kPiece, column.length - i);
                std::memcpy(out + i, view.at(i), static_cast<std::size_t>(count) * sizeof(Out));
                check_cancel();
            }
            return column;
        }
    }
    for (std::int64_t first = 0; first < column.length; first += kPiece) {
        const std::int64_t end = std::min(first + kPiece, column.length);
        for (std::int64_t i = first; i < end; ++i) out[i] = converted<Out>(view.load<In>(i));
        check_cancel();
    }
    return column;
}

/// Texts of integers beyond bigint.
Column as_decimals(const ArrayView& view) {
    BytesWriter writer(Kind::kDecimal, view.count());
    char digits[32];
    for (std::int64_t i = 0; i < view.count(); ++i) {
        const auto end = std::to_chars(digits, digits + sizeof digits, view.load<std::uint64_t>(i));
        writer.append({digits, static_cast<std::size_t>(end.ptr - digits)});
    }
    return writer.finish();
}

/// 0 is false. Returns length -1 for floats other than 0, 1 and NaN.
template <typename In>
Column as_bools(const ArrayView& view) {
    Column column = fixed_column(Kind::kBool, view.count());
    auto* const out = column.values.as<std::uint8_t>();
    for (std::int64_t i = 0; i < column.length; ++i) {
        if constexpr (std::is_integral_v<In>) {
            out[i] = view.load<In>(i) != 0 ? 1 : 0;
        } else {
            const auto value = converted<double>(view.load<In>(i));
            out[i] = value == 1.0 ? 1 : 0;
            if (std::isnan(value)) {
                mark_null(column, i);
            } else if (value != 0.0 && value != 1.0) {
                column.length = -1;
                return column;
            }
        }
    }
    return column;
}

template <typename In>
Column as_floats(const ArrayView& view, const Target& target) {
    using Out =
        std::conditional_t<std::is_same_v<In, float> || std::is_same_v<In, Half>, float, double>;
    Column column = copied<In, Out>(view, sizeof(Out) == 4 ? Kind::kFloat32 : Kind::kFloat64);
    if constexpr (std::is_same_v<In, long double>) {
        for (std::int64_t i = 0; i < column.length; ++i)
            if (std::isinf(column.values.as<double>()[i]) && std::isfinite(view.load<In>(i)))
                target.place.fail_range(i);
    }
    if (!target.keeps_nan()) mark_nans(column);
    return column;
}

template <typename In>
Column as_integers(const ArrayView& view) {
    if constexpr (sizeof(In) == 1) return copied<In, std::int16_t>(view, Kind::kInt16);
    if constexpr (std::is_same_v<In, std::int16_t>) return copied<In, In>(view, Kind::kInt16);
    if constexpr (sizeof(In) == 2 || std::is_same_v<In, std::int32_t>)
        return copied<In, std::int32_t>(view, Kind::kInt32);
    if constexpr (std::is_same_v<In, std::uint64_t>) {
        for (std::int64_t i = 0; i < view.count(); ++i)
            if (view.load<In>(i) > static_cast<In>(INT64_MAX)) return as_decimals(view);
    }
    return copied<In, std::int64_t>(view, Kind::kInt64);
}

template <typename In>
Column as_numbers(const ArrayView& view, const Target& target) {
    if constexpr (std::is_same_v<In, Truth>) {
        if (is_numeric(target.kind())) return copied<In, std::int64_t>(view, Kind::kInt64);
        return copied<In, std::uint8_t>(view, Kind::kBool);
    } else {
        if (target.kind() == Kind::kBool) {
            Column column = as_bools<In>(view);
            if (column.length >= 0) return column;
        }
        if constexpr (std::is_integral_v<In>)
            return as_integers<In>(view);
        else
            return as_floats<In>(view, target);
    }
}

/// Fixed-width bytes, padded with NUL, as numpy's dtype S.
Column as_bytes(const ArrayView& view, const Target& target) {
    BytesWriter writer(Kind::kBinary, view.count());
    for (std::int64_t i = 0; i < view.count(); ++i) {
        std::string_view bytes(view.at(i), view.width());
        bytes = bytes.substr(0, bytes.find_last_not_of('\0') + 1);
        writer.append(bytes);
    }
    Column column = writer.finish();
    if (!target.is_text()) return column;
    // Text: the bytes must be UTF-8, which Python's decoder checks.
    for (std::int64_t i = 0; i < column.length; ++i) {
        PyObject* const text =
            PyUnicode_DecodeUTF8(column.bytes_at(i), column.bytes_length(i), nullptr);
        if (text == nullptr) {
            if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) throw ScriptError();
            PyErr_Clear();
            target.place.fail(kBadCharacter, "bytes that are not UTF-8 in", i);
        }
        (void)checked_utf8(Ref::steal(text).get(), target.place, i);
    }
    column.type.kind = Kind::kText;
    return column;
}

/// Fixed-width UCS-4, padded with NUL, as numpy's dtype U.
Column as_unicode(const ArrayView& view, const Target& target) {
    BytesWriter writer(Kind::kText, view.count());
    const std::size_t most = view.width() / sizeof(Py_UCS4);
    std::vector<Py_UCS4> points(most);
    for (std::int64_t i = 0; i < view.count(); ++i) {
        if (most > 0) std::memcpy(points.data(), view.at(i), view.width());
        std::size_t count = most;
        while (count > 0 && points[count - 1] == 0) --count;
        check_now_and_then(i);
        const Ref text = Ref::steal(PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, points.data(),
                                                              static_cast<Py_ssize_t>(count)));
        writer.append(checked_utf8(text.get(), target.place, i));
    }
    return writer.finish();
}

}  // namespace

Column column_of_array(PyObject* array, char kind, const Target& target) {
    const Ref dtype = attribute(array, "dtype");
    Ref native = Ref::borrow(array);
    if (attribute(dtype.get(), "isnative").get() == Py_False) {
        const Ref order = call(attribute(dtype.get(), "newbyteorder").get(), to_python("="));
        native = call(attribute(array, "astype").get(), order);
    }
    if (PyObject_Size(native.get()) == 0) return null_column(0);
    const ArrayView view(native.get());
    if (kind == 'S') return as_bytes(view, target);
    if (kind == 'U') return as_unicode(view, target);
    return with_type(kind, view.width(), array, target,
                     [&]<typename In>(In) { return as_numbers<In>(view, target); });
}

}  // namespace epe::py
