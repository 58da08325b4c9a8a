// Results as pickles: for package oml, and for jobs, which store them.
#include "py/result/pickle_rows_internal.h"

#include <string_view>

#include "py/result/result_columns_internal.h"

namespace epe::py {

Ref dumped_pickle(const Ref& result, const Ref& figures) {
    static constinit ImportedObject dump{"_oml_epe_runtime.pickles", "dump"};
    return call(dump.get(), result, figures);
}

Ref stored_pickle(const Ref& result, const Ref& figures) {
    static constinit ImportedObject store{"_oml_epe_runtime.pickles", "store"};
    return call(store.get(), result, figures);
}

Batch pickle_row(PyObject* piece, std::int64_t number, const Call& call_of_result,
                 const Schema& columns) {
    ColumnBuilder call_number(Kind::kInt64, false);
    check_allocated(call_number.append(call_of_result.number));
    TextColumn name;
    name.add(call_of_result.name);
    ColumnBuilder piece_number(Kind::kInt64, false);
    check_allocated(piece_number.append(number));
    TextColumn data(Kind::kBinary);
    Py_buffer bytes{};
    checked(PyObject_GetBuffer(piece, &bytes, PyBUF_SIMPLE));
    struct Release {
        Py_buffer& buffer;
        ~Release() { PyBuffer_Release(&buffer); }
    } const release{bytes};
    data.add(
        std::string_view(static_cast<const char*>(bytes.buf), static_cast<std::size_t>(bytes.len)));
    Batch batch;
    batch.schema = &columns;
    batch.length = 1;
    batch.columns.push_back(call_number.finish());
    batch.columns.push_back(name.finish());
    batch.columns.push_back(piece_number.finish());
    batch.columns.push_back(data.finish());
    return batch;
}

}  // namespace epe::py
