// The encoding of values in a frame: the only code that reads and writes their bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/error.h"

namespace epe::engine {

/// The peer violated the protocol. An engine that does so is killed.
class ProtocolError final : public Error {
   public:
    explicit ProtocolError(const std::string& what);
};

/// Appends values to the body of a frame. Both peers run on one machine: numbers have its byte
/// order.
class WireWriter {
   public:
    template <typename T>
    void number(T value) {
        static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
    }
    void boolean(bool value) { number(static_cast<std::uint8_t>(value)); }
    void text(std::string_view value) {
        number(static_cast<std::uint64_t>(value.size()));
        bytes_.append(value);
    }
    void optional_text(const std::optional<std::string>& value) {
        boolean(value.has_value());
        if (value) text(*value);
    }
    void append(const void* data, std::size_t size) {
        bytes_.append(static_cast<const char*>(data), size);
    }

    std::string& bytes() noexcept { return bytes_; }
    const std::string& bytes() const noexcept { return bytes_; }

   private:
    std::string bytes_{};
};

/// Reads values from the body of a frame. Every method throws ProtocolError when the body ends
/// early or a value is not valid for its type: the bytes may come from a hostile engine.
class WireReader {
   public:
    explicit WireReader(std::string_view bytes) noexcept : bytes_(bytes) {}

    template <typename T>
    T number() {
        static_assert(std::is_arithmetic_v<T>);
        T value;
        std::memcpy(&value, take(sizeof(T)), sizeof(T));
        return value;
    }
    /// An enumerator up to `last`.
    template <typename T>
    T enumerator(T last) {
        const auto value = number<std::underlying_type_t<T>>();
        if (value < 0 || value > static_cast<std::underlying_type_t<T>>(last)) fail("enumerator");
        return static_cast<T>(value);
    }
    bool boolean();
    /// A number from 0 to `most`.
    std::int64_t count(std::int64_t most);
    /// Valid as long as the body.
    std::string_view text_view();
    std::string text() { return std::string(text_view()); }
    std::optional<std::string> optional_text();
    const char* take(std::size_t size);
    /// Removes the last bytes of the body and returns them: data after all other values.
    std::string_view take_tail(std::size_t size);

    std::size_t left() const noexcept { return bytes_.size() - position_; }
    /// To be called after everything has been read.
    void expect_end() const;
    [[noreturn]] static void fail(const char* what);

   private:
    std::string_view bytes_;
    std::size_t position_ = 0;
};

/// The body of a frame that holds one message, which write() of its type writes.
template <typename Message>
WireWriter body_of(const Message& message) {
    WireWriter body;
    write(body, message);
    return body;
}

}  // namespace epe::engine
