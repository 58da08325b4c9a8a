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
