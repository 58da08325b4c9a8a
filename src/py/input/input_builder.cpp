// Builds the first argument of a script's function from batches.
#include "py/input/input_builder_internal.h"

#include <utility>

#include "py/base/error_internal.h"
#include "py/input/arrow_bridge_internal.h"

namespace epe::py {

namespace {

const char* input_name(InputType type) noexcept {
    switch (type) {
        case InputType::kDefault:  // unless it is a matrix
        case InputType::kPandas:
            return "pandas";
        case InputType::kRecarray:
            return "recarray";
        case InputType::kNdarray:
            return "ndarray";
        case InputType::kDict:
            return "dict";
        case InputType::kArrow:
            return "arrow";
        case InputType::kPolars:
            return "polars";
    }
    return "pandas";
}

ElementType date_unit(std::string_view unit) noexcept {
    if (unit == "ns") return ElementType::kDateTimeNanoseconds;
    return unit == "s" ? ElementType::kDateTimeSeconds : ElementType::kDateTimeDays;
}

}  // namespace

void InputBuilder::prepare(const Schema& schema) {
    if (schema_ == &schema) return;
    const Ref names = Ref::steal(PyTuple_New(static_cast<Py_ssize_t>(schema.size())));
    const Ref kinds = Ref::steal(PyTuple_New(static_cast<Py_ssize_t>(schema.size())));
    for (std::size_t i = 0; i < schema.size(); ++i) {
        const auto at = static_cast<Py_ssize_t>(i);
        PyTuple_SET_ITEM(names.get(), at, to_python(schema[i].name).release());
        PyTuple_SET_ITEM(kinds.get(), at, to_python(kind_name(schema[i].type.kind)).release());
    }
    const Ref module = import_module("_oml_epe_runtime.inputs");
    const Ref input = call(attribute(module.get(), "make_input").get(),
                           to_python(input_name(type_)), names, kinds);
    whole_function_ = attribute(input.get(), "whole");
    split_function_ = attribute(input.get(), "split");
    part_function_ = attribute(input.get(), "part");
    const Ref units = attribute(input.get(), "units");
    is_arrow_ = units.get() == Py_None;
    if (!is_arrow_) {
        options_.is_pandas = std::string_view(input_name(type_)) == "pandas";
        options_.is_nullable = is_nullable_ && options_.is_pandas;
        options_.date = date_unit(utf8(PyTuple_GetItem(units.get(), 0)));
        const bool is_nanoseconds = utf8(PyTuple_GetItem(units.get(), 1)) == "ns";
        options_.timestamp =
            is_nanoseconds ? ElementType::kDateTimeNanoseconds : ElementType::kDateTimeMicroseconds;
        options_.interval = is_nanoseconds ? ElementType::kTimeDeltaNanoseconds
                                           : ElementType::kTimeDeltaMicroseconds;
    }
    schema_ = &schema;
}

Ref InputBuilder::columns(Batch batch, bool is_arrow) {
    if (is_arrow) return arrow_stream(std::move(batch));
    Ref arrays = Ref::steal(PyList_New(static_cast<Py_ssize_t>(batch.columns.size())));
    for (std::size_t i = 0; i < batch.columns.size(); ++i) {
        const Field& field = (*batch.schema)[i];
        ArrayOptions options = options_;
        options.is_vector = !options.is_pandas && is_vector(field.type.variant);
        options.vector_size = field.type_modifier;
        PyList_SET_ITEM(arrays.get(), static_cast<Py_ssize_t>(i),
                        array_from_column(std::move(batch.columns[i]), options).release());
    }
    return arrays;
}

void InputBuilder::load(Batch batch, std::size_t parts) {
    loaded_ = Ref();
    rows_ = batch.length;
    is_matrix_ = batch.is_matrix;
    is_whole_ = parts == 1;
    if (is_matrix_) {
        const auto width = static_cast<std::int64_t>(batch.schema->size());
        loaded_ = make_matrix(std::move(batch.matrix), rows_, width);
        return;
    }
    prepare(*batch.schema);
    const Ref arrays = columns(std::move(batch), is_arrow_);
    const Ref& function = is_whole_ ? whole_function_ : split_function_;
    loaded_ = call(function.get(), arrays, to_python(rows_));
}

Ref InputBuilder::part(std::int64_t first, std::int64_t count) {
    if (is_whole_ && first == 0 && count == rows_) return std::move(loaded_);
    if (is_matrix_) return slice_array(loaded_.get(), first, count);
    return call(part_function_.get(), loaded_, to_python(first), to_python(first + count));
}

}  // namespace epe::py
