-- Types and functions that package oml calls.

CREATE TYPE pyqsys.pyq_pickle AS (call bigint, name text, piece bigint, data bytea);
COMMENT ON TYPE pyqsys.pyq_pickle IS
    'Results as pickles of (object, list of PNG files), for package oml';
COMMENT ON COLUMN pyqsys.pyq_pickle.call IS 'Number of the call, from 1';
COMMENT ON COLUMN pyqsys.pyq_pickle.name IS 'Chunk number, group or index; NULL for a lone call';
COMMENT ON COLUMN pyqsys.pyq_pickle.piece IS
    'Number of the piece within the call''s pickle, from 1';
COMMENT ON COLUMN pyqsys.pyq_pickle.data IS 'The piece';

-- Every role may call it: an inline script is trusted exactly if the caller is, as a stored one of
-- the caller's own would be, and so are pickled arguments.
CREATE FUNCTION pyqsys.apply(
    cut text, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    source text DEFAULT NULL, par_lst text DEFAULT NULL, pickled bytea DEFAULT NULL,
    inp_nam text DEFAULT NULL, row_num bigint DEFAULT NULL, grp_col text DEFAULT NULL,
    ord_col text DEFAULT NULL, times_num bigint DEFAULT NULL, env_name text DEFAULT NULL,
    only_trusted boolean DEFAULT false, progress boolean DEFAULT false)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_apply';
COMMENT ON FUNCTION pyqsys.apply(text, anyelement, text, text, text, text, bytea, text, bigint,
    text, text, bigint, text, boolean, boolean) IS
    'Called by package oml: runs a stored script, or one given as source or pickled function';

CREATE FUNCTION pyqsys.submit(
    cut text, scr_name text, scr_owner text DEFAULT NULL, source text DEFAULT NULL,
    par_lst text DEFAULT NULL, pickled bytea DEFAULT NULL, inp_nam text DEFAULT NULL,
    row_num bigint DEFAULT NULL, grp_col text DEFAULT NULL, ord_col text DEFAULT NULL,
    times_num bigint DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_submit';
COMMENT ON FUNCTION pyqsys.submit(text, text, text, text, text, bytea, text, bigint, text, text,
    bigint, text) IS
    'What package oml calls: pyqsys.apply as a job, whose ID it returns';

CREATE FUNCTION pyqsys.finished_job(job_id text, only_trusted boolean DEFAULT false) RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_finished_job';
COMMENT ON FUNCTION pyqsys.finished_job(text, boolean) IS
    'The ID of a finished job whose pickles the current role may load; the error of any other job';

CREATE FUNCTION pyqsys.job_rows(job_id text, out_row anyelement) RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_job_rows';
COMMENT ON FUNCTION pyqsys.job_rows(text, anyelement) IS
    'pyq_job_result of out_row''s type, whose columns are matched by position';

-- Rows as columns; the bytes are described in src/engine/common/packed_batch.h.
CREATE FUNCTION pyqsys.query_batches(inp_nam text, use_decimal boolean DEFAULT false)
    RETURNS SETOF bytea
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100
    AS 'MODULE_PATHNAME', 'epe_query_batches';
COMMENT ON FUNCTION pyqsys.query_batches(text, boolean) IS
    'Rows of a table or query, in batches of columns; numeric as double precision or as decimals';

CREATE FUNCTION pyqsys.batch_rows(batch bytea) RETURNS SETOF record
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 10000
    AS 'MODULE_PATHNAME', 'epe_batch_rows';
COMMENT ON FUNCTION pyqsys.batch_rows(bytea) IS
    'Rows of a batch of columns, in the columns of the AS list by position';

