-- Asynchronous jobs.
SELECT pyq_script_create('job_frame', $$
def job_frame(n=2, timeout=None):
    import pandas as pd
    return pd.DataFrame({"i": range(n), "t": [None if k % 2 else f"<{k}>" for k in range(n)]})
$$);
SELECT pyq_script_create('job_fails', $$
def job_fails():
    raise KeyError("missing")
$$);
SELECT pyq_script_create('job_says', $$
import oml
def job_says():
    oml.progress(0.5, "half")
    oml.output_comments("more")
    return {"a": [1, 2]}
$$);
SELECT pyq_script_create('job_index', 'def job_index(i): return [i, i * i]');
SELECT pyq_script_create('job_count', 'def job_count(dat): return len(dat)');
CREATE TABLE job_rows AS SELECT i AS x, i % 2 AS g FROM generate_series(1, 5) AS i;

-- submission: the URL row, in any shape
SELECT name, regexp_replace(value, '[0-9a-f]{8}-[0-9a-f-]{27}$', 'ID') AS value
FROM pyq_eval('{"oml_async_flag": true}', NULL, 'job_frame') AS t(name varchar(10), value text);
SET oml_epe.gateway_url = 'https://example.org/';
SELECT regexp_replace(value, '[0-9a-f]{8}-[0-9a-f-]{27}$', 'ID') AS value, image
FROM pyq_eval('{"oml_async_flag": true}', NULL::pyq_png, 'job_frame');
RESET oml_epe.gateway_url;
SELECT length(x) FROM pyq_eval('{"oml_async_flag": 1}', NULL, 'job_frame') AS t(x text);
SELECT * FROM pyq_eval('{"oml_async_flag": true}', NULL, 'job_frame') AS t(a int, b float8);

-- errors that can be detected at submission
SELECT * FROM pyq_eval('{"oml_async_flag": true}', NULL, 'no_such') AS t(name text, value text);
SELECT * FROM pyq_eval('{"oml_async_flag": true, "timeout": 5}', NULL, 'job_frame')
    AS t(name text, value text);
SELECT * FROM pyq_eval('{"oml_async_flag": true, "timeout": "x"}', NULL, 'job_frame')
    AS t(name text, value text);
SELECT * FROM pyq_eval('{"oml_async_flag": true, "oml_retries": -1}', NULL, 'job_frame')
    AS t(name text, value text);
SELECT * FROM pyq_eval('{"oml_async_flag": true}', '{"x": "no_type"}', 'job_frame')
    AS t(name text, value text);
\set VERBOSITY terse
SELECT * FROM pyq_eval('{"oml_async_flag": true}', NULL, 'job_frame', NULL, 'no_env')
    AS t(name text, value text);
\set VERBOSITY default
SELECT * FROM pyq_table_eval('SELECT nothing', '{"oml_async_flag": true}', NULL, 'job_count')
    AS t(name text, value text);

-- any format, any number of times, typed values whole
SELECT right(value, 36) AS job FROM pyq_eval('{"oml_async_flag": true, "n": 3, "timeout": 1800}',
    'XML', 'job_frame') AS t(name text, value text) \gset
SELECT pyq_job_wait(:'job');
SELECT name, replace(value, :'job', 'ID') AS value FROM pyq_job_status(:'job');
SELECT * FROM pyq_job_result(:'job') AS t(name text, value text);
SELECT * FROM pyq_job_result(:'job', 'xml') AS t(name text, value text);
SELECT * FROM pyq_job_result(:'job', '{"I": "number", "T": "varchar2(2)"}') AS t("I" numeric, "T" text);
SELECT * FROM pyq_job_result(:'job', NULL) AS t(t text);
SELECT * FROM pyq_job_result(:'job', NULL::pyq_json);
SELECT count(*) FROM pyq_job_result(:'job', 'PNG')
    AS t(name text, id int, value text, title text, image bytea);
SELECT count(*) FROM pyqsys.pyqJobResult('https://h/oml/api/py-scripts/v1/jobs/' || :'job' || '/result')
    AS t(name text, value text);
SELECT replace(value, :'job', 'ID') AS value FROM pyqsys.pyqJobStatus(upper(:'job'));

-- each of the five
SELECT right(value, 36) AS job FROM pyq_table_eval('job_rows', '{"oml_async_flag": true}', NULL,
    'job_count') AS t(name text, value text) \gset
SELECT pyq_job_wait(:'job');
SELECT * FROM pyq_job_result(:'job', NULL::int);
SELECT right(value, 36) AS job FROM pyq_row_eval('job_rows', '{"oml_async_flag": true}', NULL, 2,
    'job_count') AS t(name text, value text) \gset
SELECT pyq_job_wait(:'job');
SELECT * FROM pyq_job_result(:'job') AS t(name text, value text);
SELECT * FROM pyq_job_result(:'job', NULL::pyq_xml);
SELECT right(value, 36) AS job FROM pyq_group_eval('job_rows',
    '{"oml_async_flag": true, "oml_parallel_flag": true}', NULL, 'g', NULL,
    'job_count') AS t(name text, value text) \gset
SELECT pyq_job_wait(:'job');
SELECT * FROM pyq_job_result(:'job') AS t(name text, value text);
SELECT right(value, 36) AS job FROM pyq_index_eval('{"oml_async_flag": true}', NULL, 3,
    'job_index') AS t(name text, value text) \gset
SELECT pyq_job_wait(:'job');
SELECT * FROM pyq_job_result(:'job') AS t(name text, value text);
-- no figures were drawn
SELECT count(*) FROM pyq_job_result(:'job', 'PNG')
    AS t(name text, id int, value text, title text, image bytea);
