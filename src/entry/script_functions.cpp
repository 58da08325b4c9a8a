// The SQL functions of the script repository: create and drop.
#include <string>

#include "core/error.h"
#include "engine/client/process_engine.h"
#include "entry/engine_choice.h"
#include "pg/backend/host.h"
#include "pg/backend/session.h"
#include "pg/backend/settings.h"
#include "pg/backend/waiter.h"
#include "pg/boundary/function_call.h"
#include "pg/catalog/script_writer.h"
#include "py/engine/script_check.h"

namespace {

void check_in_process(const std::string& name, const std::string& source, epe::Host& host) {
    epe::Script script;
    script.owner = epe::pg::role_name(epe::pg::current_role());  // whose engine will run it too
    script.name = name;
    script.source = source;
    epe::engine::EngineOptions options = epe::engine_options({});
    options.requires_sandbox =
        epe::pg::engine_settings().sandbox == epe::pg::SandboxChoice::kRequired;
    const auto waiter = epe::pg::make_waiter();
    epe::engine::check_script_in_process(script, options, host, *waiter);
}

}  // namespace

// (v_name text, v_script text, v_global boolean, v_overwrite boolean, v_description text)
EPE_FUNCTION(epe_script_create) {
    const std::string name = call.required_text(0, "v_name");
    const std::string source = call.required_text(1, "v_script");
    epe::pg::NewScript script{name, source};
    script.is_global = call.boolean(2).value_or(false);
    script.may_replace = call.boolean(3).value_or(false);
    const auto description = call.text(4);
    if (description) script.description = *description;
    epe::pg::require_valid_script(script);
    if (script.is_global) epe::pg::require_trusted_user();
    const auto host = epe::pg::make_host();
    // otherwise the text must not even reach Python's compiler in this process
    if (epe::pg::is_trusted_user())
        epe::py::check_script(name, source, *host, epe::pg::interrupt_flags());
    else
        check_in_process(name, source, *host);
    epe::pg::create_script(script);
}

// (v_name text, v_global boolean, v_silent boolean)
EPE_FUNCTION(epe_script_drop) {
    epe::pg::drop_script(call.required_text(0, "v_name"), call.boolean(1).value_or(false),
                         call.boolean(2).value_or(false));
}

// (role oid)
EPE_FUNCTION(epe_is_trusted_role) {
    call.return_bool(epe::pg::is_trusted_owner(call.oid(0).value()));
}

// A trigger on the tables of the repository.
EPE_FUNCTION(epe_scripts_changed) { epe::pg::note_script_change(call); }
