// The Python type `_oml_epe.Batches`.
#include "py/input/batch_iterator_internal.h"

#include <typeinfo>
#include <utility>

#include "py/base/activation_internal.h"
#include "py/base/error_internal.h"

namespace epe::py {

namespace {

struct IteratorObject {
    PyObject_HEAD BatchStream* stream;  // borrowed; null when the call is over
    InputBuilder* inputs;               // borrowed
    const RequestLink* request;         // that of the call
};

PyObject* iterator_type = nullptr;

IteratorObject* as_iterator(PyObject* object) noexcept {
    return reinterpret_cast<IteratorObject*>(object);
}

void destroy(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

/// A cancel is not an exception that scripts handle.
bool read_next(BatchStream& stream, Batch& batch) {
    try {
        return stream.next(batch);
    } catch (const Error& error) {
        if (typeid(error) != typeid(Error) || error.report().sqlstate != sqlstate::kQueryCanceled)
            throw;
        PyErr_SetString(exception_types.cancelled, error.what());
        throw ScriptError();
    }
}

PyObject* next(PyObject* self) noexcept {
    bool is_at_end = false;
    PyObject* const frame = callback([&] {
        const IteratorObject* const iterator = as_iterator(self);
        const Activation* const active = current_activation();
        if (iterator->stream == nullptr || active == nullptr ||
            iterator->request != &active->request()) {
            PyErr_SetString(PyExc_RuntimeError,
                            "the input can be read only while the call that got it runs");
            throw ScriptError();
        }
        current_host();  // throws when PostgreSQL may not be called now
        Batch batch;
        if (!read_next(*iterator->stream, batch)) {
            is_at_end = true;
            return Ref::none();
        }
        const std::int64_t rows = batch.length;
        iterator->inputs->load(std::move(batch), 1);
        return iterator->inputs->part(0, rows);
    });
    if (!is_at_end) return frame;
    Py_XDECREF(frame);
    return nullptr;  // without an exception: the end
}

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(next)},
    {0, nullptr},
};

PyType_Spec spec = {"_oml_epe.Batches", sizeof(IteratorObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

void add_batch_iterator_type(PyObject* module) {
    Ref type = Ref::steal(PyType_FromSpec(&spec));
    checked(PyModule_AddObjectRef(module, "Batches", type.get()));
    iterator_type = type.release();
}

BatchIterator::BatchIterator(BatchStream& stream, InputBuilder& inputs) {
    IteratorObject* const made =
        PyObject_New(IteratorObject, reinterpret_cast<PyTypeObject*>(iterator_type));
    if (made == nullptr) throw ScriptError();
    made->stream = &stream;
    made->inputs = &inputs;
    made->request = &current_activation()->request();
    object_ = Ref::steal(reinterpret_cast<PyObject*>(made));
}

BatchIterator::~BatchIterator() { as_iterator(object_.get())->stream = nullptr; }

}  // namespace epe::py
