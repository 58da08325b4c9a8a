// The process that starts engines for backends, and manages all of them.
#include "engine/supervisor/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/pipeline/call_stats.h"
#include "engine/common/leftovers.h"
#include "engine/supervisor/child_signals.h"
#include "engine/supervisor/supervisor_state.h"

namespace epe::engine {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;  // nanoseconds
constexpr std::int64_t kTick = kSecond;
/// How long the supervisor of an engine launcher collects requests before it serves the first:
/// sessions that asked its predecessor need that time to return, and the oldest request must be
/// served first. No zygote is ready before that anyway.
constexpr std::int64_t kSettle = kSecond / 10;
constexpr int kNoClient = -1;

EngineOrder order_of(EngineRequest&& request, std::uint64_t number, int client) {
    return {.number = number,
            .client = client,
            .client_id = request.id,
            .asked = request.asked,
            .kind = {std::move(request.environment), request.has_network},
            .role = request.role,
            .most_of_role = request.most_of_role,
            .is_first = request.is_first};
}

}  // namespace

Supervisor::Supervisor(SupervisorBirth birth) : birth_(std::move(birth)), gateway_(birth_.folder) {
    Client owner;
    owner.is_owner = true;
    owner.pid = getppid();
    owner.mark = mark_of(owner.pid).value_or(ProcessMark{});
    const int descriptor = birth_.owner.get();
    owner.channel = Channel(std::move(birth_.owner), Receives::kDescriptors);
    greet(clients_.emplace(descriptor, std::move(owner)).first->second);
    if (birth_.listener) settle_until_ = now_nanoseconds() + kSettle;
    find_strays();
}

void Supervisor::run() {
    while (true) {
        reap();
        note_adopted_exits();
        end_strays();
        gateway_.start_when_due(now_nanoseconds());
        schedule();
        wait_for_events();
    }
}

void Supervisor::wait_for_events() {
    std::vector<pollfd> polled;
    if (birth_.listener) polled.push_back({birth_.listener.get(), POLLIN, 0});
    for (const auto& [descriptor, client] : clients_)
        polled.push_back(
            {descriptor,
             static_cast<short>(client.channel.has_output() ? POLLIN | POLLOUT : POLLIN), 0});
    for (ZygoteRecord& zygote : zygotes_)
        if (zygote.channel.is_open()) {
            const bool has_output = !zygote.channel.flush();
            polled.push_back({zygote.channel.descriptor(),
                              static_cast<short>(has_output ? POLLIN | POLLOUT : POLLIN), 0});
        }
    // From here on, the loop itself handles events.
    for (const SupervisedEngine& engine : engines_) {
        if (engine.stack_client >= 0) polled.push_back({engine.stack.get(), POLLIN, 0});
        if (engine.is_adopted) polled.push_back({engine.process.get(), POLLIN, 0});
    }
    for (const Stray& stray : strays_)
        for (const Descriptor* end : {&stray.process, &stray.backend})
            polled.push_back({end->get(), POLLIN, 0});
    if (owner_parent_) polled.push_back({owner_parent_.get(), POLLIN, 0});
    const std::int64_t wait =
        settle_until_ == 0 ? kTick : std::max<std::int64_t>(settle_until_ - now_nanoseconds(), 0);
    const timespec limit{static_cast<time_t>(wait / kSecond), static_cast<long>(wait % kSecond)};
    const int ready = poll_or_child(polled.data(), polled.size(), &limit);
    const std::int64_t now = now_nanoseconds();
    retire_idle();
    for (SupervisedEngine& engine : engines_)
        if (engine.stack_client >= 0) answer_stack(engine, now > engine.stack_deadline);
    if (ready <= 0) return;
    for (const pollfd& each : polled)
        if (each.revents != 0) handle_event(each.fd);
}

void Supervisor::handle_event(int descriptor) {
    if (birth_.listener && descriptor == birth_.listener.get()) {
        accept_clients();
        return;
    }
    if (owner_parent_ && descriptor == owner_parent_.get()) {
        wake_owner();
        return;
    }
    if (clients_.contains(descriptor)) {
        serve_client(descriptor);
        return;
    }
    for (ZygoteRecord& zygote : zygotes_)
        if (zygote.channel.is_open() && zygote.channel.descriptor() == descriptor)
            serve_zygote(zygote);
}

// ------------------------------------------------------------------------------------- clients

void Supervisor::greet(Client& client) {
    client.channel.put(FromSupervisor::kHello, WireWriter());
    (void)client.channel.flush();
}

/// Accepts all waiting clients and reads their messages: their requests are queued before the first
/// of them is served.
void Supervisor::accept_clients() {
    while (true) {
        Descriptor socket(
            accept4(birth_.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) return;
        ucred peer{};
        socklen_t size = sizeof(peer);
        if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) continue;
        if (peer.uid != geteuid()) continue;  // the socket's folder is closed to others anyway
        Client client;
        client.pid = peer.pid;
        client.mark = mark_of(peer.pid).value_or(ProcessMark{});
        const int descriptor = socket.get();
        client.channel = Channel(std::move(socket), Receives::kDescriptors);
        greet(clients_.emplace(descriptor, std::move(client)).first->second);
        serve_client(descriptor);
    }
}

void Supervisor::serve_client(int descriptor) {
    Client& client = clients_.at(descriptor);
    try {
        const bool is_alive = client.channel.receive();
        Frame frame;
        while (client.channel.next(frame)) handle_client(descriptor, client, frame);
        (void)client.channel.flush();
        if (is_alive) return;
    } catch (const ProtocolError& error) {
        std::fprintf(stderr, "oml_epe: supervisor: client %d: %s\n", client.pid, error.what());
    }
    drop_client(descriptor);
}

