// Returns the stored result of a job in the requested format.
//
// Results of calls are stored as pickles. A built-in function is called once for each with its
// pieces and returns the object, so that every format is rendered as in a synchronous call. The
// calls are calls over rows, of job_data, for any kind of job.
//
// A pickle is code, and the author of a table's row cannot be verified. So it is loaded in an
// engine process, for every owner, one that serves only stored results of that owner, without SQL:
// it cannot reach the server's process or use the rights of the calling role.
#include "entry/job_result_replay.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "entry/running_call.h"
#include "pg/backend/host.h"
#include "pg/backend/session.h"
#include "pg/catalog/script_writer.h"
#include "pg/input/query_source.h"

namespace epe {

namespace {

constexpr const char* kReplayScript = "from _oml_epe_runtime.pickles import restore\n"
                                      "def replay(pieces, figures):\n"
                                      "    return restore(pieces['data'], figures)\n";
constexpr std::uint64_t kReplayVersion = 1;

/// One call per stored result; small ones share a batch.
class StoredCut final : public Cut {
   public:
    StoredCut(InputSource& source, std::vector<jobs::StoredCall> calls)
        : source_(source), calls_(std::move(calls)) {}

    bool next(Work& work) override {
        if (next_ == calls_.size()) return false;
        work = Work{};
        work.function = EvalFunction::kGroup;
        std::int64_t rows = 0;
        std::int64_t bytes = 0;
        while (next_ < calls_.size() && bytes < static_cast<std::int64_t>(kStreamBytes)) {
            const jobs::StoredCall& stored = calls_[next_++];
            Call call;
            call.number = stored.number;
            call.name = stored.name;
            call.first_row = rows;
            call.row_count = stored.pieces;
            rows += stored.pieces;
            bytes += stored.bytes;
            work.calls.push_back(std::move(call));
        }
        BatchBuilder builder(source_.schema(), BuildOptions{});
        std::int64_t read = 0;
        while (read < rows) {
            const std::int64_t more = source_.read(builder, rows - read);
            if (more == 0) throw Error(sqlstate::kInternal, "stored result is incomplete");
            read += more;
        }
        work.batch = builder.finish();
        return true;
    }

   private:
    InputSource& source_;
    std::vector<jobs::StoredCall> calls_;
    std::size_t next_ = 0;
};

/// PostgreSQL's services for a stored result while it is loaded.
class LoadingHost final : public Host {
   public:
    explicit LoadingHost(std::unique_ptr<Host> host) : host_(std::move(host)) {}
    void notice(std::string_view text) override { host_->notice(text); }
    void warning(std::string_view text) override { host_->warning(text); }
    HostResult execute(const std::string&, const std::vector<HostParameter>&) override {
        throw Error(sqlstate::kInsufficientPrivilege,
                    "a stored result may not run SQL while it is loaded",
                    "Return values that contain all the data they need.");
    }
    void check_interrupts() override { host_->check_interrupts(); }
    void watch(const Requester& requester) override { host_->watch(requester); }
    void unwatch() noexcept override { host_->unwatch(); }

   private:
    std::unique_ptr<Host> host_;
};

bool shows_figures(OutputFormat::Form form, const Controls& controls) {
    return form == OutputFormat::Form::kPng ||
           (form == OutputFormat::Form::kXml && controls.capture_graphics);
}

/// The groups of its rows are the stored calls; see StoredCut.
Request replay_request(const jobs::JobRecord& job, const Request& original) {
    Request request;
    request.function = EvalFunction::kGroup;
    request.input.emplace().query =
        std::string(
            "SELECT d.data FROM pyqsys.job_data AS d WHERE d.job OPERATOR(pg_catalog.=) '") +
        job.id.text + "'::pg_catalog.uuid ORDER BY d.call, d.piece";
    request.controls = original.controls;
    request.controls.input_type = InputType::kDict;
    request.controls.is_iterator = request.controls.is_parallel = false;
    request.controls.is_async = request.controls.omit_incomplete = false;
    request.controls.engines = 0;
    request.controls.unknown.clear();  // the submission has warned
    request.environment = original.environment;
    return request;
}

}  // namespace

std::unique_ptr<RunningCall> start_replay(const jobs::JobRecord& job, OutputShape shape,
                                          bool always_gives_row, bool takes_all) {
    const Request original = make_request(job.request.function, job.request.arguments);
    auto parts = std::make_unique<CallParts>(replay_request(job, original), std::move(shape));
    Request& request = parts->request;
    if (always_gives_row) request.controls.always_gives_row = true;
    request.arguments_json = shows_figures(parts->shape.form, request.controls)
                                 ? R"({"figures":true})"
                                 : R"({"figures":false})";
    const bool is_trusted = job.is_trusted && pg::is_trusted_owner(job.owner);
    Script script;
    script.owner = original.script_owner.value_or(pg::role_name(job.owner));
    script.name = original.script_name + " (stored result)";
    script.source = kReplayScript;
    script.is_trusted = is_trusted;
    script.version = kReplayVersion;
    script.owner_role = job.owner;
    script.engine_group = "stored results of " + script.owner;

    parts->script.emplace(std::move(script));
    parts->source = pg::open_query_source(request);
    parts->cut = std::make_unique<StoredCut>(*parts->source, jobs::stored_calls(job.id));
    parts->host = std::make_unique<LoadingHost>(pg::make_host());
    parts->rules = {.is_trusted = is_trusted, .is_job = false, .is_apart = true};
    parts->joined_as = original.function;
    parts->takes_all = takes_all;
    parts->untrusted_depth = UntrustedDepth::current();
    return start_call(std::move(parts));
}

}  // namespace epe
