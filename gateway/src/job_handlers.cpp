// The life of a job (compatibility.md, REST-29 to REST-34).
#include <httplib.h>

#include "answer.h"
#include "api_error.h"
#include "handlers.h"
#include "job_id.h"
#include "job_row.h"
#include "result_answer.h"
#include "session.h"
#include "status_of.h"

namespace epe::gateway {
namespace {

const char* const kStillRunning = "job is still running";

std::string listed_state(const std::string& state) {
    if (state == "running") return "RUNNING";
    if (state == "queued") return "QUEUED";
    if (state == "finished") return "FINISH";
    if (state == "failed") return "FAILED";
    return state == "cancelled" ? "CANCELLED" : "TIMEOUT";
}

/// The comments given with the call, followed by the script's output.
std::optional<std::string> comments_of(const JobRow& job) {
    std::string comments;
    const auto given = job.parameters.find("oml_comments");
    if (given != job.parameters.end() && given->is_string()) comments = given->get<std::string>();
    if (job.comment && !job.comment->empty())
        comments += (comments.empty() ? "" : "\n") + *job.comment;
    if (comments.empty()) return std::nullopt;
    return comments;
}

}  // namespace

void show_job_of(Exchange& exchange, ApiVersion version) {
    const std::string id = job_in_path(exchange);
    const auto lease = exchange.session->lease(&exchange.watch);
    const JobRow job = find_job(*lease, id, &exchange.watch);
    if (job.is_pending()) {
        Json body;
        body["createdDate"] = job.created;
        body["status"] = kStillRunning;
        body["elapsedTime"] = job.elapsed;
        add_progress(job, body);
        answer_json(exchange, 202, body);
        return;
    }
    // Not Location: clients would follow it and miss that the job has ended.
    exchange.response.status = 302;
    exchange.response.set_header("Content-Location",
                                 version_url(exchange, version) + "/jobs/" + id + "/result");
}

void show_job_result(Exchange& exchange) {
    const std::string id = job_in_path(exchange);
    auto lease = exchange.session->lease(&exchange.watch);
    const JobRow job = find_job(*lease, id, &exchange.watch);
    if (job.is_pending()) throw ApiError(404, kStillRunning);

    ResultQuery query;
    query.kind = job.kind;
    query.output_format = query_text(exchange, "outputFormat");
    query.wants_graphics = asks_for_figures(job.parameters);
    query.comments = comments_of(job);
    query.call = [&id, draws = query.wants_graphics,
                  schema = lease->schema()](const Parameter& format) {
        // A job submitted in SQL may have requested figures, but not the values of calls that drew
        // none.
        if (draws) return SqlCall{"pyqsys.job_figures($1::text)", {id}};
        return SqlCall{schema + ".pyq_job_result($1::text, $2::text)", {id, format}};
    };
    const MediaType type = media_type_of(exchange, query);
    try {
        answer_with_result(exchange, std::move(lease), query, type);
    } catch (const DatabaseError& error) {
        if (job.state == "finished") throw;
        // Whatever the outcome of the job, this request itself has not failed with a server error.
        const ApiError of_job = to_api_error(error);
        throw ApiError(400, of_job.what(), of_job.detail(), of_job.code(), of_job.sqlstate());
    }
}

void delete_job(Exchange& exchange) {
    const std::string id = job_in_path(exchange);
    const auto lease = exchange.session->lease(&exchange.watch);
    (void)find_job(*lease, id, &exchange.watch);
    lease->query("SELECT FROM " + lease->schema() + ".pyq_delete_job($1::text)", {id},
                 &exchange.watch);
    Json body;
    body["result"] = "job deleted successfully";
    answer_json(exchange, 200, body);
}

void list_jobs(Exchange& exchange) {
    const auto lease = exchange.session->lease(&exchange.watch);
    Json result = Json::array();
    for (const JobRow& job : own_jobs(*lease, &exchange.watch)) {
        Json each;
        each["createdDate"] = job.created;
        each["job_id"] = job.id;
        each["status"] = listed_state(job.state);
        each["elapsedTime"] = job.elapsed;
        result.push_back(std::move(each));
    }
    Json body;
    body["result"] = std::move(result);
    answer_json(exchange, 200, body);
}

}  // namespace epe::gateway
