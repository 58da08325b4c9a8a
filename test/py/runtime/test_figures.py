"""runtime/figures.py in isolation: figures drawn by a script."""

import subprocess
import sys

import matplotlib
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot
from runtime_modules import RUNTIME, load

PATH = RUNTIME / "figures.py"


figures = load("figures")


@pytest.fixture(autouse=True)
def no_figures_left():
    pyplot.close("all")
    yield
    pyplot.close("all")


def test_nothing_drawn():
    assert figures.capture() == []


def test_pngs_in_order_of_figure_numbers():
    pyplot.figure(7).suptitle("seven")
    pyplot.figure(3).suptitle("three")
    captured = figures.capture()
    assert [title for title, _ in captured] == ["three", "seven"]
    assert all(png.startswith(b"\x89PNG\r\n\x1a\n") for _, png in captured)


def test_titles():
    _, axes = pyplot.subplots(1, 2)
    assert figures.capture()[0][0] is None
    axes[1].set_title("second", loc="left")
    assert figures.capture()[0][0] == "second"
    axes[0].set_title("first")
    assert figures.capture()[0][0] == "first"
    axes[0].figure.suptitle("over all")
    assert figures.capture()[0][0] == "over all"


def test_capture_changes_nothing():
    first = pyplot.figure()
    second = pyplot.figure()
    pyplot.figure(first.number)
    figures.capture()
    assert pyplot.gcf() is first
    assert pyplot.get_fignums() == [first.number, second.number]


def test_the_same_figure_gives_the_same_bytes():
    pyplot.plot([1, 3, 2])
    (_, once), (_, again) = figures.capture() + figures.capture()
    assert once == again
    assert b"tEXt" not in once and b"matplotlib" not in once


def test_close_all():
    pyplot.figure()
    figures.close_all()
    assert pyplot.get_fignums() == []
    assert figures.capture() == []


def test_pyplot_is_not_imported():
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('figures', {str(PATH)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "assert module.capture() == []\n"
        "module.close_all()\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
