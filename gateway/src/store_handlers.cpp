// Environments and datastores.
#include "answer.h"
#include "api_error.h"
#include "handlers.h"
#include "session.h"

namespace epe::gateway {
namespace {

Json text_of(const QueryResult& rows, int row, int column) {
    return rows.is_null(row, column) ? Json() : Json(std::string(rows.value(row, column)));
}

Json number_of(const QueryResult& rows, int row, int column) {
    return rows.is_null(row, column) ? Json()
                                     : Json(std::stoll(std::string(rows.value(row, column))));
}

void answer_list(Exchange& exchange, Json list) {
    Json body;
    body["result"] = std::move(list);
    answer_json(exchange, 200, body);
}

}  // namespace

void list_environments(Exchange& exchange) {
    const auto lease = exchange.session->lease(&exchange.watch);
    const QueryResult rows = lease->query(
        "SELECT name, size, description, number_of_installed_packages, python_version FROM " +
            lease->schema() + ".pyq_list_envs() ORDER BY name",
        {}, &exchange.watch);
    Json environments = Json::array();
    for (int row = 0; row < rows.rows(); ++row) {
        Json each;
        each["name"] = text_of(rows, row, 0);
        each["size"] = text_of(rows, row, 1);
        each["description"] = text_of(rows, row, 2);
        each["number_of_installed_packages"] = number_of(rows, row, 3);
        each["tags"]["python"] = text_of(rows, row, 4);
        each["tags"]["application"] = "OML4PY";
        environments.push_back(std::move(each));
    }
    Json result;
    result["envs"] = std::move(environments);
    answer_list(exchange, std::move(result));
}

void list_datastores(Exchange& exchange) {
    const auto lease = exchange.session->lease(&exchange.watch);
    const QueryResult rows = lease->query(
        "SELECT dsname, dsowner, nobj, dssize, "
        "pg_catalog.to_char(cdate AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), description, "
        "grantable FROM " +
            lease->schema() + ".all_pyq_datastores ORDER BY dsowner, dsname",
        {}, &exchange.watch);
    Json datastores = Json::array();
    for (int row = 0; row < rows.rows(); ++row) {
        Json each;
        each["name"] = text_of(rows, row, 0);
        each["owner"] = text_of(rows, row, 1);
        each["objects"] = number_of(rows, row, 2);
        each["size"] = number_of(rows, row, 3);
        each["date"] = text_of(rows, row, 4);
        each["description"] = text_of(rows, row, 5);
        each["grantable"] = rows.value(row, 6) == "T";
        datastores.push_back(std::move(each));
    }
    answer_list(exchange, std::move(datastores));
}

void show_datastore(Exchange& exchange) {
    const std::string name = path_text(exchange, "datastoreName");
    const Parameter owner = query_text(exchange, "owner");
    const auto lease = exchange.session->lease(&exchange.watch);
    const QueryResult stores = lease->query(
        "SELECT dsowner FROM " + lease->schema() +
            ".all_pyq_datastores WHERE dsname = $1 AND dsowner = coalesce($2, current_user::text)",
        {name, owner}, &exchange.watch);
    if (stores.rows() == 0) throw ApiError(404, "datastore \"" + name + "\" does not exist");
    const QueryResult rows = lease->query(
        "SELECT objname, class, objsize, length, nrow, ncol FROM " + lease->schema() +
            ".all_pyq_datastore_contents WHERE dsname = $1 AND dsowner = $2 ORDER BY objname",
        {name, std::string(stores.value(0, 0))}, &exchange.watch);
    Json objects = Json::array();
    for (int row = 0; row < rows.rows(); ++row) {
        Json each;
        each["name"] = text_of(rows, row, 0);
        each["class"] = text_of(rows, row, 1);
        each["size"] = number_of(rows, row, 2);
        each["length"] = number_of(rows, row, 3);
        each["rows"] = number_of(rows, row, 4);
        each["columns"] = number_of(rows, row, 5);
        objects.push_back(std::move(each));
    }
    answer_list(exchange, std::move(objects));
}

}  // namespace epe::gateway
