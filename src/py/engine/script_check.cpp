// Checks the text of a script that is to be stored.
#include "py/engine/script_check.h"

#include "py/base/activation_internal.h"
#include "py/base/error_internal.h"
#include "py/engine/interpreter_internal.h"
#include "py/engine/script_cache_internal.h"

namespace epe::py {

void check_script(const std::string& name, const std::string& source, Host& host,
                  const InterruptFlags& flags) {
    require_interpreter();
    Output output(host);
    RequestLink link{&host, flags, &output};
    Activation active(link);
    try {
        check_source(name, source);
    } catch (const ScriptError&) {
        Error failure = take_error({});
        active.settle();
        throw failure;
    }
    active.settle();
}

}  // namespace epe::py
