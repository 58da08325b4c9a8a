// The engine's end of the connection to its backend.
#include "engine/link/backend_link.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>
#include <span>
#include <utility>

#include "engine/common/batch_codec.h"
#include "engine/common/call_messages.h"

namespace epe::engine {

namespace {

/// Output is flushed above the first size; above the second, the engine waits for it to be sent.
constexpr std::size_t kFlushBytes = std::size_t{64} << 10;
constexpr std::size_t kMostQueuedBytes = std::size_t{4} << 20;
/// Maximum number of arenas for results in flight; above it, the engine waits for some to return.
constexpr std::ptrdiff_t kMostOutputs = 4;

volatile sig_atomic_t is_cancelled = 0;

void on_cancel(int) noexcept { is_cancelled = 1; }

/// Ends the process silently: the backend is gone.
[[noreturn]] void leave() noexcept { _exit(0); }

}  // namespace

InterruptFlags cancel_flags() noexcept {
    static bool is_installed = false;
    if (!is_installed) {
        struct sigaction action {};
        action.sa_handler = on_cancel;  // without SA_RESTART: waits end
        sigemptyset(&action.sa_mask);
        sigaction(SIGINT, &action, nullptr);
        is_installed = true;
    }
    const auto flag = []() noexcept { return is_cancelled != 0; };
    // The backend kills an engine that does not end a cancelled request at once; the state of the
    // process matters only if it does.
    return {flag, flag, []() noexcept { return false; }};
}

void clear_cancel() noexcept { is_cancelled = 0; }

/// An arena of the backend's rows; free once nothing borrows from it.
class BackendLink::Input final : public Lease {
   public:
    Input(std::uint32_t id, Mapping mapping) : id_(id), mapping_(std::move(mapping)) {}

    std::uint32_t id() const noexcept { return id_; }
    std::size_t size() const noexcept { return mapping_.size(); }
    std::byte* data() const noexcept { return mapping_.data(); }
    /// Returns true once after it has become free. Its memory may change from then on.
    bool take_free() noexcept { return is_free_.exchange(false); }

   private:
    void on_free() noexcept override { is_free_ = true; }  // on any thread

    std::uint32_t id_;
    Mapping mapping_;
    std::atomic<bool> is_free_{false};
};

/// An arena that the backend granted for results.
struct BackendLink::Output {
    std::uint32_t id;
    Mapping mapping;
    bool is_free = true;
    std::size_t size() const noexcept { return mapping.size(); }
};

namespace {

/// Rows that were sent in a frame: memory of their own, for as long as something borrows from it.
class InlineRows final : public Lease {
   public:
    static Lease& hold(std::string_view data, std::span<std::byte>& copy) {
        auto rows = std::make_unique<InlineRows>();
        if (!rows->data_.append(data.data(), data.size())) throw std::bad_alloc();
        copy = {rows->data_.data(), data.size()};
        rows->add();
        return *rows.release();  // on_free() takes it
    }

   private:
    void on_free() noexcept override { const std::unique_ptr<InlineRows> last(this); }

