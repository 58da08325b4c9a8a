// The statements of session_store, worker_store and maintenance, run with pg_catalog alone on path.
#pragma once

namespace epe::jobs {
inline constexpr char kInsertJob[] =
    "INSERT INTO pyqsys.jobs (owner, retries, timeout, settings, function, script, inp_nam,"
    " par_lst, row_num, grp_col, ord_col, times_num, scr_name, scr_owner, env_name, login,"
    " source, pickled, untrusted) VALUES ($1::oid, $2::int, $3::int, $4::text[], $5::int,"
    " CASE WHEN $13 IS NULL THEN $12 ELSE $13 || '.' || $12 END, $6, $7, $8::bigint, $9, $10,"
    " $11::bigint, $12, $13, $14, $15::boolean, $16, $17, $18::boolean) RETURNING id";

#define EPE_REQUEST_COLUMNS                                                                    \
    "j.id, j.owner::oid, j.attempts, j.retries, j.timeout, j.settings, j.function, j.inp_nam," \
    " j.par_lst, j.row_num, j.grp_col, j.ord_col, j.times_num, j.scr_name, j.scr_owner,"       \
    " j.env_name, j.login, j.source, j.untrusted"

inline constexpr char kFindJob[] =
    "SELECT " EPE_REQUEST_COLUMNS ", j.state, j.trusted, j.error, j.xmin::text"
    " FROM pyqsys.jobs AS j"
    " WHERE j.id = $1::uuid AND ($3::boolean OR j.owner::oid = $2::oid)";

inline constexpr char kPickledArguments[] =
    "SELECT pickled FROM pyqsys.jobs WHERE id = $1::uuid AND pickled IS NOT NULL";
inline constexpr char kLockJob[] = "SELECT 1 FROM pyqsys.jobs WHERE id = $1::uuid FOR UPDATE";
inline constexpr char kTryLockJob[] =
    "SELECT owner::oid FROM pyqsys.jobs WHERE id = $1::uuid FOR UPDATE SKIP LOCKED";

inline constexpr char kDeleteJob[] =
    "WITH results AS (DELETE FROM pyqsys.job_results WHERE job = $1::uuid)"
    " DELETE FROM pyqsys.jobs WHERE id = $1::uuid RETURNING id";

inline constexpr char kCancelJob[] =
    "WITH done AS (UPDATE pyqsys.jobs SET state = 'cancelled', finished = clock_timestamp(),"
    " error = $2::text[], pickled = NULL WHERE id = $1::uuid AND state IN ('queued', 'running')"
    " RETURNING id) SELECT pg_notify('pyq_job', id || ' cancelled') FROM done";

inline constexpr char kStoredCalls[] =
    "SELECT call, name, count(*), sum(octet_length(data)) FROM pyqsys.job_results"
    " WHERE job = $1::uuid GROUP BY call, name ORDER BY call";

inline constexpr char kDeferChange[] =
    "INSERT INTO pyqsys.job_changes (job, attempt, state, error, progress, comment)"
    " VALUES ($1::uuid, $2::int, $3, $4::text[], $5::float8, $6)";

inline constexpr char kChanges[] =
    "SELECT c.number, c.job, c.attempt, c.state, c.error, c.progress, c.comment,"
    " EXISTS (SELECT FROM pyqsys.jobs AS j WHERE j.id = c.job)"
    " FROM pyqsys.job_changes AS c ORDER BY c.number";

inline constexpr char kMakeChange[] =
    "WITH done AS (UPDATE pyqsys.jobs SET state = $3,"
    " number = CASE WHEN $3 = 'queued' THEN nextval('pyqsys.job_numbers') ELSE number END,"
    " finished = CASE WHEN $3 = 'queued' THEN NULL ELSE clock_timestamp() END,"
    " error = $4::text[], progress = $5::float8, comment = $6,"
    " pickled = CASE WHEN $3 = 'queued' THEN pickled END"
    " WHERE id = $1::uuid AND CASE WHEN $2 IS NULL THEN state IN ('queued', 'running')"
    " ELSE state = 'running' AND attempts = $2::int END RETURNING id)"
    " SELECT pg_notify('pyq_job', id || ' ' || $3) FROM done";

inline constexpr char kDropChange[] =
    "DELETE FROM pyqsys.job_changes WHERE job = $2::uuid AND number = $1::bigint";
inline constexpr char kLostJobs[] = "SELECT id, attempts, started < pg_postmaster_start_time()"
                                    " FROM pyqsys.jobs WHERE state = 'running'";

/// $3 is the error. No row: the job has an outcome, or its row is locked.
inline constexpr char kEndLostJob[] =
    "WITH lost AS (SELECT id FROM pyqsys.jobs"
    " WHERE id = $1::uuid AND state = 'running' AND attempts = $2::int AND NOT EXISTS ("
    "  SELECT FROM pyqsys.job_changes AS c WHERE c.job = $1::uuid AND c.attempt = $2::int)"
    " FOR UPDATE SKIP LOCKED),"
    " done AS (UPDATE pyqsys.jobs AS j SET"
    " state = CASE WHEN attempts <= retries THEN 'queued' ELSE 'failed' END,"
    " number = CASE WHEN attempts <= retries THEN nextval('pyqsys.job_numbers') ELSE number END,"
    " finished = CASE WHEN attempts <= retries THEN NULL ELSE clock_timestamp() END,"
    " error = $3::text[], pickled = CASE WHEN attempts <= retries THEN pickled END FROM lost"
    " WHERE j.id = lost.id AND state = 'running' AND attempts = $2::int"
    " RETURNING j.id, state, owner::oid)"
    " SELECT state, owner, pg_notify('pyq_job', id || ' ' || state) FROM done";

inline constexpr char kIsLost[] =
    "SELECT 1 FROM pyqsys.jobs WHERE id = $1::uuid AND state = 'running' AND attempts = $2::int"
    " AND NOT EXISTS (SELECT FROM pyqsys.job_changes AS c"
    "  WHERE c.job = $1::uuid AND c.attempt = $2::int)";

inline constexpr char kPurge[] =
    "WITH old AS (SELECT id FROM pyqsys.jobs"
    " WHERE finished < clock_timestamp() - make_interval(secs => $1::float8)"
    " FOR UPDATE SKIP LOCKED),"
    " gone AS (DELETE FROM pyqsys.jobs AS j USING old WHERE j.id = old.id RETURNING j.id)"
    " DELETE FROM pyqsys.job_results AS r USING gone WHERE r.job = gone.id";

inline constexpr char kCountQueued[] =
    "SELECT owner::oid, count(*) FROM pyqsys.jobs WHERE state = 'queued' GROUP BY owner";

inline constexpr char kRoleSetting[] =
    "SELECT substr(c.line, length($3) + 2) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c "
    "(line)"
    " WHERE s.setdatabase IN (0, $1::oid) AND s.setrole IN (0, $2::oid)"
    " AND lower(split_part(c.line, '=', 1)) = $3"
    " ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1";

inline constexpr char kHasRow[] = "SELECT 1 FROM pyqsys.jobs WHERE id = $1::uuid";
inline constexpr char kHasJob[] =
    "SELECT 1 FROM pyqsys.jobs WHERE id = $1::uuid AND state <> 'cancelled'";

/// The oldest queued job of a role, excluding jobs that a session has cancelled or deleted without
/// being able to lock the row.
#define EPE_NEXT_JOB(columns, condition)                                                 \
    "SELECT " columns " FROM pyqsys.jobs AS q"                                           \
    " WHERE q.state = 'queued' AND q.owner = $1::oid AND q.number > $2::bigint"          \
    " AND NOT EXISTS (SELECT FROM pyqsys.job_changes AS c WHERE c.job = q.id)" condition \
    " ORDER BY q.owner, q.number LIMIT 1 FOR UPDATE OF q SKIP LOCKED"

inline constexpr char kNextJob[] = EPE_NEXT_JOB("q.id, q.number, q.login", "");

inline constexpr char kRefuseJob[] =
    "WITH done AS (UPDATE pyqsys.jobs SET state = 'failed', finished = clock_timestamp(),"
    " error = $2::text[], pickled = NULL WHERE id = $1::uuid RETURNING id)"
    " SELECT pg_notify('pyq_job', id || ' failed') FROM done";

/// $3: include jobs whose owner must have the right to log in.
inline constexpr char kClaimJob[] =
    "WITH done AS (UPDATE pyqsys.jobs AS j SET state = 'running', started = clock_timestamp(),"
    " finished = NULL, error = NULL, attempts = j.attempts + 1"
    " WHERE j.id = (" EPE_NEXT_JOB(
        "q.id",
        " AND ($3::boolean OR NOT q.login)") ") RETURNING " EPE_REQUEST_COLUMNS
                                             ", j.number) SELECT done.*, pg_notify('pyq_job', "
                                             "done.id || ' running') FROM done";

/// No row: another session has ended the job, or holds the row's lock.
inline constexpr char kFinishJob[] =
    "WITH done AS (UPDATE pyqsys.jobs SET state = 'finished', finished = clock_timestamp(),"
    " trusted = $3::boolean, progress = $4::float8, comment = $5, pickled = NULL"
    " WHERE ctid = (SELECT ctid FROM pyqsys.jobs WHERE id = $1::uuid AND state = 'running'"
    "  AND attempts = $2::int AND NOT EXISTS (SELECT FROM pyqsys.job_changes AS c"
    "   WHERE c.job = $1::uuid AND c.attempt IS NULL) FOR UPDATE SKIP LOCKED) RETURNING id)"
    " SELECT pg_notify('pyq_job', id || ' finished') FROM done";

/// Unless a session has cancelled or deleted it.
inline constexpr char kIsRunning[] =
    "SELECT 1 FROM pyqsys.jobs WHERE id = $1::uuid AND state = 'running' AND attempts = $2::int"
    " AND NOT EXISTS (SELECT FROM pyqsys.job_changes AS c"
    "  WHERE c.job = $1::uuid AND c.attempt IS NULL)";

inline constexpr char kInsertResult[] =
    "INSERT INTO pyqsys.job_results (job, call, name, piece, data)"
    " VALUES ($1::uuid, $2::bigint, $3, $4::bigint, $5)";

}  // namespace epe::jobs
