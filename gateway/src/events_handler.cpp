// GET .../jobs/{jobId}/events: server-sent events of a job.
//
// Event "state" is sent at each state transition: first the current state, or the final state of a
// job that has already ended. Event "progress" is sent when the script has reported progress. The
// stream ends after the job's final state, or when the job is deleted. State transitions arrive by
// NOTIFY; progress is polled while the job runs.
#include <httplib.h>

#include <algorithm>
#include <chrono>

#include "answer.h"
#include "bearer.h"
#include "client_watch.h"
#include "handlers.h"
#include "job_id.h"
#include "job_row.h"
#include "log.h"
#include "server.h"
#include "session.h"

namespace epe::gateway {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{500};
constexpr std::chrono::seconds kHeartbeat{15};
constexpr std::chrono::seconds kCheck{2};

class JobEvents {
   public:
    JobEvents(std::unique_ptr<Lease> lease, const Exchange& exchange, const std::string& id)
        : lease_(std::move(lease)), user_(exchange.session->user()), request_(exchange.request),
          tokens_(exchange.gateway.tokens()), watch_(exchange.request) {
        // LISTEN before the first query, so that no transition is missed.
        lease_->query("LISTEN pyq_job", {}, &watch_);
        job_ = find_job(*lease_, id, &watch_);
    }

    /// Waits for the next event and returns its text; empty if there is none yet.
    std::string next() {
        if (is_first_)
            is_first_ = false;
        else
            wait();
        // The final state is sent last: clients may disconnect after it.
        const bool has_ended = !job_.is_pending();
        std::string text;
        if (job_.state != said_state_ && !has_ended) text += state_event();
        if (job_.progress != said_progress_ || job_.comment != said_comment_)
            text += progress_event();
        if (job_.state != said_state_) text += state_event();
        if (text.empty() && Clock::now() >= next_heartbeat_) text = ":\n\n";
        if (!text.empty()) next_heartbeat_ = Clock::now() + kHeartbeat;
        return text;
    }

    bool is_done() const { return !job_.is_pending() && job_.state == said_state_; }

   private:
    void wait() {
        const auto until_heartbeat =
            std::chrono::duration_cast<std::chrono::milliseconds>(next_heartbeat_ - Clock::now());
        const auto pause =
            std::max(std::min(job_.state == "running" ? kPoll : std::chrono::milliseconds(kCheck),
                              until_heartbeat),
                     std::chrono::milliseconds(1));
        (void)lease_->await_notification(static_cast<int>(pause.count()), &watch_);
        if (watch_.is_gone()) throw ClientGone();
        check_right();
        // Checked after any notification or timeout: a deletion sends no NOTIFY.
        job_ = look_again(*lease_, job_, &watch_);
    }

    /// A stream can be open for hours: it ends with its token, or when its user loses the right to
    /// log in.
    void check_right() {
        if (Clock::now() < next_check_) return;
        next_check_ = Clock::now() + kCheck;
        (void)require_user(request_, tokens_);
        try {
            (void)lease_->query("SELECT pyqsys.check_log_in($1)", {user_}, &watch_);
        } catch (const DatabaseError& error) {
            if (error.sqlstate != "28000") throw;
            throw unauthorized("the user is no longer permitted to log in");
        }
    }

    std::string event(const char* type, const Json& data) {
        return "id: " + std::to_string(++number_) + "\nevent: " + type +
               "\ndata: " + to_text(data) + "\n\n";
    }

    std::string state_event() {
        said_state_ = job_.state;
        Json data;
        data["state"] = job_.state;
        data["elapsedTime"] = job_.elapsed;
        if (job_.error) data["errorMessage"] = *job_.error;
        return event("state", data);
    }

    std::string progress_event() {
        said_progress_ = job_.progress;
        said_comment_ = job_.comment;
        Json data = Json::object();
        add_progress(job_, data);
        return event("progress", data);
    }

    std::unique_ptr<Lease> lease_;
    const std::string user_;
    const httplib::Request& request_;
    const Tokens& tokens_;
    ClientWatch watch_;
    JobRow job_{};
    std::string said_state_{};
    std::optional<double> said_progress_{};
    std::optional<std::string> said_comment_{};
    Clock::time_point next_check_ = Clock::now() + kCheck;
    Clock::time_point next_heartbeat_ = Clock::now() + kHeartbeat;
    std::int64_t number_ = 0;
    bool is_first_ = true;
};

}  // namespace

void show_job_events(Exchange& exchange) {
    const std::string id = job_in_path(exchange);
    auto lease = exchange.session->lease(&exchange.watch);
    // shared_ptr: the content provider is a std::function, which must be copyable.
    const auto events = std::make_shared<JobEvents>(std::move(lease), exchange, id);
    exchange.response.status = 200;
    exchange.response.set_header("Cache-Control", "no-store");
    exchange.response.set_header("X-Accel-Buffering", "no");
    exchange.response.set_chunked_content_provider(
        "text/event-stream", [events](std::size_t, httplib::DataSink& sink) {
            try {
                const std::string text = events->next();
                if (!text.empty() && !sink.write(text.data(), text.size())) return false;
                if (events->is_done()) sink.done();
                return true;
            } catch (const ClientGone&) {
                return false;
            } catch (const ApiError&) {  // 401
                return false;
            } catch (const std::exception& error) {
                log_event(LogLevel::kError, "answer_cut_off", {{"error", error.what()}});
                return false;
            }
        });
}

}  // namespace epe::gateway
