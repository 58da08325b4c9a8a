// The SQL functions of datastores, and the functions that grant datastores and scripts.
#include "core/error.h"
#include "pg/boundary/function_call.h"
#include "pg/catalog/datastore.h"
#include "pg/catalog/script_store.h"

namespace {

using epe::Error;

std::string ascii_lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// V_TYPE of pyq_grant and pyq_revoke (compatibility.md, SQL-66): a datastore or a script.
bool is_datastore(const epe::pg::FunctionCall& call) {
    const std::string type = call.required_text(1, "v_type");
    const std::string folded = ascii_lower(type);
    if (folded == "datastore") return true;
    if (folded == "pyqscript") return false;
    throw Error(epe::sqlstate::kInvalidArgument, "unknown v_type \"" + type + "\"",
                "v_type is 'pyqscript' or 'datastore'.");
}

}  // namespace

// (v_name text, v_type text, v_user text)
EPE_FUNCTION(epe_grant) {
    const auto grant = is_datastore(call) ? epe::pg::grant_datastore : epe::pg::grant_script;
    grant(call.required_text(0, "v_name"), call.text(2));
}

// (v_name text, v_type text, v_user text)
EPE_FUNCTION(epe_revoke) {
    const auto revoke = is_datastore(call) ? epe::pg::revoke_datastore : epe::pg::revoke_script;
    revoke(call.required_text(0, "v_name"), call.text(2));
}

// (object uuid, number int, data bytea), strict
EPE_FUNCTION(epe_datastore_write) { epe::pg::write_datastore_piece(call); }

// (object uuid), strict
EPE_FUNCTION(epe_datastore_discard) { epe::pg::discard_datastore_pieces(call); }

// (name text, objects jsonb, mode text, description text, is_grantable boolean)
EPE_FUNCTION(epe_datastore_save) { epe::pg::save_datastore(call); }

// (name text, objects text[])
EPE_FUNCTION(epe_datastore_delete) { call.return_int64(epe::pg::delete_from_datastore(call)); }
