// What a refused request is answered.
#pragma once

#include "api_error.h"

namespace httplib {
struct Response;
}

namespace epe::gateway {

/// {"errorCode", "errorMessage", and where there are "errorDetail", "sqlState"}, as JSON.
void fill_error(httplib::Response& response, const ApiError& error);

}  // namespace epe::gateway
