-- Asynchronous calls.

-- Users see their own rows through the views, and write through C functions that check. Not
-- dumped: a job belongs to the cluster that it was submitted in.
-- CYCLE: a member of pg_write_all_data may set a sequence. It must not end there.
CREATE SEQUENCE pyqsys.job_numbers CYCLE;
COMMENT ON SEQUENCE pyqsys.job_numbers IS 'Order in which queued jobs of a role start';

-- State and outcome are changed by src/jobs only; docs/explanation/jobs.md tells how.
CREATE TABLE pyqsys.jobs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    number bigint NOT NULL DEFAULT nextval('pyqsys.job_numbers'),
    owner regrole NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'queued' CHECK (
        state IN ('queued', 'running', 'finished', 'failed', 'cancelled', 'timed out')),
    submitted timestamptz NOT NULL DEFAULT now(),
    started timestamptz,
    finished timestamptz,
    attempts int NOT NULL DEFAULT 0,
    retries int NOT NULL,
    timeout int NOT NULL,
    settings text[] NOT NULL,
    function int NOT NULL,
    script text NOT NULL,
    inp_nam text,
    par_lst text,
    row_num bigint,
    grp_col text,
    ord_col text,
    times_num bigint,
    scr_name text NOT NULL,
    scr_owner text,
    env_name text,
    trusted boolean NOT NULL DEFAULT false,
    progress float8,
    comment text,
    error text[],
    login boolean NOT NULL DEFAULT true,
    source text,
    pickled bytea,
    untrusted boolean NOT NULL DEFAULT false,
    CONSTRAINT jobs_key PRIMARY KEY (id)
) WITH (fillfactor = 70);
ALTER TABLE pyqsys.jobs ALTER COLUMN pickled SET STORAGE EXTERNAL;
CREATE INDEX jobs_queue ON pyqsys.jobs (owner, number) WHERE state = 'queued';
CREATE INDEX jobs_running ON pyqsys.jobs (id) WHERE state = 'running';
CREATE INDEX jobs_done ON pyqsys.jobs (finished) WHERE finished IS NOT NULL;
COMMENT ON TABLE pyqsys.jobs IS 'Asynchronous calls; view pyq_jobs shows a user''s own';
COMMENT ON COLUMN pyqsys.jobs.id IS 'ID';
COMMENT ON COLUMN pyqsys.jobs.number IS 'Order of waiting jobs of a role';
COMMENT ON COLUMN pyqsys.jobs.owner IS 'Role that it runs as';
COMMENT ON COLUMN pyqsys.jobs.state IS 'State of the job';
COMMENT ON COLUMN pyqsys.jobs.submitted IS 'When the submitting transaction began';
COMMENT ON COLUMN pyqsys.jobs.started IS 'When its last attempt began';
COMMENT ON COLUMN pyqsys.jobs.finished IS 'When it ended';
COMMENT ON COLUMN pyqsys.jobs.attempts IS 'Number of attempts so far';
COMMENT ON COLUMN pyqsys.jobs.retries IS 'How many times it is run again after its worker was lost';
COMMENT ON COLUMN pyqsys.jobs.timeout IS 'Time limit of an attempt, in seconds';
COMMENT ON COLUMN pyqsys.jobs.function IS 'EvalFunction of src/core/request/request.h';
COMMENT ON COLUMN pyqsys.jobs.script IS 'Name of the script as in pyq_jobs';
COMMENT ON COLUMN pyqsys.jobs.inp_nam IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.par_lst IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.row_num IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.grp_col IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.ord_col IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.times_num IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.scr_name IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.scr_owner IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.env_name IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.progress IS
    'Last fraction given to oml.progress(), set when the job ends';
COMMENT ON COLUMN pyqsys.jobs.comment IS
    'Lines given to oml.output_comments() and oml.progress(), set at the end';
COMMENT ON COLUMN pyqsys.jobs.settings IS 'Names and values, in turn, of the submitting session';
COMMENT ON COLUMN pyqsys.jobs.error IS 'SQLSTATE, message, detail, hint, context';
COMMENT ON COLUMN pyqsys.jobs.trusted IS
    'Whether its result may be unpickled in the server''s process';

COMMENT ON COLUMN pyqsys.jobs.login IS
    'Whether its owner must have the right to log in when it starts';
COMMENT ON COLUMN pyqsys.jobs.source IS 'Source of a script that came with the call';
COMMENT ON COLUMN pyqsys.jobs.pickled IS 'Pickled arguments, until it has ended';
COMMENT ON COLUMN pyqsys.jobs.untrusted IS
    'Whether an untrusted script submitted it, so that what came with the call is not trusted';

