// The statements of src/jobs/store*.cpp. They run with pg_catalog alone on the path.
#pragma once

namespace epe::jobs {

inline constexpr char kInsertJob[] =
    "INSERT INTO pyqsys.jobs (owner, retries, timeout, settings, function, script, inp_nam,"
    " par_lst, row_num, grp_col, ord_col, times_num, scr_name, scr_owner, env_name)"
    " VALUES ($1::oid, $2::int, $3::int, $4::text[], $5::int,"
    " CASE WHEN $13 IS NULL THEN $12 ELSE $13 || '.' || $12 END, $6, $7, $8::bigint, $9, $10,"
    " $11::bigint, $12, $13, $14)"
    " RETURNING id";

#define EPE_REQUEST_COLUMNS                                                                    \
    "j.id, j.owner::oid, j.attempts, j.retries, j.timeout, j.settings, j.function, j.inp_nam," \
    " j.par_lst, j.row_num, j.grp_col, j.ord_col, j.times_num, j.scr_name, j.scr_owner,"       \
    " j.env_name"

inline constexpr char kFindJob[] =
    "SELECT " EPE_REQUEST_COLUMNS ", j.state, j.trusted, j.error, j.xmin::text"
    " FROM pyqsys.jobs AS j"
    " WHERE j.id = $1::uuid AND ($3::boolean OR j.owner::oid = $2::oid)";

inline constexpr char kDeleteJob[] =
    "WITH results AS (DELETE FROM pyqsys.job_results WHERE job = $1::uuid)"
    " DELETE FROM pyqsys.jobs WHERE id = $1::uuid RETURNING id";

inline constexpr char kCancelJob[] =
    "WITH done AS (UPDATE pyqsys.jobs SET state = 'cancelled', finished = clock_timestamp(),"
    " error = $2::text[] WHERE id = $1::uuid AND state IN ('queued', 'running') RETURNING id)"
    " SELECT pg_notify('pyq_job', id || ' cancelled') FROM done";

inline constexpr char kStoredCalls[] =
    "SELECT call, name, count(*), sum(octet_length(data)) FROM pyqsys.job_results"
    " WHERE job = $1::uuid GROUP BY call, name ORDER BY call";

inline constexpr char kLostJobs[] = "SELECT id, attempts, started < pg_postmaster_start_time()"
                                    " FROM pyqsys.jobs WHERE state = 'running'";

/// $3 the error, for jobs without retries left.
inline constexpr char kEndLostJob[] =
    "WITH done AS (UPDATE pyqsys.jobs SET"
    " state = CASE WHEN attempts <= retries THEN 'queued' ELSE 'failed' END,"
    " number = CASE WHEN attempts <= retries THEN nextval('pyqsys.job_numbers') ELSE number END,"
    " finished = CASE WHEN attempts <= retries THEN NULL ELSE clock_timestamp() END,"
    " error = $3::text[]"
    " WHERE id = $1::uuid AND state = 'running' AND attempts = $2::int RETURNING id, state)"
    " SELECT state, pg_notify('pyq_job', id || ' ' || state) FROM done";

inline constexpr char kPurge[] =
    "WITH old AS (DELETE FROM pyqsys.jobs"
    " WHERE finished < clock_timestamp() - make_interval(secs => $1::float8) RETURNING id)"
    " DELETE FROM pyqsys.job_results AS r USING old WHERE r.job = old.id";

inline constexpr char kCountQueued[] = "SELECT count(*) FROM pyqsys.jobs WHERE state = 'queued'";

inline constexpr char kHasJob[] =
    "SELECT 1 FROM pyqsys.jobs WHERE id = $1::uuid AND state <> 'cancelled'";

inline constexpr char kWaitingRoles[] =
    "WITH RECURSIVE roles AS ("
    " (SELECT owner::oid AS role FROM pyqsys.jobs WHERE state = 'queued' ORDER BY owner LIMIT 1)"
    " UNION ALL SELECT (SELECT j.owner::oid FROM pyqsys.jobs AS j WHERE j.state = 'queued'"
    "  AND j.owner > roles.role ORDER BY j.owner LIMIT 1) FROM roles WHERE role IS NOT NULL)"
    " SELECT role FROM roles WHERE role IS NOT NULL";

inline constexpr char kNextJob[] =
    "SELECT id, number, attempts + 1 FROM pyqsys.jobs"
    " WHERE state = 'queued' AND owner = $1::oid AND number > $2::bigint"
    " ORDER BY owner, number LIMIT 1 FOR UPDATE SKIP LOCKED";

inline constexpr char kClaimJob[] =
    "WITH done AS (UPDATE pyqsys.jobs AS j SET state = 'running', started = clock_timestamp(),"
    " finished = NULL, error = NULL, attempts = j.attempts + 1 WHERE j.id = $1::uuid"
    " RETURNING " EPE_REQUEST_COLUMNS
    ") SELECT done.*, pg_notify('pyq_job', done.id || ' running') FROM done";

inline constexpr char kFinishJob[] =
    "WITH done AS (UPDATE pyqsys.jobs SET state = 'finished', finished = clock_timestamp(),"
    " trusted = $3::boolean, progress = $4::float8, comment = $5"
    " WHERE id = $1::uuid AND state = 'running' AND attempts = $2::int RETURNING id)"
    " SELECT pg_notify('pyq_job', id || ' finished') FROM done";

inline constexpr char kFailJob[] =
    "WITH done AS (UPDATE pyqsys.jobs SET state = $3, finished = clock_timestamp(),"
    " error = $4::text[], progress = $5::float8, comment = $6"
    " WHERE id = $1::uuid AND state = 'running' AND attempts = $2::int RETURNING id)"
    " SELECT pg_notify('pyq_job', id || ' ' || $3) FROM done";

inline constexpr char kInsertResult[] =
    "INSERT INTO pyqsys.job_results (job, call, name, piece, data)"
    " VALUES ($1::uuid, $2::bigint, $3, $4::bigint, $5)";

}  // namespace epe::jobs
