// Messages as inputs of fuzz targets: a type, a number of descriptors, and a body, one after the
// other. The target frames them itself, so that no frame waits for missing bytes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "engine/common/channel.h"
#include "target.h"

namespace epe::fuzz {

struct RawMessage {
    std::uint8_t type = 0;
    std::uint8_t descriptors = 0;
    std::string_view body{};
};

inline RawMessage next_message(Bytes& bytes) {
    constexpr std::uint8_t kMostDescriptors = 4;
    RawMessage message;
    message.type = bytes.byte();
    message.descriptors = static_cast<std::uint8_t>(bytes.byte() % (kMostDescriptors + 1));
    const std::size_t size = bytes.size();
    message.body = bytes.take(size);
    return message;
}

/// Sends a message with up to four descriptors of `from`.
inline void send_message(engine::Channel& channel, const RawMessage& message,
                         const std::initializer_list<int>& from) {
    engine::WireWriter body;
    body.append(message.body.data(), message.body.size());
    const int* const each = from.begin();
    switch (message.descriptors < from.size() ? message.descriptors : from.size()) {
        case 0:
            channel.put(message.type, body);
            break;
        case 1:
            channel.put(message.type, body, {each[0]});
            break;
        case 2:
            channel.put(message.type, body, {each[0], each[1]});
            break;
        case 3:
            channel.put(message.type, body, {each[0], each[1], each[2]});
            break;
        default:
            channel.put(message.type, body, {each[0], each[1], each[2], each[3]});
    }
    require(channel.flush(), "the socket takes a message");
}

}  // namespace epe::fuzz
