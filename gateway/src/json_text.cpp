#include "json_text.h"

#include <algorithm>
#include <vector>

#include "api_error.h"

namespace epe::gateway {

void throw_invalid_json(const std::string& what, std::size_t byte) {
    throw ApiError(400,
                   what + " is not valid JSON in UTF-8: error at byte " + std::to_string(byte));
}

void throw_deep_json(const std::string& what) {
    throw ApiError(400, what + " has more than " + std::to_string(kDeepestJson) +
                            " levels of arrays and objects");
}

void throw_large_number(const std::string& what) {
    throw ApiError(400, what + " contains a number that is too large");
}

Json parse_json(std::string_view text, const std::string& what) {
    // The parser looks up each key linearly among the keys of its object so far.
    constexpr std::size_t kMostLooks = 100'000'000;
    std::size_t looks = 0;
    std::vector<std::size_t> keys;  // of the open objects, by depth
    const auto check = [&](int depth, Json::parse_event_t event, Json&) {
        const auto level = static_cast<std::size_t>(depth);
        if (event == Json::parse_event_t::object_start) {
            keys.resize(std::max(keys.size(), level + 2));
            keys[level + 1] = 0;
        } else if (event == Json::parse_event_t::key) {
            looks += keys[level]++;
            if (looks > kMostLooks)
                throw ApiError(400, what + " contains an object with too many members");
        }
        const bool opens =
            event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
        if (opens && depth >= kDeepestJson) throw_deep_json(what);
        return true;
    };
    // The parser treats a zero byte as the end of the text.
    if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos)
        throw_invalid_json(what, zero + 1);
    try {
        return Json::parse(text, check);
    } catch (const Json::parse_error& error) {
        // The parser's message quotes input bytes, which may not be valid UTF-8.
        throw_invalid_json(what, error.byte);
    } catch (const Json::out_of_range&) {
        throw_large_number(what);
    }
}

std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace epe::gateway
