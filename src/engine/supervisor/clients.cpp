// The connections of the supervisor's clients: the backends and the engine launcher.
#include "engine/supervisor/clients.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace epe::engine {

int Clients::add_client(Descriptor socket, pid_t pid, bool is_owner) {
    const int descriptor = socket.get();
    Client& client = clients_[descriptor];
    client.channel = Channel(std::move(socket), Receives::kDescriptors);
    client.process = mark_of(pid).value_or(ProcessMark{pid, 0});
    client.is_owner = is_owner;
    send(descriptor, FromSupervisor::kHello, WireWriter());
    return descriptor;
}

void Clients::add_polled(std::vector<pollfd>& polled) const {
    if (listener_) polled.push_back({listener_.get(), POLLIN, 0});
    for (const auto& [descriptor, client] : clients_)
        polled.push_back(
            {descriptor,
             static_cast<short>(client.channel.has_output() ? POLLIN | POLLOUT : POLLIN), 0});
}

bool Clients::handle_event(int descriptor, ClientRequests& requests) {
    if (listener_ && descriptor == listener_.get()) {
        accept_clients(requests);
        return true;
    }
    if (!clients_.contains(descriptor)) return false;
    serve_client(descriptor, requests);
    return true;
}

/// Accepts all waiting clients and reads their messages: their requests are queued before the first
/// of them is served.
void Clients::accept_clients(ClientRequests& requests) {
    while (true) {
        Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) return;
        ucred peer{};
        socklen_t size = sizeof(peer);
        if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) continue;
        if (peer.uid != geteuid()) continue;  // the socket's folder is closed to others anyway
        serve_client(add_client(std::move(socket), peer.pid, false), requests);
    }
}

void Clients::serve_client(int descriptor, ClientRequests& requests) {
    Client& client = clients_.at(descriptor);
    try {
        const bool is_alive = client.channel.receive();
        Frame frame;
        while (client.channel.next(frame))
            handle_message(descriptor, client.is_owner, frame, requests);
        (void)client.channel.flush();
        if (is_alive) return;
    } catch (const ProtocolError& error) {
        std::fprintf(stderr, "oml_epe: supervisor: client %d: %s\n", client.process.pid,
                     error.what());
    }
    // Until the requests know, the descriptor must not be reused.
    const Client gone = std::move(client);
    clients_.erase(descriptor);
    requests.client_gone(descriptor, gone.is_owner);
}

void Clients::handle_message(int descriptor, bool is_owner, Frame& frame,
                             ClientRequests& requests) {
    WireReader from(frame.body);
    switch (static_cast<ToSupervisor>(frame.type)) {
        case ToSupervisor::kConfigure:
            if (is_owner) requests.configure_engines(read_supervisor_configuration(from));
            break;
        case ToSupervisor::kGateway:
            if (is_owner) requests.configure_gateway(read_gateway_command(from));
            break;
        case ToSupervisor::kAcquire:
            requests.request_engine(descriptor, read_engine_request(from), frame.descriptors);
            break;
        case ToSupervisor::kAdopt:
            requests.adopt_engine(descriptor, read_engine_adoption(from), frame.descriptors);
            break;
        case ToSupervisor::kForget:
            requests.forget_engine(descriptor, read_engine_id(from).id);
            break;
        case ToSupervisor::kList:
            requests.list_engines(descriptor);
            break;
        case ToSupervisor::kStack:
            requests.request_stack(descriptor, read_process_id(from).pid);
            break;
        default:
            WireReader::fail("request to the supervisor");
    }
}

void Clients::send(int client, FromSupervisor type, const WireWriter& body,
                   std::initializer_list<int> descriptors) {
    const auto found = clients_.find(client);
    if (found == clients_.end()) return;
    found->second.channel.put(type, body, descriptors);
    (void)found->second.channel.flush();
}

ProcessMark Clients::process_of(int client) const {
    const auto found = clients_.find(client);
    return found == clients_.end() ? ProcessMark{} : found->second.process;
}

}  // namespace epe::engine
