// Content negotiation: the response format a client accepts (RFC 9110, section 12.5.1).
#pragma once

#include <cstdint>
#include <string_view>

namespace epe::gateway {

enum class MediaType : std::uint8_t { kJson, kCsv, kArrow };

const char* media_type_name(MediaType type);

/// The preferred format that header Accept allows; JSON when the header is empty. Throws ApiError
/// 406.
MediaType choose_media_type(std::string_view accept);

}  // namespace epe::gateway
