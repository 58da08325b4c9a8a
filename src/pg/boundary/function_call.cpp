// One call of an SQL function of the extension: arguments as C++ values, result, errors.
#include "pg/boundary/function_call.h"

#include <cstring>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"
#include "pg/boundary/raising.h"

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

std::string utf8_of_datum(Datum value) {
    const TextView view = guarded([=]() noexcept {
        text* detoasted = DatumGetTextPP(value);
        return utf8_view(VARDATA_ANY(detoasted), VARSIZE_ANY_EXHDR(detoasted));
    });
    return view.copy();
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

}  // namespace

bool FunctionCall::is_null(int argument) const noexcept {
    return argument >= info_->nargs || info_->args[argument].isnull;
}

std::optional<std::string> FunctionCall::text(int argument) const {
    if (is_null(argument)) return std::nullopt;
    return utf8_of_datum(info_->args[argument].value);
}

std::string FunctionCall::required_text(int argument, const char* name) const {
    auto found = text(argument);
    if (!found) throw Error(sqlstate::kInvalidArgument, std::string(name) + " must not be null");
    return *std::move(found);
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
        return utf8_view(printed, std::strlen(printed));
    });
    return view.copy();
}

std::optional<std::string> FunctionCall::bytes(int argument) const {
    if (is_null(argument)) return std::nullopt;
    const Datum value = info_->args[argument].value;
    const TextView view = guarded([=]() noexcept {
        bytea* detoasted = DatumGetByteaPP(value);
        return TextView{VARDATA_ANY(detoasted), VARSIZE_ANY_EXHDR(detoasted)};
    });
    return view.copy();
}

std::optional<std::int64_t> FunctionCall::int64(int argument) const {
    if (is_null(argument)) return std::nullopt;
    return int64_of(info_->args[argument].value);
}

std::optional<std::uint32_t> FunctionCall::oid(int argument) const {
    if (is_null(argument)) return std::nullopt;
    return DatumGetObjectId(info_->args[argument].value);
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
    std::uintptr_t result = 0;
    raising([=, &result] {
        FunctionCall call(info);
        body(call);
        result = call.result();
    });
    return result;
}

}  // namespace epe::pg
