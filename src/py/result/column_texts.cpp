// Columns of texts and of JSON from Python objects of any type.
#include "py/result/column_texts_internal.h"

#include <string>
#include <string_view>

#include "py/result/column_from_python_internal.h"
#include "py/result/column_times_internal.h"

namespace epe::py {

namespace {

/// Throws the error of render.py for a value that JSON cannot represent, with the location added.
[[noreturn]] void fail_json(const Place& place, std::int64_t index) {
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value == nullptr || PyObject_HasAttrString(value, "problem") == 0) {
        PyErr_Restore(type, value, traceback);
        throw ScriptError();
    }
    const Ref owned[] = {Ref::steal(type), Ref::steal(value),
                         traceback == nullptr ? Ref::none() : Ref::steal(traceback)};
    const Ref text = Ref::steal(PyObject_Str(owned[1].get()));
    place.fail(sqlstate::kInvalidArgument, std::string(utf8(text.get())) + ", in", index);
}

/// JSON text of any value; the encoder is runtime/render.py's.
Ref to_json(PyObject* value, const Place& place, std::int64_t index) {
    static constinit ImportedObject encoder{"_oml_epe_runtime.render", "to_value"};
    PyObject* const text = PyObject_CallFunctionObjArgs(encoder.get(), value, nullptr);
    if (text == nullptr) fail_json(place, index);
    return Ref::steal(text);
}

std::string hexadecimal(std::string_view bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text = "\\x";
    text.reserve(2 + 2 * bytes.size());
    for (const char byte : bytes) {
        const auto bits = static_cast<unsigned char>(byte);
        text += kDigits[bits >> 4];
        text += kDigits[bits & 15];
    }
    return text;
}

/// Writes one column of texts.
class TextWriter {
   public:
    TextWriter(const Objects& values, const Target& target)
        : values_(values), target_(target), writer_(Kind::kText, values.count) {}

    Column write() {
        Classifier classifier(target_.keeps_nan());
        for (std::int64_t i = 0; i < values_.count; ++i)
            write_value(values_[i], classifier.class_of(values_[i]), i);
        return writer_.finish();
    }

   private:
    void write_value(PyObject* value, unsigned value_class, std::int64_t index);
    void write_bytes(PyObject* value, std::int64_t index);
    void write_other(PyObject* value, std::int64_t index);

    const Objects& values_;
    const Target& target_;
    BytesWriter writer_;
};

void TextWriter::write_value(PyObject* value, unsigned value_class, std::int64_t index) {
    switch (value_class) {
        case kNoClass:
            writer_.append_null();
            return;
        case kStrClass:
            writer_.append_text(value, target_.place, index);
            return;
        case kBoolClass:
            writer_.append(value == Py_True ? "true" : "false");
            return;
        case kIntClass:
            writer_.append(utf8(Ref::steal(PyNumber_ToBase(value, 10)).get()));
            return;
        case kFloatClass:
            writer_.append(float_text(PyFloat_AS_DOUBLE(value)));
            return;
        case kBytesClass:
            write_bytes(value, index);
            return;
        case kTupleClass:
        case kListClass:
        case kArrayClass:
        case kDictClass:
            writer_.append_text(to_json(value, target_.place, index).get(), target_.place, index);
            return;
        case kDateTimeClass:
        case kAwareClass:
            writer_.append_text(text_of_datetime(value, target_.kind()).get(), target_.place,
                                index);
            return;
        case kDeltaClass:
            if (target_.kind() != Kind::kInterval) return write_other(value, index);
            writer_.append(utf8(text_of_delta(value).get()));
            return;
        default:
            write_other(value, index);
    }
}

void TextWriter::write_bytes(PyObject* value, std::int64_t index) {
    char* const bytes = PyBytes_AS_STRING(value);
    const Py_ssize_t size = PyBytes_GET_SIZE(value);
    if (!target_.is_text()) {
        writer_.append(hexadecimal({bytes, static_cast<std::size_t>(size)}));
        return;
    }
    PyObject* const text = PyUnicode_DecodeUTF8(bytes, size, nullptr);
    if (text == nullptr) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) throw ScriptError();
        PyErr_Clear();
        target_.place.fail(kBadCharacter, "bytes that are not UTF-8 in", index);
    }
    writer_.append_text(Ref::steal(text).get(), target_.place, index);
}

/// Dates and times, decimals, UUIDs, and any object with a text form of its own.
void TextWriter::write_other(PyObject* value, std::int64_t index) {
    if (is_array(value)) return write_value(value, kArrayClass, index);
    const PyTypeObject* const type = Py_TYPE(value);
    if (type->tp_str == PyBaseObject_Type.tp_str && type->tp_repr == PyBaseObject_Type.tp_repr)
        fail_type(target_, value, index);
    if (PyCallable_Check(value) != 0 || PyModule_Check(value) || PyComplex_Check(value))
        fail_type(target_, value, index);
    // A type that PostgreSQL knows is parsed from text; others only for text targets.
    if (target_.kind() != Kind::kText && Classifier(false).class_of(value) == kForeignClass)
        fail_type(target_, value, index);
    writer_.append_text(Ref::steal(PyObject_Str(value)).get(), target_.place, index);
}

}  // namespace

Column column_of_texts(const Objects& values, const Target& target) {
    return TextWriter(values, target).write();
}

Column column_of_hstores(const Objects& values, const Target& target) {
    static constinit ImportedObject encoder{"_oml_epe_runtime.results", "hstore_text"};
    BytesWriter writer(Kind::kText, values.count);
    Classifier classifier(false);
    for (std::int64_t i = 0; i < values.count; ++i) {
        const Ref value = Ref::borrow(values[i]);
        if (classifier.class_of(value.get()) == kNoClass) {
            writer.append_null();
            continue;
        }
        const Ref text = call(encoder.get(), value);  // None for what is no hstore
        if (text.get() == Py_None) fail_type(target, value.get(), i);
        writer.append_text(text.get(), target.place, i);
    }
    return writer.finish();
}

Column column_of_json(const Objects& values, const Target& target) {
    BytesWriter writer(Kind::kJson, values.count);
    Classifier classifier(false);
    for (std::int64_t i = 0; i < values.count; ++i) {
        if (classifier.class_of(values[i]) == kNoClass) {
            writer.append_null();
            continue;
        }
        writer.append_text(to_json(values[i], target.place, i).get(), target.place, i);
    }
    return writer.finish();
}

}  // namespace epe::py
