#include "engine/client/engine_dialogue.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <typeinfo>
#include <utility>

#include "core/pipeline/call_context.h"
#include "core/utf8.h"
#include "engine/client/message_drain.h"
#include "engine/common/call_messages.h"
#include "engine/common/parameter_batch.h"

namespace epe::engine {

namespace {

/// While it lives, PostgreSQL works for an engine, and the work is useless once that engine has
/// died.
class WatchedRequester {
   public:
    WatchedRequester(Host& host, const Requester& requester) : host_(host) {
        host.watch(requester);
    }
    ~WatchedRequester() { host_.unwatch(); }
    WatchedRequester(const WatchedRequester&) = delete;
    WatchedRequester& operator=(const WatchedRequester&) = delete;

   private:
    Host& host_;
};

}  // namespace

EngineLoad EngineDialogue::load() const noexcept {
    return {slices_.size(), engine_.pid != 0, !is_gone_ && !has_failed_};
}

// ------------------------------------------------------------------------------ to the engine

void EngineDialogue::send_begin() {
    const CallPlan& plan = *request_.plan;
    WireWriter body;
    write_request(body, plan, plan.input);
    if (plan.pickled.empty()) {
        engine_.channel().put(ToEngine::kBegin, body);
        return;
    }
    // As rows, which go through an arena when they are large.
    HostParameter pickled;
    pickled.bytes = plan.pickled;
    engine_.put_rows(ToEngine::kBegin, std::move(body), batch_of_bytes({pickled}), 0, 1);
}

void EngineDialogue::send_check(const Script& script) {
    const CheckMessage message{script.name, script.source};
    engine_.channel().put(ToEngine::kCheckScript, body_of(message));
    is_end_sent_ = true;
}

void EngineDialogue::send_slice(Slice& slice, const Work& work) {
    slices_.push_back(&slice);
    const bool has_rows = work.stream == nullptr && work.batch.schema != nullptr;
    const std::int64_t first_row = slice.calls.front().first_row;
    RunMessage message{.calls = slice.calls};
    for (Call& call : message.calls) call.first_row -= first_row;
    if (work.stream != nullptr) message.input = RunInput::kStream;
    if (has_rows) message.input = RunInput::kRows;
    WireWriter body;
    write(body, message);
    if (!has_rows) {
        engine_.channel().put(ToEngine::kRun, body);
        return;
    }
    const Call& last = slice.calls.back();
    const std::int64_t rows = last.first_row + last.row_count - first_row;
    engine_.count_rows(rows, 0);
    engine_.put_rows(ToEngine::kRun, std::move(body), work.batch, first_row, rows);
}

void EngineDialogue::send_end() {
    engine_.channel().put(ToEngine::kEnd, WireWriter());
    is_end_sent_ = true;
}

/// When too many results wait, only the engine of the first slice is read from; the others stop by
/// themselves once their sockets are full.
void EngineDialogue::watch(EventWait& events) {
    if (!engine_.has_started()) return;
    if (is_gone_) {
        if (watched_.is_watched) events.unwatch(engine_.channel().descriptor(), watched_);
        return;
    }
    (void)engine_.channel().flush();
    const bool is_first = !slices_.empty() && request_.delivery.is_first(*slices_.front());
    const bool is_paused = request_.delivery.is_full() && !is_first;
    const std::uint32_t in = is_paused ? 0U : EPOLLIN;
    const std::uint32_t out = engine_.channel().has_output() ? EPOLLOUT : 0U;
    events.watch(engine_.channel().descriptor(), watched_, in | out);
}

// ---------------------------------------------------------------------------- from the engine

void EngineDialogue::receive_messages() {
    const bool is_alive = engine_.channel().receive();
    Frame frame;
    try {
        while (engine_.channel().next(frame)) handle_frame(frame);
    } catch (ProtocolError& error) {
        engine_.kill();
        if (is_stopping_) return lose_engine();
        error.report().detail = "The engine has been ended.";
        if (request_.plan != nullptr) error.report().context = place_of(*request_.plan, nullptr);
        throw;
    }
    if (is_alive) return;
    if (!is_ended_) return lose_engine();
    is_gone_ = true;  // it has completed its work
}

/// The connection is closed before the end of the request.
void EngineDialogue::lose_engine() {
    if (!is_stopping_) throw_death();
    is_ended_ = is_gone_ = true;
}

void EngineDialogue::receive_last_messages() {
    pollfd socket{engine_.channel().descriptor(), POLLIN, 0};
    while (!is_ended_ && poll(&socket, 1, 0) > 0) {
        request_.waiter.check();
        receive_messages();
    }
    if (!is_ended_) lose_engine();
}

void EngineDialogue::handle_frame(const Frame& frame) {
    WireReader from(frame.body);
    const auto type = static_cast<ToBackend>(frame.type);
    if (engine_.ready.has_value() == (type == ToBackend::kReady)) WireReader::fail("greeting");
    // It may still find an arena free.
    if (is_ended_ && type != ToBackend::kArenaFree) WireReader::fail("message after the end");
    if (is_stopping_ && handle_while_stopping(type, from)) return;
    switch (type) {
        case ToBackend::kReady:
            handle_ready(from);
            break;
        case ToBackend::kResult:
            handle_result(from);
            break;
        case ToBackend::kRunDone:
            handle_slice_end(from);
            break;
        case ToBackend::kFailed:
            handle_failure(from);
            break;
        case ToBackend::kEnded:
            if (!is_end_sent_ || !slices_.empty()) WireReader::fail("end");
            is_ended_ = true;
            break;
        case ToBackend::kNotice:
        case ToBackend::kWarning:
            handle_line(from, type == ToBackend::kWarning);
            break;
        case ToBackend::kExecute:
            answer_execute(from);
            break;
        case ToBackend::kNextBatch:
            answer_next_batch();
            break;
        default:
            if (!engine_.handle_arena(type, from)) WireReader::fail("type");
    }
    from.expect_end();
}

/// Handles the messages of calls whose results are not wanted any more. False for other messages.
bool EngineDialogue::handle_while_stopping(ToBackend type, WireReader& from) {
    switch (type) {
        case ToBackend::kResult:
            (void)read_result(from);
            engine_.skip_rows(from);
            return true;
        case ToBackend::kNotice:
        case ToBackend::kWarning:  // of calls that ran ahead; later ones are of finally blocks
            return !is_stopped_;
        case ToBackend::kRunDone:
        case ToBackend::kFailed:
            return true;
        case ToBackend::kNextBatch:
            engine_.take_question();
            engine_.channel().put(ToEngine::kStreamBatch, body_of(StreamReply{.has_batch = false}));
            engine_.note_answer();
            return true;
        case ToBackend::kStopped:
            is_stopped_ = true;
            return true;
        default:
            return false;
    }
}

/// Without a complete sandbox, only scripts that the server trusts anyway may run.
void EngineDialogue::handle_ready(WireReader& from) {
    engine_.ready = read_ready(from);
    const Ready& ready = *engine_.ready;
    if (ready.version != kProtocolVersion) WireReader::fail("version");
    if (!request_.options.requires_sandbox || ready.report.is_complete()) return;
    ErrorReport report;
    report.sqlstate = sqlstate::kInsufficientPrivilege;
    report.message = "the sandbox that this script needs is not available";
    report.detail = ready.report.missing();
    report.hint = "pyq_sandbox_status() shows what this machine enforces; a superuser may set "
                  "\"oml_epe.sandbox\" to 'preferred'.";
    throw Error(std::move(report));
}

void EngineDialogue::handle_result(WireReader& from) {
    if (slices_.empty()) WireReader::fail("result");
    Slice& slice = *slices_.front();
    const ResultMessage message = read_result(from);
    const std::size_t size = from.left();
    CallResult result;
    result.call_number = message.call_number;
    result.first_row = message.first_row;
    result.is_frame = message.is_frame;
    const std::int64_t first = slice.calls.front().number;
    if (result.call_number < std::max(first, slice.last_result) ||
        result.call_number > slice.calls.back().number)
        WireReader::fail("call number");
    slice.last_result = result.call_number;
    // The name in the message is not used: the backend knows it.
    const Call& call = slice.calls[static_cast<std::size_t>(result.call_number - first)];
    result.call_name = call.name;
    result.input_row = call.input_row;
    result.input_row_count = call.row_count;
    result.batch = engine_.take_rows(from);
    const Schema& columns = request_.plan->shape->columns;
    if (result.batch.columns.size() != columns.size()) WireReader::fail("number of columns");
    result.batch.schema = &columns;
    engine_.count_rows(0, result.batch.length);
    const std::size_t bytes = size + memory_size(result.batch);
    request_.delivery.add_event(slice, std::move(result), bytes);
}

void EngineDialogue::handle_line(WireReader& from, bool is_warning) {
    Line line{is_warning, read_clean_text(from)};
    const std::size_t size = line.text.size();
    if (slices_.empty())  // while a script is loaded, or at the end
        request_.delivery.print_line(line);
    else
        request_.delivery.add_event(*slices_.front(), std::move(line), size);
}

void EngineDialogue::handle_slice_end(WireReader& from) {
    if (slices_.empty() || has_failed_) WireReader::fail("end of a slice");
    Slice& slice = *slices_.front();
    request_.scheduler.count_calls(slice.calls.size(), read_times(from));
    request_.delivery.complete_slice(slice);
    slices_.pop_front();
}

/// The slices after the failed one are never run: they are later in call order as well.
void EngineDialogue::handle_failure(WireReader& from) {
    ErrorReport report = read_report(from);
    if (std::exchange(has_failed_, true)) WireReader::fail("failure");
    const std::uint64_t memory = request_.options.sandbox.memory_bytes;
    if (report.sqlstate == sqlstate::kOutOfMemory && report.detail.empty() && memory > 0)
        report.detail = memory_limit_detail(memory);
    std::optional<ErrorReport>& failure = slices_.empty() ? failure_ : slices_.front()->failure;
    failure = std::move(report);
    slices_.clear();
}

// ------------------------------------------------------------------------------ its questions

void EngineDialogue::answer_execute(WireReader& from) {
    engine_.take_question();
    // A copy: while it runs, nested scripts may use this connection's memory.
    ExecuteMessage message;
    read_execute(from, message);
    Batch bytes;  // owns the bytes that the parameters point to
    if (has_bytes(message.parameters)) {
        bytes = engine_.take_rows(from);
        set_bytes(message.parameters, bytes);
    }
    try {
        if (!is_clean_utf8(message.sql))
            throw Error("22021", "SQL must be UTF-8 without null characters");
        const WatchedRequester watched(request_.host, engine_);
        send_host_result(request_.host.execute(message.sql, message.parameters));
    } catch (const Error& error) {
        if (engine_.is_gone()) throw_death();
        // PostgreSQL's own error, which ends the statement
        if (typeid(error) != typeid(Error)) throw;
        const ExecuteReply reply{.status = ReplyStatus::kError, .error = error.report()};
        engine_.channel().put(ToEngine::kReply, body_of(reply));
    }
    engine_.note_answer();
}

void EngineDialogue::send_host_result(HostResult result) {
    const ExecuteReply reply{.status = ReplyStatus::kDone, .result = std::move(result)};
    const Batch& batch = reply.result.batch;
    if (reply.result.schema.empty())
        engine_.channel().put(ToEngine::kReply, body_of(reply));
    else
        engine_.put_rows(ToEngine::kReply, body_of(reply), batch, 0, batch.length);
}

void EngineDialogue::answer_next_batch() {
    if (request_.stream == nullptr || slices_.empty()) WireReader::fail("question");
    engine_.take_question();
    Batch batch;
    const StreamReply reply{.has_batch = read_stream(batch)};
    engine_.count_rows(batch.length, 0);
    if (reply.has_batch)
        engine_.put_rows(ToEngine::kStreamBatch, body_of(reply), batch, 0, batch.length);
    else
        engine_.channel().put(ToEngine::kStreamBatch, body_of(reply));
    engine_.note_answer();
}

bool EngineDialogue::read_stream(Batch& batch) {
    try {
        const WatchedRequester watched(request_.host, engine_);
        return request_.stream->next(batch);
    } catch (const Error&) {
        if (engine_.is_gone()) throw_death();
        throw;
    }
}

// ------------------------------------------------------------------------------------ failures

void EngineDialogue::throw_refused() const {
    Error error(*engine_.refusal);
    error.report().engine_failure = EngineFailure::kNotStarted;
    throw error;
}

/// A failure of or in the engine: only an error of the statement. It may replace an error of
/// PostgreSQL that has ended work for the engine; it causes the rollback which that error requires.
void EngineDialogue::throw_death() {
    request_.pool.wait_for_exit(engine_, request_.waiter);
    if (engine_.refusal) throw_refused();
    ErrorReport report;
    report.sqlstate = sqlstate::kScriptFailed;
    report.message = "Python engine " + describe_exit(engine_.exit);
    report.hint = hint_at_killer(engine_.exit);
    report.engine_failure = EngineFailure::kDied;
    if (!slices_.empty()) {
        // The call after the one with the last result, or one whose predecessors' results have died
        // with it.
        const std::vector<Call>& calls = slices_.front()->calls;
        const std::int64_t reached =
            std::clamp(slices_.front()->last_result + 1, calls.front().number, calls.back().number);
        report.context = place_of(*request_.plan,
                                  &calls[static_cast<std::size_t>(reached - calls.front().number)]);
        if (reached < calls.back().number)
            report.context +=
                " or one of the " + std::to_string(calls.back().number - reached) + " after it";
    } else if (request_.plan != nullptr) {
        report.context = place_of(*request_.plan, nullptr);
    }
    if (engine_.exit) {
        const std::string stack = readable_stack(engine_.exit->stack);
        if (!stack.empty()) report.context += "\n" + stack;
    }
    throw Error(std::move(report));
}

// ----------------------------------------------------------------------------------- early end

void EngineDialogue::send_stop() {
    is_stopping_ = true;
    slices_.clear();
    engine_.channel().put(ToEngine::kStop, WireWriter());
    if (!is_end_sent_) send_end();
}

void EngineDialogue::cancel() {
    if (engine_.pid == 0 || is_ended_) return;
    if (!has_failed_) engine_.signal(SIGINT);
    if (!is_end_sent_) send_end();
    (void)engine_.channel().flush();
}

void EngineDialogue::drain(std::int64_t deadline) {
    if (engine_.pid != 0 && !is_ended_) is_ended_ = drain_messages(engine_, deadline);
}

}  // namespace epe::engine
