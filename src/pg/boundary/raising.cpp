// Raises the exceptions of C++ code as PostgreSQL's errors.
#include "pg/boundary/raising.h"

#include <new>
#include <string>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/boundary/error_data_internal.h"

namespace epe::pg {

namespace {

/// The error of a body, to be raised once every C++ object is destroyed.
struct Outcome {
    ErrorData* error = nullptr;
    bool is_out_of_memory = false;
    bool is_from_postgres = false;
};

/// Truncates a text of an error: it may quote a value of any size, which every client and log would
/// have to hold.
void shorten(std::string& text) {
    constexpr std::size_t kLongest = 32768;  // the same limit as in errors.py
    if (text.size() <= kLongest) return;
    std::size_t end = kLongest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text.resize(end);
    text += " ...";
}

Outcome failed(ErrorReport report, bool is_from_postgres) noexcept {
    Outcome outcome;
    try {
        for (std::string* each : {&report.message, &report.detail, &report.hint, &report.context})
            shorten(*each);
    } catch (const std::bad_alloc&) {
        outcome.is_out_of_memory = true;
        return outcome;
    }
    outcome.error = to_error_data(report);
    outcome.is_out_of_memory = outcome.error == nullptr;
    outcome.is_from_postgres = is_from_postgres;
    return outcome;
}

Outcome outcome_of(void (*body)(void*), void* data) noexcept {
    try {
        body(data);
        return {};
    } catch (const PgError& error) {
        return failed(error.report(), true);
    } catch (const Error& error) {
        return failed(error.report(), false);
    } catch (const std::bad_alloc&) {
        Outcome outcome;
        outcome.is_out_of_memory = true;
        return outcome;
    } catch (const std::exception& error) {
        return failed(Error(sqlstate::kInternal, error.what()).report(), false);
    } catch (...) {
        return failed(Error(sqlstate::kInternal, "unknown C++ exception").report(), false);
    }
}

[[noreturn]] void raise(const Outcome& outcome) noexcept {
    if (outcome.is_out_of_memory)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    ErrorData* error = outcome.error;
    // It has its whole context already: no callback may add to it.
    if (outcome.is_from_postgres) ReThrowError(error);
    error->message = to_message(error->message);
    error->detail = to_message(error->detail);
    error->hint = to_message(error->hint);
    error->context = to_message(error->context);
    ereport(ERROR, (errcode(error->sqlerrcode),
                    errmsg_internal("%s", error->message == nullptr ? "" : error->message),
                    error->detail != nullptr ? errdetail_internal("%s", error->detail) : 0,
                    error->hint != nullptr ? errhint("%s", error->hint) : 0,
                    error->context != nullptr ? errcontext_msg("%s", error->context) : 0));
}

}  // namespace

namespace detail {

void run_raising(void (*body)(void*), void* data) {
    const Outcome outcome = outcome_of(body, data);
    if (outcome.error != nullptr || outcome.is_out_of_memory) raise(outcome);
}

}  // namespace detail

}  // namespace epe::pg
