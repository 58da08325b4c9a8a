// Versions and resources of the API (compatibility.md, REST-9).
#include <array>
#include <charconv>
#include <ctime>
#include <set>

#include "answer.h"
#include "handlers.h"
#include "options.h"

namespace epe::gateway {
namespace {

std::string prefix_of(ApiVersion version) {
    return std::string("/oml/api/py-scripts/") + version_name(version);
}

Json links_of(const Exchange& exchange, ApiVersion version) {
    const std::string prefix = prefix_of(version);
    Json links = Json::array();
    std::set<std::string> seen;
    for (const Route& route : routes()) {
        const std::string path = route.path;
        const bool is_self = path == prefix;
        if ((!is_self && !path.starts_with(prefix + "/")) || !seen.insert(path).second) continue;
        Json link;
        link["rel"] = is_self ? "self" : "child";
        link["href"] = base_url(exchange) + path;
        links.push_back(std::move(link));
    }
    return links;
}

/// Header Deprecation is "@" and seconds since 1970 (RFC 9745): the value for a date.
std::string lifecycle(const std::string& deprecation) {
    if (deprecation.empty()) return "ACTIVE";
    std::int64_t seconds = 0;
    const char* const end = deprecation.data() + deprecation.size();
    const bool is_time = deprecation.front() == '@' &&
                         std::from_chars(deprecation.data() + 1, end, seconds).ptr == end;
    const std::time_t time = seconds;
    std::tm parts{};
    std::array<char, 16> day{};
    if (!is_time || gmtime_r(&time, &parts) == nullptr ||
        std::strftime(day.data(), day.size(), "%Y-%m-%d", &parts) == 0)
        return "DEPRECATED";
    return std::string("DEPRECATED@") + day.data();
}

Json version_object(const Exchange& exchange, ApiVersion version) {
    const bool is_new = version == ApiVersion::kV2;
    Json object;
    object["version"] = version_name(version);
    object["isLatest"] = is_new;
    object["lifecycle"] = lifecycle(is_new ? "" : options_of(exchange).v1_deprecation);
    object["links"] = links_of(exchange, version);
    return object;
}

}  // namespace

void show_versions(Exchange& exchange) {
    Json body;
    body["items"] = {version_object(exchange, ApiVersion::kV1),
                     version_object(exchange, ApiVersion::kV2)};
    answer_json(exchange, 200, body);
}

void show_version_of(Exchange& exchange, ApiVersion version) {
    answer_json(exchange, 200, version_object(exchange, version));
}

}  // namespace epe::gateway
