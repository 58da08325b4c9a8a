// The backend's side of the connection to one engine process.
#include "engine/client/engine_connection.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "core/pipeline/call_stats.h"
#include "core/utf8.h"
#include "engine/common/batch_codec.h"
#include "engine/common/call_messages.h"

namespace epe::engine {

namespace {

/// Maximum shared memory of an idle engine; a quarter of its memory limit if that is less.
constexpr std::uint64_t kMostKeptBytes = std::uint64_t{512} << 20;
/// Maximum for an engine without a memory limit.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 46;

std::int64_t microseconds_now() noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

Descriptor make_page() {
    Descriptor made(memfd_create("oml_epe_status", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!made || ftruncate(made.get(), kStatusPageSize) != 0 ||
        fcntl(made.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        throw_system_error(sqlstate::kInsufficientResources, "could not create shared memory");
    return made;
}

}  // namespace

EngineConnection::EngineConnection(std::uint64_t id, EngineKey key, const EngineOptions& options)
    : request_{.id = id,
               .environment = options.environment,
               .has_network = !options.sandbox.tcp_ports.empty(),
               .asked = now_nanoseconds(),
               .role = options.session_role,
               .most_of_role = options.most_engines_of_role,
               .is_first = options.is_first},
      key_(std::move(key)),
      most_arena_bytes_(options.sandbox.memory_bytes == 0 ? kMostBytes
                                                          : options.sandbox.memory_bytes),
      channel_({}, Receives::kNoDescriptors), page_descriptor_(make_page()) {
    Greeting greeting;
    greeting.sandbox = options.sandbox;
    greeting.requires_sandbox = options.requires_sandbox;
    WireWriter body;
    write(body, greeting);
    greeting_ = std::move(body.bytes());
    // Last: only a destructor unmaps it, and the destructor of a half-constructed object does not
    // run.
    void* const mapped = mmap(nullptr, kStatusPageSize, PROT_READ | PROT_WRITE, MAP_SHARED,
                              page_descriptor_.get(), 0);
    if (mapped == MAP_FAILED)
        throw_system_error(sqlstate::kOutOfMemory, "could not map shared memory");
    page_ = new (mapped) StatusPage{};
    page_->state = EngineState::kBusy;
}

EngineConnection::~EngineConnection() {
    if (page_ != nullptr) munmap(page_, kStatusPageSize);
}

EngineConnection::FarEnds EngineConnection::make_far_ends() {
    auto [ours, theirs] = make_socket_pair();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        throw_system_error(sqlstate::kInsufficientResources, "could not create a pipe");
    Channel greeter(std::move(ours), Receives::kNoDescriptors);
    WireWriter body;
    body.append(greeting_.data(), greeting_.size());
    greeter.put(ToEngine::kGreeting, body);
    if (!greeter.flush()) throw Error(sqlstate::kLimitExceeded, "sandbox settings are too long");
    channel_.reconnect(greeter.take_socket());
    lifeline_ = Descriptor(ends[1]);
    return {std::move(theirs), Descriptor(ends[0])};
}

// --------------------------------------------------------------------------------------- arenas

/// An arena counts against the engine's memory limit, as its mapping does in the engine; else an
/// engine could make this process allocate any amount.
Arena EngineConnection::make_arena(std::size_t size) {
    if (size > most_arena_bytes_ || arena_size(size) > most_arena_bytes_ - arena_bytes_) {
        ErrorReport report;
        report.sqlstate = sqlstate::kOutOfMemory;
        report.message = "rows exchanged with the Python engine exceed its memory limit";
        report.detail = memory_limit_detail(most_arena_bytes_);
        throw Error(std::move(report));
    }
    Arena made = Arena::create(++last_arena_, size);
    arena_bytes_ += made.size();
    return made;
}

bool EngineConnection::is_light() const noexcept {
    return arena_bytes_ <= std::min(kMostKeptBytes, most_arena_bytes_ / 4);
}

void EngineConnection::take_question() const {
    if (channel_.sent_bytes() < answer_end_) WireReader::fail("question before an answer");
}

/// Reserves an arena for rows to the engine, until it sends ArenaFree.
ReservedArena EngineConnection::reserve_input(std::size_t size) {
    Input* input = find_free_arena(inputs_, size);
    if (input == nullptr) {
        inputs_.push_back({make_arena(size), true});
        input = &inputs_.back();
        channel_.put(ToEngine::kArena, body_of(ArenaId{input->arena.id()}),
                     {input->arena.descriptor()});
    }
    input->is_free = false;
    return {input->arena.id(), input->arena.data()};
}

void EngineConnection::put_rows(ToEngine type, WireWriter head, const Batch& batch,
                                std::int64_t first_row, std::int64_t row_count) {
    append_rows(head, batch, first_row, row_count,
                [this](std::size_t size) { return reserve_input(size); });
    channel_.put(type, head);
}

Batch EngineConnection::take_rows(WireReader& from) {
    const DataPlace place = read_place(from);
    if (place.arena == 0) {
        const std::string_view data = from.take_tail(place.size);
        return decode_copied(from, std::as_bytes(std::span(data)));
    }
    const Arena& arena = find_arena(outputs_, place);
    Batch batch = decode_copied(from, {arena.data(), place.size});
    return_output(arena.id());
    return batch;
}

void EngineConnection::skip_rows(WireReader& from) {
    const DataPlace place = read_place(from);
    if (place.arena != 0) return_output(place.arena);
}

void EngineConnection::return_output(std::uint32_t arena) {
    constexpr std::size_t kMostUnread = 10000;
    if (channel_.sent_bytes() >= return_end_) unread_returns_ = 0;
    if (++unread_returns_ > kMostUnread) WireReader::fail("result: answers are not read");
    channel_.put(ToEngine::kArenaReturn, body_of(ArenaId{arena}));
    return_end_ = channel_.put_bytes();
}

bool EngineConnection::handle_arena(ToBackend type, WireReader& from) {
    if (type == ToBackend::kArenaFree) {
        const std::uint32_t id = read_arena_id(from).id;
        for (Input& input : inputs_)
            if (input.arena.id() == id) input.is_free = true;
        return true;
    }
    if (type != ToBackend::kArenaRequest) return false;
    constexpr std::size_t kMostGrants = 64;
    const std::uint64_t size = read_arena_size(from).least_bytes;
    if (outputs_.size() >= kMostGrants) WireReader::fail("request for memory");
    const Arena& granted = outputs_.emplace_back(make_arena(size));
    channel_.put(ToEngine::kArenaGrant, body_of(ArenaId{granted.id()}), {granted.descriptor()});
    return true;
}

// --------------------------------------------------------------------------------------- process

void EngineConnection::signal(int number) const noexcept {
    if (process) (void)syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
}

void EngineConnection::kill() const noexcept { signal(SIGKILL); }

/// Checks both: the exit report of the supervisor may be late, and a child of the engine may hold
/// the connection open.
bool EngineConnection::is_gone() const noexcept {
    pollfd ends[] = {{process.get(), POLLIN, 0}, {channel_.descriptor(), 0, 0}};
    return poll(ends, 2, 0) > 0;
}

void EngineConnection::describe(const EngineOptions& options, const std::string& script) noexcept {
    page_->sequence.fetch_add(1);
    page_->role = options.role;
    page_->database = options.database;
    page_->since = microseconds_now();
    const std::size_t size = std::min(script.size(), sizeof(page_->script) - 1);
    std::memcpy(page_->script, script.data(), size);
    page_->script[size] = '\0';
    page_->sequence.fetch_add(1);
}

bool EngineConnection::mark_busy(const EngineOptions& options, const std::string& script) noexcept {
    EngineState expected = EngineState::kIdle;
    if (!page_->state.compare_exchange_strong(expected, EngineState::kBusy) &&
        expected == EngineState::kRetired)
        return false;
    page_->rows_in = 0;
    page_->rows_out = 0;
    describe(options, script);
    return true;
}

void EngineConnection::mark_idle() noexcept {
    page_->sequence.fetch_add(1);
    page_->since = microseconds_now();
    page_->script[0] = '\0';
    page_->sequence.fetch_add(1);
    page_->state = EngineState::kIdle;
}

void EngineConnection::count_rows(std::int64_t in, std::int64_t out) noexcept {
    page_->rows_in.fetch_add(in, std::memory_order_relaxed);
    page_->rows_out.fetch_add(out, std::memory_order_relaxed);
}

std::string readable_stack(const std::string& whole) {
    const std::string text = whole.substr(0, whole.find("\nExtension modules:"));
    std::string readable;
    for (const char c : text)
        if (c == '\n' || c == '\t' || static_cast<unsigned char>(c) >= ' ') readable += c;
    while (!readable.empty() && readable.back() == '\n') readable.pop_back();
    constexpr unsigned char kAscii = 0x7f;
    if (!is_clean_utf8(readable))
        std::erase_if(readable, [](char c) { return static_cast<unsigned char>(c) > kAscii; });
    return readable;
}

std::string memory_limit_detail(std::uint64_t bytes) {
    return "A Python engine may take " + std::to_string(bytes >> 20) +
           " MB (\"oml_epe.engine_memory_limit\").";
}

std::string describe_exit(const std::optional<EngineExit>& exit) {
    if (!exit || exit->status == -1) return "ended unexpectedly";
    if (WIFSIGNALED(exit->status)) {
        const int number = WTERMSIG(exit->status);
        return "was terminated by signal " + std::to_string(number) + " (" + strsignal(number) +
               ")";
    }
    return "exited with status " + std::to_string(WEXITSTATUS(exit->status));
}

/// oml_epe never SIGKILLs an engine whose exit it still reports.
std::string hint_at_killer(const std::optional<EngineExit>& exit) {
    if (!exit || exit->status == -1 || !WIFSIGNALED(exit->status) ||
        WTERMSIG(exit->status) != SIGKILL)
        return {};
    return "When the machine has no memory left the kernel kills engines first; its log says so.";
}

}  // namespace epe::engine
