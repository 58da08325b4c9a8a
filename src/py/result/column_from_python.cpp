// Columns from Python values: inspects the values and calls the appropriate maker.
#include "py/result/column_from_python_internal.h"

#include <string>

#include "py/base/numpy_internal.h"
#include "py/result/array_memory_internal.h"
#include "py/result/column_array_times_internal.h"
#include "py/result/column_arrays_internal.h"
#include "py/result/column_nested_internal.h"
#include "py/result/column_numbers_internal.h"
#include "py/result/column_simplify_internal.h"
#include "py/result/column_texts_internal.h"
#include "py/result/column_times_internal.h"

namespace epe::py {

namespace {

constexpr unsigned kNumberClasses = kBoolClass | kIntClass | kFloatClass | kDecimalClass;
constexpr int kMostWrappings = 8;  // an array may hold itself
constexpr unsigned kDayClasses = kDateTimeClass | kAwareClass | kDateClass;
constexpr unsigned kSequenceClasses = kTupleClass | kListClass | kArrayClass;

unsigned classes_of(const Objects& values, bool keep_nan) {
    Classifier classifier(keep_nan);
    unsigned classes = kNoClass;
    for (std::int64_t i = 0; i < values.count; ++i) {
        check_now_and_then(i);
        classes |= classifier.class_of(values[i]);
    }
    return classes;
}

/// Owns the values, so that Python code that runs during the conversion cannot free them, with
/// foreign values replaced. Returns their classes.
unsigned take_plain(const Objects& values, const Target& target, ObjectVector& plain) {
    Classifier classifier(target.keeps_nan());
    unsigned classes = kNoClass;
    for (std::int64_t i = 0; i < values.count; ++i) plain.push(Ref::borrow(values[i]));
    ObjectVector replaced;
    replaced.reserve(values.count);
    const Objects owned = plain.objects();
    for (std::int64_t i = 0; i < owned.count; ++i) {
        check_now_and_then(i);
        PyObject* const value = owned[i];
        unsigned value_class = classifier.class_of(value);
        Ref simple = value_class == kForeignClass ? simplify(value, target, i) : Ref::borrow(value);
        // An enum's value, or an array's only element, may be foreign again.
        for (int depth = 0; depth < kMostWrappings && value_class == kForeignClass; ++depth) {
            value_class = classifier.class_of(simple.get());
            if (value_class != kForeignClass || has_dimensions(simple.get())) break;
            simple = simplify(simple.get(), target, i);
        }
        if (value_class == kForeignClass)
            value_class = has_dimensions(simple.get()) ? kArrayClass : kOtherClass;
        classes |= value_class;
        replaced.push(std::move(simple));
    }
    plain.swap(replaced);
    find_known_types();  // types of modules that this code has imported
    return classes;
}

/// Throws for the first value of one of the classes, which cannot be converted to the target.
[[noreturn]] void fail_class(const Objects& values, unsigned classes, const Target& target) {
    Classifier classifier(target.keeps_nan());
    for (std::int64_t i = 0; i < values.count; ++i) {
        const unsigned value_class = classifier.class_of(values[i]);
        if ((value_class & (classes | kForeignClass)) != 0) fail_type(target, values[i], i);
    }
    target.place.fail(sqlstate::kDatatypeMismatch, "value of a wrong type in", 0);
}

/// Whether a numeric column can be converted to text by its natural type alone.
bool is_uniform_number(unsigned classes) noexcept {
    return classes == kBoolClass || classes == kIntClass || classes == kFloatClass ||
           classes == kDecimalClass;
}

Column column_of_plain(const Objects& values, unsigned classes, const Target& target);

/// Values of several classes as a struct of columns, of which one has a value in each row.
class Alternatives {
   public:
    Alternatives(const Objects& values, const Target& target) : values_(values), target_(target) {
        column_.type.kind = Kind::kStruct;
        column_.length = values.count;
    }

    /// The values of some classes.
    template <typename Make>
    void add(unsigned classes, Make make) {
        Classifier classifier(target_.keeps_nan());
        ObjectVector own;
        own.reserve(values_.count);
        for (std::int64_t i = 0; i < values_.count; ++i) {
            check_now_and_then(i);
            unsigned value_class = classifier.class_of(values_[i]);
            if (value_class == kForeignClass)
                value_class = has_dimensions(values_[i]) ? kArrayClass : kOtherClass;
            own.push((value_class & classes) != 0 ? Ref::borrow(values_[i]) : Ref::none());
        }
        Column child = make(own.objects(), classes, target_);
        column_.type.fields.push_back(Field{"", child.type});
        column_.children.push_back(std::move(child));
    }
    Column finish() { return std::move(column_); }

