// PostgreSQL's services for a script in an engine process.
#include "engine/link/remote_host.h"

#include <utility>

#include "engine/common/call_messages.h"
#include "engine/common/parameter_batch.h"

namespace epe::engine {

void RemoteHost::say(ToBackend type, std::string_view text) {
    WireWriter body;
    body.text(text);
    link_.put(type, body);
    link_.flush(Patience::kUntilCancelled);  // progress must be shown at once
}

HostResult RemoteHost::execute(const std::string& sql,
                               const std::vector<HostParameter>& parameters) {
    WireWriter body;
    write_execute(body, sql, parameters);
    const Message message = has_bytes(parameters)
                                ? link_.ask(ToBackend::kExecute, std::move(body),
                                            batch_of_bytes(parameters), ToEngine::kReply)
                                : link_.ask(ToBackend::kExecute, body, ToEngine::kReply);
    WireReader from(message.body);
    ExecuteReply reply = read_execute_reply(from);
    switch (reply.status) {
        case ReplyStatus::kError:
            throw Error(std::move(reply.error));
        case ReplyStatus::kFatal:
            throw Error(sqlstate::kQueryCanceled, "the statement has failed");
        case ReplyStatus::kDone:
            break;
    }
    if (!reply.result.schema.empty()) reply.result.batch = link_.take_rows(from);
    return std::move(reply.result);
}

void RemoteHost::check_interrupts() {
    if (cancel_flags().is_cancel())
        throw Error(sqlstate::kQueryCanceled, "the statement is cancelled");
}

bool RemoteStream::next(Batch& batch) {
    const Message reply = link_.ask(ToBackend::kNextBatch, WireWriter(), ToEngine::kStreamBatch);
    WireReader from(reply.body);
    if (!read_stream_reply(from).has_batch) {
        // The input has not ended: the script must not take the rows so far for all of them.
        if (link_.is_stopped()) throw Error(sqlstate::kQueryCanceled, "the call is stopped");
        return false;
    }
    batch = link_.take_rows(from);
    batch.schema = &schema_;
    return true;
}

}  // namespace epe::engine
