// The encoding of values in a frame.
#include "engine/common/wire.h"

namespace epe::engine {

ProtocolError::ProtocolError(const std::string& what)
    : Error(sqlstate::kProtocolViolation,
            "invalid message between server and Python engine: " + what) {}

void WireReader::fail(const char* what) { throw ProtocolError(std::string("bad ") + what); }

const char* WireReader::take(std::size_t size) {
    if (size > left()) throw ProtocolError("it ends early");
    const char* const at = bytes_.data() + position_;
    position_ += size;
    return at;
}

std::string_view WireReader::take_tail(std::size_t size) {
    if (size > left()) throw ProtocolError("it ends early");
    const std::string_view tail = bytes_.substr(bytes_.size() - size);
    bytes_.remove_suffix(size);
    return tail;
}

bool WireReader::boolean() {
    const auto value = number<std::uint8_t>();
    if (value > 1) fail("boolean");
    return value == 1;
}

std::int64_t WireReader::count(std::int64_t most) {
    const auto value = number<std::int64_t>();
    if (value < 0 || value > most) fail("count");
    return value;
}

std::string_view WireReader::text_view() {
    const auto size = number<std::uint64_t>();
    if (size > left()) throw ProtocolError("it ends early");
    return {take(size), size};
}

std::optional<std::string> WireReader::optional_text() {
    if (!boolean()) return std::nullopt;
    return text();
}

void WireReader::expect_end() const {
    if (left() > 0) throw ProtocolError("it has extra bytes");
}

}  // namespace epe::engine
