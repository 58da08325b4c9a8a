// The Python type `_oml_epe.ArrowStream`: the Arrow PyCapsule interface over one batch.
#include "py/input/arrow_bridge_internal.h"

#include <memory>
#include <utility>

#include "core/arrow/arrow.h"
#include "core/arrow/arrow_import.h"
#include "py/base/error_internal.h"
#include "py/base/foreign_memory.h"

namespace epe::py {

namespace {

constexpr const char* kCapsuleName = "arrow_array_stream";  // the interface's

struct StreamReleaser {
    void operator()(ArrowArrayStream* stream) const noexcept {
        const std::unique_ptr<ArrowArrayStream> memory(stream);
        if (stream->release != nullptr) stream->release(stream);
    }
};
using StreamPointer = std::unique_ptr<ArrowArrayStream, StreamReleaser>;

struct StreamObject {
    PyObject_HEAD ArrowArrayStream* stream;  // owned; null once it has been exported
};

StreamObject* as_stream(PyObject* object) noexcept {
    return reinterpret_cast<StreamObject*>(object);
}

void destroy(PyObject* self) noexcept {
    const StreamPointer stream(as_stream(self)->stream);
    PyTypeObject* const type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

/// A consumer that has moved the stream out has set its release to null.
void destroy_capsule(PyObject* capsule) noexcept {
    const StreamPointer stream(
        static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule, kCapsuleName)));
}

/// __arrow_c_stream__(requested_schema=None). The requested schema is a hint, which may be ignored.
PyObject* give_stream(PyObject* self, PyObject*, PyObject*) noexcept {
    return callback([&] {
        if (as_stream(self)->stream == nullptr) {
            PyErr_SetString(PyExc_ValueError, "this Arrow stream has been read already");
            throw ScriptError();
        }
        Ref capsule =
            Ref::steal(PyCapsule_New(as_stream(self)->stream, kCapsuleName, destroy_capsule));
        as_stream(self)->stream = nullptr;
        return capsule;
    });
}

PyMethodDef methods[] = {
    {"__arrow_c_stream__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(give_stream)),
     METH_VARARGS | METH_KEYWORDS, "The batch, as a capsule of the Arrow C stream interface."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_methods, methods},
    {0, nullptr},
};

PyType_Spec spec = {"_oml_epe.ArrowStream", sizeof(StreamObject), 0, Py_TPFLAGS_DEFAULT, slots};

PyTypeObject* stream_type() {
    static PyObject* type = nullptr;  // never released
    if (type == nullptr) type = Ref::steal(PyType_FromSpec(&spec)).release();
    return reinterpret_cast<PyTypeObject*>(type);
}

/// An object that owns the stream.
Ref wrap(StreamPointer stream) {
    StreamObject* const object = PyObject_New(StreamObject, stream_type());
    if (object == nullptr) throw ScriptError();
    object->stream = stream.release();
    return Ref::steal(reinterpret_cast<PyObject*>(object));
}

}  // namespace

Ref arrow_stream(Batch&& batch) {
    StreamPointer stream(std::make_unique<ArrowArrayStream>().release());
    export_stream(std::move(batch), *stream);
    return wrap(std::move(stream));
}

Ref checked_stream(PyObject* exporter) {
    const Ref capsule = call(attribute(exporter, "__arrow_c_stream__").get());
    auto* const given =
        static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.get(), kCapsuleName));
    if (given == nullptr) throw ScriptError();
    PipeMemory memory;
    ArrowArrayStream stream{};
    if (!memory.copy(&stream, given, sizeof stream)) fail_arrow({}, "stream");
    given->release = nullptr;  // moved, as the interface has it
    StreamPointer checked(std::make_unique<ArrowArrayStream>().release());
    export_table(import_stream(stream, memory), *checked);
    return wrap(std::move(checked));
}

}  // namespace epe::py
