// Properties of an array according to numpy's own type, and checks of its memory.
//
// numpy computes a view within its base, so an array whose chain of bases ends in one that owns its
// memory is sound. numpy also accepts arbitrary shapes, strides and addresses: as_strided, ndarray
// over a buffer, __array_interface__. The memory of such an array is first read by the kernel, one
// byte of each page. Pointers to objects cannot be tested, so they must coincide with the pointers
// of an array that owns objects.
//
// check_sizes: the fast check by numpy's struct and the slow one by its attributes are one rule.
#include "py/result/array_memory_internal.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "py/base/foreign_memory.h"
#include "py/base/numpy_internal.h"
#include "py/result/value_classifier_internal.h"

namespace epe::py {

namespace {

constexpr int kMostBases = 64;
constexpr int kMostNesting = 8;  // of structured types
constexpr std::int64_t kPointer = sizeof(PyObject*);

/// An array's memory, as in its C struct.
struct Layout {
    std::int64_t data = 0;  ///< address of the first element
    std::int64_t width = 0;
    std::vector<std::int64_t> shape{};
    std::vector<std::int64_t> strides{};

    bool is_empty() const noexcept {
        return std::find(shape.begin(), shape.end(), 0) != shape.end() || width == 0;
    }
};

struct Range {
    std::int64_t first = 0;
    std::int64_t end = 0;

    bool contains(const Range& other) const noexcept {
        return first <= other.first && other.end <= end;
    }
};

std::int64_t integer(const Ref& value) {
    const long long number = PyLong_AsLongLong(value.get());
    if (number == -1 && PyErr_Occurred() != nullptr) throw ScriptError();
    return number;
}

std::vector<std::int64_t> integers(const Ref& tuple) {
    std::vector<std::int64_t> numbers;
    const Py_ssize_t count = PyTuple_Size(tuple.get());
    if (count < 0) throw ScriptError();
    for (Py_ssize_t i = 0; i < count; ++i)
        numbers.push_back(integer(Ref::borrow(PyTuple_GET_ITEM(tuple.get(), i))));
    return numbers;
}

Layout layout_of(PyObject* array) {
    Layout layout;
    // The address from numpy, not from the buffer protocol, which some types do not support.
    const Ref interface = native_attribute(array, "__array_interface__");
    PyObject* const data = PyDict_GetItemString(interface.get(), "data");
    if (data == nullptr || !PyTuple_Check(data) || PyTuple_GET_SIZE(data) != 2)
        throw Error(sqlstate::kInternal, "numpy does not provide the address of an array");
    layout.data = static_cast<std::int64_t>(PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(data, 0)));
    layout.width = integer(native_attribute(array, "itemsize"));
    layout.shape = integers(native_attribute(array, "shape"));
    layout.strides = integers(native_attribute(array, "strides"));
    return layout;
}

/// The bytes between the lowest and the highest element; nullopt when that overflows.
std::optional<Range> range_of(const Layout& layout) noexcept {
    std::int64_t first = layout.data;
    std::int64_t end = 0;
    if (__builtin_add_overflow(layout.data, layout.width, &end)) return std::nullopt;
    for (std::size_t i = 0; i < layout.shape.size(); ++i) {
        std::int64_t reach = 0;
        if (__builtin_mul_overflow(layout.shape[i] - 1, layout.strides[i], &reach)) return {};
        std::int64_t& side = reach < 0 ? first : end;
        if (__builtin_add_overflow(side, reach, &side)) return std::nullopt;
    }
    return Range{first, end};
}

bool owns_memory(PyObject* array) {
    const Ref flags = native_attribute(array, "flags");
    return attribute(flags.get(), "owndata").get() == Py_True;
}

/// numpy.void, as numpy/arrayscalars.h declares it.
struct RecordLayout {
    PyObject_VAR_HEAD;
    char* data;
    PyObject* dtype;
    int flags;
    PyObject* base;
};
constexpr int kOwnsData = 4;  // NPY_ARRAY_OWNDATA

bool is_record(PyObject* value) noexcept {
    PyTypeObject* const record = known_types().record;
    return record != nullptr && PyObject_TypeCheck(value, record) != 0;
}

/// The array at the end of the chain of bases; null when that is another object. The object that
/// as_strided puts between two arrays refers to its original.
Ref owner_of(PyObject* array) {
    Ref current = Ref::borrow(array);
    for (int i = 0; i < kMostBases; ++i) {
        if (owns_memory(current.get())) return current;
        Ref base = native_attribute(current.get(), "base");
        if (PyMemoryView_Check(base.get())) {
            PyObject* const exporter = PyMemoryView_GET_BUFFER(base.get())->obj;
            if (exporter == nullptr) return {};
            base = Ref::borrow(exporter);
        } else if (!is_array(base.get()) &&
                   std::string_view(Py_TYPE(base.get())->tp_name) == "DummyArray") {
            const Ref held =
                Ref::steal(PyObject_GenericGetAttr(base.get(), to_python("base").get()));
            base = held.copy();
        } else if (is_record(base.get())) {
            PyObject* const viewed = reinterpret_cast<const RecordLayout*>(base.get())->base;
            if (viewed == nullptr) return {};
            base = Ref::borrow(viewed);
        }
        if (!is_array(base.get())) return {};
        current = std::move(base);
    }
    return {};
}

/// Offsets of the pointers to objects in an element of this type.
void add_pointers(PyObject* dtype, std::int64_t at, int depth, std::vector<std::int64_t>& found) {
    if (depth > kMostNesting) return;
    if (attribute(dtype, "hasobject").get() != Py_True) return;
    const Ref part = attribute(dtype, "subdtype");
    if (PyTuple_Check(part.get())) {
        PyObject* const inner = PyTuple_GetItem(part.get(), 0);
        const std::int64_t width = integer(attribute(inner, "itemsize"));
        const std::int64_t size = integer(attribute(dtype, "itemsize"));
        for (std::int64_t offset = 0; width > 0 && offset < size; offset += width)
            add_pointers(inner, at + offset, depth + 1, found);
        return;
    }
    const Ref names = attribute(dtype, "names");
    if (!PyTuple_Check(names.get())) {
        found.push_back(at);
        return;
    }
    const Ref fields = attribute(dtype, "fields");
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names.get()); ++i) {
        const Ref field =
            Ref::steal(PyObject_GetItem(fields.get(), PyTuple_GET_ITEM(names.get(), i)));
        add_pointers(PyTuple_GetItem(field.get(), 0),
                     at + integer(Ref::borrow(PyTuple_GetItem(field.get(), 1))), depth + 1, found);
    }
}

