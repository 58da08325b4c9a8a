// The steps of a running call, and what holds during each of them.
#include "entry/running_call.h"

#include <string>
#include <utility>

#include "core/error.h"
#include "engine/common/environments.h"
#include "entry/last_call.h"
#include "pg/backend/session.h"
#include "pg/backend/settings.h"
#include "pg/backend/waiter.h"
#include "pg/boundary/log.h"
#include "pg/catalog/script_writer.h"

namespace epe {

namespace {

int untrusted_depth = 0;

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

CallPlan plan_of(const CallParts& parts) {
    CallPlan plan = make_call_plan(parts.request, **parts.script, parts.shape,
                                   parts.source == nullptr ? nullptr : &parts.source->schema(),
                                   parts.rules.is_trusted);
    plan.joined_as = parts.joined_as;
    plan.takes_all = parts.takes_all;
    return plan;
}

/// Reports the number of finished calls to the client, periodically.
class Progress {
   public:
    void note(std::int64_t call) {
        const std::int64_t now = now_nanoseconds();
        if (next_ == 0) next_ = now + kPeriodNanoseconds;
        if (call == 0 || now < next_) return;
        next_ = now + kPeriodNanoseconds;
        pg::report_progress(std::to_string(call));
    }

   private:
    static constexpr std::int64_t kPeriodNanoseconds = 200'000'000;
    std::int64_t next_ = 0;
};

class OwnedCall final : public RunningCall {
   public:
    explicit OwnedCall(std::unique_ptr<CallParts> parts)
        : parts_(std::move(parts)), waiter_(pg::make_waiter()),
          engine_(choose_engine(parts_->request, parts_->rules, *parts_->host, *waiter_)),
          plan_(plan_of(*parts_)), pipeline_(*parts_->cut, *engine_, plan_) {}

    void warn() const { warn_of_unknown(parts_->request.controls); }

    bool next(CallResult& result) override {
        if (pipeline_.is_over()) return false;
        return in_step([&] {
            if (parts_->shows_progress) progress_.note(last_call_);
            if (pipeline_.next(result)) {
                last_call_ = result.call_number;
                return true;
            }
            finish();
            return false;
        });
    }

    void stop() override {
        if (pipeline_.is_over()) return;
        (void)in_step([&] {
            pipeline_.stop();
            finish();
            return true;
        });
    }

    void add_place(ErrorReport& report) const override { pipeline_.add_place(report); }
    CallStats stats() const override { return pipeline_.stats(); }
    bool is_trusted() const override { return parts_->rules.is_trusted; }

   private:
    /// Runs a step as the user, and with the trust, of the call.
    template <typename Body>
    bool in_step(Body&& body) {
        const pg::UserStep user(user_);
        const UntrustedDepth depth(parts_->untrusted_depth);
        try {
            return std::forward<Body>(body)();
        } catch (Error& error) {
            explain_missing_module(error.report(), parts_->request.environment);
            throw;
        }
    }

    void finish() {
        if (parts_->source) parts_->source->close();
        if (parts_->is_remembered) remember_call(pipeline_.stats());
    }

    std::unique_ptr<CallParts> parts_;
    std::unique_ptr<Waiter> waiter_;
    std::unique_ptr<Engine> engine_;
    CallPlan plan_;
    Pipeline pipeline_;
    pg::CallUser user_{};
    Progress progress_{};
    std::int64_t last_call_ = 0;  // number of the call of the last result
};

}  // namespace

FoundScript::FoundScript(const Request& request) {
    if (request.source) {
        own_ = pg::make_inline_script(request.script_name, *request.source);
        own_.is_trusted = own_.is_trusted && untrusted_depth == 0;
    } else {
        stored_.emplace(pg::find_script(request.script_name, request.script_owner));
    }
}

UntrustedDepth::UntrustedDepth(int depth) noexcept
    : outer_(std::exchange(untrusted_depth, depth)) {}

UntrustedDepth::~UntrustedDepth() { untrusted_depth = outer_; }

int UntrustedDepth::current() noexcept { return untrusted_depth; }

void warn_of_unknown(const Controls& controls) {
    for (const std::string& text : unknown_control_warnings(controls)) pg::warning(text);
}

std::unique_ptr<RunningCall> start_call(std::unique_ptr<CallParts> parts) {
    auto call = std::make_unique<OwnedCall>(std::move(parts));
    call->warn();
    return call;
}

}  // namespace epe
