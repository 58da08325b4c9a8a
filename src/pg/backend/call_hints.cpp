// Hints for PostgreSQL's own errors about calls that are written as in Oracle.
//
// The parser raises them before any code of the extension runs. The hook for log messages is the
// only place where they can be changed. It sees every error, so it looks at the SQLSTATE first, and
// at the text at the error's position next; both are the same in all languages.
#include "pg/backend/call_hints.h"

#include <cstddef>
#include <cstring>

extern "C" {
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "tcop/tcopprot.h"
#include "utils/elog.h"
}

namespace epe::pg {

namespace {

emit_log_hook_type previous_hook = nullptr;

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_name(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

const char* skip_spaces(const char* at) noexcept {
    while (is_space(*at)) ++at;
    return at;
}

/// Behind a word, ignoring case; null when the text does not begin with it.
const char* skip_prefix(const char* at, const char* word) noexcept {
    for (; *word != '\0'; ++word, ++at)
        if (static_cast<char>(pg_ascii_tolower(static_cast<unsigned char>(*at))) != *word)
            return nullptr;
    return at;
}

/// The text where the error is; null when it has no position.
const char* text_at_error(const ErrorData* error) noexcept {
    const bool is_internal = error->internalquery != nullptr && error->internalpos > 0;
    const char* at = is_internal ? error->internalquery : debug_query_string;
    const int position = is_internal ? error->internalpos : error->cursorpos;  // in characters
    if (at == nullptr || position <= 0) return nullptr;
    for (int i = 1; i < position; ++i) {
        const int length = pg_mblen(at);
        for (int j = 0; j < length; ++j, ++at)
            if (*at == '\0') return nullptr;
    }
    return at;
}

/// Behind the beginning of the name of one of our functions, without its schema.
const char* skip_our_name(const char* at) noexcept {
    const char* end = at;
    while (is_name(*end)) ++end;
    if (*skip_spaces(end) == '.') at = skip_spaces(skip_spaces(end) + 1);
    return skip_prefix(at, "pyq");
}

/// Oracle's name, such as pyqTableEval, without a schema.
bool is_oracle_name(const char* at) noexcept {
    at = skip_prefix(at, "pyq");
    if (at == nullptr || *at == '_' || !is_name(*at)) return false;
    while (is_name(*at)) ++at;
    return *skip_spaces(at) == '(';
}

/// The name after "pyqsys." in a denied statement, if the denied table has that name; else null.
/// The message names the table, but not its schema.
const char* denied_table(const ErrorData* error) noexcept {
    constexpr const char* kTables[] = {
        "jobs",       "job_changes",       "job_results",      "scripts",         "script_grants",
        "datastores", "datastore_objects", "datastore_pieces", "datastore_grants"};
    if (error->message_id == nullptr ||
        std::strncmp(error->message_id, "permission denied for table", 27) != 0 ||
        error->message == nullptr || debug_query_string == nullptr)
        return nullptr;
    for (const char* const table : kTables) {
        const std::size_t length = std::strlen(table);
        const std::size_t message_length = std::strlen(error->message);
        if (message_length < length ||
            std::strcmp(error->message + message_length - length, table) != 0 ||
            is_name(error->message[message_length - length - 1]))
            continue;
        for (const char* at = debug_query_string; *at != '\0'; ++at) {
            const char* after = skip_prefix(at, "pyqsys.");
            if (after != nullptr) after = skip_prefix(after, table);
            if (after != nullptr && !is_name(*after)) return table;
        }
    }
    return nullptr;
}

const char* hint_for(const ErrorData* error) noexcept {
    if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE && error->hint == nullptr) {
        const char* table = denied_table(error);
        return table == nullptr ? nullptr : hint_for_table(table);
    }
    const bool is_syntax = error->sqlerrcode == ERRCODE_SYNTAX_ERROR;
    if (!is_syntax && error->sqlerrcode != ERRCODE_UNDEFINED_FUNCTION) return nullptr;
    if (is_syntax && error->hint != nullptr) return nullptr;
    const char* at = text_at_error(error);
    if (at == nullptr) return nullptr;
    if (!is_syntax)
        return is_oracle_name(at) ? "Functions with Oracle's names are in schema pyqsys: write "
                                    "pyqsys.pyqTableEval(...), or add pyqsys to search_path."
                                  : nullptr;
    if (const char* after = skip_prefix(at, "table")) {
        after = skip_spaces(after);
        if (*after != '(' || skip_our_name(skip_spaces(after + 1)) == nullptr) return nullptr;
        return "Write the call without TABLE(), followed by its result columns: SELECT * FROM "
               "pyqsys.pyqTableEval(...) AS t(name text, value int).";
    }
    const char* after = skip_our_name(at);
    if (after == nullptr) return nullptr;
    if (skip_prefix(*after == '_' ? after + 1 : after, "job") != nullptr)
        return "Name the result columns and their types after the call: SELECT * FROM "
               "pyq_job_result(...) AS t(name text, value text).";
    return "Name the result columns and their types after the call: SELECT * FROM "
           "pyq_table_eval(...) AS t(name text, value int). For 'JSON', 'XML' and the submission "
           "of a job they are AS t(name text, value text).";
}

void add_hint(ErrorData* error) noexcept {
    if (error->elevel == ERROR) {
        const char* hint = hint_for(error);
        if (hint != nullptr) error->hint = MemoryContextStrdup(error->assoc_context, hint);
    }
    if (previous_hook != nullptr) previous_hook(error);
}

}  // namespace

const char* hint_for_table(const char* table) noexcept {
    if (std::strncmp(table, "job", 3) == 0)
        return "Use view pyq_jobs and functions pyq_job_result, pyq_cancel_job and pyq_delete_job.";
    if (std::strncmp(table, "script", 6) == 0)
        return "Use views user_pyq_scripts and all_pyq_scripts and functions pyq_script_create, "
               "pyq_script_drop, pyq_grant and pyq_revoke.";
    return "Use views user_pyq_datastores and all_pyq_datastores and module oml.ds of package oml.";
}

void install_call_hints() noexcept {
    previous_hook = emit_log_hook;
    emit_log_hook = add_hint;
}

}  // namespace epe::pg
