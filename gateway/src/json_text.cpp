#include "json_text.h"

#include "api_error.h"

namespace epe::gateway {

Json parse_json(std::string_view text, const std::string& what) {
    const auto check_depth = [&](int depth, Json::parse_event_t event, Json&) {
        const bool opens =
            event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
        if (opens && depth >= kDeepestJson)
            throw ApiError(400, what + " has more than " + std::to_string(kDeepestJson) +
                                    " levels of arrays and objects");
        return true;
    };
    // The parser takes a zero byte for the end of the text.
    if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos)
        throw ApiError(400, what + " is not valid JSON in UTF-8: error at byte " +
                                std::to_string(zero + 1));
    try {
        return Json::parse(text, check_depth);
    } catch (const Json::parse_error& error) {
        // The parser's own message repeats bytes that may be no UTF-8.
        throw ApiError(400, what + " is not valid JSON in UTF-8: error at byte " +
                                std::to_string(error.byte));
    } catch (const Json::out_of_range&) {
        throw ApiError(400, what + " has a number that is too large");
    }
}

std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace epe::gateway