SELECT * FROM pyqsys.job_figures(:'job')
    AS t(name text, id int, value text, title text, image bytea);
SELECT * FROM pyqsys.job_figures(:'job') AS t(name text);
\set SHOW_CONTEXT never
SELECT * FROM pyq_job_result(:'job', NULL) AS t(a int, b int);
\set SHOW_CONTEXT errors

-- the original error
SELECT right(value, 36) AS job FROM pyq_eval('{"oml_async_flag": true}', NULL, 'job_fails')
    AS t(name text, value text) \gset
SELECT pyq_job_wait(:'job');
SELECT error FROM pyq_jobs WHERE id = :'job';
SELECT * FROM pyq_job_result(:'job') AS t(name text, value text);

-- progress and comments of a job
SELECT right(value, 36) AS job FROM pyq_eval('{"oml_async_flag": true}', NULL, 'job_says')
    AS t(name text, value text) \gset
SELECT pyq_job_wait(:'job', '1 min');
SELECT owner = current_user AS own, script, state, elapsed < '1 min' AS short, progress, comment, error
FROM pyq_jobs WHERE id = :'job';
SELECT * FROM pyq_eval(NULL, 'JSON', 'job_says') AS t(name text, value text);

-- the call as submitted
SELECT * FROM pyq_eval('{"oml_async_flag": true, "oml_comments": 1}', NULL, 'job_says')
    AS t(name text, value text);
SELECT right(value, 36) AS job
FROM pyq_index_eval('{"oml_async_flag": true, "oml_comments": "why"}', NULL, 2, 'job_index')
    AS t(name text, value text) \gset
SELECT function, par_lst, pyq_job_wait(id::text) FROM pyqsys.job_calls WHERE id = :'job';

-- deleted and cancelled
SELECT * FROM pyq_delete_job(:'job');
\set VERBOSITY sqlstate
SELECT * FROM pyqsys.pyqDeleteJob(:'job');
\set VERBOSITY default
SELECT pyq_job_status('not a job');
SELECT pyq_job_wait(NULL);
BEGIN;
SELECT right(value, 36) AS job FROM pyq_eval('{"oml_async_flag": true}', NULL, 'job_frame')
    AS t(name text, value text) \gset
SELECT state FROM pyq_jobs WHERE id = :'job';
SELECT value FROM pyq_job_status(:'job');
SAVEPOINT s;
\set VERBOSITY sqlstate
SELECT pyq_job_wait(:'job');
ROLLBACK TO s;
SELECT count(*) FROM pyq_job_result(:'job') AS t(name text, value text);
ROLLBACK TO s;
SELECT pyq_cancel_job(:'job');
SELECT pyq_cancel_job(:'job');
SELECT * FROM pyq_job_result(:'job') AS t(name text, value text);
ROLLBACK;
SELECT pyq_job_status(:'job');

\set VERBOSITY default

-- an ordinary role: its own jobs, its settings
CREATE ROLE job_user;
CREATE SCHEMA job_schema AUTHORIZATION job_user;
SELECT right(value, 36) AS alien FROM pyq_eval('{"oml_async_flag": true}', NULL, 'job_frame')
    AS t(name text, value text) \gset
SELECT pyq_job_wait(:'alien');
SET ROLE job_user;
SELECT count(*) FROM pyq_jobs;
\set VERBOSITY sqlstate
SELECT pyq_job_status(:'alien');
SELECT pyq_job_result(:'alien');
SELECT pyq_delete_job(:'alien');
SELECT pyq_cancel_job(:'alien');
\set VERBOSITY default
SELECT count(*) FROM pyqsys.job_data;
SELECT count(*) FROM pyqsys.jobs;
SET search_path = job_schema, public;
SET "job.tenant" = 'blue';
SET TimeZone = 'Asia/Tokyo';
CREATE TABLE job_mine AS SELECT 7 AS seven;
SELECT pyq_script_create('job_who', $$
import oml
def job_who(dat):
    cursor = oml.cursor()
    try:
        oml.cursor().execute("RESET SESSION AUTHORIZATION")
    except oml.DatabaseError as error:
        print(error)
    cursor.execute("SELECT current_user, session_user, current_setting('is_superuser'),"
                   " current_setting('job.tenant'), current_setting('TimeZone')")
    return [*cursor.fetchone(), int(dat["seven"][0])]
$$);
SELECT right(value, 36) AS job FROM pyq_table_eval('job_mine',
    '{"oml_async_flag": true, "oml_input_type": "pandas.DataFrame"}', NULL, 'job_who')
    AS t(name text, value text) \gset
SELECT pyq_job_wait(:'job');
SELECT * FROM pyq_job_result(:'job') AS t(name text, value text);
SELECT owner, script, state FROM pyq_jobs;
RESET ROLE;
RESET search_path;
RESET TimeZone;
SELECT count(*) FROM pyqsys.apply('eval', NULL::int, 'job_frame', par_lst => '{"oml_async_flag": true}');
SELECT count(*) > 0 AS waited FROM (SELECT pyq_job_wait(id::text) FROM pyq_jobs) AS j;
DELETE FROM pyqsys.jobs;
DELETE FROM pyqsys.job_results;
DROP TABLE job_rows;
DROP SCHEMA job_schema CASCADE;
SELECT pyq_script_drop(s) FROM unnest(ARRAY['job_frame', 'job_fails', 'job_says', 'job_index', 'job_count']) AS s;
DELETE FROM pyqsys.scripts WHERE owner = 'job_user'::regrole;
DROP ROLE job_user;