-- Changes of jobs whose rows were locked by another session: made when they are free.
CREATE TABLE pyqsys.job_changes (
    number bigint NOT NULL DEFAULT nextval('pyqsys.job_numbers'),
    job uuid NOT NULL,
    attempt int,
    state text COLLATE "C" NOT NULL,
    error text[],
    progress float8,
    comment text,
    CONSTRAINT job_changes_key PRIMARY KEY (job, number)
);
COMMENT ON TABLE pyqsys.job_changes IS
    'Outcomes, cancellations and deletions of jobs that wait for the lock of the job''s row';
COMMENT ON COLUMN pyqsys.job_changes.number IS 'Order of the changes';
COMMENT ON COLUMN pyqsys.job_changes.job IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_changes.attempt IS
    'Attempt that made the change; NULL if a session made it';
COMMENT ON COLUMN pyqsys.job_changes.state IS 'New state of the job, or deleted';
COMMENT ON COLUMN pyqsys.job_changes.error IS 'As in pyqsys.jobs';
COMMENT ON COLUMN pyqsys.job_changes.progress IS 'As in pyqsys.jobs';
COMMENT ON COLUMN pyqsys.job_changes.comment IS 'As in pyqsys.jobs';

-- No foreign key: a job's results are deleted with it by what deletes the job.
CREATE TABLE pyqsys.job_results (
    job uuid NOT NULL,
    call bigint NOT NULL,
    name text,
    piece bigint NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT job_results_key PRIMARY KEY (job, call, piece)
);
ALTER TABLE pyqsys.job_results ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE pyqsys.job_results IS
    'What the calls of finished jobs returned, as pieces of pickles (src/py/runtime/pickles.py)';
COMMENT ON COLUMN pyqsys.job_results.job IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_results.call IS 'Number of the call, from 1';
COMMENT ON COLUMN pyqsys.job_results.name IS 'Chunk number, group or index; NULL for a lone call';
COMMENT ON COLUMN pyqsys.job_results.piece IS 'Number of the piece within the call, from 1';
COMMENT ON COLUMN pyqsys.job_results.data IS 'The piece';

CREATE FUNCTION pyqsys.job_slots() RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_job_slots';
COMMENT ON FUNCTION pyqsys.job_slots() IS
    'Progress and comments of the current user''s running jobs, as JSON';

CREATE VIEW @extschema@.pyq_jobs WITH (security_barrier) AS
    SELECT j.id,
           (SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles AS r
            WHERE r.oid OPERATOR(pg_catalog.=) j.owner::oid) AS owner,
           j.script,
           j.state,
           j.submitted,
           j.started,
           j.finished,
           COALESCE(j.finished, pg_catalog.clock_timestamp())
               OPERATOR(pg_catalog.-) COALESCE(j.started, j.submitted) AS elapsed,
           COALESCE(s.progress, j.progress) AS progress,
           COALESCE(s.comment, j.comment) AS comment,
           j.error[2] AS error
    FROM pyqsys.jobs AS j
        LEFT JOIN pg_catalog.jsonb_to_recordset(pyqsys.job_slots()::pg_catalog.jsonb) AS s(
            id uuid, progress float8, comment text)
            ON j.state OPERATOR(pg_catalog.=) 'running' AND s.id OPERATOR(pg_catalog.=) j.id
    WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r
                  WHERE r.oid OPERATOR(pg_catalog.=)
                          pg_catalog.quote_ident(current_user)::pg_catalog.regrole::pg_catalog.oid
                      AND (r.rolsuper OR r.oid OPERATOR(pg_catalog.=) j.owner::oid));
COMMENT ON VIEW @extschema@.pyq_jobs IS 'The current user''s jobs; all of them for superusers';
COMMENT ON COLUMN @extschema@.pyq_jobs.id IS 'ID of the job';
COMMENT ON COLUMN @extschema@.pyq_jobs.owner IS
    'Role that it runs as; NULL when it has been dropped';
COMMENT ON COLUMN @extschema@.pyq_jobs.script IS 'Name of the script, after its owner if given';
COMMENT ON COLUMN @extschema@.pyq_jobs.state IS
    'queued, running, finished, failed, cancelled or timed out';
COMMENT ON COLUMN @extschema@.pyq_jobs.submitted IS 'When the submitting transaction began';
COMMENT ON COLUMN @extschema@.pyq_jobs.started IS 'When its last attempt began';
COMMENT ON COLUMN @extschema@.pyq_jobs.finished IS 'When it ended, regardless of the outcome';
COMMENT ON COLUMN @extschema@.pyq_jobs.elapsed IS 'How long it ran, or has been running or queued';
COMMENT ON COLUMN @extschema@.pyq_jobs.progress IS 'Last fraction given to oml.progress(), 0 to 1';
COMMENT ON COLUMN @extschema@.pyq_jobs.comment IS
    'Lines given to oml.output_comments() and oml.progress()';
COMMENT ON COLUMN @extschema@.pyq_jobs.error IS 'Why it did not finish';
GRANT SELECT ON @extschema@.pyq_jobs TO PUBLIC;

