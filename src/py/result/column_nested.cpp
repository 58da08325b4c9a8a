// Columns of arrays and composites from lists, tuples, numpy arrays and dicts.
#include "py/result/column_nested_internal.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "py/base/numpy_internal.h"
#include "py/result/array_memory_internal.h"
#include "py/result/column_from_python_internal.h"
#include "py/result/column_simplify_internal.h"

namespace epe::py {

namespace {

// ------------------------------------------------------------------------------------------ lists

/// Collects the elements of list values, row by row.
class ListWriter {
   public:
    ListWriter(std::int64_t rows, const Target& target)
        : target_(target), element_kind_(target.field.type.fields[0].type.kind) {
        column_.type.kind = Kind::kList;
        column_.length = rows;
        check_allocated(
            column_.offsets.resize(static_cast<std::size_t>(rows + 1) * sizeof(std::int64_t)));
        column_.offsets.as<std::int64_t>()[0] = 0;
    }

    void add_null() { add_null_at(elements_.size()); }
    void add_null_at(std::int64_t element_count) {
        mark_null(column_, row_);
        end_row(ListShape{}, element_count);
    }
    void add(PyObject* value) {
        ListShape shape{};
        measure(value, shape);
        flatten(value, shape, 0);
        if (std::find(shape.sizes, shape.sizes + shape.dimensions, 0) !=
            shape.sizes + shape.dimensions)
            shape = ListShape{};  // PostgreSQL has one empty array only
        end_row(shape, elements_.size());
    }
    void end_row(const ListShape& shape, std::int64_t element_count) {
        if (shape.dimensions > 1 && column_.shapes.empty()) write_plain_shapes();
        if (shape.dimensions > 1 || !column_.shapes.empty())
            check_allocated(column_.shapes.push(shape));
        column_.offsets.as<std::int64_t>()[++row_] = element_count;
    }
    Column finish() {
        const Place place(target_.place, &column_.offsets);
        const Target element{target_.field.type.fields[0], place, target_.keep_nan};
        add_child(column_of_objects(elements_.objects(), element));
        return std::move(column_);
    }
    /// The elements as one array instead of individual objects.
    Column finish(PyObject* array) {
        const Place place(target_.place, &column_.offsets);
        add_child(column_of(array, {target_.field.type.fields[0], place, target_.keep_nan}));
        return std::move(column_);
    }

   private:
    void add_child(Column child) {
        if (child.length != column_.offsets.as<std::int64_t>()[column_.length])
            throw Error(sqlstate::kDatatypeMismatch, "arrays that change while they are read");
        column_.type.fields.push_back(Field{"", child.type});
        column_.children.push_back(std::move(child));
    }
    /// True for a dimension, false for an element.
    bool is_nested(PyObject* value, int depth) const {
        if (depth == 0) return true;
        if (element_kind_ == Kind::kJson) return false;
        if (PyList_Check(value) || has_dimensions(value)) return true;
        return element_kind_ != Kind::kStruct && PyTuple_Check(value) && !is_month_day_nano(value);
    }
    void measure(PyObject* value, ListShape& shape);
    void flatten(PyObject* value, const ListShape& shape, int depth);
    void write_plain_shapes();

