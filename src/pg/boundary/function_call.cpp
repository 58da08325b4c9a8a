// One call of an SQL function of the extension: arguments as C++ values, result, errors.
#include "pg/boundary/function_call.h"

#include <cstring>
#include <new>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/boundary/error_data_internal.h"

extern "C" {
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
}

namespace epe::pg {

namespace {

struct TextView {
    const char* data;
    std::size_t size;
};

std::string utf8_of_datum(Datum value) {
    const TextView view = guarded([=]() noexcept {
        text* detoasted = DatumGetTextPP(value);
        TextView bytes{VARDATA_ANY(detoasted), VARSIZE_ANY_EXHDR(detoasted)};
        bytes.data = to_utf8(bytes.data, &bytes.size);
        return bytes;
    });
    return {view.data, view.size};
}

Datum escaped_text(const std::string& utf8, Escape escape) {
    const char* data = utf8.data();
    const std::size_t given = utf8.size();
    return guarded([=]() noexcept {
        std::size_t size = given;
        const char* converted = from_utf8(data, &size, escape);
        return PointerGetDatum(cstring_to_text_with_len(converted, static_cast<int>(size)));
    });
}

Oid declared_argument_type(FunctionCallInfo info, int argument) noexcept {
    const Oid actual = get_fn_expr_argtype(info->flinfo, argument);
    if (OidIsValid(actual)) return actual;
    Oid* types = nullptr;
    int count = 0;
    (void)get_func_signature(info->flinfo->fn_oid, &types, &count);
    return argument < count ? types[argument] : InvalidOid;
}

/// Outside the class, where the macro's cast to "int64" would call the member of that name.
std::int64_t int64_of(Datum value) noexcept { return DatumGetInt64(value); }
double float64_of(Datum value) noexcept { return DatumGetFloat8(value); }

/// The outcome of a body: a value, or an error to raise once every C++ object is destroyed.
struct Outcome {
    Datum value = 0;
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

Outcome run_body(FunctionCallInfo info, void (*body)(FunctionCall&)) noexcept {
    try {
        FunctionCall call(info);
        body(call);
        return Outcome{call.result()};
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

bool FunctionCall::is_null(int argument) const noexcept {
    return argument >= info_->nargs || info_->args[argument].isnull;
}

std::optional<std::string> FunctionCall::text(int argument) const {
    if (is_null(argument)) return std::nullopt;
    return utf8_of_datum(info_->args[argument].value);
}

std::string FunctionCall::required_text(int argument, const char* name) const {
    auto given = text(argument);
    if (!given) throw Error(sqlstate::kInvalidArgument, std::string(name) + " must not be null");
    return *std::move(given);
}

std::optional<std::string> FunctionCall::text_or_jsonb(int argument) const {
    if (is_null(argument)) return std::nullopt;
    const bool is_jsonb = guarded([this, argument]() noexcept {
                              return declared_argument_type(info_, argument);
                          }) == JSONBOID;
    if (!is_jsonb) return text(argument);
    const TextView view = guarded([this, argument]() noexcept {
        Jsonb* value = DatumGetJsonbP(info_->args[argument].value);
        const char* printed =
            JsonbToCString(nullptr, &value->root, static_cast<int>(VARSIZE(value)));
        TextView bytes{printed, std::strlen(printed)};
        bytes.data = to_utf8(bytes.data, &bytes.size);
        return bytes;
    });
    return std::string(view.data, view.size);
}

std::optional<std::string> FunctionCall::bytes(int argument) const {
    if (is_null(argument)) return std::nullopt;
    const Datum value = info_->args[argument].value;
    const TextView view = guarded([=]() noexcept {
        bytea* detoasted = DatumGetByteaPP(value);
        return TextView{VARDATA_ANY(detoasted), VARSIZE_ANY_EXHDR(detoasted)};
    });
    return std::string(view.data, view.size);
}

std::optional<std::int64_t> FunctionCall::int64(int argument) const {
    if (is_null(argument)) return std::nullopt;
    return int64_of(info_->args[argument].value);
}

std::optional<bool> FunctionCall::boolean(int argument) const {
    if (is_null(argument)) return std::nullopt;
    return DatumGetBool(info_->args[argument].value);
}

std::optional<double> FunctionCall::float64(int argument) const {
    if (is_null(argument)) return std::nullopt;
    return float64_of(info_->args[argument].value);
}

std::optional<std::int64_t> FunctionCall::milliseconds(int argument) const {
    if (is_null(argument)) return std::nullopt;
    const Interval* interval = DatumGetIntervalP(info_->args[argument].value);
    constexpr std::int64_t kDayMilliseconds = 86'400'000;
    constexpr std::int64_t kMonthDays = 30;
    return interval->time / 1000 +
           (interval->day + interval->month * kMonthDays) * kDayMilliseconds;
}

unsigned FunctionCall::argument_type(int argument) const {
    return guarded(
        [this, argument]() noexcept { return get_fn_expr_argtype(info_->flinfo, argument); });
}

void FunctionCall::return_null() noexcept { info_->isnull = true; }

void FunctionCall::return_bool(bool value) noexcept { result_ = BoolGetDatum(value); }

void FunctionCall::return_int64(std::int64_t value) { result_ = Int64GetDatum(value); }

void FunctionCall::return_text(const std::string& utf8) {
    result_ = escaped_text(utf8, Escape::kText);
}

void FunctionCall::return_json(const std::string& utf8) {
    result_ = escaped_text(utf8, Escape::kTextInJson);
}

std::uintptr_t run_entry(FunctionCallInfoBaseData* info, void (*body)(FunctionCall&)) {
    const Outcome outcome = run_body(info, body);
    if (outcome.error != nullptr || outcome.is_out_of_memory) raise(outcome);
    return outcome.value;
}

}  // namespace epe::pg
