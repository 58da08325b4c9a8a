// Results as rows of figures: OUT_FMT 'PNG'.
#include "py/result/figure_rows_internal.h"

#include <optional>
#include <utility>

#include "py/result/figures_internal.h"
#include "py/result/result_columns_internal.h"

namespace epe::py {

namespace {

/// Builds the rows of 'PNG'.
class FigureRows {
   public:
    explicit FigureRows(const Schema& columns) { batch_.schema = &columns; }

    /// A row without a figure.
    void add(const Call& call, const Ref& value) {
        start_row(call, value);
        check_allocated(id_.append_null());
        title_.add(std::nullopt);
        image_.add(std::nullopt);
    }
    void add(const Call& call, const Ref& value, std::int64_t id, PyObject* figure) {
        start_row(call, value);
        check_allocated(id_.append(id));
        title_.add_python(Ref::borrow(PyTuple_GetItem(figure, 0)).get());
        char* bytes = nullptr;
        Py_ssize_t size = 0;
        const Ref image = Ref::borrow(PyTuple_GetItem(figure, 1));
        checked(PyBytes_AsStringAndSize(image.get(), &bytes, &size));
        image_.add(std::string_view(bytes, static_cast<std::size_t>(size)));
    }
    Batch take_batch() {
        batch_.columns.push_back(name_.finish());
        batch_.columns.push_back(id_.finish());
        batch_.columns.push_back(value_.finish());
        batch_.columns.push_back(title_.finish());
        batch_.columns.push_back(image_.finish());
        return std::move(batch_);
    }

   private:
    void start_row(const Call& call, const Ref& value) {
        ++batch_.length;
        name_.add(call.name);
        value_.add_python(value.get());
    }

    Batch batch_{};
    TextColumn name_;
    ColumnBuilder id_{ColumnType{Kind::kInt64, {}}, false};
    TextColumn value_{Kind::kJson};
    TextColumn title_;
    TextColumn image_{Kind::kBinary};
};

}  // namespace

Batch figure_rows(const Ref& result, const Call& call_of_result, const Schema& columns,
                  bool always_gives_row) {
    const Ref figures = captured_figures(result);
    const Py_ssize_t count = PyList_Size(figures.get());
    if (count < 0) throw ScriptError();
    FigureRows rows(columns);
    if (count == 0 && !always_gives_row) return rows.take_batch();
    static constinit ImportedObject to_value{"_oml_epe_runtime.render", "to_value"};
    const Ref shown = without_drawing(result);
    // A drawing has no value but its image. None has JSON's, as ever.
    const Ref value = shown.get() == Py_None && result.get() != Py_None
                          ? Ref::none()
                          : call(to_value.get(), result);
    if (count == 0) rows.add(call_of_result, value);
    for (Py_ssize_t i = 0; i < count; ++i)
        rows.add(call_of_result, value, i + 1, PyList_GET_ITEM(figures.get(), i));
    return rows.take_batch();
}

}  // namespace epe::py
