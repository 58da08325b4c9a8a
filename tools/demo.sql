-- The demonstration of oml_epe: run by tools/demo in the root of the repository.
\set ON_ERROR_STOP on
\pset null '(null)'
\pset footer off
SET client_min_messages = notice;

\echo
\echo '==== The extension and the data'
\set ECHO queries
CREATE EXTENSION oml_epe;

\echo
\echo '-- 150 flowers of three species, measured in centimetres; from tools/demo-data/iris.csv'
CREATE TABLE iris (
    sepal_length float8, sepal_width float8, petal_length float8, petal_width float8,
    species text);
\set ECHO none
\copy iris FROM 'tools/demo-data/iris.csv' (FORMAT csv, HEADER)
\set ECHO queries

\echo
\echo '-- Ten students and their marks.'
CREATE TABLE grade (
    name varchar(30), gender varchar(1), status int, year int, section varchar(1),
    score int, finalgrade int);
INSERT INTO grade VALUES
    ('Abbott',   'F', 2, 97, 'A', 90, 87), ('Branford', 'M', 1, 98, 'A', 92, 97),
    ('Crandell', 'M', 2, 98, 'B', 81, 71), ('Dennison', 'M', 1, 97, 'A', 85, 72),
    ('Edgar',    'F', 1, 98, 'B', 89, 80), ('Faust',    'M', 1, 97, 'B', 78, 73),
    ('Greeley',  'F', 2, 97, 'A', 82, 91), ('Hart',     'F', 1, 98, 'B', 84, 80),
    ('Isley',    'M', 2, 97, 'A', 88, 86), ('Jasper',   'M', 1, 97, 'B', 91, 83);

\echo
SELECT species, count(*) AS flowers, avg(petal_length)::numeric(4,2) AS petal_length
FROM iris GROUP BY species ORDER BY species;

\set ECHO none
\echo
\echo '==== A table becomes a DataFrame'
\echo 'A script is stored once, by name. It gets the whole table and'
\echo 'returns a frame; the column map picks two columns of it, and'
\echo 'says their types.'
\echo
\set ECHO queries
\o /dev/null
SELECT pyq_script_create('grade_diff', $$
def grade_diff(dat):
    dat["DIFF"] = dat["score"] - dat["finalgrade"]
    return dat
$$);
\o

\echo
SELECT * FROM pyq_table_eval(
    'grade', '{"oml_input_type": "pandas.DataFrame"}',
    '{"NAME": "varchar2(7)", "DIFF": "number"}', 'grade_diff')
    AS t("NAME" varchar(7), "DIFF" numeric);

\set ECHO none
\echo
\echo '==== A model of scikit-learn, fitted inside the database'
\echo 'The input may be a query; the result has the row type of a table, and is stored there.'
\echo
\set ECHO queries
CREATE TABLE sepal_model (
    intercept float8, sepal_width float8, petal_length float8, petal_width float8, r2 float8);

\echo
\o /dev/null
SELECT pyq_script_create('fit_sepal_length', $$
def fit_sepal_length(dat):
    from sklearn.linear_model import LinearRegression
    import pandas as pd

    features = ["sepal_width", "petal_length", "petal_width"]
    model = LinearRegression().fit(dat[features], dat["sepal_length"])
    row = dict(zip(features, model.coef_))
    row.update(intercept=model.intercept_, r2=model.score(dat[features], dat["sepal_length"]))
    return pd.DataFrame([row])
$$);
\o

\echo
INSERT INTO sepal_model
SELECT * FROM pyq_table_eval(
    'SELECT * FROM iris WHERE sepal_length IS NOT NULL', NULL::text,
    NULL::sepal_model, 'fit_sepal_length');

\echo
\x on
TABLE sepal_model;
\x off

\set ECHO none
\echo
\echo '==== Scoring in chunks of 50 rows'
\echo 'The function runs three times; the model travels as an argument. The result is a table like'
\echo 'any other: SQL goes on from there.'
\echo
\set ECHO queries
CREATE TYPE scored AS (species text, sepal_length float8, predicted float8);