    const Target& target_;
    Kind element_kind_;
    Column column_{};
    std::int64_t row_ = 0;
    ObjectVector elements_{};
};

/// So far the rows had one dimension at most.
void ListWriter::write_plain_shapes() {
    const auto* const ends = column_.offsets.as<std::int64_t>();
    for (std::int64_t row = 0; row < row_; ++row) {
        ListShape shape{};
        shape.sizes[0] = static_cast<std::int32_t>(ends[row + 1] - ends[row]);
        shape.dimensions = shape.sizes[0] > 0 ? 1 : 0;
        check_allocated(column_.shapes.push(shape));
    }
}

/// A sequence unchanged, an array as class ndarray. A masked array provides its elements by its own
/// methods.
Ref plain_sequence(PyObject* value) {
    const KnownTypes& known = known_types();
    if (!is_array(value)) return Ref::borrow(value);
    if (known.masked != nullptr && PyObject_TypeCheck(value, known.masked->tp_base) != 0)
        return Ref::borrow(value);
    return plain_array(value);
}

/// Sizes of the dimensions, from the first elements.
void ListWriter::measure(PyObject* value, ListShape& shape) {
    Ref current = plain_sequence(value);
    while (is_nested(current.get(), shape.dimensions)) {
        const Py_ssize_t size = PySequence_Size(current.get());
        if (size < 0) throw ScriptError();
        if (shape.dimensions == kMaxDimensions)
            target_.place.fail(sqlstate::kLimitExceeded, "more than 6 array dimensions in", row_);
        if (size > INT32_MAX)
            target_.place.fail(sqlstate::kLimitExceeded, "array too long in", row_);
        shape.sizes[shape.dimensions++] = static_cast<std::int32_t>(size);
        if (size == 0) return;
        const Ref first = Ref::steal(PySequence_GetItem(current.get(), 0));
        current = plain_sequence(first.get());
    }
}

void ListWriter::flatten(PyObject* value, const ListShape& shape, int depth) {
    const Ref items = Ref::steal(PySequence_Tuple(plain_sequence(value).get()));
    const Py_ssize_t size = PyTuple_GET_SIZE(items.get());
    const bool is_innermost = depth + 1 == shape.dimensions;
    if (size != shape.sizes[depth])
        target_.place.fail(sqlstate::kDatatypeMismatch,
                           "nested lists of different lengths do not make an array in", row_,
                           "PostgreSQL's arrays are rectangular.");
    for (Py_ssize_t i = 0; i < size; ++i) {
        check_now_and_then(i);
        PyObject* const item = PyTuple_GET_ITEM(items.get(), i);
        if (is_nested(item, depth + 1) == is_innermost)
            target_.place.fail(sqlstate::kDatatypeMismatch,
                               "lists nested to different depths do not make an array in", row_);
        if (is_innermost)
            elements_.push(Ref::borrow(item));
        else
            flatten(item, shape, depth + 1);
    }
}

/// The dtype of numbers or times that all rows, plain arrays, have in common; else null. (Masked
/// arrays are not plain: concatenate() loses the mask.)
Ref common_dtype(const Objects& values) {
    Ref common;
    for (std::int64_t i = 0; i < values.count; ++i) {
        if (values[i] == Py_None) continue;
        if (Py_TYPE(values[i]) != known_types().array) return {};
        Ref dtype = attribute(values[i], "dtype");
        if (!common)
            common = std::move(dtype);
        else if (dtype.get() != common.get() &&
                 checked(PyObject_RichCompareBool(dtype.get(), common.get(), Py_EQ)) == 0)
            return {};
    }
    if (!common) return {};
    const char kind = utf8(attribute(common.get(), "kind").get())[0];
    return std::string_view("biufMm").find(kind) == std::string_view::npos ? Ref()
                                                                           : std::move(common);
}

/// Rows that are numpy arrays of one dtype: their elements are never converted to Python objects.
Column column_of_numpy_lists(const Objects& values, const Target& target) {
    ListWriter writer(values.count, target);
    const Ref parts = Ref::steal(PyList_New(0));
    std::int64_t element_count = 0;
    for (std::int64_t i = 0; i < values.count; ++i) {
        if (values[i] == Py_None) {
            writer.add_null_at(element_count);
            continue;
        }
        const Ref array = plain_array(values[i]);
        const Ref sizes = attribute(array.get(), "shape");
        const Py_ssize_t dimensions = PyTuple_Size(sizes.get());
        if (dimensions > kMaxDimensions)
            target.place.fail(sqlstate::kLimitExceeded, "more than 6 array dimensions in", i);
        ListShape shape{};
        shape.dimensions = static_cast<std::int32_t>(dimensions);
        std::int64_t size = 1;
        for (Py_ssize_t d = 0; d < dimensions; ++d) {
            const std::int64_t length = PyLong_AsLongLong(PyTuple_GET_ITEM(sizes.get(), d));
            if (length > INT32_MAX)
                target.place.fail(sqlstate::kLimitExceeded, "array too long in", i);
            shape.sizes[d] = static_cast<std::int32_t>(length);
            size *= length;
        }
        if (size == 0) shape = ListShape{};
        element_count += size;
        writer.end_row(shape, element_count);
        const Ref flat = call(attribute(array.get(), "ravel").get());
        checked(PyList_Append(parts.get(), flat.get()));
    }
    const Ref all = call(attribute(import_module("numpy").get(), "concatenate").get(),
                         Ref::borrow(parts.get()));
    return writer.finish(all.get());
}

// ---------------------------------------------------------------------------------------- structs

/// Collects the fields of composite values, row by row.
class StructWriter {
   public:
    explicit StructWriter(const Target& target)
        : target_(target), fields_(target.field.type.fields), values_(fields_.size()) {
        for (const Field& field : fields_) names_.push_back(to_python(field.name));
    }

