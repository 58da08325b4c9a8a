// Messages from engine processes to the backend. An engine runs untrusted code: every message is
// checked before use, and an engine that breaks the protocol is killed.
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <limits>
#include <typeinfo>
#include <utility>

#include "core/pipeline/call_context.h"
#include "core/utf8.h"
#include "engine/client/engine_dialogue.h"
#include "engine/common/parameter_batch.h"

namespace epe::engine {

namespace {

/// Time for engines to end an abandoned request; then they are killed.
constexpr std::int64_t kGraceNanoseconds = 50'000'000;
/// Maximum for all times of a request: an engine may report any.
constexpr std::int64_t kLongestTime = std::int64_t{1} << 60;

/// While it lives, PostgreSQL works for an engine, and the work is useless once that engine has
/// died.
class Watched {
   public:
    Watched(Host& host, const Requester& requester) : host_(host) { host.watch(requester); }
    ~Watched() { host_.unwatch(); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

   private:
    Host& host_;
};

}  // namespace

void ProcessEngine::receive_from(Worker& worker) {
    const bool is_alive = worker.process->channel().receive();
    Frame frame;
    try {
        while (worker.process->channel().next(frame)) handle(worker, frame);
    } catch (ProtocolError& error) {
        worker.process->kill();
        error.report().detail = "The engine has been ended.";
        if (plan_ != nullptr) error.report().context = place_of(*plan_, nullptr);
        throw;
    }
    if (is_alive) return;
    if (!worker.is_ended) throw_death(worker);
    worker.is_gone = true;  // it has completed its work
    unwatch(worker);
}

void ProcessEngine::handle(Worker& worker, const Frame& frame) {
    WireReader from(frame.body);
    const auto type = static_cast<ToBackend>(frame.type);
    if (worker.process->ready.has_value() == (type == ToBackend::kReady))
        WireReader::fail("greeting");
    // It may still find an arena free.
    if (worker.is_ended && type != ToBackend::kArenaFree) WireReader::fail("message after the end");
    handle_body(worker, type, from);
    from.expect_end();
}

void ProcessEngine::handle_body(Worker& worker, ToBackend type, WireReader& from) {
    switch (type) {
        case ToBackend::kReady:
            worker.process->ready = read_ready(from);
            check_ready(worker);
            return;
        case ToBackend::kResult:
            take_result(worker, from);
            return;
        case ToBackend::kRunDone:
            finish_slice(worker, from);
            return;
        case ToBackend::kFailed:
            take_failure(worker, from);
            return;
        case ToBackend::kEnded:
            if (!worker.has_end || !worker.slices.empty()) WireReader::fail("end");
            worker.is_ended = true;
            return;
        case ToBackend::kNotice:
        case ToBackend::kWarning: {
            Line line{type == ToBackend::kWarning, read_clean_text(from)};
            const std::size_t size = line.text.size();
            take_event(worker, std::move(line), size);
            return;
        }
        case ToBackend::kExecute:
            execute(worker, from);
            return;
        case ToBackend::kNextBatch:
            give_batch(worker);
            return;
        default:
            if (!worker.process->handle_arena(type, from)) WireReader::fail("type");
    }
}

/// Without a complete sandbox, only scripts that the server trusts anyway may run.
void ProcessEngine::check_ready(const Worker& worker) const {
    const Ready& ready = *worker.process->ready;
    if (ready.version != kProtocolVersion) WireReader::fail("version");
    if (!options_.requires_sandbox || ready.report.is_complete()) return;
    ErrorReport report;
    report.sqlstate = sqlstate::kInsufficientPrivilege;
    report.message = "the sandbox that this script needs is not available";
    report.detail = ready.report.missing();
    report.hint = "pyq_sandbox_status() shows what this machine enforces; a superuser may set "
                  "\"oml_epe.sandbox\" to 'preferred'.";
    throw Error(std::move(report));
}

void ProcessEngine::take_event(Worker& worker, std::variant<CallResult, Line> event,
                               std::size_t bytes) {
    if (worker.slices.empty()) {  // while a script is loaded, or at the end
        if (auto* const line = std::get_if<Line>(&event)) {
            Slice none;
            deliver_event(none, std::move(*line));
            return;
        }
        WireReader::fail("result");
    }
    bytes += sizeof(event);  // a line may be empty
    Slice& slice = *worker.slices.front();
    if (&slice == &slices_.front() && slice.events.empty() && sink_ != nullptr) {
        deliver_event(slice, std::move(event));
        return;
    }
    slice.events.push_back(std::move(event));
    slice.waiting_bytes += bytes;
    waiting_bytes_ += bytes;
}

void ProcessEngine::take_result(Worker& worker, WireReader& from) {
    if (worker.slices.empty()) WireReader::fail("result");
    Slice& slice = *worker.slices.front();
    CallResult result;
    result.call_number = from.number<std::int64_t>();
    (void)from.optional_text();  // the name: the backend knows it
    result.first_row = from.count(std::int64_t{1} << 40);
    result.is_frame = from.boolean();
    const std::size_t size = from.left();
    const std::int64_t first = slice.calls.front().number;
    if (result.call_number < std::max(first, slice.last_result) ||
        result.call_number > slice.calls.back().number)
        WireReader::fail("call number");
    slice.last_result = result.call_number;
    result.call_name = slice.calls[static_cast<std::size_t>(result.call_number - first)].name;
    result.batch = worker.process->take_rows(from);
    if (result.batch.columns.size() != plan_->shape->columns.size())
        WireReader::fail("number of columns");
    result.batch.schema = &plan_->shape->columns;
    worker.process->count_rows(0, result.batch.length);
    const std::size_t bytes = size + memory_size(result.batch);
    take_event(worker, std::move(result), bytes);
}

void ProcessEngine::finish_slice(Worker& worker, WireReader& from) {
    if (worker.slices.empty() || worker.has_failed) WireReader::fail("end of a slice");
    const EngineTimes times = read_times(from);
    times_.convert = std::min(times_.convert + times.convert, kLongestTime);
    times_.python = std::min(times_.python + times.python, kLongestTime);
    Slice& slice = *worker.slices.front();
    calls_done_ += static_cast<std::int64_t>(slice.calls.size());
    slice.is_done = true;
    if (&slice != &slices_.front()) {  // kept until the earlier slices are delivered
        const std::size_t bytes = slice.calls.size() * sizeof(Call);
        slice.waiting_bytes += bytes;
        waiting_bytes_ += bytes;
    }
    worker.slices.pop_front();
}

/// The slices after the failed one are never run: they are later in call order as well.
void ProcessEngine::take_failure(Worker& worker, WireReader& from) {
    ErrorReport report = read_report(from);
    if (std::exchange(worker.has_failed, true)) WireReader::fail("failure");
    if (worker.slices.empty())
        worker.failure = std::move(report);
    else
        worker.slices.front()->failure = std::move(report);
    worker.slices.clear();
}

// ------------------------------------------------------------------------- what scripts ask for

void ProcessEngine::execute(Worker& worker, WireReader& from) {
    EngineProcess& process = *worker.process;
    process.take_question();
    // A copy: while it runs, nested scripts may use this connection's memory.
    const std::string sql = from.text();
    std::vector<std::string> types;
    std::vector<HostParameter> parameters = read_parameters(from, types);
    Batch bytes;  // owns the bytes that the parameters point to
    if (has_bytes(parameters)) {
        bytes = process.take_rows(from);
        set_bytes(parameters, bytes);
    }
    try {
        if (!is_clean_utf8(sql)) throw Error("22021", "SQL must be UTF-8 without null characters");
        const Watched watched(host_, process);
        send_result(process, host_.execute(sql, parameters));
    } catch (const Error& error) {
        if (process.is_gone()) throw_death(worker);
        // PostgreSQL's own error, which ends the statement
        if (typeid(error) != typeid(Error)) throw;
        WireWriter reply;
        reply.number(ReplyStatus::kError);
        write(reply, error.report());
        process.channel().put(ToEngine::kReply, reply);
    }
    process.note_answer();
}

void ProcessEngine::send_result(EngineProcess& process, const HostResult& result) {
    WireWriter reply;
    reply.number(ReplyStatus::kDone);
    reply.number(result.row_count);
    write(reply, result.schema);
    if (result.schema.empty())
        process.channel().put(ToEngine::kReply, reply);
    else
        process.put_rows(ToEngine::kReply, std::move(reply), result.batch, 0, result.batch.length);
}

bool ProcessEngine::next_batch(Worker& worker, Batch& batch) {
    try {
        const Watched watched(host_, *worker.process);
        return stream_->next(batch);
    } catch (const Error&) {
        if (worker.process->is_gone()) throw_death(worker);
        throw;
    }
}

void ProcessEngine::give_batch(Worker& worker) {
    EngineProcess& process = *worker.process;
    if (stream_ == nullptr || worker.slices.empty()) WireReader::fail("question");
    process.take_question();
    Batch batch;
    const bool has_batch = next_batch(worker, batch);
    WireWriter reply;
    reply.boolean(has_batch);
    process.count_rows(batch.length, 0);
    if (has_batch)
        process.put_rows(ToEngine::kStreamBatch, std::move(reply), batch, 0, batch.length);
    else
        process.channel().put(ToEngine::kStreamBatch, reply);
    process.note_answer();
}

// -------------------------------------------------------------------------------------- failures

void ProcessEngine::throw_refused(const Worker& worker) const {
    Error error(*worker.process->refusal);
    error.report().engine_failure = EngineFailure::kNotStarted;
    throw error;
}

/// A failure of or in the engine: only an error of the statement. It may replace an error of
/// PostgreSQL that has ended work for the engine; it causes the rollback which that error requires.
void ProcessEngine::throw_death(Worker& worker) {
    session_.wait_for_exit(*worker.process, waiter_);
    if (worker.process->refusal) throw_refused(worker);
    ErrorReport report;
    report.sqlstate = sqlstate::kScriptFailed;
    report.message = "Python engine " + describe_exit(worker.process->exit);
    report.hint = hint_at_killer(worker.process->exit);
    report.engine_failure = EngineFailure::kDied;
    if (!worker.slices.empty()) {
        // The call after the one with the last result, or one whose predecessors' results have died
        // with it.
        const std::vector<Call>& calls = worker.slices.front()->calls;
        const std::int64_t reached = std::clamp(worker.slices.front()->last_result + 1,
                                                calls.front().number, calls.back().number);
        report.context =
            place_of(*plan_, &calls[static_cast<std::size_t>(reached - calls.front().number)]);
        if (reached < calls.back().number)
            report.context +=
                " or one of the " + std::to_string(calls.back().number - reached) + " after it";
    } else if (plan_ != nullptr) {
        report.context = place_of(*plan_, nullptr);
    }
    if (worker.process->exit) {
        const std::string stack = readable_stack(worker.process->exit->stack);
        if (!stack.empty()) report.context += "\n" + stack;
    }
    throw Error(std::move(report));
}

void ProcessEngine::throw_failure(ErrorReport report) const {
    if (report.sqlstate == sqlstate::kOutOfMemory && report.detail.empty() &&
        options_.sandbox.memory_bytes > 0)
        report.detail = memory_limit_detail(options_.sandbox.memory_bytes);
    throw Error(std::move(report));
}

// ------------------------------------------------------------------------------------ giving up

/// Ends the running calls: engines that answer in time stay warm, the others are killed.
void ProcessEngine::abandon() noexcept {
    if (workers_.empty()) return;
    try {
        for (Worker& worker : workers_) {
            if (worker.process->pid == 0 || worker.is_ended) continue;
            if (!worker.has_failed) worker.process->signal(SIGINT);
            if (!worker.has_end) worker.process->channel().put(ToEngine::kEnd, WireWriter());
            worker.has_end = true;
            (void)worker.process->channel().flush();
        }
        const std::int64_t deadline = now_nanoseconds() + kGraceNanoseconds;
        for (Worker& worker : workers_)
            if (worker.process->pid != 0) drain(*worker.process, worker.is_ended, deadline);
    } catch (const std::exception&) {
        // Out of memory, or a broken engine: those that have not ended are killed.
    }
    for (const Worker& worker : workers_)
        // The Ready message of an engine whose greeting was dropped has not been checked.
        session_.release(*worker.process,
                         worker.is_ended && !worker.is_gone && worker.process->ready);
    workers_.clear();
}

/// Reads the remaining messages of an engine, up to Ended. Not interruptible.
void ProcessEngine::drain(EngineProcess& process, bool& is_ended, std::int64_t deadline) {
    Channel& channel = process.channel();
    Frame frame;
    while (!is_ended) {
        while (!is_ended && channel.next(frame)) {
            WireReader from(frame.body);
            drop_message(process, static_cast<ToBackend>(frame.type), from);
            is_ended = static_cast<ToBackend>(frame.type) == ToBackend::kEnded;
        }
        const bool is_sent = channel.flush();
        if (is_ended) return;
        const std::int64_t left = (deadline - now_nanoseconds()) / 1'000'000;
        if (left <= 0) return;
        pollfd socket{channel.descriptor(), static_cast<short>(is_sent ? POLLIN : POLLIN | POLLOUT),
                      0};
        (void)poll(&socket, 1, static_cast<int>(left));
        if (!channel.receive()) return;
    }
}

/// A message of an abandoned request. Questions are answered, so that the engine does not wait
/// forever.
void ProcessEngine::drop_message(EngineProcess& process, ToBackend type, WireReader& from) {
    WireWriter reply;
    switch (type) {
        case ToBackend::kResult:
            (void)from.number<std::int64_t>();
            (void)from.optional_text();
            (void)from.number<std::int64_t>();
            (void)from.boolean();
            process.skip_rows(from);
            return;
        case ToBackend::kExecute: {
            std::vector<std::string> types;
            (void)from.text_view();
            if (has_bytes(read_parameters(from, types))) process.skip_rows(from);
            reply.number(ReplyStatus::kFatal);
            process.channel().put(ToEngine::kReply, reply);
            return;
        }
        case ToBackend::kNextBatch:
            reply.boolean(false);
            process.channel().put(ToEngine::kStreamBatch, reply);
            return;
        case ToBackend::kArenaRequest:
            return;  // it takes time; a waiting engine is interrupted, or killed
        default:
            (void)process.handle_arena(type, from);
    }
}

}  // namespace epe::engine
