// The SQL functions for the REST gateway only.
#include "core/error.h"
#include "core/request/request.h"
#include "pg/backend/session.h"
#include "pg/boundary/function_call.h"
#include "pg/output/result_target.h"
#include "pg/types/column_map.h"

// (out_fmt)
EPE_FUNCTION(epe_output_columns) {
    const epe::OutputFormat format = epe::parse_output_format(call.text(0));
    const epe::Schema columns = epe::pg::mapped_columns(format);
    if (columns.empty())
        throw epe::Error(epe::sqlstate::kInvalidArgument, "argument \"out_fmt\" names no columns",
                         "Give a JSON object of column names and types, or the name of a table, "
                         "view or composite type.");
    call.return_text(epe::pg::as_list(columns));
}

// (user_name)
EPE_FUNCTION(epe_check_log_in) {
    const std::string user = call.text(0).value_or("");
    if (!epe::pg::may_session_user_log_in(user))
        throw epe::Error(epe::sqlstate::kInvalidAuthorization,
                         "role \"" + user + "\" may not log in");
}
