// The connections of the supervisor's clients: the backends and the engine launcher.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <vector>

#include "engine/common/channel.h"
#include "engine/common/process_mark.h"
#include "engine/common/supervisor_messages.h"

namespace epe::engine {

inline constexpr int kNoClient = -1;

/// Receives the messages of clients. A client is named by the descriptor of its connection, which
/// is valid until client_gone(). Implementations may throw ProtocolError, which ends the
/// connection.
class ClientRequests {
   public:
    virtual ~ClientRequests() = default;

    // From the owner only.
    virtual void configure_engines(SupervisorConfiguration wanted) = 0;
    virtual void configure_gateway(GatewayCommand command) = 0;

    virtual void request_engine(int client, EngineRequest request,
                                std::vector<Descriptor>& descriptors) = 0;
    virtual void adopt_engine(int client, EngineAdoption adoption,
                              std::vector<Descriptor>& descriptors) = 0;
    virtual void forget_engine(int client, std::uint64_t id) = 0;
    virtual void list_engines(int client) = 0;
    virtual void request_stack(int client, pid_t engine) = 0;
    /// The connection has ended. Nothing can be sent to the client any more.
    virtual void client_gone(int client, bool is_owner) = 0;
};

class Clients {
   public:
    /// `listener` accepts connections of backends; empty: the owner is the only client.
    explicit Clients(Descriptor listener) noexcept : listener_(std::move(listener)) {}

    bool has_listener() const noexcept { return static_cast<bool>(listener_); }
    /// Adds a connected client and greets it. The owner is the process that started the supervisor.
    int add_client(Descriptor socket, pid_t pid, bool is_owner = false);
    void add_polled(std::vector<pollfd>& polled) const;
    /// Accepts clients, or reads a client's messages. False when the descriptor belongs to neither.
    bool handle_event(int descriptor, ClientRequests& requests);
    /// Sends a message to a client; no-op if the client is gone.
    void send(int client, FromSupervisor type, const WireWriter& body,
              std::initializer_list<int> descriptors = {});
    /// The client's process; empty if it is gone.
    ProcessMark process_of(int client) const;

   private:
    struct Client {
        Channel channel{};
        ProcessMark process{};  // without its start if it had ended already
        bool is_owner = false;
    };

    void accept_clients(ClientRequests& requests);
    void serve_client(int descriptor, ClientRequests& requests);
    static void handle_message(int descriptor, bool is_owner, Frame& frame,
                               ClientRequests& requests);

    Descriptor listener_;
    std::map<int, Client> clients_{};  // by the descriptor of the connection
};

}  // namespace epe::engine
