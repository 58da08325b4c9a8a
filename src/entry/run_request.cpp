// Runs a request from its script to its last result row.
#include "entry/run_request.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "engine/common/environments.h"
#include "entry/last_call.h"
#include "pg/backend/host.h"
#include "pg/backend/settings.h"
#include "pg/backend/waiter.h"
#include "pg/boundary/log.h"
#include "pg/catalog/script_store.h"
#include "pg/catalog/script_writer.h"
#include "pg/input/query_source.h"
#include "pg/output/result_target.h"
#include "pg/output/tuplestore_sink.h"

namespace epe {

namespace {

/// Number of untrusted requests among those that are running, each of which was called by the SQL
/// of the one before.
int untrusted_depth = 0;

/// While it lives, requests of an untrusted script in the name of the caller do not count as the
/// caller's own.
class UntrustedRun {
   public:
    explicit UntrustedRun(bool is_untrusted) noexcept : count_(is_untrusted ? 1 : 0) {
        untrusted_depth += count_;
    }
    ~UntrustedRun() { untrusted_depth -= count_; }
    UntrustedRun(const UntrustedRun&) = delete;
    UntrustedRun& operator=(const UntrustedRun&) = delete;

   private:
    int count_;
};

/// A script of the repository, or one of the request's own.
class FoundScript {
   public:
    explicit FoundScript(const Request& request) {
        if (request.source) {
            own_ = pg::make_inline_script(request.script_name, *request.source);
            own_.is_trusted = own_.is_trusted && untrusted_depth == 0;
        } else {
            stored_.emplace(pg::find_script(request.script_name, request.script_owner));
        }
    }
    const Script& operator*() const noexcept { return stored_ ? **stored_ : own_; }

   private:
    std::optional<pg::PinnedScript> stored_{};
    Script own_{};
};

bool is_all_trusted(const Request& request, const Script& script) {
    if (!script.is_trusted) return false;
    return request.pickled.empty() || (untrusted_depth == 0 && pg::is_trusted_user());
}

[[noreturn]] void throw_untrusted(const Script& script) {
    ErrorReport report;
    report.sqlstate = sqlstate::kInsufficientPrivilege;
    report.message = "the results of script \"" + script.owner + "." + script.name +
                     "\" may not be unpickled in the server's process";
    report.detail = "The script or its arguments belong to a role that is not trusted.";
    report.hint = "Run the calling script in a process of its own: SET oml_epe.engine = 'process'.";
    throw Error(std::move(report));
}

/// Hints at the environment in which a module is missing, and at those that have it. This discloses
/// nothing: every role may run scripts in all of them.
void explain_missing_module(ErrorReport& report, const std::string& environment) {
    if (report.missing_module.empty()) return;
    const std::string name = environment.empty() ? engine::kDefaultEnvironment : environment;
    report.detail += (report.detail.empty() ? "" : " ") +
                     std::string("The script ran in environment \"") + name +
                     "\", which has no module \"" + report.missing_module + "\".";
    std::string others;
    for (const std::string& each : engine::environments_with(
             report.missing_module, pg::engine_settings().environments_folder, server_python()))
        if (each != name) others += (others.empty() ? "\"" : ", \"") + each + "\"";
    report.hint =
        others.empty()
            ? "Install it there: no other environment has it."
            : "Install it there, or set env_name to an environment that has it: " + others + ".";
    // The packages that the documentation names: what a new installation may lack.
    const bool is_packaged = report.missing_module == "numpy" || report.missing_module == "pandas";
    if (environment.empty() && is_packaged)
        report.hint += " On Debian it is the package python3-" + report.missing_module + ".";
    report.missing_module.clear();
}

/// Reports progress to the client periodically.
class ProgressSink final : public ResultSink {
   public:
    explicit ProgressSink(ResultSink& sink) : sink_(sink) {}
    void add(CallResult result) override {
        const std::int64_t call = result.call_number;
        sink_.add(std::move(result));
        const std::int64_t now = now_nanoseconds();
        if (now < next_) return;
        next_ = now + kPeriodNanoseconds;
        pg::report_progress(std::to_string(call));
    }

   private:
    static constexpr std::int64_t kPeriodNanoseconds = 200'000'000;
    ResultSink& sink_;
    std::int64_t next_ = now_nanoseconds() + kPeriodNanoseconds;
};

void warn_of_unknown(const Controls& controls) {
    for (const std::string& text : unknown_control_warnings(controls)) pg::warning(text);
}

}  // namespace

CallStats run_calls(const PreparedCalls& calls, ResultSink& sink) {
    const std::unique_ptr<Waiter> waiter = pg::make_waiter();
    const auto engine = choose_engine(calls.request, calls.rules, calls.host, *waiter);
    CallPlan plan = make_call_plan(calls.request, calls.script, calls.shape,
                                   calls.source == nullptr ? nullptr : &calls.source->schema(),
                                   calls.rules.is_trusted);
    plan.joined_as = calls.joined_as;
    warn_of_unknown(calls.request.controls);
    const CallStats stats = run_pipeline(calls.cut, *engine, plan, sink);
    if (calls.source != nullptr) calls.source->close();
    return stats;
}

bool run_request(const Request& request, const OutputShape& shape, ResultSink& sink,
                 const RunRules& rules) {
    const UntrustedRun submitter(rules.is_by_untrusted);
    const FoundScript script(request);
    const bool is_trusted = is_all_trusted(request, *script);
    if (rules.only_trusted && !is_trusted) throw_untrusted(*script);
    std::unique_ptr<InputSource> source;
    if (request.input) source = pg::open_query_source(request);
    const std::unique_ptr<Cut> cut = make_cut(request, source.get());
    const std::unique_ptr<Host> host = pg::make_host();
    const PreparedCalls calls{request,
                              *script,
                              shape,
                              source.get(),
                              *cut,
                              *host,
                              {.is_trusted = is_trusted, .is_job = rules.is_job}};
    ProgressSink progress(sink);
    const UntrustedRun run(!is_trusted);
    try {
        remember_call(run_calls(calls, rules.shows_progress ? progress : sink));
    } catch (Error& error) {
        explain_missing_module(error.report(), request.environment);
        throw;
    }
    return is_trusted;
}

void run_call(const Request& request, const pg::ResultTarget& target, const RunRules& rules) {
    pg::TuplestoreSink rows(target);
    (void)run_request(request, target.shape(), rows, rules);
    rows.close();
}

bool is_in_untrusted_run() noexcept { return untrusted_depth > 0; }

void check_request(const Request& request) {
    const FoundScript found(request);
    if (request.input) pg::open_query_source(request)->close();
    (void)engine_options(request.environment);
    warn_of_unknown(request.controls);
}

}  // namespace epe
