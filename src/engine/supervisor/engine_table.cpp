// The engines of the supervisor, the requests for engines, and the messages to their clients.
#include "engine/supervisor/engine_table.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/pipeline/call_stats.h"
#include "engine/common/engine_messages.h"
#include "engine/common/leftovers.h"

namespace epe::engine {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;  // nanoseconds
constexpr int kUnknownStatus = -1;

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

SupervisedEngine& EngineTable::add_engine(int client, EngineRequest&& request, int status_page) {
    return engines_.emplace_back(order_of(std::move(request), ++last_number_, client), status_page);
}

void EngineTable::add_request(int client, EngineRequest request,
                              std::vector<Descriptor>& descriptors) {
    if (descriptors.size() != 3) WireReader::fail("request for an engine");
    SupervisedEngine& engine = add_engine(client, std::move(request), descriptors[1].get());
    engine.socket = std::move(descriptors[0]);
    engine.lifeline = std::move(descriptors[2]);
}

void EngineTable::adopt_engine(int client, EngineAdoption adoption,
                               std::vector<Descriptor>& descriptors) {
    if (descriptors.size() != 2) WireReader::fail("engine of an earlier supervisor");
    SupervisedEngine& engine =
        add_engine(client, std::move(adoption.request), descriptors[0].get());
    engine.pid = adoption.pid;
    engine.process = std::move(descriptors[1]);
    engine.phase = EnginePhase::kRunning;
    engine.is_adopted = true;
}

/// Without a process, it is erased at once; else when its end is reported.
void EngineTable::drop_engine(SupervisedEngines::iterator engine) {
    engine->is_forgotten = true;
    engine->kill();
    if (engine->phase == EnginePhase::kQueued) engines_.erase(engine);
}

void EngineTable::forget_engine(int client, std::uint64_t id) {
    const auto found =
        std::find_if(engines_.begin(), engines_.end(), [&](const SupervisedEngine& each) {
            return each.order.client == client && each.order.client_id == id;
        });
    if (found != engines_.end()) drop_engine(found);
}

void EngineTable::forget_client(int client) {
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto engine = each++;
        if (engine->stack_client == client) engine->stack_client = kNoClient;
        if (engine->order.client != client) continue;
        engine->order.client = kNoClient;  // descriptors are reused for later clients
        drop_engine(engine);
    }
}

void EngineTable::list_engines(int client) const {
    std::vector<EngineRow> rows;
    for (const SupervisedEngine& engine : engines_)
        rows.push_back(engine.describe(clients_.process_of(engine.order.client).pid));
    clients_.send(client, FromSupervisor::kEngines, body_of(rows));
}

void EngineTable::request_stack(int client, pid_t pid) {
    for (SupervisedEngine& engine : engines_) {
        if (engine.pid != pid || engine.phase != EnginePhase::kRunning) continue;
        if (engine.stack_client >= 0) continue;  // another client waits: no answer is an answer
        if (!engine.stack) continue;             // its pipe ended with an earlier supervisor
        (void)engine.take_stack_text();
        engine.stack_text.clear();
        engine.stack_client = client;
        engine.stack_deadline = now_nanoseconds() + 2 * kSecond;
        engine.signal(SIGUSR2);
        return;
    }
    clients_.send(client, FromSupervisor::kStackText, body_of(StackText{.pid = pid}));
}

void EngineTable::answer_stack(SupervisedEngine& engine, bool is_due) {
    constexpr std::size_t kLongestStack = std::size_t{256} << 10;  // scripts may write there
    engine.stack_text += engine.take_stack_text();
    const std::size_t end = engine.stack_text.find('\0');
    if (end == std::string::npos && !is_due && engine.stack_text.size() < kLongestStack) return;
    const bool is_found = end != std::string::npos;
    clients_.send(engine.stack_client, FromSupervisor::kStackText,
                  body_of(StackText{engine.pid, is_found, engine.stack_text.substr(0, end)}));
    engine.stack_client = kNoClient;
}

void EngineTable::answer_stacks() {
    const std::int64_t now = now_nanoseconds();
    for (SupervisedEngine& engine : engines_)
        if (engine.stack_client >= 0) answer_stack(engine, now > engine.stack_deadline);
}

SupervisedEngines::iterator EngineTable::find_engine(std::uint64_t number) {
    return std::find_if(engines_.begin(), engines_.end(),
                        [&](const SupervisedEngine& each) { return each.order.number == number; });
}