\echo
\o /dev/null
SELECT pyq_script_create('score_sepal_length', $$
def score_sepal_length(dat, model):
    dat["predicted"] = model["intercept"] + sum(
        model[name] * dat[name] for name in ("sepal_width", "petal_length", "petal_width"))
    return dat[["species", "sepal_length", "predicted"]]
$$);
\o

\echo
SELECT species, count(*) AS flowers,
       avg(abs(predicted - sepal_length))::numeric(6,4) AS mean_error,
       max(abs(predicted - sepal_length))::numeric(6,4) AS worst_error
FROM pyq_row_eval('iris', (SELECT jsonb_build_object('model', to_jsonb(m)) FROM sepal_model m),
                  NULL::scored, 50, 'score_sepal_length')
GROUP BY species ORDER BY species;

\set ECHO none
\echo
\echo '==== By group'
\echo 'The function runs once for every species, with its rows.'
\echo
\set ECHO queries
\o /dev/null
SELECT pyq_script_create('petal_shape', $$
def petal_shape(dat):
    import numpy as np
    import pandas as pd

    x, y = dat["petal_length"], dat["petal_width"]
    slope, intercept = np.polyfit(x, y, 1)
    return pd.DataFrame({"species": [dat["species"][0]],
                         "n": [len(dat)], "slope": [slope]})
$$);
\o

\echo
SELECT species, n, slope::numeric(6,4)
FROM pyq_group_eval('iris', NULL::text, NULL::text,
                    'species', 'petal_length', 'petal_shape')
     AS t(species text, n int, slope float8);

\set ECHO none
\echo
\echo '==== By index'
\echo 'The function runs ten times, with 1 to 10: here as the seed of a random generator.'
\echo
\set ECHO queries
\o /dev/null
SELECT pyq_script_create('second_draw', $$
def second_draw(index):
    import numpy as np

    np.random.seed(index)
    return np.random.rand(100)[1] * 10
$$);
\o

\echo
SELECT row_number() OVER () AS seed, draw
FROM pyq_index_eval(NULL::text, NULL::float8, 10, 'second_draw') AS draw;

\set ECHO none
\echo
\echo '==== JSON and XML'
\echo
\set ECHO queries
\o /dev/null
SELECT pyq_script_create('best', $$
def best(dat, column, n=3):
    return dat.nlargest(n, column)[["name", column]]
$$);
\o

\echo
SELECT value FROM pyq_table_eval(
    'grade', '{"column": "score", "n": 2}', NULL::pyq_json, 'best');

\echo
\x on
SELECT name, value FROM pyq_group_eval(
    'grade', '{"column": "score", "n": 1}', NULL::pyq_xml, 'gender', NULL, 'best');
\x off

\set ECHO none
\echo
\echo '==== Pictures'
\echo 'Figures that a function leaves open become rows: the title and the PNG itself.'
\echo
\set ECHO queries
\o /dev/null
SELECT pyq_script_create('petal_plot', $$
def petal_plot(dat):
    import matplotlib.pyplot as plt

    for species, rows in dat.groupby("species"):
        plt.scatter(rows["petal_length"], rows["petal_width"], label=species)
    plt.xlabel("petal length (cm)")
    plt.ylabel("petal width (cm)")
    plt.legend()
    plt.title("Petals of three species")
    return len(dat)
$$);
\o

\echo
SELECT id, title, value, substr(image, 1, 8) AS first_bytes
FROM pyq_table_eval('iris', '{"oml_graphics_flag": true}', NULL::pyq_png, 'petal_plot');

\set ECHO none
-- The same into a file.
SELECT encode(image, 'base64')
FROM pyq_table_eval('iris', '{"oml_graphics_flag": true}', NULL::pyq_png, 'petal_plot')
\g (format=unaligned tuples_only=on) |base64 -d > build/demo/petals.png

\echo
\echo '==== Several engines at once'
\echo 'Twenty simulations, given to two engine processes; the results'
\echo 'come in order.'
\echo
\set ECHO queries
\o /dev/null
SELECT pyq_script_create('simulate', $$
def simulate(index, steps):
    import random

    draw = random.Random(index).random
    return sum(draw() < 0.5 for _ in range(steps)) / steps
$$);
\o

