// The Python type `_oml_epe.Buffer`.
#include "py/base/buffer_object_internal.h"

#include <new>
#include <utility>

namespace epe::py {

namespace {

struct BufferObject {
    PyObject_HEAD Buffer buffer;
};

PyObject* buffer_type = nullptr;
std::byte nothing[1];  // the address of empty buffers

void destroy(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    reinterpret_cast<BufferObject*>(self)->buffer.~Buffer();
    PyObject_Free(self);
    Py_DECREF(type);  // instances own their heap type
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) noexcept {
    Buffer& buffer = reinterpret_cast<BufferObject*>(self)->buffer;
    return PyBuffer_FillInfo(view, self, buffer.empty() ? nothing : buffer.data(),
                             static_cast<Py_ssize_t>(buffer.size()), /* readonly */ 0, flags);
}

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {0, nullptr},
};

PyType_Spec spec = {"_oml_epe.Buffer", sizeof(BufferObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

void add_buffer_type(PyObject* module) {
    Ref type = Ref::steal(PyType_FromSpec(&spec));
    checked(PyModule_AddObjectRef(module, "Buffer", type.get()));
    buffer_type = type.release();
}

Ref to_python(Buffer buffer) {
    BufferObject* const object =
        PyObject_New(BufferObject, reinterpret_cast<PyTypeObject*>(buffer_type));
    if (object == nullptr) throw ScriptError();
    new (&object->buffer) Buffer(std::move(buffer));
    return Ref::steal(reinterpret_cast<PyObject*>(object));
}

}  // namespace epe::py
