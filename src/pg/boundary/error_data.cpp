// Copies between PostgreSQL's ErrorData and our ErrorReport.
#include "pg/boundary/error_data_internal.h"

#include <cstring>
#include <memory>
#include <set>
#include <string>

extern "C" {
#include "utils/memutils.h"
}

namespace epe::pg {

namespace {

std::string text_or_empty(const char* text) { return text == nullptr ? std::string() : text; }

/// Null for an empty text. MCXT_ALLOC_NO_OOM: never raises.
char* copy_text(const std::string& text) noexcept {
    if (text.empty() || text.size() >= MaxAllocSize) return nullptr;
    auto* copy = static_cast<char*>(
        MemoryContextAllocExtended(CurrentMemoryContext, text.size() + 1, MCXT_ALLOC_NO_OOM));
    if (copy != nullptr) std::memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
}

/// PostgreSQL treats names of source files and functions as literals: it copies only the pointer,
/// which may outlive every memory context that is current here. Null for an empty name.
const char* literal_of(const std::string& name) noexcept {
    if (name.empty()) return nullptr;
    try {
        // Never destroyed; the number of places in a server that raise errors is limited.
        static std::set<std::string>* names = std::make_unique<std::set<std::string>>().release();
        return names->insert(name).first->c_str();
    } catch (...) {
        return nullptr;  // out of memory: only information for developers is lost
    }
}

}  // namespace

ErrorReport to_report(const ErrorData& data) {
    ErrorReport report;
    report.sqlstate = unpack_sql_state(data.sqlerrcode);
    report.message = text_or_empty(data.message);
    report.detail = text_or_empty(data.detail);
    report.hint = text_or_empty(data.hint);
    report.context = text_or_empty(data.context);
    report.detail_log = text_or_empty(data.detail_log);
    report.schema_name = text_or_empty(data.schema_name);
    report.table_name = text_or_empty(data.table_name);
    report.column_name = text_or_empty(data.column_name);
    report.datatype_name = text_or_empty(data.datatype_name);
    report.constraint_name = text_or_empty(data.constraint_name);
    report.internal_query = text_or_empty(data.internalquery);
    report.cursor_position = data.cursorpos;
    report.internal_position = data.internalpos;
    report.file = text_or_empty(data.filename);
    report.function = text_or_empty(data.funcname);
    report.line = data.lineno;
    return report;
}

ErrorData* to_error_data(const ErrorReport& report) noexcept {
    auto* data = static_cast<ErrorData*>(MemoryContextAllocExtended(
        CurrentMemoryContext, sizeof(ErrorData), MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO));
    if (data == nullptr) return nullptr;
    const char* state = report.sqlstate.c_str();
    data->elevel = ERROR;
    data->output_to_server = data->output_to_client = true;
    data->sqlerrcode = report.sqlstate.size() == 5
                           ? MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])
                           : ERRCODE_INTERNAL_ERROR;
    data->message = copy_text(report.message);
    data->detail = copy_text(report.detail);
    data->hint = copy_text(report.hint);
    data->context = copy_text(report.context);
    data->detail_log = copy_text(report.detail_log);
    data->schema_name = copy_text(report.schema_name);
    data->table_name = copy_text(report.table_name);
    data->column_name = copy_text(report.column_name);
    data->datatype_name = copy_text(report.datatype_name);
    data->constraint_name = copy_text(report.constraint_name);
    data->internalquery = copy_text(report.internal_query);
    data->cursorpos = report.cursor_position;
    data->internalpos = report.internal_position;
    data->filename = literal_of(report.file);
    data->funcname = literal_of(report.function);
    data->lineno = report.line;
    data->assoc_context = CurrentMemoryContext;
    return data;
}

}  // namespace epe::pg