\echo
SELECT count(*) AS runs, avg(x)::numeric(6,4) AS mean,
       min(x)::numeric(6,4), max(x)::numeric(6,4)
FROM pyq_index_eval('{"steps": 200000, "oml_parallel": 2}',
                    NULL::float8, 20, 'simulate') AS x;
SELECT total_ms::int, python_ms::int, calls, engines
FROM pyq_last_call();

\set ECHO none
\echo
\echo '==== A stored model'
\echo 'A script fits a model and keeps it in a datastore; another loads it and scores, on two engines.'
\echo
\set ECHO queries
\o /dev/null
SELECT pyq_script_create('build_model', $$
def build_model(dat, dsname):
    import oml
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    inputs = ["sepal_width", "petal_length", "petal_width"]
    model = LinearRegression().fit(dat[inputs], dat["sepal_length"])
    oml.ds.save({"regr": model}, name=dsname, overwrite=True)
    return pd.DataFrame([model.coef_], columns=inputs)
$$);
SELECT pyq_script_create('score_model', $$
def score_model(dat, dsname):
    import oml

    model = oml.ds.load(dsname, objs=["regr"], to_globals=False)["regr"]
    predicted = model.predict(dat[["sepal_width", "petal_length", "petal_width"]])
    return dat[["species", "sepal_length"]].assign(predicted=predicted)
$$);
\o

\echo
SELECT * FROM pyq_table_eval('iris', '{"dsname": "demo_models"}', NULL, 'build_model')
     AS t(sepal_width numeric(8,4), petal_length numeric(8,4), petal_width numeric(8,4));
SELECT dsname, objname, class, objsize FROM all_pyq_datastore_contents;
SELECT species, count(*), avg(abs(predicted - sepal_length))::numeric(6,4) AS error
FROM pyq_row_eval('iris', '{"dsname": "demo_models", "oml_parallel": 2}', NULL, 25, 'score_model')
     AS t(species text, sepal_length float8, predicted float8)
GROUP BY species ORDER BY species;

\set ECHO none
\echo
\echo '==== An ordinary role'
\echo 'Her scripts run in a sandbox: they compute, and reach neither files nor the network.'
\echo
\set ECHO queries
CREATE ROLE demo_ann;
SET ROLE demo_ann;
\o /dev/null
SELECT pyq_script_create('peek', $$
def peek(path):
    return open(path).read()
$$);
\o

\echo
\set ON_ERROR_STOP off
SELECT * FROM pyq_eval('{"path": "/etc/passwd"}', NULL, 'peek') AS t(content text);
\set ON_ERROR_STOP on
RESET ROLE;
\echo
SELECT protection, enforced, detail FROM pyq_sandbox_status() WHERE needed;

\set ECHO none
\echo
\echo '==== A crash, and a script that will not stop'
\echo 'In an engine process both are an error of the statement; the session goes on.'
\echo
\set ECHO queries
SET oml_epe.engine = 'process';
\o /dev/null
SELECT pyq_script_create('crash', $$
import ctypes

def crash():
    return len(ctypes.string_at(0))
$$);
SELECT pyq_script_create('stubborn', $$
def stubborn():
    while True:
        try:
            sum(range(10**12))
        except BaseException:
            pass
$$);
SELECT pyq_script_create('fine', 'def fine(): return 1');
\o

\echo
\set ON_ERROR_STOP off
SELECT pyq_eval(NULL::text, NULL::int, 'crash');

\echo
SET statement_timeout = '300ms';
SELECT pyq_eval(NULL::text, NULL::int, 'stubborn');
RESET statement_timeout;
\set ON_ERROR_STOP on

\echo
SELECT pyq_eval(NULL::text, NULL::int, 'fine') AS the_session_goes_on;

\echo
SELECT rolname, environment, state, rows_out, pg_size_pretty(memory_bytes) AS memory
FROM pyq_engines WHERE backend_pid = pg_backend_pid() AND state = 'idle' ORDER BY since;
RESET oml_epe.engine;

\set ECHO none
\echo
\echo '==== The script repository'
\echo
\set ECHO queries
SELECT name, length(script) AS characters FROM user_pyq_scripts ORDER BY name;
\set ECHO none
\echo
