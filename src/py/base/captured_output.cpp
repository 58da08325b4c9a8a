// Printed lines of a script become notices, its warnings become warnings.
#include "py/base/captured_output_internal.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "py/base/activation_internal.h"
#include "py/base/error_internal.h"

namespace epe::py {

void Output::write(Stream stream, std::string_view text) {
    for (const Stream each : {kStdout, kStderr}) {
        if (later_[each].empty()) continue;
        partial_[each] += std::exchange(later_[each], {});
        send_complete_lines(each);
    }
    partial_[stream] += text;
    if (text.find('\n') != std::string_view::npos || partial_[stream].size() > kLongestLine)
        send_complete_lines(stream);
}

void Output::write_later(Stream stream, std::string_view text) { later_[stream] += text; }

void Output::warn(const std::string& text, const std::string& identity) {
    if (warned_.size() < kMostWarnings) {
        if (warned_.insert(identity).second) host_.warning(text);
    } else if (!warned_.contains(identity)) {
        ++warnings_left_out_;
    }
}

void Output::send_complete_lines(Stream stream) {
    // Removed first: a notice may throw, and must not be sent again.
    std::string text = std::exchange(partial_[stream], {});
    std::size_t start = 0;
    try {
        while (start < text.size()) {
            std::size_t end = text.find('\n', start);
            const bool is_cut = end == std::string::npos && text.size() - start > kLongestLine;
            if (end == std::string::npos && !is_cut) break;
            if (is_cut) end = start + kLongestLine;
            const std::string_view line(text.data() + start, end - start);
            start = is_cut ? end : end + 1;
            send_line(line);
        }
    } catch (...) {
        partial_[stream] = text.substr(start);
        throw;
    }
    partial_[stream] = text.substr(start);
}

void Output::send_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    // A progress bar rewrites its line: the last state counts, as on a terminal.
    const std::size_t overwritten = line.rfind('\r');
    if (overwritten != std::string_view::npos) line.remove_prefix(overwritten + 1);
    std::string text(line);
    std::replace(text.begin(), text.end(), '\0', ' ');  // PostgreSQL's texts cannot contain it
    if (++line_count_ <= kFirstLines) {
        notice(text);
        return;
    }
    held_back_.push_back(std::move(text));
    if (held_back_.size() > kLastLines) held_back_.pop_front();
}

void Output::notice(const std::string& line) {
    if (!is_ending_) {
        host_.notice(line);
        return;
    }
    try {
        host_.notice(line);
    } catch (...) {  // usually a cancel: the rest of the output is sent before the rethrow
        if (failure_ == nullptr) failure_ = std::current_exception();
    }
}

void Output::end_call() {
    if (partial_[kStdout].empty() && partial_[kStderr].empty() && later_[kStdout].empty() &&
        later_[kStderr].empty())
        return;
    is_ending_ = true;
    for (const Stream each : {kStdout, kStderr}) {
        partial_[each] += std::exchange(later_[each], {});
        send_complete_lines(each);
        if (!partial_[each].empty()) send_line(std::exchange(partial_[each], {}));
    }
    is_ending_ = false;
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Output::end_request() {
    end_call();
    if (const std::int64_t count = std::exchange(warnings_left_out_, 0); count > 0)
        host_.warning("... " + std::to_string(count) + " warnings left out ...");
    if (held_back_.empty()) return;
    is_ending_ = true;
    const std::int64_t left_out =
        line_count_ - kFirstLines - static_cast<std::int64_t>(held_back_.size());
    if (left_out > 0) notice("... " + std::to_string(left_out) + " lines left out ...");
    for (const std::string& line : std::exchange(held_back_, {})) notice(line);
    line_count_ = 0;
    is_ending_ = false;
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

namespace {

PyObject* streams[2] = {nullptr, nullptr};
PyObject* forget_function = nullptr;
// The request that has shown the last warning; not dereferenced.
const Output* shown_by = nullptr;

/// write_output(stream, text): False when no script runs (the stream then uses stderr).
PyObject* write_output(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
    return callback([&] {
        if (count != 2 || !PyUnicode_Check(arguments[1])) {
            PyErr_SetString(PyExc_TypeError, "write() argument must be str");
            throw ScriptError();
        }
        Activation* const active = current_activation();
        if (active == nullptr) return Ref::borrow(Py_False);
        const auto stream = arguments[0] == Py_True ? Output::kStderr : Output::kStdout;
        Ref encoded;
        std::string_view text;
        if (PyUnicode_IS_COMPACT_ASCII(arguments[1])) {
            text = utf8(arguments[1]);
        } else {  // lone surrogates cannot be encoded
            encoded =
                Ref::steal(PyUnicode_AsEncodedString(arguments[1], "utf-8", "backslashreplace"));
            text = {PyBytes_AS_STRING(encoded.get()),
                    static_cast<std::size_t>(PyBytes_GET_SIZE(encoded.get()))};
        }
        if (is_engine_thread() && !active->is_doomed())
            active->output().write(stream, text);
        else
            active->output().write_later(stream, text);
        return Ref::borrow(Py_True);
    });
}

/// show_warning(text, identity): False when no script runs.
PyObject* show_warning(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
    return callback([&] {
        if (count != 2) throw Error(sqlstate::kInternal, "show_warning takes two texts");
        Activation* const active = current_activation();
        if (active == nullptr || !is_engine_thread() || active->is_doomed())
            return Ref::borrow(Py_False);
        shown_by = &active->output();
        active->output().warn(std::string(utf8(arguments[0])), std::string(utf8(arguments[1])));
        return Ref::borrow(Py_True);
    });
}

template <PyObject* (*kFunction)(PyObject*, PyObject* const*, Py_ssize_t) noexcept>
PyMethodDef fast_method(const char* name) noexcept {
    return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(kFunction)), METH_FASTCALL,
            nullptr};
}

PyMethodDef methods[] = {fast_method<write_output>("write_output"),
                         fast_method<show_warning>("show_warning"),
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* output_stream(Output::Stream stream) { return streams[stream]; }

void install_output(PyObject* module) {
    checked(PyModule_AddFunctions(module, methods));
    const Ref output = import_module("_oml_epe_runtime.output");
    streams[Output::kStdout] = attribute(output.get(), "stdout").release();
    streams[Output::kStderr] = attribute(output.get(), "stderr").release();
    forget_function = attribute(output.get(), "forget_shown_warnings").release();
    call(attribute(output.get(), "install_showwarning").get());
}

void forget_shown_warnings(const Output* except) {
    if (shown_by == except || std::exchange(shown_by, nullptr) == nullptr) return;
    call(forget_function);
}

}  // namespace epe::py
