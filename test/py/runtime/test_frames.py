"""runtime/inputs.py, standing alone: the types of a pandas frame's columns."""

import sys
import types

import numpy as np
import pandas as pd
import pytest
import runtime_modules

HAS_TEXTS = int(pd.__version__.split(".")[0]) >= 3
TEXT = "str" if HAS_TEXTS else "object"


def load():
    """Import inputs.py, which takes its exception from the engine's package."""
    errors = types.ModuleType("_oml_epe_runtime.errors")
    errors.EpeError = Exception
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "_oml_epe_runtime", types.ModuleType("_oml_epe_runtime"))
        patch.setitem(sys.modules, "_oml_epe_runtime.errors", errors)
        return runtime_modules.load("inputs")


inputs = load()


def objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def types_of(frame):
    return [str(dtype) for dtype in frame.dtypes]


@pytest.mark.parametrize("make", ["whole", "split"])
@pytest.mark.parametrize("texts", [("x", None), (None, None), ("x", "y")])
def test_types_do_not_depend_on_the_values(make, texts):
    frame = inputs.make_input("pandas", ("t", "j", "d", "i"), ("text", "json", "date", "int64"))
    columns = [objects(*texts), objects("json", "text"), objects("infinity", None), np.arange(2)]
    made = getattr(frame, make)(columns, 2)
    assert types_of(made) == [TEXT, "object", "object", "int64"]
    assert [None if pd.isna(value) else value for value in made["t"]] == list(texts)
    assert made["j"].tolist() == ["json", "text"]
    assert made["d"].tolist() == ["infinity", None]
    part = frame.part(frame.split(columns, 2), 1, 2)
    assert types_of(part) == types_of(made)
    assert part.index.tolist() == [0] and part["i"].tolist() == [1]


def test_no_rows():
    frame = inputs.make_input("pandas", ("t", "j"), ("text", "json"))
    assert types_of(frame.whole([objects(), objects()], 0)) == [TEXT, "object"]


def test_the_fast_slice_works():
    # Otherwise every group costs a multiple; not an error, since it may happen in any release.
    assert inputs._slicer(pd).__name__ == "fast_slice"


@pytest.mark.skipif(not HAS_TEXTS, reason="pandas 3 has the type")
@pytest.mark.filterwarnings("ignore:.*infer_string")
def test_texts_can_be_switched_off():
    with pd.option_context("future.infer_string", False):
        frame = inputs.make_input("pandas", ("t",), ("text",))
        assert types_of(frame.whole([objects("x")], 1)) == ["object"]


def test_writing_to_a_part_leaves_the_others_alone():
    frame = inputs.make_input("pandas", ("t", "i"), ("text", "int64"))
    parent = frame.split([objects("a", "b"), np.arange(2)], 2)
    first = frame.part(parent, 0, 1)
    first.loc[0, "t"] = "z"
    assert frame.part(parent, 1, 2)["t"].tolist() == ["b"]
