// Preloaded environments (v2). Every environment is warm after its first use and stays warm, so
// these routes need not load, expire or drop anything.
#include <httplib.h>

#include "answer.h"
#include "api_error.h"
#include "handlers.h"
#include "session.h"

namespace epe::gateway {
namespace {

/// Throws ApiError 400 for an environment that does not exist.
void require_environment(Exchange& exchange, const std::string& name) {
    const auto lease = exchange.session->lease(&exchange.watch);
    const QueryResult rows =
        lease->query("SELECT FROM " + lease->schema() + ".pyq_list_envs() AS e WHERE e.name = $1",
                     {name}, &exchange.watch);
    if (rows.rows() == 0) throw ApiError(400, "environment \"" + name + "\" does not exist");
}

void answer_kept(Exchange& exchange, const std::string& name) {
    Json body;
    body["envName"] = name;
    body["result"] = "the server keeps environments loaded without a time limit";
    answer_json(exchange, 200, body);
}

}  // namespace

void preload_environment(Exchange& exchange) {
    const Json body = parse_json(exchange.request.body, "the request body");
    const auto name = body.is_object() ? body.find("envName") : body.end();
    if (name == body.end() || !name->is_string())
        throw ApiError(400, "field \"envName\" is required and must be a string");
    const auto text = name->get<std::string>();
    if (text.find('\0') != std::string::npos)
        throw ApiError(400, "field \"envName\" must not contain a zero byte");
    require_environment(exchange, text);
    answer_kept(exchange, text);
}

void list_preloaded(Exchange& exchange) {
    const auto lease = exchange.session->lease(&exchange.watch);
    const QueryResult rows =
        lease->query("SELECT name FROM " + lease->schema() + ".pyq_list_envs() ORDER BY name", {},
                     &exchange.watch);
    Json body;
    body["environments"] = Json::array();
    for (int row = 0; row < rows.rows(); ++row) {
        Json each;
        each["envName"] = std::string(rows.value(row, 0));
        each["created"] = nullptr;
        each["expires"] = nullptr;
        each["duration"] = nullptr;
        body["environments"].push_back(std::move(each));
    }
    answer_json(exchange, 200, body);
}

void drop_preloaded(Exchange& exchange) {
    const std::string name = path_text(exchange, "envName");
    require_environment(exchange, name);
    answer_kept(exchange, name);
}

}  // namespace epe::gateway
