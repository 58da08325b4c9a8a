// Fuzz target: the parts of a request that name something: its target, job IDs, addresses.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api_error.h"
#include "client_address.h"
#include "core/utf8.h"
#include "job_id.h"
#include "router.h"
#include "target.h"

namespace {

using namespace epe::gateway;
using epe::fuzz::require;

void check_target(const std::string& text) {
    static const Router router(routes());
    const std::vector<std::string> parts = split_target(text);
    for (const std::string& part : parts)
        require(epe::is_clean_utf8(part), "a part of a path is no text");
    for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"}) {
        const RouteMatch match = router.find(method, parts);
        if (match.route == nullptr) continue;
        require(!match.path_template.empty(), "template");
        for (const auto& [name, value] : match.path)
            require(std::find(parts.begin(), parts.end(), value) != parts.end(), "value of a name");
    }
}

void check_job(const std::string& text) {
    try {
        require(is_job_id(job_id_in_url(text)), "job ID of a URL");
    } catch (const ApiError&) {  // NOLINT(bugprone-empty-catch): the usual fate
    }
    if (is_job_id(text)) require(text.size() == 36, "length of a job ID");
}

void check_address(const std::string& text) {
    if (const auto address = IpAddress::parse(text)) {
        const auto again = IpAddress::parse(address->text());
        require(again.has_value() && again->text() == address->text(), "address");
    }
    (void)IpNetwork::parse(text);
    static const std::vector<IpNetwork> trusted{*IpNetwork::parse("10.0.0.0/8"),
                                                *IpNetwork::parse("2001:db8::/32")};
    const std::string client = client_address("10.0.0.1", {text, text}, trusted);
    require(client == "10.0.0.1" || IpAddress::parse(client).has_value(), "address of a client");
}

void run(std::string_view input) {
    const std::string text(input);
    check_target(text);
    check_job(text);
    check_address(text);
}

}  // namespace

EPE_FUZZ_TARGET(gateway_target, run, kBytes)
