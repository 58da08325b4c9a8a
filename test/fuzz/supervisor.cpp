// Fuzz target: a supervisor that reads messages of backends, its owner and its zygotes.
//
// A message of the input goes to one of the three. No process is started: the one zygote is a
// record with a socket, and pidfds are descriptors that take no signals.
#include "engine/supervisor/supervisor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "messages.h"
#include "private_member.h"
#include "quiet_log.h"

namespace epe::fuzz {

using namespace engine;

struct ClientsMember {
    using Type = Clients Supervisor::*;
    friend Type member(ClientsMember);
};
struct ZygotesMember {
    using Type = ZygotePool Supervisor::*;
    friend Type member(ZygotesMember);
};
struct HandleEvent {
    using Type = void (Supervisor::*)(int);
    friend Type member(HandleEvent);
};
struct HandleMessage {
    using Type = void (*)(int, bool, Frame&, ClientRequests&);
    friend Type member(HandleMessage);
};

template struct PrivateMember<ClientsMember, &Supervisor::clients_>;
template struct PrivateMember<ZygotesMember, &Supervisor::zygotes_>;
template struct PrivateMember<HandleEvent, &Supervisor::handle_event>;
template struct PrivateMember<HandleMessage, &Clients::handle_message>;

}  // namespace epe::fuzz

namespace {

using namespace epe::engine;
using epe::fuzz::RawMessage;
using epe::fuzz::require;

/// An empty folder with the lifetime of the program, without records of other processes.
const std::string& folder() {
    struct Made {
        std::string top = std::filesystem::temp_directory_path() / "epe_fuzz_XXXXXX";
        std::string path;
        Made() {
            require(mkdtemp(top.data()) != nullptr, "mkdtemp");
            path = top + "/own";
            std::filesystem::create_directory(path);
        }
        ~Made() { std::filesystem::remove_all(top); }
        Made(const Made&) = delete;
        Made& operator=(const Made&) = delete;
    };
    static const Made made;
    return made.path;
}

/// Both ends of the supervisor's connections.
struct Fixture {
    Channel client{};
    Channel zygote{};
    int client_descriptor = -1;
    int zygote_descriptor = -1;
    int owner_descriptor = -1;
    Supervisor supervisor;

    explicit Fixture(Descriptor owner)
        : owner_descriptor(owner.get()), supervisor(birth_of(std::move(owner))) {
        auto [client_end, client_far] = make_socket_pair();
        client_descriptor = clients().add_client(std::move(client_end), kClientPid);
        client = Channel(std::move(client_far), Receives::kDescriptors);
        auto [zygote_end, zygote_far] = make_socket_pair();
        zygote_descriptor = zygote_end.get();
        (supervisor.*member(epe::fuzz::ZygotesMember())).add_zygote({}, 0, std::move(zygote_end));
        zygote = Channel(std::move(zygote_far), Receives::kDescriptors);
    }
    Clients& clients() { return supervisor.*member(epe::fuzz::ClientsMember()); }
    bool has_client() { return clients().process_of(client_descriptor).pid == kClientPid; }
    void handle_event(int descriptor) {
        (supervisor.*member(epe::fuzz::HandleEvent()))(descriptor);
    }

   private:
    static constexpr pid_t kClientPid = 1;

    static SupervisorBirth birth_of(Descriptor owner) {
        SupervisorBirth birth;
        birth.owner = std::move(owner);
        birth.folder = folder();
        birth.zygotes.serve = [](ZygoteBirth) { _exit(1); };  // zygotes need Python
        return birth;
    }
};

/// The owner's messages are not sent: a supervisor whose owner breaks the protocol ends.
void tell_as_owner(Fixture& fixture, const RawMessage& message) {
    Frame frame;
    frame.type = message.type;
    frame.body = message.body;
    member(epe::fuzz::HandleMessage())(fixture.owner_descriptor, true, frame, fixture.supervisor);
}

void run(std::string_view input) {
    const Descriptor descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const int number = descriptor.get();
    auto [owner_end, owner_far] = make_socket_pair();
    Fixture fixture(std::move(owner_end));
    epe::fuzz::Bytes bytes(input);
    try {
        while (!bytes.is_empty() && fixture.has_client()) {
            const std::uint8_t speaker = bytes.byte() % 4;
            const RawMessage message = epe::fuzz::next_message(bytes);
            if (speaker == 0) {
                tell_as_owner(fixture, message);
            } else if (speaker == 1) {
                epe::fuzz::send_message(fixture.zygote, message, {number, number, number, number});
                const epe::fuzz::QuietLog quiet;
                fixture.handle_event(fixture.zygote_descriptor);
            } else {
                epe::fuzz::send_message(fixture.client, message, {number, number, number, number});
                const epe::fuzz::QuietLog quiet;
                fixture.handle_event(fixture.client_descriptor);
            }
            // Its answers are read, so that its queue does not grow.
            (void)fixture.client.receive();
            for (Frame frame; fixture.client.next(frame);) frame.descriptors.clear();
        }
    } catch (const ProtocolError&) {  // NOLINT(bugprone-empty-catch): the supervisor ends with it
    }
}

}  // namespace

EPE_FUZZ_TARGET(supervisor, run, kBytes)