std::vector<std::int64_t> pointers_of(PyObject* dtype) {
    std::vector<std::int64_t> found;
    add_pointers(dtype, 0, 0, found);
    std::sort(found.begin(), found.end());
    return found;
}

/// Whether each pointer of each element is one of the owner's. `at` is relative to the owner.
bool are_pointers(const Layout& layout, std::size_t dimension, std::int64_t at,
                  const std::vector<std::int64_t>& wanted, const std::vector<std::int64_t>& owned,
                  std::int64_t width) {
    if (dimension == layout.shape.size())
        return std::all_of(wanted.begin(), wanted.end(), [&](std::int64_t pointer) {
            return std::binary_search(owned.begin(), owned.end(), (at + pointer) % width);
        });
    // Strides of whole elements of the owner repeat the first element.
    const bool repeats = layout.strides[dimension] % width == 0;
    const std::int64_t count = repeats ? 1 : layout.shape[dimension];
    for (std::int64_t i = 0; i < count; ++i)
        if (!are_pointers(layout, dimension + 1, at + i * layout.strides[dimension], wanted, owned,
                          width))
            return false;
    return true;
}

/// Whether the pointers at `layout`, with elements of type `dtype`, are the owner's.
bool holds_objects(PyObject* dtype, const Layout& layout, PyObject* owner) {
    const Layout whole = layout_of(owner);
    const std::optional<Range> range = range_of(layout);
    if (!range || whole.width < kPointer) return false;
    const std::int64_t size = integer(native_attribute(owner, "nbytes"));
    if (!Range{whole.data, whole.data + size}.contains(*range)) return false;
    return are_pointers(layout, 0, layout.data - whole.data, pointers_of(dtype),
                        pointers_of(native_attribute(owner, "dtype").get()), whole.width);
}

/// numpy 2's StringDType has pointers of its own, which a view cannot move.
bool has_plain_objects(PyObject* dtype) {
    return attribute(dtype, "hasobject").get() == Py_True &&
           utf8(attribute(dtype, "kind").get()) != "T";
}

