// Converts the values of a column to Python objects.
#include "py/input/object_values_internal.h"

#include <algorithm>
#include <utility>

#include "py/base/numpy_internal.h"
#include "py/base/time_objects_internal.h"
#include "py/input/array_columns_internal.h"

namespace epe::py {

namespace {

constexpr Py_ssize_t kUuidBytes = 16;

Ref text_at(const Column& column, std::int64_t row) {
    return to_python(
        std::string_view(column.bytes_at(row), static_cast<std::size_t>(column.bytes_length(row))));
}

Ref make_decimal(const Ref& text) {
    static constinit ImportedObject type{"decimal", "Decimal"};
    return call(type.get(), text);
}

Ref parse_json(const Ref& text) {
    static constinit ImportedObject loads{"json", "loads"};
    return call(loads.get(), text);
}

Ref make_uuid(const char* bytes) {
    static constinit ImportedObject type{"uuid", "UUID"};
    static PyObject* names = nullptr;
    if (names == nullptr) names = Ref::steal(Py_BuildValue("(s)", "bytes")).release();
    const Ref value = Ref::steal(PyBytes_FromStringAndSize(bytes, kUuidBytes));
    PyObject* const arguments[] = {nullptr, value.get()};
    return Ref::steal(
        PyObject_Vectorcall(type.get(), arguments + 1, PY_VECTORCALL_ARGUMENTS_OFFSET, names));
}

/// PostgreSQL's text of an unusual value; empty when the value is an ordinary one.
Ref unusual_at(const Column& column, std::int64_t row) {
    const auto* const first = column.unusual_rows.as<std::int64_t>();
    const auto* const last = first + column.unusual_count();
    const auto* const found = std::lower_bound(first, last, row);
    return found == last || *found != row ? Ref() : text_at(*column.unusual, found - first);
}

bool has_null(const Column& column, std::int64_t first, std::int64_t last) noexcept {
    if (column.null_count == 0) return false;
    for (std::int64_t row = first; row < last; ++row)
        if (column.is_null(row)) return true;
    return false;
}

}  // namespace

ObjectValues::ObjectValues(const Column& column, Options options)
    : column_(column), options_(options) {
    if (column.has_dictionary) texts_.resize(static_cast<std::size_t>(column.children[0].length));
    if (column.type.kind == Kind::kStruct) {
        children_.reserve(column.children.size());
        for (const Column& child : column.children) children_.emplace_back(child, options);
        for (const Field& field : column.type.fields) names_.push_back(to_python(field.name));
    }
    if (column.type.kind == Kind::kList) elements_ = raw_array(column.children[0]);
}

Ref ObjectValues::at(std::int64_t row) {
    if (column_.is_null(row)) return Ref::none();
    if (column_.unusual_count() > 0) {
        if (Ref text = unusual_at(column_, row)) return text;
    }
    return is_bytes(column_.type.kind) ? bytes_value(row) : plain_value(row);
}

Ref ObjectValues::array() {
    ObjectArray objects(column_.length);
    for (std::int64_t row = 0; row < column_.length; ++row) objects.set(row, at(row));
    return objects.finish();
}

Ref ObjectValues::plain_value(std::int64_t row) {
    const Buffer& values = column_.values;
    switch (column_.type.kind) {
        case Kind::kBool:
            return Ref::borrow(values.as<std::uint8_t>()[row] != 0 ? Py_True : Py_False);
        case Kind::kInt16:
            return to_python(std::int64_t{values.as<std::int16_t>()[row]});
        case Kind::kInt32:
            return to_python(std::int64_t{values.as<std::int32_t>()[row]});
        case Kind::kInt64:
            return to_python(values.as<std::int64_t>()[row]);
        case Kind::kFloat32:
            return Ref::steal(PyFloat_FromDouble(values.as<float>()[row]));
        case Kind::kFloat64:
            return Ref::steal(PyFloat_FromDouble(values.as<double>()[row]));
        case Kind::kUuid:
            return make_uuid(values.as<char>() + row * kUuidBytes);
        case Kind::kDate:
            return make_date(values.as<std::int32_t>()[row]);
        case Kind::kTime:
            return make_time(values.as<std::int64_t>()[row], Py_None);
        case Kind::kTimeTz:
            return time_with_zone(row);
        case Kind::kTimestamp:
            return make_datetime(values.as<std::int64_t>()[row]);
        case Kind::kTimestampTz:
            return options_.is_aware ? make_utc_datetime(values.as<std::int64_t>()[row])
                                     : make_datetime(values.as<std::int64_t>()[row]);
        case Kind::kInterval:
            return make_timedelta(values.as<std::int64_t>()[row]);
        case Kind::kList:
            return list_value(row);
        case Kind::kStruct:
            return struct_value(row);
        default:
            return Ref::none();
    }
}

Ref ObjectValues::bytes_value(std::int64_t row) {
    if (column_.has_dictionary) return distinct_text(column_.values.as<std::int32_t>()[row]).copy();
    switch (column_.type.kind) {
        case Kind::kBinary:
            return Ref::steal(
                PyBytes_FromStringAndSize(column_.bytes_at(row), column_.bytes_length(row)));
        case Kind::kDecimal:
            return make_decimal(text_at(column_, row));
        case Kind::kJson:
            return parse_json(text_at(column_, row));
        default:
            return text_at(column_, row);
    }
}

const Ref& ObjectValues::distinct_text(std::int32_t code) {
    Ref& text = texts_[static_cast<std::size_t>(code)];
    if (!text) text = text_at(column_.children[0], code);
    return text;
}

Ref ObjectValues::time_with_zone(std::int64_t row) {
    const TimeWithZone& value = column_.values.as<TimeWithZone>()[row];
    if (!zone_ || zone_seconds_ != value.seconds_east) {
        zone_ = make_zone(value.seconds_east);
        zone_seconds_ = value.seconds_east;
    }
    return make_time(value.microseconds, zone_.get());
}

Ref ObjectValues::list_value(std::int64_t row) {
    const Column& child = column_.children[0];
    const auto* const ends = column_.offsets.as<std::int64_t>();
    const std::int64_t first = ends[row];
    const std::int64_t last = ends[row + 1];
    Ref value = slice_array(elements_.get(), first, last - first);
    const bool has_nulls = has_null(child, first, last);
    if (has_nulls) {
        value = call(attribute(value.get(), "astype").get(), to_python("O"));
        for (std::int64_t i = first; i < last; ++i)
            if (child.is_null(i)) checked(PySequence_SetItem(value.get(), i - first, Py_None));
    }
    if (!column_.shapes.empty() && column_.shapes.as<ListShape>()[row].dimensions > 1) {
        const ListShape& shape = column_.shapes.as<ListShape>()[row];
        const Ref sizes = Ref::steal(PyTuple_New(shape.dimensions));
        for (int i = 0; i < shape.dimensions; ++i)
            PyTuple_SET_ITEM(sizes.get(), i, to_python(std::int64_t{shape.sizes[i]}).release());
        value = call(attribute(value.get(), "reshape").get(), sizes);
    }
    return has_nulls ? call(attribute(value.get(), "tolist").get()) : std::move(value);
}

Ref ObjectValues::struct_value(std::int64_t row) {
    Ref dict = Ref::steal(PyDict_New());
    for (std::size_t i = 0; i < children_.size(); ++i)
        checked(PyDict_SetItem(dict.get(), names_[i].get(), children_[i].at(row).get()));
    return dict;
}

}  // namespace epe::py
