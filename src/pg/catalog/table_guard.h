// Triggers on the tables of the extension: restrict writers and replication workers.
#pragma once

namespace epe::pg {

class FunctionCall;

/// BEFORE trigger, for rows and for statements: raises Error 42501 unless the current user has the
/// rights of the table's owner. Rows of a subscription with binary = true are skipped with a
/// WARNING: they have the publisher's role OIDs.
void require_table_owner(FunctionCall& call);

/// Trigger on a table whose rows belong to this server only. In replica mode, which replication
/// workers use, a BEFORE row trigger skips the row, and the TRUNCATE triggers, BEFORE and AFTER,
/// keep the rows. Statements of the extension itself are executed in any mode.
void ignore_replicated_change(FunctionCall& call);

}  // namespace epe::pg
