"""Functions and classes of scripts are pickled, and used by other processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection

ENGINE_PLACES = engine_kinds.ENGINES

SCRIPT = '''
import importlib, pickle, sys
from multiprocessing import Pool

FACTOR = 2

def scaled(x):
    return x / FACTOR

class Scaler:
    """Something with a state of the script's own class."""
    def __init__(self, factor): self.factor = factor
    def __call__(self, x): return x / self.factor

def own_score(truth, guess):
    return float(abs(truth - guess).max() < 1e-6)

def pickle_own(how, jobs=2):
    if how == "pickle":
        return pickle.loads(pickle.dumps(scaled)) is scaled and (
            type(pickle.loads(pickle.dumps(Scaler(4)))) is Scaler)
    if how == "parents":
        name = scaled.__module__
        parts = name.split(".")
        parents = [importlib.import_module(".".join(parts[:n])) for n in range(1, len(parts))]
        found = parents[0]
        for part in parts[1:]:
            found = getattr(found, part)
        return found is sys.modules[name] and __import__(name) is parents[0]
    if how == "pool":
        with Pool(2) as pool:
            return sum(pool.map(scaled, [1, 2, 3]))
    from joblib import Parallel, delayed
    if how == "joblib":
        return sum(Parallel(n_jobs=jobs)(delayed(scaled)(i) for i in (1, 2, 3)))
    if how == "instances":
        scalers = Parallel(n_jobs=jobs)(delayed(Scaler)(i) for i in (1, 2))
        return all(type(scaler) is Scaler for scaler in scalers) and scalers[1](4) == 2
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import cross_val_score
    import numpy as np
    x = np.arange(12.0).reshape(-1, 1)
    scores = cross_val_score(LinearRegression(), x, 3 * x[:, 0], cv=3, n_jobs=jobs,
                             scoring=make_scorer(own_score))
    return float(scores.mean())
'''


@pytest.fixture(scope="module")
def pickles(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection with the script."""
    module_conn.execute(
        "SELECT pyq_script_create('pickle_own', %s, v_overwrite => true)", (SCRIPT,)
    )
    yield module_conn
    module_conn.execute("SELECT pyq_script_drop('pickle_own')")


def answer(connection: Connection[Any], **arguments: Any) -> Any:
    row = connection.execute(
        "SELECT value::jsonb FROM pyq_eval(%s, NULL::pyq_json, 'pickle_own')",
        (json.dumps(arguments),),
    ).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("how", "expected"),
    [("pickle", True), ("parents", True), ("joblib", 3.0), ("instances", True), ("score", 1.0)],
)
def test_what_a_script_defines_is_pickled(
    pickles: Connection[Any], how: str, expected: Any
) -> None:
    for jobs in (1, 2, -1):
        assert answer(pickles, how=how, jobs=jobs) == expected


def test_pool_of_processes(pickles: Connection[Any]) -> None:
    row = pickles.execute("SHOW oml_epe.engine").fetchone()
    assert row is not None
    if row[0] == "backend":
        assert answer(pickles, how="pool") == 3.0
        return
    with pytest.raises(psycopg.Error, match=r"PermissionError|OSError"):  # no processes there
        answer(pickles, how="pool")


def test_names_with_dots(pickles: Connection[Any]) -> None:
    source = SCRIPT.replace("pickle_own", "chosen")
    pickles.execute("SELECT pyq_script_create('a.b.c', %s, v_overwrite => true)", (source,))
    for how in ("pickle", "parents"):
        row = pickles.execute(
            "SELECT value FROM pyq_eval(%s, NULL::pyq_json, 'a.b.c')", (json.dumps({"how": how}),)
        ).fetchone()
        assert row == ("true",)
    pickles.execute("SELECT pyq_script_drop('a.b.c')")


def test_byte_order_mark(pickles: Connection[Any]) -> None:
    for body in ("def marked(): return 1", "marked = lambda: 1"):
        pickles.execute(
            "SELECT pyq_script_create('marked', %s, v_overwrite => true)", ("\ufeff" + body,)
        )
        assert pickles.execute("SELECT pyq_eval(NULL, NULL::int, 'marked')").fetchone() == (1,)
    pickles.execute("SELECT pyq_script_drop('marked')")
