// The process that starts engines for backends, and knows of every one of them.
#include "engine/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/call_stats.h"
#include "engine/child_signals.h"
#include "engine/supervisor_state.h"

namespace epe::engine {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;  // nanoseconds
constexpr int kTickMilliseconds = 1000;
constexpr int kNobody = -1;

}  // namespace

Supervisor::Supervisor(SupervisorBirth birth) : birth_(std::move(birth)) {
    Client owner;
    owner.is_owner = true;
    owner.pid = getppid();
    const int descriptor = birth_.owner.get();
    owner.channel = Channel(std::move(birth_.owner), Receives::kDescriptors);
    clients_.emplace(descriptor, std::move(owner));
    find_strays();
}

void Supervisor::run() {
    while (true) {
        reap();
        remove_strays();
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
    for (const SupervisedEngine& engine : engines_)
        if (engine.stack_client >= 0) polled.push_back({engine.stack.get(), POLLIN, 0});
    const timespec tick{kTickMilliseconds / 1000, 0};
    const int ready = poll_or_child(polled.data(), polled.size(), &tick);
    const std::int64_t now = now_nanoseconds();
    retire_idle();
    for (SupervisedEngine& engine : engines_)
        if (engine.stack_client >= 0) answer_stack(engine, now > engine.stack_deadline);
    if (ready <= 0) return;
    for (const pollfd& each : polled) {
        if (each.revents == 0) continue;
        if (birth_.listener && each.fd == birth_.listener.get()) {
            accept_client();
        } else if (clients_.contains(each.fd)) {
            serve_client(each.fd);
        } else {
            for (ZygoteRecord& zygote : zygotes_)
                if (zygote.channel.is_open() && zygote.channel.descriptor() == each.fd)
                    serve_zygote(zygote);
        }
    }
}

// ------------------------------------------------------------------------------------- clients

void Supervisor::accept_client() {
    Descriptor socket(
        accept4(birth_.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (!socket || getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
    if (peer.uid != geteuid()) return;  // the socket's folder is closed to others anyway
    Client client;
    client.pid = peer.pid;
    const int descriptor = socket.get();
    client.channel = Channel(std::move(socket), Receives::kDescriptors);
    clients_.emplace(descriptor, std::move(client));
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
            if (client.is_owner) configure(from);
            break;
        case ToSupervisor::kGateway:
            if (client.is_owner) configure_gateway(from);
            break;
        case ToSupervisor::kAcquire:
            acquire(descriptor, from, frame);
            break;
        case ToSupervisor::kForget: {
            const auto id = from.number<std::uint64_t>();
            for (auto each = engines_.begin(); each != engines_.end(); ++each) {
                if (each->order.client != descriptor || each->order.client_id != id) continue;
                each->is_forgotten = true;
                each->kill();
                if (each->phase == EnginePhase::kQueued) engines_.erase(each);
                break;
            }
            break;
        }
        case ToSupervisor::kList:
            list(client);
            break;
        case ToSupervisor::kStack:
            ask_for_stack(descriptor, from);
            break;
        default:
            WireReader::fail("request to the supervisor");
    }
}

void Supervisor::drop_client(int descriptor) {
    if (clients_.at(descriptor).is_owner) {
        for (const ZygoteRecord& zygote : zygotes_)
            if (zygote.pid > 0) kill(zygote.pid, SIGKILL);
        for (const SupervisedEngine& engine : engines_) engine.kill();
        gateway_.end();
        // While they live they can make files.
        for (const SupervisedEngine& engine : engines_) engine.await_end();
        remove_folder(birth_.folder);
        _exit(0);
    }
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto engine = each++;
        if (engine->stack_client == descriptor) engine->stack_client = -1;
        if (engine->order.client != descriptor) continue;
        engine->order.client = kNobody;  // the next client may get the same descriptor
        engine->is_forgotten = true;
        engine->kill();
        if (engine->phase == EnginePhase::kQueued) engines_.erase(engine);
    }
    clients_.erase(descriptor);
}

void Supervisor::configure_gateway(WireReader& from) {
    constexpr std::int64_t kMostWords = 1000;
    std::vector<std::string> command;
    const std::int64_t count = from.count(kMostWords);
    for (std::int64_t i = 0; i < count; ++i) command.push_back(from.text());
    gateway_.configure(std::move(command));
}

void Supervisor::configure(WireReader& from) {
    SupervisorConfiguration wanted;
    wanted.most_engines = from.number<std::int64_t>();
    wanted.idle_seconds = from.number<std::int64_t>();
    const std::int64_t count = from.count(1000);
    for (std::int64_t i = 0; i < count; ++i) wanted.preload.push_back(from.text());
    const bool has_other_preload = wanted.preload != configuration_.preload;
    configuration_ = std::move(wanted);
    for (ZygoteRecord& zygote : zygotes_)
        if (has_other_preload) replace_zygote(zygote);
    if (birth_.listener) (void)zygote_of({});  // warm before the first session asks
}

void Supervisor::acquire(int descriptor, WireReader& from, Frame& frame) {
    const auto id = from.number<std::uint64_t>();
    ZygoteKind kind;
    kind.environment = from.text();
    kind.has_network = from.boolean();
    EngineOrder order{0, descriptor, id, std::move(kind)};
    order.role = from.number<std::uint32_t>();
    order.most_of_role = from.number<std::int64_t>();
    order.is_first = from.boolean();
    if (frame.descriptors.size() != 2) WireReader::fail("request for an engine");
    order.number = ++last_number_;
    engines_.emplace_back(std::move(order), std::move(frame.descriptors[0]),
                          frame.descriptors[1].get());
}

void Supervisor::list(Client& client) {
    WireWriter body;
    body.number(static_cast<std::int64_t>(engines_.size()));
    for (const SupervisedEngine& engine : engines_) {
        const auto owner = clients_.find(engine.order.client);
        const EngineRow row = engine.describe(owner == clients_.end() ? 0 : owner->second.pid);
        body.number(row.pid);
        body.number(row.backend);
        body.number(row.role);
        body.number(row.database);
        for (const std::string* text : {&row.environment, &row.state, &row.script})
            body.text(*text);
        for (const std::int64_t number : {row.since, row.rows_in, row.rows_out, row.memory})
            body.number(number);
    }
    client.channel.put(FromSupervisor::kEngines, body);
}

void Supervisor::ask_for_stack(int descriptor, WireReader& from) {
    const auto pid = from.number<std::int32_t>();
    for (SupervisedEngine& engine : engines_) {
        if (engine.pid != pid || engine.phase != EnginePhase::kRunning) continue;
        if (engine.stack_client >= 0) continue;  // somebody else waits: no answer is an answer
        (void)engine.take_stack_text();
        engine.stack_text.clear();
        engine.stack_client = descriptor;
        engine.stack_deadline = now_nanoseconds() + 2 * kSecond;
        engine.signal(SIGUSR2);
        return;
    }
    WireWriter body;
    body.number(pid);
    body.boolean(false);
    body.text("");
    say(descriptor, FromSupervisor::kStackText, body);
}

void Supervisor::answer_stack(SupervisedEngine& engine, bool is_due) {
    constexpr std::size_t kLongestStack = std::size_t{256} << 10;  // scripts may write there
    engine.stack_text += engine.take_stack_text();
    const std::size_t end = engine.stack_text.find('\0');
    if (end == std::string::npos && !is_due && engine.stack_text.size() < kLongestStack) return;
    WireWriter body;
    body.number(static_cast<std::int32_t>(engine.pid));
    body.boolean(end != std::string::npos);
    body.text(engine.stack_text.substr(0, end));
    say(engine.stack_client, FromSupervisor::kStackText, body);
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
