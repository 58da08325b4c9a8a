#include "accept.h"

#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "api_error.h"

namespace epe::gateway {
namespace {

constexpr std::array<MediaType, 3> kOffered{MediaType::kJson, MediaType::kCsv, MediaType::kArrow};

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.push_back(trim(text.substr(0, end)));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return result;
}

struct Range {
    std::string type;
    double quality = 1;
};

Range read_range(std::string_view text) {
    const std::vector<std::string_view> parts = split(text, ';');
    Range range{lower(parts[0])};
    for (const std::string_view part : parts) {
        if (!part.starts_with("q=") && !part.starts_with("Q=")) continue;
        const std::string_view number = part.substr(2);
        if (std::from_chars(number.data(), number.data() + number.size(), range.quality).ec !=
            std::errc())
            range.quality = 0;
    }
    return range;
}

/// 3: the type itself, 2: "text/*", 1: "*/*", 0: no match.
int closeness(const Range& range, const std::string& type) {
    if (range.type == type) return 3;
    if (range.type == type.substr(0, type.find('/')) + "/*") return 2;
    return range.type == "*/*" ? 1 : 0;
}

/// The quality value of the most specific range that matches the type.
double quality_of(const std::vector<Range>& ranges, const std::string& type) {
    int closest = 0;
    double quality = 0;
    for (const Range& range : ranges) {
        const int close = closeness(range, type);
        if (close <= closest) continue;
        closest = close;
        quality = range.quality;
    }
    return quality;
}

}  // namespace

const char* media_type_name(MediaType type) {
    switch (type) {
        case MediaType::kCsv:
            return "text/csv";
        case MediaType::kArrow:
            return "application/vnd.apache.arrow.stream";
        default:
            return "application/json";
    }
}

MediaType choose_media_type(std::string_view accept) {
    if (trim(accept).empty()) return MediaType::kJson;
    std::vector<Range> ranges;
    for (const std::string_view part : split(accept, ','))
        if (!part.empty()) ranges.push_back(read_range(part));
    MediaType best = MediaType::kJson;
    double best_quality = 0;
    for (const MediaType type : kOffered) {
        const double quality = quality_of(ranges, media_type_name(type));
        if (quality <= best_quality) continue;
        best = type;
        best_quality = quality;
    }
    if (best_quality > 0) return best;
    std::string names;
    for (const MediaType type : kOffered)
        names += (names.empty() ? "" : ", ") + std::string(media_type_name(type));
    throw ApiError(406, "available media types: " + names);
}

}  // namespace epe::gateway
