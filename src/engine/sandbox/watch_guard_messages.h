// The messages between the zygote or an engine and the watch guard.
#pragma once

#include <cstddef>
#include <optional>

#include "engine/common/descriptor.h"

namespace epe::engine {

/// Sends bytes, and a descriptor when there is one.
bool send_message(int socket, const void* data, std::size_t size, int descriptor) noexcept;

/// Receives a message. The number of its bytes; 0 at the end.
std::size_t receive_message(int socket, void* data, std::size_t size,
                            Descriptor& descriptor) noexcept;

/// Waits for the guard's answer. Empty when the guard is gone or does not answer within a second,
/// which it does at once unless it is stopped.
std::optional<char> receive_answer(int socket) noexcept;

}  // namespace epe::engine
