-- CPU seconds of the first figure in a new engine: import of matplotlib, list of fonts, drawing.
--   tools/with-server -c "shared_preload_libraries = 'oml_epe'" -c "oml_epe.engine_nice = 0" \
--       -c "oml_epe.preload = 'numpy,pandas,matplotlib.pyplot'" psql -XAt -f bench/first_figure.sql
-- and once more with oml_epe.preload = 'numpy,pandas'.
CREATE EXTENSION oml_epe;
SELECT pyq_script_create('first_figure', $$
def first_figure():
    import io
    import time
    start = time.process_time()
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    plt.plot([1, 2])
    plt.title("x")
    plt.savefig(io.BytesIO())
    return time.process_time() - start
$$);
SET oml_epe.engine = process;
SELECT pyq_eval(NULL, NULL::float8, 'first_figure');
\c
SET oml_epe.engine = process;
SELECT pyq_eval(NULL, NULL::float8, 'first_figure');
\c
SET oml_epe.engine = process;
SELECT pyq_eval(NULL, NULL::float8, 'first_figure');
