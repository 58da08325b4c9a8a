#include "engine/client/message_drain.h"

#include <poll.h>

#include "engine/common/call_messages.h"
#include "engine/common/parameter_batch.h"

namespace epe::engine {

namespace {

void drop_result(EngineConnection& engine, WireReader& from) {
    (void)read_result(from);
    engine.skip_rows(from);
}

void refuse_execute(EngineConnection& engine, WireReader& from) {
    ExecuteMessage message;
    read_execute(from, message);
    if (has_bytes(message.parameters)) engine.skip_rows(from);
    const ExecuteReply reply{.status = ReplyStatus::kFatal};
    engine.channel().put(ToEngine::kReply, body_of(reply));
}

void end_stream(EngineConnection& engine) {
    engine.channel().put(ToEngine::kStreamBatch, body_of(StreamReply{.has_batch = false}));
}

/// Returns true for the last message.
bool drop_message(EngineConnection& engine, const Frame& frame) {
    WireReader from(frame.body);
    const auto type = static_cast<ToBackend>(frame.type);
    switch (type) {
        case ToBackend::kResult:
            drop_result(engine, from);
            return false;
        case ToBackend::kExecute:
            refuse_execute(engine, from);
            return false;
        case ToBackend::kNextBatch:
            end_stream(engine);
            return false;
        case ToBackend::kArenaRequest:
            return false;  // it takes time; a waiting engine is interrupted, or killed
        case ToBackend::kEnded:
            return true;
        default:
            (void)engine.handle_arena(type, from);
            return false;
    }
}

}  // namespace

bool drain_messages(EngineConnection& engine, std::int64_t deadline) {
    Channel& channel = engine.channel();
    Frame frame;
    bool is_ended = false;
    while (true) {
        while (!is_ended && channel.next(frame)) is_ended = drop_message(engine, frame);
        const bool is_sent = channel.flush();
        if (is_ended) return true;
        const std::int64_t left = (deadline - now_nanoseconds()) / 1'000'000;
        if (left <= 0) return false;
        pollfd socket{channel.descriptor(), static_cast<short>(is_sent ? POLLIN : POLLIN | POLLOUT),
                      0};
        (void)poll(&socket, 1, static_cast<int>(left));
        if (!channel.receive()) return false;
    }
}

}  // namespace epe::engine