/// The folder names the engine to later supervisors. False on failure, with errno.
bool EngineTable::make_folder(SupervisedEngine& engine) const {
    // It is not reaped before its zygote reports it, so this is its start time; unless it has
    // ended.
    engine.folder = folder_ + "/" +
                    engine_folder_name(mark_of(engine.pid).value_or(ProcessMark{engine.pid, 0}),
                                       clients_.process_of(engine.order.client));
    return mkdir(engine.folder.c_str(), S_IRWXU) == 0 || errno == EEXIST;
}

/// Creates the engine's folder and opens its gate. In that order: a running engine has a folder.
void EngineTable::start_engine(std::uint64_t number, pid_t pid,
                               std::vector<Descriptor>& descriptors) {
    if (descriptors.size() != 3) WireReader::fail("answer of a zygote");
    const auto engine = find_engine(number);
    if (engine == engines_.end()) return;
    engine->pid = pid;
    engine->process = std::move(descriptors[0]);
    engine->stack = std::move(descriptors[1]);
    if (!make_folder(*engine)) {
        refuse_engine(engine,
                      "could not make its folder: " + std::generic_category().message(errno));
        return;
    }
    engine->phase = EnginePhase::kRunning;
    const ssize_t written =
        ::write(descriptors[2].get(), engine->folder.data(), engine->folder.size());
    (void)written;
    engine->socket.close();
    engine->lifeline.close();
    if (engine->is_forgotten) {
        engine->kill();
        return;
    }
    clients_.send(engine->order.client, FromSupervisor::kStarted,
                  body_of(EngineStart{engine->order.client_id, engine->pid}),
                  {engine->process.get()});
}

void EngineTable::refuse_engine(std::uint64_t number, const std::string& why) {
    const auto engine = find_engine(number);
    if (engine != engines_.end()) refuse_engine(engine, why);
}

void EngineTable::refuse_engine(SupervisedEngines::iterator engine, const std::string& why) {
    refuse_engine(engine, not_started(sqlstate::kInsufficientResources, why));
}

void EngineTable::refuse_engine(SupervisedEngines::iterator engine, const ErrorReport& report) {
    clients_.send(engine->order.client, FromSupervisor::kRefused,
                  body_of(EngineRefusal{engine->order.client_id, report}));
    engines_.erase(engine);
}

void EngineTable::note_exit(pid_t pid, int status) {
    const auto engine = std::find_if(engines_.begin(), engines_.end(),
                                     [&](const SupervisedEngine& each) { return each.pid == pid; });
    if (engine != engines_.end()) end_engine(engine, status);
}

void EngineTable::note_adopted_exits() {
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto engine = each++;
        if (engine->is_adopted && has_ended(engine->process)) end_engine(engine, kUnknownStatus);
    }
}

void EngineTable::end_engine(SupervisedEngines::iterator engine, int status) {
    if (engine->stack_client >= 0) answer_stack(*engine, true);
    clients_.send(engine->order.client, FromSupervisor::kExited,
                  body_of(EngineEnd{engine->order.client_id, status, engine->take_stack_text()}));
    if (!engine->folder.empty()) remove_folder(engine->folder);
    engines_.erase(engine);
}

/// An engine that the zygote may have forked without a report ends by itself.
void EngineTable::note_lost_zygote(const ZygoteKind& kind, bool may_be_followed,
                                   const std::string& failure) {
    for (auto each = engines_.begin(); each != engines_.end();) {
        const auto engine = each++;
        if (engine->order.kind != kind) continue;
        if (engine->phase == EnginePhase::kForking) {
            if (engine->is_forgotten)
                engines_.erase(engine);
            else if (may_be_followed)
                engine->phase = EnginePhase::kQueued;
            else
                refuse_engine(engine, failure.empty() ? "Python did not start" : failure);
            continue;
        }
        // Reaped by the zygote, which died before its report; or about to become a child of this
        // process.
        if (engine->phase == EnginePhase::kRunning && engine->is_reaped())
            end_engine(engine, kUnknownStatus);
    }
}

void EngineTable::add_polled(std::vector<pollfd>& polled) const {
    for (const SupervisedEngine& engine : engines_) {
        if (engine.stack_client >= 0) polled.push_back({engine.stack.get(), POLLIN, 0});
        if (engine.is_adopted) polled.push_back({engine.process.get(), POLLIN, 0});
    }
}

void EngineTable::kill_engines() const noexcept {
    for (const SupervisedEngine& engine : engines_) engine.kill();
}

void EngineTable::await_ends() const noexcept {
    for (const SupervisedEngine& engine : engines_) engine.await_end();
}

}  // namespace epe::engine
