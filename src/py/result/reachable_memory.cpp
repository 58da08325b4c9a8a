// Visits the objects that a result refers to, and checks their memory.
#include "py/result/reachable_memory_internal.h"

#include <algorithm>
#include <cstdint>
#include <new>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/error.h"
#include "py/base/error_internal.h"
#include "py/base/foreign_memory.h"
#include "py/base/numpy_internal.h"
#include "py/result/array_memory_internal.h"
#include "py/result/column_writer_internal.h"
#include "py/result/value_classifier_internal.h"

namespace epe::py {

namespace {

[[noreturn]] void fail_memory() {
    throw Error(sqlstate::kInvalidArgument, "bytes beyond the memory they were made from");
}

void check_range(std::uintptr_t first, std::uintptr_t end) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel alone follows it
    const auto* const start = reinterpret_cast<const void*>(first);
    if (end < first || !PipeMemory().is_readable(start, end - first)) fail_memory();
}

/// Types that own their memory.
bool owns_bytes(PyObject* value) noexcept {
    return value != nullptr && (PyBytes_Check(value) || PyByteArray_Check(value));
}

void check_memoryview(PyObject* value) {
    const Py_buffer& view = *PyMemoryView_GET_BUFFER(value);
    if (owns_bytes(view.obj)) return;
    const auto start = reinterpret_cast<std::uintptr_t>(view.buf);
    if (view.suboffsets != nullptr) fail_memory();
    if (view.shape == nullptr || view.strides == nullptr)
        return check_range(start, start + static_cast<std::uintptr_t>(view.len));
    Py_ssize_t below = 0;
    Py_ssize_t above = view.itemsize;
    for (int i = 0; i < view.ndim; ++i) {
        if (view.shape[i] == 0) return;
        Py_ssize_t reach = 0;
        if (__builtin_mul_overflow(view.shape[i] - 1, view.strides[i], &reach)) fail_memory();
        Py_ssize_t& side = reach < 0 ? below : above;
        if (__builtin_add_overflow(side, reach, &side)) fail_memory();
    }
    check_range(start + static_cast<std::uintptr_t>(below),
                start + static_cast<std::uintptr_t>(above));
}

/// The action for objects of a type.
enum class Handling : std::uint8_t { kSkip, kFollow, kList, kArray, kRecord, kMemoryView, kArrow };

bool is_one_of(PyTypeObject* type, std::initializer_list<PyTypeObject*> types) noexcept {
    return std::find(types.begin(), types.end(), type) != types.end();
}

bool is_arrow(PyTypeObject* type) noexcept {
    PyObject* const bases = type->tp_mro;
    if (bases == nullptr || !PyTuple_Check(bases)) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(bases); ++i) {
        auto* const base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases, i));
        if (std::string_view(base->tp_name).substr(0, 12) == "pyarrow.lib.") return true;
    }
    return false;
}

Handling handling_of(PyTypeObject* type) noexcept {
    const KnownTypes& known = known_types();
    if (known.array != nullptr && PyType_IsSubtype(type, known.array) != 0) return Handling::kArray;
    if (known.record != nullptr && PyType_IsSubtype(type, known.record) != 0)
        return Handling::kRecord;
    if (type == &PyMemoryView_Type) return Handling::kMemoryView;
    if (is_one_of(type, {&PyList_Type, &PyTuple_Type})) return Handling::kList;
    if (PyType_HasFeature(type, Py_TPFLAGS_TYPE_SUBCLASS) ||
        PyType_IsSubtype(type, &PyModule_Type) != 0 ||
        is_one_of(type,
                  {&PyFunction_Type, &PyCFunction_Type, &PyCode_Type, &PyFrame_Type, &PyGen_Type,
                   &PyCoro_Type, &PyAsyncGen_Type, &PyTraceBack_Type, &_PyWeakref_RefType,
                   &_PyWeakref_ProxyType, &_PyWeakref_CallableProxyType}))
        return Handling::kSkip;
    if (is_arrow(type)) return Handling::kArrow;
    return PyType_IS_GC(type) && type->tp_traverse != nullptr ? Handling::kFollow : Handling::kSkip;
}

class Visit {
   public:
    void visit_all(PyObject* root);

   private:
    struct Entry {
        Ref object{};
        Handling handling{};
        Py_ssize_t next = 0;  ///< of a list
    };

