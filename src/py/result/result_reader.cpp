// Converts the result of a call to batches of the output shape.
#include "py/result/result_reader_internal.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/batch/batch_builder.h"
#include "py/base/error_internal.h"
#include "py/result/column_from_python_internal.h"
#include "py/result/figure_rows_internal.h"
#include "py/result/figures_internal.h"
#include "py/result/pickle_rows_internal.h"
#include "py/result/reachable_memory_internal.h"
#include "py/result/result_columns_internal.h"

namespace epe::py {

namespace {

/// The one row (NAME, VALUE) of the formats that render a result as text.
Batch name_and_value(const Call& call, std::string_view value, const OutputShape& shape) {
    Batch batch;
    batch.schema = &shape.columns;
    batch.length = 1;
    TextColumn name;
    TextColumn text;
    name.add(call.name);
    text.add(value);
    batch.columns.push_back(name.finish());
    batch.columns.push_back(text.finish());
    return batch;
}

/// The column that column_from_python would make of an int or a float for a numeric target, without
/// the detour through a list. nullopt for a value that needs closer inspection.
std::optional<Column> plain_number(PyObject* result, const Field& target) {
    if (!is_numeric(target.type.kind)) return std::nullopt;
    if (PyLong_CheckExact(result)) {
        int overflow = 0;
        const long long value = PyLong_AsLongLongAndOverflow(result, &overflow);
        if (overflow != 0) return std::nullopt;
        ColumnBuilder builder(Kind::kInt64, false);
        check_allocated(builder.append(std::int64_t{value}));
        return builder.finish();
    }
    if (PyFloat_CheckExact(result) && !std::isnan(PyFloat_AS_DOUBLE(result))) {
        ColumnBuilder builder(Kind::kFloat64, false);
        check_allocated(builder.append(PyFloat_AS_DOUBLE(result)));
        return builder.finish();
    }
    return std::nullopt;
}

}  // namespace

ResultFormat::ResultFormat(const Controls& controls, const OutputShape& shape)
    : controls_(controls), shape_(shape) {}

bool ResultFormat::wants_figures() const noexcept {
    return shape_.form == OutputFormat::Form::kPng || shape_.form == OutputFormat::Form::kStored ||
           ((shape_.form == OutputFormat::Form::kXml ||
             shape_.form == OutputFormat::Form::kPickle) &&
            controls_.capture_graphics);
}

/// A result that is certainly one row of one column: the fast path of a trivial function.
bool ResultFormat::is_plain_scalar(PyObject* result) const noexcept {
    return shape_.columns.size() == 1 && (PyFloat_CheckExact(result) || PyLong_CheckExact(result) ||
                                          PyUnicode_CheckExact(result) || PyBool_Check(result));
}

Batch ResultFormat::relational(const Ref& result, std::int64_t first_row) {
    Batch batch;
    batch.schema = &shape_.columns;
    if (is_plain_scalar(result.get())) {
        batch.length = 1;
        if (std::optional<Column> number = plain_number(result.get(), shape_.columns[0])) {
            batch.columns.push_back(std::move(*number));
            return batch;
        }
        const Ref values = Ref::steal(PyList_New(1));
        PyList_SET_ITEM(values.get(), 0, result.copy().release());
        batch.columns.push_back(column_from_python(values.get(), shape_.columns[0],
                                                   {1, first_row, controls_.keep_nan}));
        return batch;
    }
    prepare();
    return laid_out(call(relational_function_.get(), result, names_, kinds_, by_position_),
                    first_row);
}

/// The names and kinds of the columns, for Python.
void ResultFormat::prepare() {
    if (!relational_function_) {
        const auto count = static_cast<Py_ssize_t>(shape_.columns.size());
        names_ = Ref::steal(PyTuple_New(count));
        kinds_ = Ref::steal(PyTuple_New(count));
        for (Py_ssize_t i = 0; i < count; ++i) {
            const Field& field = shape_.columns[static_cast<std::size_t>(i)];
            PyTuple_SET_ITEM(names_.get(), i, to_python(field.name).release());
            PyTuple_SET_ITEM(kinds_.get(), i, to_python(kind_name(field.type.kind)).release());
        }
        relational_function_ =
            attribute(import_module("_oml_epe_runtime.results").get(), "relational");
        by_position_ = Ref::borrow(shape_.is_scalar || shape_.by_position ? Py_True : Py_False);
    }
}

/// A batch of (columns, row count).
Batch ResultFormat::laid_out(const Ref& answer, std::int64_t first_row) const {
    Batch batch;
    batch.schema = &shape_.columns;
    const Ref columns = Ref::borrow(PyTuple_GetItem(answer.get(), 0));
    batch.length = PyLong_AsLongLong(Ref::borrow(PyTuple_GetItem(answer.get(), 1)).get());
    if (batch.length == -1 && PyErr_Occurred() != nullptr) throw ScriptError();
    batch.columns.reserve(shape_.columns.size());
    for (std::size_t i = 0; i < shape_.columns.size(); ++i) {
        const Ref values =
            Ref::steal(PySequence_GetItem(columns.get(), static_cast<Py_ssize_t>(i)));
        batch.columns.push_back(column_from_python(values.get(), shape_.columns[i],
                                                   {batch.length, first_row, controls_.keep_nan}));
    }
    return batch;
}

Batch ResultFormat::item(const Ref& item, Ref& items, std::int64_t first_row) {
    const bool is_lone = shape_.columns.size() == 1;
    if (!is_lone || (!items && is_plain_scalar(item.get()))) return relational(item, first_row);
    if (!items) {
        prepare();
        const Ref has_values = Ref::borrow(first_row > 0 ? Py_True : Py_False);
        items = call(attribute(import_module("_oml_epe_runtime.results").get(), "Items").get(),
                     names_, kinds_, by_position_, has_values);
    }
    return laid_out(call(attribute(items.get(), "read").get(), item), first_row);
}

Batch ResultFormat::last_items(const Ref& items, std::int64_t first_row) {
    return laid_out(call(attribute(items.get(), "end").get()), first_row);
}

Ref ResultFormat::limited(Ref result) const {
    if (shape_.most_items == 0) return result;
    static constinit ImportedObject limited_function{"_oml_epe_runtime.render", "limited"};
    return call(limited_function.get(), result, Ref::steal(PyLong_FromLongLong(shape_.most_items)));
}

Batch ResultFormat::json(const Ref& result, const Call& call_of_result, bool& is_frame) {
    static constinit ImportedObject to_json{"_oml_epe_runtime.render", "to_json"};
    const Ref answer = call(to_json.get(), result);
    is_frame = checked(PyObject_IsTrue(PyTuple_GetItem(answer.get(), 1))) == 1;
    return name_and_value(call_of_result, result_text(PyTuple_GetItem(answer.get(), 0)), shape_);
}

Batch ResultFormat::xml(const Ref& result, const Call& call_of_result) {
    static constinit ImportedObject to_xml{"_oml_epe_runtime.render", "to_xml"};
    const Ref figures = wants_figures() ? captured_figures(result) : Ref::steal(PyList_New(0));
    const Ref text =
        call(to_xml.get(), wants_figures() ? without_drawing(result) : result.copy(), figures);
    return name_and_value(call_of_result, result_text(text.get()), shape_);
}

ResultReader::ResultReader(ResultFormat& format, const Call& call_of_result, Ref result)
    : format_(format), call_(call_of_result), result_(std::move(result)),
      is_generator_(format.shape().form == OutputFormat::Form::kRelational &&
                    PyIter_Check(result_.get()) != 0) {
    check_reachable_memory(result_.get());
}

bool ResultReader::next(CallResult& piece) {
    if (is_done_ || !read_piece(piece)) return false;
    piece.is_last = is_done_;
    return true;
}

bool ResultReader::read_piece(CallResult& piece) {
    piece = CallResult();
    piece.call_number = call_.number;
    piece.call_name = call_.name;
    piece.input_row = call_.input_row;
    piece.input_row_count = call_.row_count;
    if (format_.shape().form == OutputFormat::Form::kPickle ||
        format_.shape().form == OutputFormat::Form::kStored) {
        if (!pieces_) pieces_ = pickle_result(std::exchange(result_, Ref()));
        piece.batch = pickle_row(PyList_GetItem(pieces_.get(), rows_), rows_ + 1, call_,
                                 format_.shape().columns);
        ++rows_;
        is_done_ = rows_ == PyList_Size(pieces_.get());
        return true;
    }
    if (!is_generator_) {
        is_done_ = true;
        piece.batch = read_whole(piece.is_frame);
        return true;
    }
    PyObject* const item = PyIter_Next(result_.get());
    if (item == nullptr) {
        if (PyErr_Occurred() != nullptr) throw ScriptError();
        is_done_ = true;
        result_ = Ref();
        if (!items_) return false;
        piece.batch = format_.last_items(std::exchange(items_, Ref()), rows_);
    } else {
        const Ref owned = Ref::steal(item);
        check_reachable_memory(item);
        piece.batch = format_.item(owned, items_, rows_);
    }
    piece.first_row = rows_;
    rows_ += piece.batch.length;
    return true;
}

void ResultReader::close() {
    const Ref result = std::exchange(result_, Ref());
    if (is_done_ || !is_generator_ || !result) return;
    is_done_ = true;
    static PyObject* name = nullptr;
    if (name == nullptr) name = Ref::steal(PyUnicode_InternFromString("close")).release();
    PyObject* const close_method = PyObject_GetAttr(result.get(), name);
    if (close_method == nullptr) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError) == 0) throw ScriptError();
        PyErr_Clear();
        return;
    }
    (void)call(Ref::steal(close_method).get());
}

Ref ResultReader::pickle_result(const Ref& result) const {
    const Ref figures =
        format_.wants_figures() ? captured_figures(result) : Ref::steal(PyList_New(0));
    return format_.shape().form == OutputFormat::Form::kStored ? stored_pickle(result, figures)
                                                               : dumped_pickle(result, figures);
}

Batch ResultReader::read_whole(bool& is_frame) {
    const Ref result = format_.limited(std::exchange(result_, Ref()));
    switch (format_.shape().form) {
        case OutputFormat::Form::kJson:
            return format_.json(result, call_, is_frame);
        case OutputFormat::Form::kXml:
            return format_.xml(result, call_);
        case OutputFormat::Form::kPng:
            return figure_rows(result, call_, format_.shape().columns, format_.always_gives_row());
        default:
            return format_.relational(result, 0);
    }
}

}  // namespace epe::py
