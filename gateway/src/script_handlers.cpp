// Scripts: the list, and single scripts.
#include <httplib.h>

#include "answer.h"
#include "api_error.h"
#include "handlers.h"
#include "script_name.h"
#include "session.h"

namespace epe::gateway {
namespace {

constexpr const char* kColumns =
    "SELECT owner_name, name, script, description, "
    "pg_catalog.to_char(updated AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') "
    "FROM pyqsys.readable_scripts ";

Json script_object(const QueryResult& rows, int row) {
    const auto text = [&](int column) {
        return rows.is_null(row, column) ? Json() : Json(std::string(rows.value(row, column)));
    };
    Json script;
    script["name"] = text(1);
    // The script of a dropped role has no owner.
    script["owner"] =
        rows.is_null(row, 0) ? Json() : Json(owner_in_api(std::string(rows.value(row, 0))));
    script["script"] = text(2);
    script["description"] = text(3);
    script["date"] = text(4);
    return script;
}

bool is_true(const std::optional<std::string>& text) { return text == "true" || text == "1"; }

/// The contents of a PUT request.
struct NewScript {
    std::string source{};
    bool is_global = false;
    bool may_replace = true;
    Parameter description{};
};

bool bool_member(const Json& body, const char* name, bool otherwise) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) return otherwise;
    if (!found->is_boolean())
        throw ApiError(400, "field \"" + std::string(name) + "\" must be true or false");
    return found->get<bool>();
}

Parameter text_member(const Json& body, const char* name) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) return std::nullopt;
    if (!found->is_string() || found->get_ref<const std::string&>().find('\0') != std::string::npos)
        throw ApiError(400,
                       "field \"" + std::string(name) + "\" must be a string without zero bytes");
    return found->get<std::string>();
}

NewScript read_json_script(const std::string& text) {
    const Json body = parse_json(text, "the request body");
    if (!body.is_object()) throw ApiError(400, "the request body must be a JSON object");
    NewScript script;
    const Parameter source = text_member(body, "script");
    if (!source) throw ApiError(400, "field \"script\" is required");
    script.source = *source;
    script.is_global = bool_member(body, "global", false);
    script.may_replace = bool_member(body, "overwrite", true);
    script.description = text_member(body, "description");
    return script;
}

/// A JSON body, or the source itself as text/...
NewScript read_new_script(const Exchange& exchange) {
    const std::string& body = exchange.request.body;
    if (!exchange.request.get_header_value("Content-Type").starts_with("text/"))
        return read_json_script(body);
    NewScript script;
    script.source = body;
    if (body.find('\0') != std::string::npos)
        throw ApiError(400, "the script must not contain a zero byte");
    script.is_global = is_true(query_text(exchange, "global"));
    if (const auto overwrite = query_text(exchange, "overwrite"))
        script.may_replace = is_true(overwrite);
    script.description = query_text(exchange, "description");
    return script;
}

/// Only the user's own and global scripts can be changed; the owner in the query string selects
/// one.
bool is_global_target(const Exchange& exchange, const ScriptName& script, bool is_global) {
    if (!script.owner || *script.owner == exchange.session->user()) return is_global;
    if (owner_in_api(*script.owner) == "PYQSYS") return true;
    throw ApiError(400, "only your own and global scripts can be changed");
}

const char* sql_bool(bool value) { return value ? "true" : "false"; }

[[noreturn]] void throw_unknown(const ScriptName& script) {
    throw ApiError(404, "script \"" + script.name + "\" does not exist");
}

}  // namespace

void list_scripts(Exchange& exchange) {
    const auto lease = exchange.session->lease(&exchange.watch);
    const QueryResult rows =
        lease->query(std::string(kColumns) + "ORDER BY owner_name, name", {}, &exchange.watch);
    Json body;
    body["result"] = Json::array();
    for (int row = 0; row < rows.rows(); ++row) body["result"].push_back(script_object(rows, row));
    answer_json(exchange, 200, body);
}

void show_script(Exchange& exchange) {
    const ScriptName script = script_in_path(exchange);
    const auto lease = exchange.session->lease(&exchange.watch);
    const QueryResult rows =
        lease->query(std::string(kColumns) +
                         "WHERE name = $1 AND CASE WHEN $2::text IS NULL THEN is_own OR is_global "
                         "ELSE owner_name = $2 END ORDER BY is_own DESC LIMIT 1",
                     {script.name, script.owner}, &exchange.watch);
    if (rows.rows() == 0) throw_unknown(script);
    answer_json(exchange, 200, script_object(rows, 0));
}

void store_script(Exchange& exchange) {
    const ScriptName name = script_in_path(exchange);
    const NewScript script = read_new_script(exchange);
    const bool is_global = is_global_target(exchange, name, script.is_global);
    const auto lease = exchange.session->lease(&exchange.watch);
    // Part of the same statement, so its snapshot predates the creation.
    const QueryResult rows = lease->query(
        "SELECT EXISTS (SELECT FROM pyqsys.readable_scripts AS s WHERE s.name = $1 AND "
        "CASE WHEN $3::boolean THEN s.is_global ELSE s.is_own END), " +
            lease->schema() + ".pyq_script_create($1::text, $2, $3::boolean, $4, $5)",
        {name.name, script.source, sql_bool(is_global), sql_bool(script.may_replace),
         script.description},
        &exchange.watch);
    const bool was_there = rows.value(0, 0) == "t";
    Json body;
    body["result"] = was_there ? "script replaced successfully" : "script created successfully";
    answer_json(exchange, was_there ? 200 : 201, body);
}

void drop_script(Exchange& exchange) {
    const ScriptName script = script_in_path(exchange);
    const bool is_global =
        is_global_target(exchange, script, is_true(query_text(exchange, "global")));
    const auto lease = exchange.session->lease(&exchange.watch);
    try {
        lease->query("SELECT " + lease->schema() + ".pyq_script_drop($1::text, $2::boolean)",
                     {script.name, sql_bool(is_global)}, &exchange.watch);
    } catch (const DatabaseError& error) {
        if (error.sqlstate == "42704") throw_unknown(script);
        throw;
    }
    Json body;
    body["result"] = "script deleted successfully";
    answer_json(exchange, 200, body);
}

}  // namespace epe::gateway
