// The C++ half of the Python module `oml`: SQL of scripts.
#include "py/engine/host_module_internal.h"

#include <string>
#include <utility>
#include <vector>

#include "py/base/activation_internal.h"
#include "py/base/buffer_object_internal.h"
#include "py/base/error_internal.h"
#include "py/input/object_values_internal.h"
#include "py/result/column_writer_internal.h"
#include "py/result/reachable_memory_internal.h"

namespace epe::py {

namespace {

/// PostgreSQL would end the text at a null byte.
std::string text_parameter(PyObject* text) {
    const std::string_view bytes = utf8(text);
    if (bytes.find('\0') != std::string_view::npos)
        throw Error(kBadCharacter, "a parameter of SQL cannot contain a null character");
    return std::string(bytes);
}

/// Views of the memory of Python objects, which can neither be freed nor resized meanwhile.
class BufferViews {
   public:
    BufferViews() = default;
    BufferViews(const BufferViews&) = delete;
    BufferViews& operator=(const BufferViews&) = delete;
    ~BufferViews() {
        for (Py_buffer& view : views_) PyBuffer_Release(&view);
    }

    std::string_view add(PyObject* object) {
        Py_buffer view;
        checked(PyObject_GetBuffer(object, &view, PyBUF_SIMPLE));
        views_.push_back(view);
        check_exported_memory(object, view.buf, static_cast<std::size_t>(view.len));
        return {static_cast<const char*>(view.buf), static_cast<std::size_t>(view.len)};
    }

   private:
    std::vector<Py_buffer> views_{};
};

/// Parameters as tuples (value, SQL type[, alternative text]): None, a text, or an object with
/// bytes, which `views` holds. The types stay alive with the list.
std::vector<HostParameter> parameters_from(PyObject* list, BufferViews& views) {
    std::vector<HostParameter> parameters;
    const Py_ssize_t count = PyList_Size(list);
    if (count < 0) throw ScriptError();
    parameters.resize(static_cast<std::size_t>(count));
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* const pair = PyList_GET_ITEM(list, i);
        PyObject* const value = PyTuple_GetItem(pair, 0);
        PyObject* const type = PyTuple_GetItem(pair, 1);
        if (value == nullptr || type == nullptr) throw ScriptError();
        HostParameter& parameter = parameters[static_cast<std::size_t>(i)];
        parameter.sql_type = utf8(type).data();
        if (PyUnicode_Check(value))
            parameter.text = text_parameter(value);
        else if (value != Py_None)
            parameter.bytes = views.add(value);
        if (PyTuple_GET_SIZE(pair) > 2 && PyTuple_GET_ITEM(pair, 2) != Py_None)
            parameter.alternative = text_parameter(PyTuple_GET_ITEM(pair, 2));
    }
    return parameters;
}

/// A list of tuples, one per row.
Ref rows_of(const Batch& batch) {
    std::vector<ObjectValues> columns;
    columns.reserve(batch.columns.size());
    for (const Column& column : batch.columns)
        columns.emplace_back(column, ObjectValues::Options{.is_aware = true});
    Ref rows = Ref::steal(PyList_New(batch.length));
    for (std::int64_t row = 0; row < batch.length; ++row) {
        Ref tuple = Ref::steal(PyTuple_New(static_cast<Py_ssize_t>(columns.size())));
        for (std::size_t i = 0; i < columns.size(); ++i)
            PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), columns[i].at(row).release());
        PyList_SET_ITEM(rows.get(), row, tuple.release());
    }
    return rows;
}

/// A list of (name, SQL type), or None for a statement without rows.
Ref description_of(const Schema& schema) {
    if (schema.empty()) return Ref::none();
    Ref list = Ref::steal(PyList_New(static_cast<Py_ssize_t>(schema.size())));
    for (std::size_t i = 0; i < schema.size(); ++i) {
        const Ref name = to_python(schema[i].name);
        const Ref type = to_python(schema[i].sql_type);
        PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i),
                        Ref::steal(PyTuple_Pack(2, name.get(), type.get())).release());
    }
    return list;
}

/// Runs the statement of a Python call with arguments (sql, parameters).
HostResult run_statement(PyObject* arguments) {
    PyObject* sql = nullptr;
    PyObject* list = nullptr;
    if (PyArg_ParseTuple(arguments, "UO!", &sql, &PyList_Type, &list) == 0) throw ScriptError();
    Host& host = current_host();
    BufferViews views;
    return host.execute(std::string(utf8(sql)), parameters_from(list, views));
}

/// execute(sql, [(value, SQL type), ...]) -> (description, rows, row_count)
PyObject* execute(PyObject*, PyObject* arguments) noexcept {
    return callback([&] {
        const HostResult result = run_statement(arguments);
        const Ref description = description_of(result.schema);
        const Ref rows = rows_of(result.batch);
        const Ref count = to_python(result.row_count);
        return Ref::steal(PyTuple_Pack(3, description.get(), rows.get(), count.get()));
    });
}

/// fetch_bytes(sql, parameters) -> the concatenated bytea values of the only column, as one Buffer.
/// They are not copied again: with a large result the copy takes most of the time.
PyObject* fetch_bytes(PyObject*, PyObject* arguments) noexcept {
    return callback([&] {
        HostResult result = run_statement(arguments);
        std::vector<Column>& columns = result.batch.columns;
        if (columns.size() != 1 || columns[0].type.kind != Kind::kBinary ||
            columns[0].null_count > 0)
            throw Error(sqlstate::kDatatypeMismatch, "one column of type bytea is expected");
        return to_python(std::move(columns[0].values));
    });
}

/// False only in a separate process, where untrusted code must not run.
PyObject* is_backend(PyObject*, PyObject*) noexcept {
    const Activation* const current = current_activation();
    return PyBool_FromLong(current == nullptr || current->place() == EnginePlace::kBackend ? 1 : 0);
}

/// True only in a completely confined process, where untrusted code may run.
PyObject* is_sandboxed(PyObject*, PyObject*) noexcept {
    const Activation* const current = current_activation();
    return PyBool_FromLong(current != nullptr && current->place() == EnginePlace::kSandbox ? 1 : 0);
}

PyObject* is_connected(PyObject*, PyObject*) noexcept {
    return PyBool_FromLong(current_activation() != nullptr ? 1 : 0);
}

/// must_trust(): whether the running script may unpickle only objects made by trusted roles.
PyObject* must_trust(PyObject*, PyObject*) noexcept {
    const Activation* const active = current_activation();
    return PyBool_FromLong(active == nullptr || active->must_trust() ? 1 : 0);
}

PyMethodDef methods[] = {{"execute", execute, METH_VARARGS, nullptr},
                         {"fetch_bytes", fetch_bytes, METH_VARARGS, nullptr},
                         {"is_backend", is_backend, METH_NOARGS, nullptr},
                         {"is_sandboxed", is_sandboxed, METH_NOARGS, nullptr},
                         {"is_connected", is_connected, METH_NOARGS, nullptr},
                         {"must_trust", must_trust, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_host_functions(PyObject* module) { checked(PyModule_AddFunctions(module, methods)); }

}  // namespace epe::py
