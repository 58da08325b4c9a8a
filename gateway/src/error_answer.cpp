#include "error_answer.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

namespace epe::gateway {

void fill_error(httplib::Response& response, const ApiError& error) {
    nlohmann::ordered_json body{{"errorCode", error.code()}, {"errorMessage", error.what()}};
    if (!error.detail().empty()) body["errorDetail"] = error.detail();
    if (!error.sqlstate().empty()) body["sqlState"] = error.sqlstate();
    response.status = error.status();
    response.headers.erase("Content-Type");
    response.set_content(
        body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
        "application/json");
}

}  // namespace epe::gateway
