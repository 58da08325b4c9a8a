// Runs a request from its script to its last result row.
#include "entry/run_request.h"

#include <string>
#include <utility>

#include "core/error.h"
#include "entry/running_call.h"
#include "pg/backend/host.h"
#include "pg/catalog/script_writer.h"
#include "pg/input/query_source.h"

namespace epe {

namespace {

[[noreturn]] void throw_untrusted(const Script& script) {
    ErrorReport report;
    report.sqlstate = sqlstate::kInsufficientPrivilege;
    report.message = "the results of script \"" + script.owner + "." + script.name +
                     "\" may not be unpickled in the server's process";
    report.detail = "The script or its arguments belong to a role that is not trusted.";
    report.hint = "Run the calling script in a process of its own: SET oml_epe.engine = 'process'.";
    throw Error(std::move(report));
}

std::unique_ptr<RunningCall> start(Request&& request, OutputShape&& shape, const RunRules& rules) {
    const UntrustedDepth submitter(UntrustedDepth::current() + (rules.is_by_untrusted ? 1 : 0));
    auto parts = std::make_unique<CallParts>(std::move(request), std::move(shape));
    const Script& script = *parts->script.emplace(parts->request);
    const bool is_trusted = is_all_trusted(parts->request, script);
    if (rules.only_trusted && !is_trusted) throw_untrusted(script);
    if (parts->request.input) parts->source = pg::open_query_source(parts->request);
    parts->cut = make_cut(parts->request, parts->source.get());
    parts->host = pg::make_host();
    parts->rules = {.is_trusted = is_trusted, .is_job = rules.is_job};
    parts->untrusted_depth = UntrustedDepth::current() + (is_trusted ? 0 : 1);
    parts->shows_progress = rules.shows_progress;
    parts->is_remembered = true;
    parts->takes_all = rules.takes_all;
    return start_call(std::move(parts));
}

}  // namespace

std::unique_ptr<RunningCall> start_request(Request request, OutputShape shape,
                                           const RunRules& rules) {
    return start(std::move(request), std::move(shape), rules);
}

void deliver(RunningCall& call, ResultSink& sink) {
    for (CallResult result; call.next(result); result = CallResult()) {
        try {
            sink.add(std::move(result));
        } catch (Error& error) {
            call.add_place(error.report());
            throw;
        }
    }
}

bool run_request(Request&& request, const OutputShape& shape, ResultSink& sink,
                 const RunRules& rules) {
    RunRules rules_of_all = rules;
    rules_of_all.takes_all = true;
    const auto call = start(std::move(request), OutputShape(shape), rules_of_all);
    deliver(*call, sink);
    return call->is_trusted();
}

bool is_all_trusted(const Request& request, const Script& script) {
    if (!script.is_trusted) return false;
    return request.pickled.empty() || (!is_in_untrusted_run() && pg::is_trusted_user());
}

bool is_in_untrusted_run() noexcept { return UntrustedDepth::current() > 0; }

void check_request(const Request& request) {
    const FoundScript found(request);
    if (request.input) pg::open_query_source(request)->close();
    (void)engine_options(request.environment);
    warn_of_unknown(request.controls);
}

}  // namespace epe
