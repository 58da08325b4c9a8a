// The handlers of the token endpoint.
#pragma once

#include "route.h"

namespace epe::gateway {

/// POST .../token: the grants "password" and "refresh_token".
void issue_token(Exchange& exchange);
/// POST .../revoke: revokes the token's chain.
void revoke_token(Exchange& exchange);

}  // namespace epe::gateway
