#include "interruption.h"

#include <cstdint>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace epe::gateway {

int interruption_descriptor() {
    static const int kEvent = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return kEvent;
}

void interrupt_statements() {
    const std::uint64_t one = 1;
    const ssize_t written = write(interruption_descriptor(), &one, sizeof(one));
    (void)written;
}

bool is_interrupted() {
    pollfd event{interruption_descriptor(), POLLIN, 0};
    return poll(&event, 1, 0) > 0;
}

}  // namespace epe::gateway
