// Fuzz target: an engine that reads messages of its backend: arenas, messages, rows.
//
// The first byte selects the arena that is passed with each message that needs one.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "engine/link/backend_link.h"
#include "messages.h"

namespace {

using namespace epe::engine;
using epe::fuzz::require;

constexpr std::size_t kArenaBytes = 4096;

Descriptor make_memory(std::uint8_t form) {
    Descriptor memory(memfd_create("epe_fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    require(static_cast<bool>(memory), "memfd_create");
    if ((form & 1U) == 0) require(ftruncate(memory.get(), kArenaBytes) == 0, "ftruncate");
    if ((form & 2U) == 0)
        require(fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0,
                "seals");
    return memory;
}

/// An engine's processing of the rows after a message.
void take_rows(BackendLink& link, const Message& message) {
    try {
        WireReader from(message.body);
        (void)link.take_rows(from);
    } catch (const ProtocolError&) {  // NOLINT(bugprone-empty-catch): the usual fate
    }
}

void run(std::string_view input) {
    constexpr int kMostMessages = 64;
    epe::fuzz::Bytes bytes(input);
    const Descriptor memory = make_memory(bytes.byte());
    auto [ours, theirs] = make_socket_pair();
    BackendLink link(std::move(ours));
    Channel backend(std::move(theirs), Receives::kNoDescriptors);
    try {
        for (int i = 0; i < kMostMessages && !bytes.is_empty(); ++i) {
            const epe::fuzz::RawMessage message = epe::fuzz::next_message(bytes);
            epe::fuzz::send_message(backend, message,
                                    {memory.get(), memory.get(), memory.get(), memory.get()});
            // wait() does not return for an arena: send a message that it returns.
            backend.put(ToEngine::kEnd, WireWriter());
            require(backend.flush(), "the socket takes a message");
            for (bool is_end = false; !is_end;) {
                const Message got = link.wait();
                is_end = got.type == ToEngine::kEnd && got.body.empty();
                if (!is_end) take_rows(link, got);
            }
            if (message.type == static_cast<std::uint8_t>(ToEngine::kEnd) && message.body.empty())
                (void)link.wait();  // there were two
        }
    } catch (const epe::Error&) {  // NOLINT(bugprone-empty-catch): the engine ends with it
    }
}

}  // namespace

EPE_FUZZ_TARGET(engine_link, run, kBytes)