   private:
    const Objects& values_;
    const Target& target_;
    Column column_{};
};

/// For a type whose values are texts in Python: other values are converted from their own natural
/// type. Values of several classes become a struct of one column per class.
Column column_of_printed(const Objects& values, unsigned classes, const Target& target) {
    constexpr unsigned kContainers = kSequenceClasses | kDictClass;
    if ((classes & kContainers) != 0) fail_class(values, kContainers, target);
    if ((classes & (classes - 1)) == 0) {
        if (is_uniform_number(classes)) return column_of_numbers(values, classes, target);
        if (classes == kBytesClass) return column_of_bytes(values, target);
        if (classes == kUuidClass) return column_of_uuids(values, target);
        return column_of_texts(values, target);
    }
    Alternatives alternatives(values, target);
    for (unsigned one = 1; one <= classes; one <<= 1U)
        if ((classes & one) != 0) alternatives.add(one, column_of_plain);
    return alternatives.finish();
}

/// For a character string: floats and decimals get PostgreSQL's text, all others Python's or JSON.
Column column_of_mixed_texts(const Objects& values, unsigned classes, const Target& target) {
    constexpr unsigned kOwnText = kFloatClass | kDecimalClass;
    if ((classes & kOwnText) == 0) return column_of_texts(values, target);
    Alternatives alternatives(values, target);
    for (const unsigned one : {kFloatClass, kDecimalClass})
        if ((classes & one) != 0) alternatives.add(one, column_of_plain);
    alternatives.add(classes & ~kOwnText, [](const Objects& own, unsigned, const Target& to) {
        return column_of_texts(own, to);
    });
    return alternatives.finish();
}

Column column_of_plain(const Objects& values, unsigned classes, const Target& target) {
    if (classes == kNoClass) return null_column(values.count);
    // Columns of dates and times keep their kind even for text: PostgreSQL prints them.
    if ((classes & ~kDayClasses) == 0 || classes == kTimeClass || classes == kAwareTimeClass ||
        classes == kDeltaClass)
        return column_of_python_times(values, classes, target);
    const Kind kind = target.kind();
    if (target.is_printed()) return column_of_printed(values, classes, target);
    if (classes == kStrClass) return column_of_texts(values, target);
    if (kind == Kind::kText && !is_uniform_number(classes))
        return column_of_mixed_texts(values, classes, target);
    if (kind == Kind::kList && !target.field.type.fields.empty())
        return column_of_lists(values, target);
    if (kind == Kind::kStruct) return column_of_structs(values, target);
    if ((classes & (kSequenceClasses | kDictClass)) != 0)
        fail_class(values, kSequenceClasses | kDictClass, target);
    if ((classes & ~kNumberClasses) == 0 &&
        (classes != (kBoolClass | kIntClass) || is_numeric(kind) || kind == Kind::kBool))
        return column_of_numbers(values, classes, target);
    if (classes == kBytesClass) return column_of_bytes(values, target);
    if (classes == kUuidClass) return column_of_uuids(values, target);
    return column_of_texts(values, target);
}

/// The pair (values, mask).
Column column_of_masked(PyObject* pair, const Target& target) {
    Column column = column_of(PyTuple_GET_ITEM(pair, 0), target);
    const Field bool_field{"", {Kind::kBool, {}}};
    const Target mask_target{bool_field, target.place, false};
    const Column mask = column_of(PyTuple_GET_ITEM(pair, 1), mask_target);
    if (mask.type.kind != Kind::kBool || mask.length != column.length)
        throw Error(sqlstate::kInvalidArgument, "mask does not fit its column");
    for (std::int64_t row = 0; row < mask.length; ++row) {
        if (mask.values.as<std::uint8_t>()[row] == 0 || column.is_null(row)) continue;
        mark_null(column, row);
        clear_slot(column, row);
    }
    return column;
}

/// An array of objects, as returned by plain_array(), read in place.
Column column_of_object_array(PyObject* array, const Target& target) {
    struct View {
        Py_buffer buffer{};
        explicit View(PyObject* exporter) {
            checked(PyObject_GetBuffer(exporter, &buffer, PyBUF_STRIDED_RO | PyBUF_FORMAT));
        }
        ~View() { PyBuffer_Release(&buffer); }
        View(const View&) = delete;
        View& operator=(const View&) = delete;
    };
    const View view(array);
    return column_of_objects(
        {static_cast<const char*>(view.buffer.buf), view.buffer.strides[0], view.buffer.shape[0]},
        target);
}

/// Whether a composite value may carry names: a namedtuple, a dataclass, a Series.
bool may_carry_names(const Objects& values) noexcept {
    for (std::int64_t i = 0; i < values.count; ++i) {
        PyObject* const value = values[i];
        if (value != Py_None && !PyDict_Check(value) && !PyTuple_CheckExact(value) &&
            !PyList_CheckExact(value))
            return true;
    }
    return false;
}

/// The values, with those that have field names converted to dicts by runtime/results.py. Runs
/// Python code.
Ref with_names(const Objects& values, const std::vector<Field>& fields) {
    static constinit ImportedObject composites{"_oml_epe_runtime.results", "composites"};
    const Ref list = Ref::steal(PyList_New(values.count));
    for (std::int64_t i = 0; i < values.count; ++i)
        PyList_SET_ITEM(list.get(), i, Ref::borrow(values[i]).release());
    const Ref names = Ref::steal(PyList_New(0));
    for (const Field& field : fields)
        checked(PyList_Append(names.get(), to_python(field.name).get()));
    Ref plain = call(composites.get(), list, names);
    if (!PyList_CheckExact(plain.get()) || PyList_GET_SIZE(plain.get()) != values.count)
        throw Error(sqlstate::kInvalidArgument, "composite values that change while they are read");
    return plain;
}

Objects list_objects(PyObject* list) noexcept {
    const auto* const items = reinterpret_cast<PyListObject*>(list)->ob_item;
    return {reinterpret_cast<const char*>(items), sizeof(PyObject*), PyList_GET_SIZE(list)};
}

Column column_of_any(const Objects& values, const Target& target);

bool takes_objects(Kind kind) noexcept {
    return kind == Kind::kJson || kind == Kind::kList || kind == Kind::kStruct;
}

}  // namespace

void fail_type(const Target& target, PyObject* value, std::int64_t index) {
    std::string what =
        std::string("cannot store a Python value of type ") + Py_TYPE(value)->tp_name;
    if (!target.field.sql_type.empty()) what += " as " + target.field.sql_type;
    target.place.fail(sqlstate::kDatatypeMismatch, what + " in", index);
}

Column column_of_objects(const Objects& values, const Target& target) {
    if (target.kind() == Kind::kStruct && may_carry_names(values)) {
        const Ref plain = with_names(values, target.field.type.fields);
        find_known_types();  // types of modules that this code has imported
        return column_of_any(list_objects(plain.get()), target);
    }
    return column_of_any(values, target);
}

namespace {

Column column_of_any(const Objects& values, const Target& target) {
    const unsigned found = classes_of(values, target.keeps_nan());
    if (found == kNoClass) return null_column(values.count);
    const bool is_hstore = target.field.type.variant == Variant::kHstore;
    const bool is_encoded = is_hstore || target.kind() == Kind::kJson;  // runs Python code
    // No Python code runs below: the values stay alive.
    if ((found & ~kPlainClasses) == 0 && !is_encoded) return column_of_plain(values, found, target);
    ObjectVector plain;
    plain.reserve(values.count);
    if (is_encoded) {
        for (std::int64_t i = 0; i < values.count; ++i) plain.push(Ref::borrow(values[i]));
        return is_hstore ? column_of_hstores(plain.objects(), target)
                         : column_of_json(plain.objects(), target);
    }
    const unsigned classes = take_plain(values, target, plain);
    return column_of_plain(plain.objects(), classes, target);
}

}  // namespace

Column column_of(PyObject* values, const Target& target) {
    find_known_types();
    if (PyTuple_CheckExact(values) && PyTuple_GET_SIZE(values) == 2)
        return column_of_masked(values, target);
    if (!is_array(values)) {
        const Ref list =
            PyList_CheckExact(values) ? Ref::borrow(values) : Ref::steal(PySequence_List(values));
        return column_of_objects(list_objects(list.get()), target);
    }
    const Ref array = plain_array(values);
    const Ref dtype = attribute(array.get(), "dtype");
    const char kind = utf8(attribute(dtype.get(), "kind").get())[0];
    const Ref dimensions = attribute(array.get(), "ndim");
    const bool is_flat = PyLong_AsLong(dimensions.get()) == 1;
    if (kind == 'O' && is_flat) return column_of_object_array(array.get(), target);
    // 'T' is numpy 2's StringDType, which has no buffer.
    if (kind != 'O' && kind != 'V' && kind != 'T' && !takes_objects(target.kind()) && is_flat) {
        return kind == 'M' || kind == 'm' ? column_of_times(array.get(), kind, target)
                                          : column_of_array(array.get(), kind, target);
    }
    // Elements as numpy's scalars: tolist() would turn nanoseconds into integers.
    return column_of(Ref::steal(PySequence_List(array.get())).get(), target);
}

Column column_from_python(PyObject* values, const Field& field, const ResultRows& rows) {
    const Place place(field, rows.first);
    Column column = column_of(values, {field, place, rows.keep_nan});
    if (column.length != rows.count)
        throw Error(sqlstate::kDatatypeMismatch,
                    "column \"" + field.name + "\" of the result has " +
                        std::to_string(column.length) + " values, but the result has " +
                        std::to_string(rows.count) + " rows");
    return column;
}

}  // namespace epe::py
