// Error responses.
#pragma once

#include "api_error.h"

namespace httplib {
struct Response;
}

namespace epe::gateway {

/// {"errorCode", "errorMessage", and if set "errorDetail", "sqlState"}, as JSON.
void fill_error(httplib::Response& response, const ApiError& error);

}  // namespace epe::gateway
