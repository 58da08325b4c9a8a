#include "client_watch.h"

#include <poll.h>

#include "current_client.h"

namespace epe::gateway {

namespace {

thread_local int current = -1;

}  // namespace

CurrentClient::CurrentClient(int descriptor) { current = descriptor; }
CurrentClient::~CurrentClient() { current = -1; }

int ClientWatch::descriptor() {
    if (descriptor_ == kNotLookedUp) descriptor_ = current;
    return descriptor_;
}

bool ClientWatch::is_gone() {
    if (descriptor() < 0) return false;
    pollfd client{descriptor(), POLLRDHUP, 0};
    return poll(&client, 1, 0) > 0 && client.revents != 0;
}

}  // namespace epe::gateway
