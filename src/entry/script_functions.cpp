// The SQL functions of the script repository: create, drop, grant, revoke.
#include <string>

#include "core/error.h"
#include "pg/function_call.h"
#include "pg/host.h"
#include "pg/interrupts.h"
#include "pg/script_store.h"
#include "py/script_engine.h"

namespace {

using epe::Error;

std::string required_text(const epe::pg::FunctionCall& call, int argument, const char* name) {
    auto text = call.text(argument);
    if (!text)
        throw Error(epe::sqlstate::kInvalidArgument, std::string(name) + " must not be null");
    return *std::move(text);
}

std::string ascii_lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// V_TYPE of pyq_grant and pyq_revoke (spec sql section 9).
void require_script_type(const epe::pg::FunctionCall& call) {
    const std::string type = required_text(call, 1, "v_type");
    const std::string folded = ascii_lower(type);
    if (folded == "pyqscript") return;
    if (folded == "datastore")
        throw Error(epe::sqlstate::kUnsupported, "datastores are not supported yet");
    throw Error(epe::sqlstate::kInvalidArgument, "unknown v_type \"" + type + "\"",
                "v_type is 'pyqscript' or 'datastore'.");
}

}  // namespace

// (v_name text, v_script text, v_global boolean, v_overwrite boolean)
EPE_FUNCTION(epe_script_create) {
    const std::string name = required_text(call, 0, "v_name");
    const std::string source = required_text(call, 1, "v_script");
    epe::pg::NewScript script{name, source};
    script.is_global = call.boolean(2).value_or(false);
    script.may_replace = call.boolean(3).value_or(false);
    epe::pg::require_valid_script(script);
    epe::pg::require_trusted_user();  // before anybody's text reaches Python's compiler
    const auto host = epe::pg::make_host();
    epe::py::check_script(name, source, *host, epe::pg::interrupt_flags());
    epe::pg::create_script(script);
}

// (v_name text, v_global boolean, v_silent boolean)
EPE_FUNCTION(epe_script_drop) {
    epe::pg::drop_script(required_text(call, 0, "v_name"), call.boolean(1).value_or(false),
                         call.boolean(2).value_or(false));
}

// (v_name text, v_type text, v_user text)
EPE_FUNCTION(epe_grant) {
    require_script_type(call);
    epe::pg::grant_script(required_text(call, 0, "v_name"), call.text(2));
}

// (v_name text, v_type text, v_user text)
EPE_FUNCTION(epe_revoke) {
    require_script_type(call);
    epe::pg::revoke_script(required_text(call, 0, "v_name"), call.text(2));
}

// A trigger on the tables of the repository.
EPE_FUNCTION(epe_scripts_changed) { epe::pg::note_script_change(call); }
