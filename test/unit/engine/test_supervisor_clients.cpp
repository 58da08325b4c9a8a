// Tests of engine/supervisor/clients: connections of sessions, their messages and their end.
#include "engine/supervisor/clients.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace epe::engine {
namespace {

/// Writes down what arrives, as lines.
class Recorder final : public ClientRequests {
   public:
    void configure_engines(SupervisorConfiguration wanted) override {
        lines.push_back("configure " + std::to_string(wanted.most_engines));
    }
    void configure_gateway(GatewayCommand command) override {
        lines.push_back("gateway " + std::to_string(command.words.size()));
    }
    void request_engine(int client, EngineRequest request,
                        std::vector<Descriptor>& descriptors) override {
        lines.push_back("request " + std::to_string(request.id) + " with " +
                        std::to_string(descriptors.size()));
        last_client = client;
    }
    void adopt_engine(int, EngineAdoption adoption, std::vector<Descriptor>& descriptors) override {
        lines.push_back("adopt " + std::to_string(adoption.pid) + " with " +
                        std::to_string(descriptors.size()));
    }
    void forget_engine(int, std::uint64_t id) override {
        lines.push_back("forget " + std::to_string(id));
    }
    void list_engines(int) override { lines.emplace_back("list"); }
    void request_stack(int, pid_t engine) override {
        lines.push_back("stack " + std::to_string(engine));
    }
    void client_gone(int client, bool is_owner) override {
        lines.emplace_back(is_owner ? "owner gone" : "client gone");
        last_client = client;
    }

    std::vector<std::string> lines{};
    int last_client = kNoClient;
};

using Lines = std::vector<std::string>;

class SupervisorClients : public testing::Test {
   protected:
    /// The far end of a new client's connection.
    Channel connect(bool is_owner = false) {
        auto [ours, theirs] = make_socket_pair();
        last_ = clients_.add_client(std::move(ours), getpid(), is_owner);
        return {std::move(theirs), Receives::kDescriptors};
    }
    /// Types of the messages that have arrived.
    static std::vector<FromSupervisor> received(Channel& channel) {
        std::vector<FromSupervisor> types;
        (void)channel.receive();
        for (Frame frame; channel.next(frame);)
            types.push_back(static_cast<FromSupervisor>(frame.type));
        return types;
    }
    template <typename Message>
    static void send(Channel& channel, ToSupervisor type, const Message& message,
                     std::initializer_list<int> descriptors = {}) {
        channel.put(type, body_of(message), descriptors);
        ASSERT_TRUE(channel.flush());
    }

