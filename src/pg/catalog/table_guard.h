// Triggers on the tables of the extension: who may write them, and what a replication worker may.
#pragma once

namespace epe::pg {

class FunctionCall;

/// BEFORE trigger, for rows and for statements: raises Error 42501 unless the current user has the
/// rights of the owner of the table. Rows of a subscription with binary = true are skipped with a
/// WARNING: they have the publisher's OIDs of roles.
void require_table_owner(FunctionCall& call);

/// Trigger on a table whose rows belong to this server alone. In replica mode, which replication
/// workers are in, a BEFORE row trigger skips the row, and the TRUNCATE triggers, BEFORE and AFTER,
/// keep the rows. Statements of the extension itself do their work in any mode.
void ignore_replicated_change(FunctionCall& call);

}  // namespace epe::pg