void Supervisor::handle_client(int descriptor, Client& client, Frame& frame) {
    WireReader from(frame.body);
    switch (static_cast<ToSupervisor>(frame.type)) {
        case ToSupervisor::kConfigure:
            if (client.is_owner) configure(read_supervisor_configuration(from));
            break;
        case ToSupervisor::kGateway:
            if (client.is_owner) gateway_.configure(read_gateway_command(from).words);
            break;
        case ToSupervisor::kAcquire:
            acquire(descriptor, from, frame);
            break;
        case ToSupervisor::kAdopt:
            adopt(descriptor, from, frame);
            break;
        case ToSupervisor::kForget:
            forget(descriptor, read_engine_id(from).id);
            break;
        case ToSupervisor::kList:
            list(client);
            break;
        case ToSupervisor::kStack:
            ask_for_stack(descriptor, read_process_id(from).pid);
            break;
        default:
            WireReader::fail("request to the supervisor");
    }
}

void Supervisor::drop_client(int descriptor) {
    if (clients_.at(descriptor).is_owner) end_all();
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto engine = each++;
        if (engine->stack_client == descriptor) engine->stack_client = -1;
        if (engine->order.client != descriptor) continue;
        engine->order.client = kNoClient;  // descriptors are reused for later clients
        engine->is_forgotten = true;
        engine->kill();
        if (engine->phase == EnginePhase::kQueued) engines_.erase(engine);
    }
    clients_.erase(descriptor);
}

void Supervisor::forget(int descriptor, std::uint64_t id) {
    for (auto each = engines_.begin(); each != engines_.end(); ++each) {
        if (each->order.client != descriptor || each->order.client_id != id) continue;
        each->is_forgotten = true;
        each->kill();
        if (each->phase == EnginePhase::kQueued) engines_.erase(each);
        return;
    }
}

void Supervisor::configure(SupervisorConfiguration wanted) {
    const bool has_other_preload = wanted.preload != configuration_.preload;
    configuration_ = std::move(wanted);
    for (ZygoteRecord& zygote : zygotes_)
        if (has_other_preload) replace_zygote(zygote);
    if (birth_.listener) (void)zygote_of({});  // warm before the first session asks
}

void Supervisor::acquire(int descriptor, WireReader& from, Frame& frame) {
    EngineRequest request = read_engine_request(from);
    if (frame.descriptors.size() != 3) WireReader::fail("request for an engine");
    SupervisedEngine& engine = engines_.emplace_back(
        order_of(std::move(request), ++last_number_, descriptor), frame.descriptors[1].get());
    engine.socket = std::move(frame.descriptors[0]);
    engine.lifeline = std::move(frame.descriptors[2]);
}

/// An engine that an earlier supervisor has started counts, and ends, like one of this supervisor.
/// Only its exit status and its Python stack are unknown here.
void Supervisor::adopt(int descriptor, WireReader& from, Frame& frame) {
    EngineAdoption adoption = read_engine_adoption(from);
    if (frame.descriptors.size() != 2) WireReader::fail("engine of an earlier supervisor");
    SupervisedEngine& engine =
        engines_.emplace_back(order_of(std::move(adoption.request), ++last_number_, descriptor),
                              frame.descriptors[0].get());
    engine.pid = adoption.pid;
    engine.process = std::move(frame.descriptors[1]);
    engine.phase = EnginePhase::kRunning;
    engine.is_adopted = true;
}

void Supervisor::list(Client& client) {
    std::vector<EngineRow> rows;
    for (const SupervisedEngine& engine : engines_) {
        const auto owner = clients_.find(engine.order.client);
        rows.push_back(engine.describe(owner == clients_.end() ? 0 : owner->second.pid));
    }
    client.channel.put(FromSupervisor::kEngines, body_of(rows));
}

void Supervisor::ask_for_stack(int descriptor, pid_t pid) {
    for (SupervisedEngine& engine : engines_) {
        if (engine.pid != pid || engine.phase != EnginePhase::kRunning) continue;
        if (engine.stack_client >= 0) continue;  // another client waits: no answer is an answer
        if (!engine.stack) continue;             // its pipe ended with an earlier supervisor
        (void)engine.take_stack_text();
        engine.stack_text.clear();
        engine.stack_client = descriptor;
        engine.stack_deadline = now_nanoseconds() + 2 * kSecond;
        engine.signal(SIGUSR2);
        return;
    }
    say(descriptor, FromSupervisor::kStackText, body_of(StackText{.pid = pid}));
}

void Supervisor::answer_stack(SupervisedEngine& engine, bool is_due) {
    constexpr std::size_t kLongestStack = std::size_t{256} << 10;  // scripts may write there
    engine.stack_text += engine.take_stack_text();
    const std::size_t end = engine.stack_text.find('\0');
    if (end == std::string::npos && !is_due && engine.stack_text.size() < kLongestStack) return;
    const bool is_found = end != std::string::npos;
    say(engine.stack_client, FromSupervisor::kStackText,
        body_of(StackText{engine.pid, is_found, engine.stack_text.substr(0, end)}));
    engine.stack_client = -1;
}

void Supervisor::say(int client, FromSupervisor type, const WireWriter& body,
                     std::initializer_list<int> fds) {
    const auto found = clients_.find(client);
    if (found == clients_.end()) return;
    found->second.channel.put(type, body, fds);
    (void)found->second.channel.flush();
}

}  // namespace epe::engine
