// Messages to the client. PostgreSQL processes interrupts while it sends one, so each may throw;
// cancels are excepted, because a script may print a line in the middle of an import, which a
// cancel waits for (py/base/interrupt.cpp).
#include "pg/boundary/log.h"

#include <algorithm>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"

extern "C" {
#include "miscadmin.h"
}

namespace epe::pg {

namespace {

void send(int level, std::string message, int code = 0) {
    std::replace(message.begin(), message.end(), '\0', '?');  // a NUL would end the message
    char* utf8 = message.data();
    guarded([=]() noexcept {
        char* text = to_message(utf8);
        // The macros that hold and resume cancels increment a volatile, which C++20 deprecates.
        QueryCancelHoldoffCount = QueryCancelHoldoffCount + 1;
        ereport(level, (code == 0 ? 0 : errcode(code), errmsg_internal("%s", text)));
        QueryCancelHoldoffCount = QueryCancelHoldoffCount - 1;
        if (text != utf8) pfree(text);
    });
}

}  // namespace

void notice(const std::string& message) { send(NOTICE, message); }

void warning(const std::string& message) { send(WARNING, message); }

void report_progress(const std::string& message) {
    send(INFO, message, MAKE_SQLSTATE('0', '0', 'E', 'P', 'E'));
}

}  // namespace epe::pg