    Buffer data_{};
};

/// Drops the caller's reference to `lease`; the columns of the batch hold theirs.
Batch borrow_rows(WireReader& from, std::span<std::byte> data, Lease& lease) {
    struct Hold {
        Lease& lease;
        ~Hold() { lease.drop(); }
    } const hold{lease};
    return decode_borrowed(from, data, lease);
}

}  // namespace

BackendLink::BackendLink(Descriptor socket) : channel_(std::move(socket), Receives::kDescriptors) {}

BackendLink::~BackendLink() = default;

void BackendLink::poll_socket(short events, Patience patience) {
    pollfd socket{channel_.descriptor(), events, 0};
    const bool may_end = patience == Patience::kUntilCancelled;
    if (may_end && is_cancelled != 0)
        throw Error(sqlstate::kQueryCanceled, "the statement is cancelled");
    // A signal between the check and the wait is repeated by the backend, which then kills.
    if (poll(&socket, 1, -1) < 0 && errno != EINTR) leave();
}

void BackendLink::put(ToBackend type, const WireWriter& body) {
    put_frame(type, body);
    if (output_size() > kFlushBytes) (void)flush_some();
}

void BackendLink::put_frame(ToBackend type, const WireWriter& body) {
    const std::lock_guard lock(output_mutex_);
    channel_.put(type, body);
}

/// False when the socket would block.
bool BackendLink::flush_some() noexcept {
    const std::lock_guard lock(output_mutex_);
    return channel_.flush();
}

std::size_t BackendLink::output_size() noexcept {
    const std::lock_guard lock(output_mutex_);
    return channel_.output_size();
}

void BackendLink::flush_soon() {
    {
        const std::lock_guard lock(output_mutex_);
        if (is_flush_due_ || !channel_.has_output()) return;
        is_flush_due_ = true;
    }
    flush_wanted_.notify_one();
}

void BackendLink::serve_flushes() noexcept {
    constexpr int kDelayMilliseconds = 1;
    pollfd socket{channel_.descriptor(), POLLOUT, 0};
    std::unique_lock lock(output_mutex_);
    while (true) {
        flush_wanted_.wait(lock, [this] { return is_flush_due_; });
        lock.unlock();
        (void)poll(nullptr, 0, kDelayMilliseconds);
        lock.lock();
        is_flush_due_ = false;
        while (!channel_.flush()) {
            lock.unlock();
            (void)poll(&socket, 1, -1);
            lock.lock();
        }
    }
}

void BackendLink::flush(Patience patience) {
    while (!flush_some()) poll_socket(POLLOUT, patience);
}

/// Receives the next message; messages that are not about arenas go to waiting_.
void BackendLink::receive_more(Patience patience) {
    poll_socket(POLLIN, patience);
    take_arrived();
}

void BackendLink::take_arrived() {
    if (!channel_.receive()) leave();
    Frame frame;
    while (channel_.next(frame))
        if (static_cast<ToEngine>(frame.type) == ToEngine::kStop)
            is_stopped_ = true;
        else if (!handle_arena(frame))
            waiting_.push_back({static_cast<ToEngine>(frame.type), std::string(frame.body)});
}

bool BackendLink::is_stopped() {
    constexpr std::int64_t kPeriodNanoseconds = 1'000'000;
    const std::int64_t now = now_nanoseconds();
    if (!is_stopped_ && now - looked_ >= kPeriodNanoseconds) {
        looked_ = now;
        take_arrived();
    }
    return is_stopped_;
}

Message BackendLink::wait() {
    report_free_inputs();
    flush(Patience::kAlways);
    while (waiting_.empty()) receive_more(Patience::kAlways);
    Message message = std::move(waiting_.front());
    waiting_.pop_front();
    return message;
}

Message BackendLink::ask(ToBackend question, const WireWriter& body, ToEngine answer) {
    // Before the question, so that the answer may use one of these arenas. A call with many
    // questions would otherwise make the backend create an arena for each.
    report_free_inputs();
    put(question, body);
    return wait_for(answer);
}

Message BackendLink::ask(ToBackend question, WireWriter head, const Batch& rows, ToEngine answer) {
    report_free_inputs();
    put_rows(question, std::move(head), rows);
    return wait_for(answer);
}

/// The answer to a question; earlier messages of the backend are kept for wait().
Message BackendLink::wait_for(ToEngine answer) {
    flush(Patience::kUntilCancelled);
    while (true) {
        for (auto each = waiting_.begin(); each != waiting_.end(); ++each) {
            if (each->type != answer) continue;
            Message message = std::move(*each);
            waiting_.erase(each);
            return message;
        }
        receive_more(Patience::kUntilCancelled);
    }
}

bool BackendLink::handle_arena(Frame& frame) {
    WireReader body(frame.body);
    switch (static_cast<ToEngine>(frame.type)) {
        case ToEngine::kArena:
        case ToEngine::kArenaGrant: {
            const std::uint32_t id = read_arena_id(body).id;
            if (frame.descriptors.size() != 1) WireReader::fail("arena");
            Mapping mapping = map_arena(frame.descriptors.front().release());
            if (static_cast<ToEngine>(frame.type) == ToEngine::kArena)
                inputs_.emplace_back(id, std::move(mapping));
            else
                outputs_.push_back({id, std::move(mapping)});
            return true;
        }
        case ToEngine::kArenaReturn: {
            const std::uint32_t id = read_arena_id(body).id;
            for (Output& output : outputs_)
                if (output.id == id) output.is_free = true;
            return true;
        }
        default:
            return false;
    }
}

void BackendLink::report_free_inputs() {
    for (Input& input : inputs_) {
        if (!input.take_free()) continue;
        put_frame(ToBackend::kArenaFree, body_of(ArenaId{input.id()}));
    }
}

/// Reserves an arena for a result, until the backend sends ArenaReturn.
ReservedArena BackendLink::reserve_output(std::size_t size) {
    Output* known = find_free_arena(outputs_, size);
    if (known == nullptr) {
        take_arrived();
        known = find_free_arena(outputs_, size);
    }
    Output& output = known != nullptr ? *known : wait_for_output(size);
    output.is_free = false;
    return {output.id, output.mapping.data()};
}

/// Requests an arena unless enough of that size are in flight; then one of them returns.
BackendLink::Output& BackendLink::wait_for_output(std::size_t size) {
    const auto fitting = std::count_if(outputs_.begin(), outputs_.end(),
                                       [&](const Output& each) { return each.size() >= size; });
    if (fitting < kMostOutputs) put_frame(ToBackend::kArenaRequest, body_of(ArenaSize{size}));
    flush(Patience::kUntilCancelled);
    while (true) {
        if (Output* const granted = find_free_arena(outputs_, size)) return *granted;
        receive_more(Patience::kUntilCancelled);
    }
}

void BackendLink::put_rows(ToBackend type, WireWriter head, const Batch& batch) {
    append_rows(head, batch, 0, batch.length,
                [this](std::size_t size) { return reserve_output(size); });
    put(type, head);
    // A slow backend must not make results pile up here.
    if (output_size() > kMostQueuedBytes) flush(Patience::kUntilCancelled);
}

Batch BackendLink::take_rows(WireReader& from) {
    const DataPlace place = read_place(from);
    if (place.arena == 0) {
        std::span<std::byte> data;
        Lease& lease = InlineRows::hold(from.take_tail(place.size), data);
        return borrow_rows(from, data, lease);
    }
    Input& input = find_arena(inputs_, place);
    input.add();
    return borrow_rows(from, {input.data(), place.size}, input);
}

}  // namespace epe::engine