void check_memory(PyObject* dtype, const Layout& layout, const Ref& owner) {
    if (layout.is_empty()) return;
    if (attribute(dtype, "hasobject").get() == Py_True) {
        if (owner && (!has_plain_objects(dtype) || holds_objects(dtype, layout, owner.get())))
            return;
        throw Error(sqlstate::kInvalidArgument,
                    "array of Python objects refers to memory that no array owns",
                    "Return a copy of the array.");
    }
    const std::optional<Range> range = range_of(layout);
    if (range && owner) {
        const std::int64_t first = layout_of(owner.get()).data;
        const std::int64_t size = integer(native_attribute(owner.get(), "nbytes"));
        if (Range{first, first + size}.contains(*range)) return;
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): numpy names addresses by integers
    const auto* const start = reinterpret_cast<const void*>(range ? range->first : 0);
    if (!range ||
        !PipeMemory().is_readable(start, static_cast<std::size_t>(range->end - range->first)))
        throw Error(sqlstate::kInvalidArgument,
                    "array refers to memory outside of the object that it was made from",
                    "Return a copy of the array.");
}

std::int64_t count_of(const Layout& layout) noexcept {
    std::int64_t count = 1;
    for (std::size_t i = 0; i < layout.shape.size(); ++i) {
        // An element that is repeated is visited once.
        const std::int64_t length =
            layout.strides[i] == 0 && layout.shape[i] > 0 ? 1 : layout.shape[i];
        if (__builtin_mul_overflow(count, length, &count)) return INT64_MAX;
    }
    return count;
}

void visit_elements(const Layout& layout, std::size_t dimension, std::int64_t at,
                    const std::vector<std::int64_t>& pointers,
                    const std::function<void(PyObject*)>& visit) {
    if (dimension == layout.shape.size()) {
        for (const std::int64_t pointer : pointers) {
            PyObject* object = nullptr;
            // NOLINTNEXTLINE(performance-no-int-to-ptr): numpy names addresses by integers
            std::memcpy(&object, reinterpret_cast<const void*>(at + pointer), kPointer);
            if (object != nullptr) visit(object);
        }
        return;
    }
    const std::int64_t stride = layout.strides[dimension];
    const std::int64_t count =
        stride == 0 ? std::min<std::int64_t>(layout.shape[dimension], 1) : layout.shape[dimension];
    for (std::int64_t i = 0; i < count; ++i)
        visit_elements(layout, dimension + 1, at + i * stride, pointers, visit);
}

/// An array, as numpy/ndarraytypes.h declares it (PyArrayObject_fields).
struct ArrayFields {
    PyObject_HEAD;
    char* data;
    int dimensions;
    Py_ssize_t* shape;
    Py_ssize_t* strides;
    PyObject* base;
    PyObject* dtype;
    int flags;
};

/// Whether numpy's arrays are what ArrayFields says, by an array and what numpy tells of it.
bool is_true_of(PyObject* array) {
    const auto& fields = *reinterpret_cast<const ArrayFields*>(array);
    const Layout layout = layout_of(array);
    const auto count = static_cast<std::ptrdiff_t>(layout.shape.size());
    return reinterpret_cast<std::int64_t>(fields.data) == layout.data &&
           fields.dtype == native_attribute(array, "dtype").get() && fields.dimensions == count &&
           std::equal(fields.shape, fields.shape + count, layout.shape.begin()) &&
           std::equal(fields.strides, fields.strides + count, layout.strides.begin()) &&
           ((fields.flags & kOwnsData) != 0) == owns_memory(array);
}

struct ElementFacts {
    PyObject* dtype = nullptr;  ///< kept
    bool has_objects = true;
    std::int64_t width = 0;
};

/// Facts of a type of elements; those of the last one are kept.
const ElementFacts& facts_of(PyObject* dtype) {
    static ElementFacts last;
    if (last.dtype == dtype) return last;
    ElementFacts facts;
    facts.has_objects = attribute(dtype, "hasobject").get() == Py_True;
    facts.width = integer(attribute(dtype, "itemsize"));
    facts.dtype = Ref::borrow(dtype).release();
    PyObject* const old = std::exchange(last, facts).dtype;
    Py_XDECREF(old);
    return last;
}