CREATE VIEW pyqsys.job_calls WITH (security_barrier) AS
    SELECT j.id,
           (ARRAY['eval', 'table', 'row', 'group', 'index'])[
               j.function OPERATOR(pg_catalog.+) 1] AS function,
           j.par_lst,
           j.inp_nam,
           j.grp_col,
           j.env_name
    FROM pyqsys.jobs AS j
    WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r
                  WHERE r.oid OPERATOR(pg_catalog.=)
                          pg_catalog.quote_ident(current_user)::pg_catalog.regrole::pg_catalog.oid
                      AND (r.rolsuper OR r.oid OPERATOR(pg_catalog.=) j.owner::oid));
COMMENT ON VIEW pyqsys.job_calls IS 'How the jobs in pyq_jobs were submitted';
COMMENT ON COLUMN pyqsys.job_calls.id IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_calls.function IS 'Kind of the call: eval, table, row, group, index';
COMMENT ON COLUMN pyqsys.job_calls.par_lst IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_calls.inp_nam IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_calls.grp_col IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_calls.env_name IS 'Argument of the call';
GRANT SELECT ON pyqsys.job_calls TO PUBLIC;

CREATE VIEW pyqsys.job_data WITH (security_barrier) AS
    SELECT d.job, d.call, d.piece, d.data, d.name
    FROM pyqsys.job_results AS d
        JOIN pyqsys.jobs AS j ON j.id OPERATOR(pg_catalog.=) d.job
    WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r
                  WHERE r.oid OPERATOR(pg_catalog.=)
                          pg_catalog.quote_ident(current_user)::pg_catalog.regrole::pg_catalog.oid
                      AND (r.rolsuper OR r.oid OPERATOR(pg_catalog.=) j.owner::oid));
COMMENT ON VIEW pyqsys.job_data IS 'The stored results of the current user''s jobs';
COMMENT ON COLUMN pyqsys.job_data.job IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_data.call IS 'Number of the call, from 1';
COMMENT ON COLUMN pyqsys.job_data.piece IS 'Number of the piece within the call, from 1';
COMMENT ON COLUMN pyqsys.job_data.data IS 'The piece';
COMMENT ON COLUMN pyqsys.job_data.name IS 'Chunk number, group or index; NULL for a lone call';
GRANT SELECT ON pyqsys.job_data TO PUBLIC;

-- A job_id is the UUID, or the URL that ends in it.
CREATE FUNCTION pyqsys.job_status(job_id text) RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_job_status';
COMMENT ON FUNCTION pyqsys.job_status(text) IS 'VALUE of pyq_job_status';

CREATE FUNCTION pyqsys.delete_job(job_id text) RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_delete_job';
COMMENT ON FUNCTION pyqsys.delete_job(text) IS 'NAME of pyq_delete_job';

CREATE FUNCTION pyqsys.note_progress(fraction float8, note text) RETURNS void
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_note_progress';
COMMENT ON FUNCTION pyqsys.note_progress(float8, text) IS
    'Called by oml.progress() and oml.output_comments(); no effect outside a job';

CREATE FUNCTION @extschema@.pyq_cancel_job(job_id text) RETURNS boolean
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_cancel_job';
COMMENT ON FUNCTION @extschema@.pyq_cancel_job(text) IS
    'Cancels a queued or running job and keeps its record; false if it had already ended';

CREATE FUNCTION @extschema@.pyq_job_wait(job_id text, timeout interval DEFAULT NULL)
    RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_job_wait';
COMMENT ON FUNCTION @extschema@.pyq_job_wait(text, interval) IS
    'Waits until a job has ended or the timeout has passed; returns its state';

CREATE FUNCTION @extschema@.pyq_job_result(job_id text, out_fmt text DEFAULT 'JSON')
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_job_result';
COMMENT ON FUNCTION @extschema@.pyq_job_result(text, text) IS
    'The result of a finished job, as out_fmt and AS say; raises the error of a failed one';

CREATE FUNCTION @extschema@.pyq_job_result(job_id text, out_row anyelement)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_job_result_row';
COMMENT ON FUNCTION @extschema@.pyq_job_result(text, anyelement) IS
    'The result of a finished job, of out_row''s type; raises the error of a failed one';

CREATE FUNCTION @extschema@.pyq_job_status(job_id text, OUT name text, OUT value text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 1
    AS $$SELECT NULL::pg_catalog.text, pyqsys.job_status($1)$$;
COMMENT ON FUNCTION @extschema@.pyq_job_status(text) IS
    'Whether a job is still running; else VALUE is the URL of its result';

CREATE FUNCTION @extschema@.pyq_delete_job(job_id text, OUT name text, OUT value text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 1
    AS $$SELECT pyqsys.delete_job($1), NULL::pg_catalog.text$$;
COMMENT ON FUNCTION @extschema@.pyq_delete_job(text) IS
    'Deletes a job and its result; a running job is stopped';

