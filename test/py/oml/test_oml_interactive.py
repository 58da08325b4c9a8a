"""What notebooks and interactive shells do with proxies: completion, attributes, HTML."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import numpy as np
import oml
import pandas as pd
import psycopg
import pytest

EVIL = "<script>alert('&')</script>"
DATA = pd.DataFrame(
    {
        "x": [1, 2],
        "Mixed": ["a", EVIL],
        "two words": [1.5, None],
        "count": [3, 4],
        "_hidden": [5, 6],
        "class": [7, 8],
        EVIL: [True, False],
    }
)


@pytest.fixture
def frame(conn: psycopg.Connection[Any]) -> Iterator[Any]:
    info = conn.info
    oml.connect(user=info.user, host=info.host, port=info.port, service_name=info.dbname)
    yield oml.push(DATA)
    oml.disconnect()


def test_attributes_are_columns(frame: Any) -> None:
    assert type(frame.x) is oml.Integer and frame.x.pull() == [1, 2]
    assert frame[frame.x > 1].Mixed.pull() == [EVIL]
    assert getattr(frame, "class").pull() == [7, 8]
    # What the class has comes first, as in pandas.
    assert frame.count()["x"] == 2 and frame["count"].pull() == [3, 4]
    for missing in ("y", "_hidden", "mixed", "__array_interface__"):
        assert not hasattr(frame, missing)
    with pytest.raises(AttributeError, match="there is a column 'Mixed'"):
        _ = frame.mixed
    with pytest.raises(AttributeError, match=r"'DataFrame' object has no attribute 'y'$"):
        _ = frame.y


def test_columns_are_not_assigned(frame: Any) -> None:
    for name, value in (("x", 1), ("x", frame.x), ("new", frame.x + 1), ("_new", frame.x)):
        with pytest.raises(AttributeError, match="concat"):
            setattr(frame, name, value)
    frame.note = "mine"
    assert frame.note == "mine" and frame.x.pull() == [1, 2]


def test_completion(frame: Any) -> None:
    assert frame._ipython_key_completions_() == list(DATA.columns)
    names = dir(frame)
    assert {"x", "Mixed", "count", "class", "merge", "pull", "_columns"} <= set(names)
    assert "two words" not in names and EVIL not in names


def test_copies_know_their_columns(frame: Any) -> None:
    for made in (copy.copy(frame), pickle.loads(pickle.dumps(frame)), frame.head(1)):
        assert made.x.pull()[0] == 1
    empty = object.__new__(oml.DataFrame)
    assert not hasattr(empty, "x") and not hasattr(empty, "_columns")
    assert list(pd.DataFrame(frame[["x", "count"]]).columns) == ["x", "count"]
    assert np.asarray(frame[["x", "count"]]).tolist() == [[1, 3], [2, 4]]


class Tags(HTMLParser):
    """The tags and the text of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def test_html_is_bounded_and_escaped(frame: Any) -> None:
    for each in (frame, frame.Mixed, frame[EVIL], frame.x == 1):
        shown = Tags(each._repr_html_())
        assert "table" in shown.tags and "script" not in shown.tags
        assert shown.tags.count("tr") == 3
    assert EVIL in Tags(frame._repr_html_()).text
    assert EVIL in Tags(frame.Mixed._repr_html_()).text
    assert "[String]" in frame.Mixed._repr_html_()
    long = oml.sync(query="SELECT g AS g FROM generate_series(1, 1000000) AS g")
    for proxy, note in ((long, "[the first 20 rows, 1 columns]"), (long.g, "[the first 20 values")):
        shown = Tags(proxy._repr_html_())
        assert shown.tags.count("tr") == 21 and note in shown.text
    with pd.option_context("display.notebook_repr_html", False):
        assert frame._repr_html_() is None and frame.x._repr_html_() is None