/// The usual case, quickly: elements that are no objects, in memory of the array's own or of the
/// array that it is a view of. False when that takes a closer look.
bool is_within_owner(PyObject* array) {
    static const bool kHasKnownFields = is_true_of(array);
    if (!kHasKnownFields) return false;
    const auto& fields = *reinterpret_cast<const ArrayFields*>(array);
    const ElementFacts facts = facts_of(fields.dtype);
    if (facts.has_objects) return false;
    if ((fields.flags & kOwnsData) != 0) return true;
    if (fields.base == nullptr || !is_array(fields.base)) return false;
    const auto& owner = *reinterpret_cast<const ArrayFields*>(fields.base);
    if ((owner.flags & kOwnsData) == 0 || owner.dtype != fields.dtype) return false;
    std::int64_t size = facts.width;
    for (int i = 0; i < owner.dimensions; ++i)
        if (__builtin_mul_overflow(size, owner.shape[i], &size)) return false;
    std::int64_t below = 0;
    std::int64_t above = facts.width;
    for (int i = 0; i < fields.dimensions; ++i) {
        if (fields.shape[i] == 0) return true;
        std::int64_t reach = 0;
        if (__builtin_mul_overflow(fields.shape[i] - 1, fields.strides[i], &reach)) return false;
        std::int64_t& side = reach < 0 ? below : above;
        if (__builtin_add_overflow(side, reach, &side)) return false;
    }
    const std::int64_t start =
        reinterpret_cast<std::int64_t>(fields.data) - reinterpret_cast<std::int64_t>(owner.data);
    return below >= -start && start >= 0 && start <= size && above <= size - start;
}

}  // namespace

Ref native_attribute(PyObject* value, const char* name) {
    const KnownTypes& known = known_types();
    PyTypeObject* const type = Py_TYPE(value);
    if (type == known.array || !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE))
        return attribute(value, name);
    const bool is_array_type = PyType_IsSubtype(type, known.array) != 0;
    auto* const native = reinterpret_cast<PyObject*>(is_array_type ? known.array : known.generic);
    if (native == nullptr)
        throw Error(sqlstate::kInvalidArgument, "attributes of numpy's classes have been changed");
    const Ref descriptor = attribute(native, name);
    const descrgetfunc get = Py_TYPE(descriptor.get())->tp_descr_get;
    if (get == nullptr)
        throw Error(sqlstate::kInvalidArgument, "attributes of numpy's classes have been changed");
    return Ref::steal(get(descriptor.get(), value, reinterpret_cast<PyObject*>(type)));
}

void check_array_memory(PyObject* array) {
    if (is_within_owner(array)) return;
    const Ref dtype = native_attribute(array, "dtype");
    const bool has_objects = attribute(dtype.get(), "hasobject").get() == Py_True;
    if (!has_objects && owns_memory(array)) return;
    check_memory(dtype.get(), layout_of(array), owner_of(array));
}

void check_record_memory(PyObject* record) {
    const auto* const fields = reinterpret_cast<const RecordLayout*>(record);
    const Ref dtype = native_attribute(record, "dtype");
    // A view, unless the record owns its memory. Reads nothing.
    const Ref view =
        call(attribute(reinterpret_cast<PyObject*>(known_types().generic), "__array__").get(),
             Ref::borrow(record));
    const Layout layout = layout_of(view.get());
    if (layout.data != reinterpret_cast<std::int64_t>(fields->data)) return;  // a copy
    PyObject* base = record;
    for (int i = 0; i < kMostBases && is_record(base); ++i) {
        const auto* const outer = reinterpret_cast<const RecordLayout*>(base);
        if ((outer->flags & kOwnsData) != 0 || outer->base == nullptr) return;
        base = outer->base;
    }
    check_memory(dtype.get(), layout, is_array(base) ? owner_of(base) : Ref());
}

void visit_objects(PyObject* array, const std::function<void(PyObject*)>& visit) {
    const Ref dtype = native_attribute(array, "dtype");
    if (!has_plain_objects(dtype.get())) return;
    Layout layout = layout_of(array);
    if (layout.is_empty()) return;
    std::vector<std::int64_t> pointers = pointers_of(dtype.get());
    // A view may show each element of its owner many times.
    if (const Ref owner = owner_of(array)) {
        const Layout whole = layout_of(owner.get());
        if (count_of(whole) < count_of(layout)) {
            pointers = pointers_of(native_attribute(owner.get(), "dtype").get());
            layout = whole;
        }
    }
    visit_elements(layout, 0, layout.data, pointers, visit);
}

Ref plain_array(PyObject* array) {
    PyTypeObject* const type = known_types().array;
    check_array_memory(array);
    if (Py_TYPE(array) == type) return Ref::borrow(array);
    auto* const native = reinterpret_cast<PyObject*>(type);
    return call(attribute(native, "view").get(), Ref::borrow(array), Ref::borrow(native));
}

}  // namespace epe::py