    void add_null() {
        for (ObjectVector& values : values_) values.push(Ref::none());
    }
    void add_dict(PyObject* dict, std::int64_t index);
    void add_sequence(PyObject* sequence, std::int64_t index);
    Column finish(Column column);

   private:
    const Target& target_;
    const std::vector<Field>& fields_;
    std::vector<Ref> names_{};
    std::vector<ObjectVector> values_;
};

void StructWriter::add_dict(PyObject* dict, std::int64_t index) {
    Py_ssize_t found = 0;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        PyObject* const value = PyDict_GetItemWithError(dict, names_[i].get());
        if (value == nullptr && PyErr_Occurred() != nullptr) throw ScriptError();
        found += value != nullptr ? 1 : 0;
        values_[i].push(value == nullptr ? Ref::none() : Ref::borrow(value));
    }
    if (found == PyDict_Size(dict)) return;
    const Ref keys = Ref::steal(PyDict_Keys(dict));
    for (Py_ssize_t k = 0; k < PyList_GET_SIZE(keys.get()); ++k) {
        const Ref key = Ref::steal(PyObject_Str(PyList_GET_ITEM(keys.get(), k)));
        const std::string_view text = checked_utf8(key.get(), target_.place, index);
        if (std::any_of(fields_.begin(), fields_.end(),
                        [=](const Field& field) { return field.name == text; }) &&
            PyUnicode_Check(PyList_GET_ITEM(keys.get(), k)))
            continue;
        target_.place.fail(sqlstate::kUndefinedColumn,
                           "type " + target_.field.sql_type + " has no field \"" +
                               std::string(text) + "\":",
                           index);
    }
}

void StructWriter::add_sequence(PyObject* sequence, std::int64_t index) {
    const Ref items = Ref::steal(PySequence_Tuple(sequence));
    const auto count = static_cast<std::size_t>(PyTuple_GET_SIZE(items.get()));
    if (count != fields_.size())
        target_.place.fail(sqlstate::kDatatypeMismatch,
                           "type " + target_.field.sql_type + " has " +
                               std::to_string(fields_.size()) + " fields, but there are " +
                               std::to_string(count) + " values in",
                           index);
    for (std::size_t i = 0; i < count; ++i)
        values_[i].push(Ref::borrow(PyTuple_GET_ITEM(items.get(), static_cast<Py_ssize_t>(i))));
}

Column StructWriter::finish(Column column) {
    const Place place(target_.place, nullptr);
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        Column child =
            column_of_objects(values_[i].objects(), {fields_[i], place, target_.keep_nan});
        column.type.fields.push_back(Field{fields_[i].name, child.type});
        column.children.push_back(std::move(child));
    }
    return column;
}

}  // namespace

Column column_of_lists(const Objects& values, const Target& target) {
    if (common_dtype(values)) return column_of_numpy_lists(values, target);
    ListWriter writer(values.count, target);
    Classifier classifier(false);
    for (std::int64_t i = 0; i < values.count; ++i) {
        check_now_and_then(i);
        const unsigned value_class = classifier.class_of(values[i]);
        if (value_class == kNoClass)
            writer.add_null();
        else if (value_class == kListClass || value_class == kTupleClass ||
                 has_dimensions(values[i]))
            writer.add(values[i]);
        else
            fail_type(target, values[i], i);
    }
    return writer.finish();
}

Column column_of_structs(const Objects& values, const Target& target) {
    Column column;
    column.type.kind = Kind::kStruct;
    column.length = values.count;
    StructWriter writer(target);
    Classifier classifier(false);
    for (std::int64_t i = 0; i < values.count; ++i) {
        check_now_and_then(i);
        switch (classifier.class_of(values[i])) {
            case kNoClass:
                mark_null(column, i);
                writer.add_null();
                break;
            case kDictClass:
                writer.add_dict(values[i], i);
                break;
            case kTupleClass:
            case kListClass:
                writer.add_sequence(values[i], i);
                break;
            default:
                fail_type(target, values[i], i);
        }
    }
    return writer.finish(std::move(column));
}

}  // namespace epe::py
