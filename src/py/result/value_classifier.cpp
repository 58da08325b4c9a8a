// Classifies Python values, without running Python code.
#include "py/result/value_classifier_internal.h"

#include <datetime.h>

#include <cmath>
#include <string_view>

namespace epe::py {

ObjectVector::~ObjectVector() {
    for (PyObject* object : objects_) Py_DECREF(object);
}

void ObjectVector::push(Ref object) {
    objects_.push_back(object.get());
    (void)object.release();
}

namespace {

// Borrowed permanently: a type, once loaded, stays. Python objects need no destructor here.
KnownTypes found_types{};

/// A type of a module that is loaded already; never released once found.
void find_type(PyTypeObject*& type, PyObject* module, const char* name) {
    if (type != nullptr || module == nullptr) return;
    PyObject* const found = PyObject_GetAttrString(module, name);
    if (found == nullptr)
        PyErr_Clear();  // partially imported, or a version without it
    else if (PyType_Check(found))
        type = reinterpret_cast<PyTypeObject*>(found);
    else
        Py_DECREF(found);
}

/// A type of numpy's own, not a replacement set by a script.
void find_numpy_type(PyTypeObject*& type, PyObject* numpy, const char* name) {
    if (type != nullptr) return;
    PyTypeObject* found = nullptr;
    find_type(found, numpy, name);
    if (found == nullptr) return;
    if (PyType_HasFeature(found, Py_TPFLAGS_HEAPTYPE) ||
        std::string_view(found->tp_name).substr(0, 6) != "numpy.")
        Py_DECREF(found);
    else
        type = found;
}

/// The type of a module's singleton.
void find_type_of(PyTypeObject*& type, PyObject* module, const char* name) {
    if (type != nullptr || module == nullptr) return;
    PyObject* const found = PyObject_GetAttrString(module, name);
    if (found == nullptr) {
        PyErr_Clear();
        return;
    }
    type = Py_TYPE(found);
    Py_INCREF(type);
    Py_DECREF(found);
}

PyObject* loaded_module(const char* name) noexcept {
    return PyDict_GetItemString(PyImport_GetModuleDict(), name);
}

bool is_a(PyTypeObject* type, PyTypeObject* base) noexcept {
    return base != nullptr && PyType_IsSubtype(type, base) != 0;
}

/// numpy's scalars, of which some are Python floats and texts too; 0 for other values.
unsigned class_of_numpy(PyTypeObject* type, const KnownTypes& known) noexcept {
    if (is_a(type, known.array)) return kForeignClass;
    if (!is_a(type, known.generic)) return kNoClass;
    if (type == &PyFloat_Type || is_a(type, &PyFloat_Type)) return kFloatClass;
    if (is_a(type, &PyUnicode_Type)) return kStrClass;
    if (is_a(type, &PyBytes_Type)) return kBytesClass;
    return kForeignClass;
}

unsigned class_of_type(PyTypeObject* type) {
    if (type == Py_TYPE(Py_None)) return kNoClass;
    if (type == &PyFloat_Type) return kFloatClass;
    if (type == &PyLong_Type) return kIntClass;
    if (type == &PyUnicode_Type) return kStrClass;
    if (type == &PyBool_Type) return kBoolClass;
    if (type == &PyBytes_Type) return kBytesClass;
    const KnownTypes& known = known_types();
    for (PyTypeObject* const null : {known.nat, known.missing, known.masked})
        if (is_a(type, null)) return kNoClass;
    if (is_a(type, known.enumeration)) return kForeignClass;
    if (const unsigned numpy_class = class_of_numpy(type, known)) return numpy_class;
    if (is_a(type, &PyFloat_Type)) return kFloatClass;
    if (is_a(type, &PyLong_Type)) return kIntClass;
    if (is_a(type, &PyUnicode_Type)) return kStrClass;
    if (is_a(type, &PyBytes_Type)) return kBytesClass;
    if (is_a(type, PyDateTimeAPI->DateTimeType)) return kDateTimeClass;
    if (is_a(type, PyDateTimeAPI->DateType)) return kDateClass;
    if (is_a(type, PyDateTimeAPI->TimeType)) return kTimeClass;
    if (is_a(type, PyDateTimeAPI->DeltaType)) return kDeltaClass;
    if (is_a(type, known.decimal)) return kDecimalClass;
    if (is_a(type, known.uuid)) return kUuidClass;
    if (type == known.month_day_nano) return kForeignClass;
    if (is_a(type, &PyTuple_Type)) return kTupleClass;
    if (is_a(type, &PyList_Type)) return kListClass;
    if (is_a(type, &PyDict_Type)) return kDictClass;
    return kForeignClass;
}

}  // namespace

const KnownTypes& known_types() noexcept { return found_types; }

void find_known_types() {
    KnownTypes& known = found_types;
    if (PyDateTimeAPI == nullptr) {
        PyDateTime_IMPORT;
        // cppcheck-suppress identicalInnerCondition // PyDateTime_IMPORT assigns it
        if (PyDateTimeAPI == nullptr) throw ScriptError();
    }
    if (known.decimal == nullptr) find_type(known.decimal, loaded_module("decimal"), "Decimal");
    if (known.uuid == nullptr) find_type(known.uuid, loaded_module("uuid"), "UUID");
    if (known.enumeration == nullptr) find_type(known.enumeration, loaded_module("enum"), "Enum");
    if (known.record == nullptr) {
        PyObject* const numpy = loaded_module("numpy");
        find_numpy_type(known.array, numpy, "ndarray");
        find_numpy_type(known.generic, numpy, "generic");
        find_numpy_type(known.integer, numpy, "integer");
        find_numpy_type(known.floating, numpy, "floating");
        find_numpy_type(known.boolean, numpy, "bool_");
        find_numpy_type(known.datetime64, numpy, "datetime64");
        find_numpy_type(known.timedelta64, numpy, "timedelta64");
        find_numpy_type(known.record, numpy, "void");
    }
    if (known.masked == nullptr) find_type_of(known.masked, loaded_module("numpy.ma"), "masked");
    if (known.month_day_nano == nullptr)
        find_type(known.month_day_nano, loaded_module("pyarrow"), "MonthDayNano");
    if (known.missing == nullptr) {
        PyObject* const pandas = loaded_module("pandas");
        find_type_of(known.nat, pandas, "NaT");
        find_type_of(known.missing, pandas, "NA");
    }
}

unsigned Classifier::class_of(PyObject* value) {
    PyTypeObject* const type = Py_TYPE(value);
    if (type != last_type_) {
        last_class_ = class_of_type(type);
        last_type_ = type;
    }
    switch (last_class_) {
        case kFloatClass:
            return !keep_nan_ && std::isnan(PyFloat_AS_DOUBLE(value)) ? kNoClass : kFloatClass;
        case kDateTimeClass:
            return reinterpret_cast<PyDateTime_DateTime*>(value)->hastzinfo ? kAwareClass
                                                                            : kDateTimeClass;
        case kTimeClass:
            return reinterpret_cast<PyDateTime_Time*>(value)->hastzinfo ? kAwareTimeClass
                                                                        : kTimeClass;
        default:
            return last_class_;
    }
}

}  // namespace epe::py
