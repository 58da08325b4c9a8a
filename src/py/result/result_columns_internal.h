// Columns of results with fixed columns (JSON, XML, PNG, pickles), appended to row by row.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/batch/batch_builder.h"
#include "py/base/ref_internal.h"
#include "py/result/column_writer_internal.h"

namespace epe::py {

/// UTF-8 of a str that becomes a value: a str of a subclass may contain anything.
inline std::string_view result_text(PyObject* text) {
    const Field field{"value", {Kind::kText, {}}};
    return checked_utf8(Ref::borrow(text).get(), Place(field, 0), 0);
}

/// A column of a result, appended to row by row.
class TextColumn {
   public:
    explicit TextColumn(Kind kind = Kind::kText) : builder_(ColumnType{kind, {}}, false) {}
    void add(std::string_view text) {
        check_allocated(builder_.append_bytes(text.data(), text.size()));
    }
    void add(const std::optional<std::string>& text) {
        if (text)
            add(std::string_view(*text));
        else
            check_allocated(builder_.append_null());
    }
    void add_python(PyObject* text) {
        if (text == Py_None)
            check_allocated(builder_.append_null());
        else
            add(result_text(text));
    }
    Column finish() { return builder_.finish(); }

   private:
    ColumnBuilder builder_;
};

}  // namespace epe::py
