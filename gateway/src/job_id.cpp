#include "job_id.h"

#include "answer.h"
#include "api_error.h"

namespace epe::gateway {

namespace {
constexpr std::size_t kLength = 36;
}

bool is_job_id(std::string_view text) {
    if (text.size() != kLength) return false;
    for (std::size_t i = 0; i < kLength; ++i) {
        const char c = text[i];
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool is_hex =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (is_dash ? c != '-' : !is_hex) return false;
    }
    return true;
}

std::string job_in_path(const Exchange& exchange) {
    std::string id = path_text(exchange, "jobId");
    if (!is_job_id(id)) throw ApiError(400, "the job ID must be a UUID");
    return id;
}

std::string job_id_in_url(std::string_view url) {
    if (url.size() > kLength) url.remove_prefix(url.size() - kLength);
    if (!is_job_id(url)) throw ApiError(500, "the database did not return a job URL");
    return std::string(url);
}

}  // namespace epe::gateway
