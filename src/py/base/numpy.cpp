// Calls of numpy: ndarray(shape, dtype, buffer) over Buffers.
#include "py/base/numpy_internal.h"

#include <utility>

#include "py/base/buffer_object_internal.h"

namespace epe::py {

namespace {

constexpr const char* kElementTypeNames[] = {
    "?",     "i2",    "i4",     "i8",     "f4",     "f8",     "O",
    "M8[D]", "M8[s]", "M8[us]", "M8[ns]", "m8[us]", "m8[ns]",
};
constexpr std::size_t kElementTypeCount = static_cast<std::size_t>(ElementType::kCount);
static_assert(sizeof(kElementTypeNames) / sizeof(kElementTypeNames[0]) == kElementTypeCount);

// Looked up once, never released.
struct Numpy {
    PyObject* array_type = nullptr;
    PyObject* types[kElementTypeCount] = {};
};

const Numpy& numpy() {
    static Numpy names;
    if (names.array_type != nullptr) return names;
    // Reported as a requirement of the input: only a matrix of numbers is created here.
    const Ref require = attribute(import_module("_oml_epe_runtime.inputs").get(), "require_numpy");
    const Ref module = call(require.get(), to_python("numpy.ndarray"));
    const Ref make_type = attribute(module.get(), "dtype");
    for (std::size_t i = 0; i < kElementTypeCount; ++i)
        names.types[i] = call(make_type.get(), to_python(kElementTypeNames[i])).release();
    names.array_type = attribute(module.get(), "ndarray").release();
    return names;
}

Ref new_array(PyObject* shape, ElementType type, PyObject* owner) {
    const Numpy& names = numpy();
    PyObject* const arguments[] = {nullptr, shape, names.types[static_cast<std::size_t>(type)],
                                   owner};
    const std::size_t count = owner == nullptr ? 2 : 3;
    return Ref::steal(PyObject_Vectorcall(names.array_type, arguments + 1,
                                          count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
}

}  // namespace

Ref make_array(Buffer buffer, ElementType type, std::int64_t length) {
    return new_array(to_python(length).get(), type, to_python(std::move(buffer)).get());
}

Ref make_matrix(Buffer buffer, std::int64_t rows, std::int64_t columns) {
    const Ref shape = Ref::steal(PyTuple_Pack(2, to_python(rows).get(), to_python(columns).get()));
    return new_array(shape.get(), ElementType::kFloat64, to_python(std::move(buffer)).get());
}

Ref slice_array(PyObject* array, std::int64_t first, std::int64_t count) {
    return Ref::steal(PySequence_GetSlice(array, first, first + count));
}

ObjectArray::ObjectArray(std::int64_t length)
    : array_(new_array(to_python(length).get(), ElementType::kObject, nullptr)) {
    checked(PyObject_GetBuffer(array_.get(), &view_, PyBUF_WRITABLE | PyBUF_FORMAT | PyBUF_ND));
    slots_ = static_cast<PyObject**>(view_.buf);
}

ObjectArray::~ObjectArray() {
    if (view_.obj != nullptr) {
        const PendingException pending;
        PyBuffer_Release(&view_);
    }
}

Ref ObjectArray::finish() {
    PyBuffer_Release(&view_);
    return std::move(array_);
}

}  // namespace epe::py