    Clients clients_{Descriptor()};
    Recorder requests_{};
    int last_ = kNoClient;  // the client added last
};

TEST_F(SupervisorClients, GreetsEachClient) {
    Channel first = connect();
    Channel second = connect();
    EXPECT_EQ(received(first), std::vector{FromSupervisor::kHello});
    EXPECT_EQ(received(second), std::vector{FromSupervisor::kHello});
    EXPECT_EQ(clients_.process_of(last_).pid, getpid());
}

TEST_F(SupervisorClients, PassesMessagesOnInOrder) {
    Channel client = connect();
    const int file = client.descriptor();
    send(client, ToSupervisor::kAcquire, EngineRequest{.id = 7}, {file, file, file});
    send(client, ToSupervisor::kAdopt, EngineAdoption{.request = {}, .pid = 8}, {file, file});
    send(client, ToSupervisor::kForget, EngineId{9});
    send(client, ToSupervisor::kStack, ProcessId{10});
    client.put(ToSupervisor::kList, WireWriter());
    ASSERT_TRUE(client.flush());
    // Messages with descriptors arrive one at a time.
    while (requests_.lines.size() < 5) ASSERT_TRUE(clients_.handle_event(last_, requests_));
    EXPECT_EQ(requests_.lines,
              (Lines{"request 7 with 3", "adopt 8 with 2", "forget 9", "stack 10", "list"}));
    EXPECT_EQ(requests_.last_client, last_);
}

TEST_F(SupervisorClients, TakesConfigurationsFromTheOwnerOnly) {
    Channel stranger = connect();
    send(stranger, ToSupervisor::kConfigure, SupervisorConfiguration{});
    send(stranger, ToSupervisor::kGateway, GatewayCommand{});
    ASSERT_TRUE(clients_.handle_event(last_, requests_));
    EXPECT_EQ(requests_.lines, Lines{});
    EXPECT_NE(clients_.process_of(last_).pid, 0);  // its connection stays open

    Channel owner = connect(true);
    send(owner, ToSupervisor::kConfigure, SupervisorConfiguration{.most_engines = 3});
    send(owner, ToSupervisor::kGateway, GatewayCommand{{"a", "b"}});
    ASSERT_TRUE(clients_.handle_event(last_, requests_));
    EXPECT_EQ(requests_.lines, (Lines{"configure 3", "gateway 2"}));
}

TEST_F(SupervisorClients, ReportsTheEndOfAConnectionAfterItsLastMessages) {
    Channel client = connect();
    send(client, ToSupervisor::kForget, EngineId{1});
    client.close();
    while (requests_.lines.size() < 2) ASSERT_TRUE(clients_.handle_event(last_, requests_));
    EXPECT_EQ(requests_.lines, (Lines{"forget 1", "client gone"}));
    EXPECT_EQ(requests_.last_client, last_);
    EXPECT_EQ(clients_.process_of(last_).pid, 0);
    EXPECT_FALSE(clients_.handle_event(last_, requests_));
    clients_.send(last_, FromSupervisor::kEngines, WireWriter());  // no-op
}

TEST_F(SupervisorClients, ReportsTheEndOfTheOwner) {
    Channel owner = connect(true);
    owner.close();
    ASSERT_TRUE(clients_.handle_event(last_, requests_));
    EXPECT_EQ(requests_.lines, Lines{"owner gone"});
}

TEST_F(SupervisorClients, EndsConnectionsThatBreakTheProtocol) {
    Channel other = connect();
    const int other_client = last_;
    Channel unknown = connect();
    unknown.put(static_cast<ToSupervisor>(99), WireWriter());
    ASSERT_TRUE(unknown.flush());
    ASSERT_TRUE(clients_.handle_event(last_, requests_));
    EXPECT_EQ(requests_.lines, Lines{"client gone"});

    Channel cut_off = connect();
    cut_off.put(ToSupervisor::kForget, WireWriter());  // without its number
    ASSERT_TRUE(cut_off.flush());
    ASSERT_TRUE(clients_.handle_event(last_, requests_));
    EXPECT_EQ(requests_.lines, (Lines{"client gone", "client gone"}));
    EXPECT_NE(clients_.process_of(other_client).pid, 0);
}

TEST_F(SupervisorClients, KeepsMessagesForASlowClient) {
    Channel client = connect();
    WireWriter body;
    body.text(std::string(1 << 20, 'x'));
    for (int i = 0; i < 4; ++i) clients_.send(last_, FromSupervisor::kStackText, body);
    std::vector<pollfd> polled;
    clients_.add_polled(polled);
    ASSERT_EQ(polled.size(), 1U);
    EXPECT_EQ(polled[0].fd, last_);
    EXPECT_EQ(polled[0].events, POLLIN | POLLOUT);
    std::vector<FromSupervisor> types = received(client);
    while (types.size() < 5) {
        ASSERT_TRUE(clients_.handle_event(last_, requests_));
        for (const FromSupervisor each : received(client)) types.push_back(each);
    }
    EXPECT_EQ(std::count(types.begin(), types.end(), FromSupervisor::kStackText), 4);
}

TEST(SupervisorListener, AcceptsAllWaitingClientsWithTheirMessages) {
    std::string folder = std::filesystem::temp_directory_path() / "epe_unit_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder + "/socket";
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const auto* const place = reinterpret_cast<const sockaddr*>(&address);
    Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(bind(listener.get(), place, sizeof(address)), 0);
    ASSERT_EQ(listen(listener.get(), 8), 0);
    const int number = listener.get();
    std::vector<Channel> peers;
    for (int i = 0; i < 2; ++i) {
        Descriptor peer(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        ASSERT_EQ(connect(peer.get(), place, sizeof(address)), 0);
        peers.emplace_back(std::move(peer), Receives::kDescriptors);
        peers.back().put(ToSupervisor::kForget, body_of(EngineId{1}));
        ASSERT_TRUE(peers.back().flush());
    }
    Clients clients(std::move(listener));
    Recorder requests;
    EXPECT_TRUE(clients.has_listener());
    ASSERT_TRUE(clients.handle_event(number, requests));
    EXPECT_EQ(requests.lines, (Lines{"forget 1", "forget 1"}));
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace epe::engine
