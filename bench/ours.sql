-- The extension and the scripts that are measured.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION oml_epe;

SELECT pyq_script_create('bench_length', $$
def bench_length(dat):
    return len(dat)
$$);

SELECT pyq_script_create('bench_rows', $$
import numpy as np
import pandas as pd

frames = {}

def bench_rows(n):
    if n not in frames:
        numbers = np.random.default_rng(42).random((3, n))
        frames[n] = pd.DataFrame({"a": np.arange(n, dtype=np.int32), "b": numbers[0],
                                  "c": numbers[1], "d": numbers[2]})
    return frames[n]
$$);

SELECT pyq_script_create('bench_reduce', $$
def bench_reduce(dat):
    return dat[:, 1].sum() + dat[:, 2].max()
$$);

SELECT pyq_script_create('bench_reduce_frame', $$
def bench_reduce_frame(dat):
    return dat["x"].sum() + dat["y"].max()
$$);

SELECT pyq_script_create('bench_one', $$
def bench_one():
    return 1
$$);

-- Engine processes.
SELECT pyq_script_create('bench_python', $$
def bench_python(dat):
    total = 0
    for i in range(300000):
        total += i * i % 7
    return float(total)
$$, v_overwrite => true);
SELECT pyq_script_create('bench_numpy', $$
import numpy as np

def bench_numpy(dat):
    values = np.arange(400000, dtype=float)
    for _ in range(12):
        values = np.sqrt(values * 1.5 + 2.0)
    return float(values.sum())
$$, v_overwrite => true);
SELECT pyq_script_create('bench_pandas', $$
def bench_pandas():
    import pandas as pd

    return len(pd.DataFrame({"a": [1, 2, 3]}))
$$, v_overwrite => true);
SELECT pyq_script_create('bench_die', $$
import os

def bench_die():
    os.kill(os.getpid(), 9)
$$, v_overwrite => true);
SELECT pyq_script_create('bench_spin', $$
def bench_spin():
    total = 0
    for i in range(2000000):
        total += i * i % 7
    return float(total)
$$, v_overwrite => true);
