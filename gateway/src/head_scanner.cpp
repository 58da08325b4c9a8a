#include "head_scanner.h"

#include <cctype>
#include <string_view>
#include <utility>

namespace epe::gateway {

namespace {

constexpr std::size_t kLongestName = 32;  // of the headers checked here

bool is_token_character(char byte) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return std::isalnum(static_cast<unsigned char>(byte)) != 0 ||
           kMarks.find(byte) != std::string_view::npos;
}

/// The headers that determine the length of the request.
bool is_framing(const std::string& name) {
    return name == "content-length" || name == "transfer-encoding";
}

}  // namespace

bool HeadScanner::take(char byte) {
    const char previous = std::exchange(previous_, byte);
    if (place_ == Place::kBad) return false;
    if (byte == '\n') {
        if (previous == '\r' && end_line()) return true;
        place_ = Place::kBad;
        return false;
    }
    if (previous == '\r') place_ = Place::kBad;  // only a line feed may follow
    if (byte == '\r' && place_ != Place::kBad) return true;
    // RFC 9110, section 5.5; some parsers end the value at such bytes.
    if (byte == '\0') place_ = Place::kBad;
    switch (place_) {
        case Place::kRequestLine:
            return true;
        case Place::kLineStart:
            name_.clear();
            has_value_ = false;
            place_ = Place::kName;
            [[fallthrough]];
        case Place::kName:
            if (byte == ':' && !name_.empty()) {
                place_ = Place::kValue;
            } else if (!is_token_character(byte)) {
                place_ = Place::kBad;
            } else if (name_.size() < kLongestName) {
                name_ += static_cast<char>(std::tolower(static_cast<unsigned char>(byte)));
            }
            break;
        case Place::kValue:
            has_value_ = has_value_ || (byte != ' ' && byte != '\t');
            // httplib decodes the target.
            if (byte == '%' && is_framing(name_)) place_ = Place::kBad;
            break;
        case Place::kBad:
            break;
    }
    return place_ != Place::kBad;
}

bool HeadScanner::end_line() {
    if (place_ == Place::kName) return false;
    if (place_ == Place::kValue && !has_value_ && is_framing(name_)) return false;
    place_ = Place::kLineStart;
    return true;
}

}  // namespace epe::gateway
