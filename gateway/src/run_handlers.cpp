// POST .../do-eval, table-apply, row-apply, group-apply and index-apply.
#include <httplib.h>

#include <map>

#include "answer.h"
#include "api_error.h"
#include "handlers.h"
#include "job_id.h"
#include "result_answer.h"
#include "run_call.h"
#include "script_name.h"
#include "session.h"

namespace epe::gateway {
namespace {

/// Responds 201 with the URL of the job.
void submit(Exchange& exchange, Lease& lease, const SqlCall& call, ApiVersion version) {
    const QueryResult rows =
        lease.last_query("SELECT value FROM " + call.function + " AS t(name text, value text)",
                         call.parameters, &exchange.watch);
    const std::string job = job_id_in_url(rows.value(0, 0));
    exchange.response.status = 201;
    exchange.response.set_header("Location", version_url(exchange, version) + "/jobs/" + job);
}

}  // namespace

void run_script(Exchange& exchange, RunKind kind, ApiVersion version) {
    const RunRequest request = parse_run_body(exchange.request.body, kind, version);
    const ScriptName script = script_in_path(exchange);
    ResultQuery query;
    query.kind = kind;
    query.wants_graphics = request.wants_graphics;
    query.output_format = request.output_format;
    const MediaType type = request.is_async ? MediaType::kJson : media_type_of(exchange, query);

    std::unique_ptr<Lease> lease = exchange.session->lease(&exchange.watch);
    const std::string par_lst = make_par_lst(request, *lease, exchange.watch);
    // The callback outlives this function's arguments, so it owns a copy of the name.
    query.call = [&request, &script, &par_lst, schema = lease->schema()](const Parameter& format) {
        return make_call(request, script, par_lst, schema, format);
    };
    if (request.is_async)
        submit(exchange, *lease, query.call("JSON"), version);
    else
        answer_with_result(exchange, std::move(lease), query, type);
}

}  // namespace epe::gateway