    Handling handling_of_object(PyObject* object);
    /// `held` is the number of references to the object that the visit itself owns.
    void push(PyObject* object, Py_ssize_t held);
    void look_at(Entry entry);
    /// The next object of a list to be visited; null at its end.
    PyObject* next_of_list(Entry& list);
    static int visit_child(PyObject* child, void* visit) noexcept;

    std::unordered_map<PyTypeObject*, Handling> handlings_{};
    PyTypeObject* last_type_ = nullptr;
    Handling last_handling_ = Handling::kSkip;
    std::vector<Entry> open_{};
    std::vector<Ref> children_{};
    std::unordered_set<PyObject*> seen_{};
    std::vector<Ref> kept_{};  // prevents the reuse of addresses of visited objects
    Ref arrow_objects_{};
};

Handling Visit::handling_of_object(PyObject* object) {
    PyTypeObject* const type = Py_TYPE(object);
    if (type == last_type_) return last_handling_;
    const auto [found, is_new] = handlings_.try_emplace(type, Handling::kSkip);
    if (is_new) found->second = handling_of(type);
    last_type_ = type;
    last_handling_ = found->second;
    return last_handling_;
}

void Visit::push(PyObject* object, Py_ssize_t held) {
    const Handling handling = handling_of_object(object);
    if (handling == Handling::kSkip) return;
    if (Py_REFCNT(object) - held > 1) {  // else no other reference leads to it
        if (!seen_.insert(object).second) return;
        kept_.push_back(Ref::borrow(object));
    }
    open_.push_back(Entry{Ref::borrow(object), handling});
}

int Visit::visit_child(PyObject* child, void* visit) noexcept {
    auto* const self = static_cast<Visit*>(visit);
    try {
        if (child != nullptr && self->handling_of_object(child) != Handling::kSkip)
            self->children_.push_back(Ref::borrow(child));
        return 0;
    } catch (const std::bad_alloc&) {
        return -1;
    }
}

PyObject* Visit::next_of_list(Entry& list) {
    PyObject* const object = list.object.get();
    const bool is_list = PyList_CheckExact(object);
    while (list.next < Py_SIZE(object)) {
        PyObject* const item =
            is_list ? PyList_GET_ITEM(object, list.next) : PyTuple_GET_ITEM(object, list.next);
        check_now_and_then(++list.next);
        if (item != nullptr && handling_of_object(item) != Handling::kSkip) return item;
    }
    return nullptr;
}

void Visit::look_at(Entry entry) {
    PyObject* const object = entry.object.get();
    if (entry.handling == Handling::kList) {
        if (PyObject* const item = next_of_list(entry)) {
            open_.push_back(std::move(entry));
            push(item, 0);
        }
        return;
    }
    if (entry.handling == Handling::kMemoryView) return check_memoryview(object);
    if (entry.handling == Handling::kRecord) check_record_memory(object);
    if (entry.handling == Handling::kArray) {
        check_array_memory(object);
        visit_objects(object, [this](PyObject* element) { push(element, 0); });
    }
    if (entry.handling == Handling::kArrow) {
        if (!arrow_objects_) arrow_objects_ = Ref::steal(PyList_New(0));
        checked(PyList_Append(arrow_objects_.get(), object));
    }
    if (!PyType_IS_GC(Py_TYPE(object)) || Py_TYPE(object)->tp_traverse == nullptr) return;
    children_.clear();
    if (Py_TYPE(object)->tp_traverse(object, visit_child, this) != 0) throw std::bad_alloc();
    for (const Ref& child : std::exchange(children_, {})) push(child.get(), 1);
}

void Visit::visit_all(PyObject* root) {
    push(root, 0);
    for (std::int64_t count = 0; !open_.empty(); ++count) {
        check_now_and_then(count);
        Entry entry = std::move(open_.back());
        open_.pop_back();
        look_at(std::move(entry));
    }
    if (!arrow_objects_) return;
    const Ref check = attribute(import_module("_oml_epe_runtime.checks").get(), "check_arrow");
    call(check.get(), arrow_objects_);
}

}  // namespace

void check_reachable_memory(PyObject* value) {
    find_known_types();
    Visit().visit_all(value);
}

void check_exported_memory(PyObject* exporter, const void* start, std::size_t size) {
    if (owns_bytes(exporter)) return;
    const auto first = reinterpret_cast<std::uintptr_t>(start);
    check_range(first, first + size);
}

}  // namespace epe::py
