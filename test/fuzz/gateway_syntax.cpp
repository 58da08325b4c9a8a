// Fuzz target: heads and bodies in chunks, before httplib reads them.
//
// The first byte selects one of the two, and how the bytes are split, which must not change the
// result. Accepted chunks are compared with a second parse by the grammar of RFC 9112.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chunk_scanner.h"
#include "head_scanner.h"
#include "target.h"

namespace {

using epe::fuzz::require;
using epe::gateway::ChunkScanner;
using epe::gateway::HeadScanner;

std::optional<std::size_t> hex_digit(char byte) {
    if (byte >= '0' && byte <= '9') return static_cast<std::size_t>(byte - '0');
    if (byte >= 'a' && byte <= 'f') return static_cast<std::size_t>(byte - 'a' + 10);
    if (byte >= 'A' && byte <= 'F') return static_cast<std::size_t>(byte - 'A' + 10);
    return std::nullopt;
}

/// The length of a whole body in chunks at the front of `text`, without trailers; nullopt: none.
std::optional<std::size_t> body_length(std::string_view text) {
    std::size_t at = 0;
    while (true) {
        std::size_t size = 0;
        const std::size_t first = at;
        while (at < text.size() && hex_digit(text[at])) {
            if (size > text.size()) return std::nullopt;  // longer than the input
            size = size * 16 + *hex_digit(text[at++]);
        }
        const std::size_t line_end = text.find("\r\n", at);
        if (at == first || line_end == std::string_view::npos) return std::nullopt;
        at = line_end + 2;
        if (size > text.size() - at) return std::nullopt;
        at += size;
        if (text.substr(at, 2) != "\r\n") return std::nullopt;
        at += 2;
        if (size == 0) return at;
    }
}

void check_chunks(std::string_view text, std::size_t piece) {
    ChunkScanner whole;
    const bool is_taken = whole.take(text);
    ChunkScanner parts;
    bool are_taken = true;
    for (std::size_t at = 0; at < text.size() && are_taken; at += piece)
        are_taken = parts.take(text.substr(at, piece));
    require(is_taken == are_taken, "pieces make a difference");
    if (!is_taken) {
        require(!whole.take("0") && !whole.is_done(), "a refused body is taken again");
        return;
    }
    require(whole.is_done() == parts.is_done(), "pieces make a difference at the end");
    if (!whole.is_done()) return;
    const std::optional<std::size_t> length = body_length(text);
    require(length.has_value() && *length == text.size(), "a body is taken that is none");
}

void check_head(std::string_view text) {
    HeadScanner scanner;
    bool is_taken = true;
    std::size_t taken = 0;
    for (; taken < text.size() && is_taken; ++taken) is_taken = scanner.take(text[taken]);
    if (!is_taken) {
        require(!scanner.take('\n'), "a refused head is taken again");
        return;
    }
    // Ambiguous for a proxy: bare line feeds, folded lines, spaces before the colon.
    const std::string_view head = text.substr(0, text.find("\r\n\r\n"));
    for (std::size_t at = 0; at < head.size(); ++at) {
        require(head[at] != '\0', "zero byte");
        if (head[at] == '\n') require(at > 0 && head[at - 1] == '\r', "bare line feed");
    }
}

void run(std::string_view input) {
    epe::fuzz::Bytes bytes(input);
    const std::uint8_t choice = bytes.byte();
    const std::string text(bytes.rest());
    if ((choice & 1U) != 0)
        check_chunks(text, 1 + choice / 2);
    else
        check_head(text);
}

}  // namespace

EPE_FUZZ_TARGET(gateway_syntax, run, kBytes)
