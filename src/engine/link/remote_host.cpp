// PostgreSQL's services for a script in an engine process.
#include "engine/link/remote_host.h"

#include <utility>

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
    body.text(sql);
    write(body, parameters);
    const Message reply = has_bytes(parameters)
                              ? link_.ask(ToBackend::kExecute, std::move(body),
                                          batch_of_bytes(parameters), ToEngine::kReply)
                              : link_.ask(ToBackend::kExecute, body, ToEngine::kReply);
    WireReader from(reply.body);
    switch (from.enumerator(ReplyStatus::kFatal)) {
        case ReplyStatus::kError:
            throw Error(read_report(from));
        case ReplyStatus::kFatal:
            throw Error(sqlstate::kQueryCanceled, "the statement has failed");
        case ReplyStatus::kDone:
            break;
    }
    HostResult result;
    result.row_count = from.number<std::int64_t>();
    result.schema = read_schema(from);
    if (!result.schema.empty()) result.batch = link_.take_rows(from);
    return result;
}

void RemoteHost::check_interrupts() {
    if (cancel_flags().is_cancel())
        throw Error(sqlstate::kQueryCanceled, "the statement is cancelled");
}

bool RemoteStream::next(Batch& batch) {
    const Message reply = link_.ask(ToBackend::kNextBatch, WireWriter(), ToEngine::kStreamBatch);
    WireReader from(reply.body);
    if (!from.boolean()) return false;
    batch = link_.take_rows(from);
    batch.schema = &schema_;
    return true;
}

}  // namespace epe::engine
