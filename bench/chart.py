#!/usr/bin/python3
"""Draw the chart of the README from bench/headline.json, the figures of bench/README.md.

    bench/chart.py [--check]    docs/images/readme/benchmark-light.svg and benchmark-dark.svg

--check fails, and writes nothing, if the files are not those that the figures give.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "bench" / "headline.json"
IMAGES = ROOT / "docs" / "images" / "readme"
# Text, bars, faint text, and text on bars. The background is the page's.
THEMES = {
    "light": ("#1f2328", "#2f6f9f", "#59636e", "#ffffff"),
    "dark": ("#e6edf3", "#6cb6ff", "#9198a1", "#0d1117"),
}


def duration(milliseconds: float) -> str:
    """Return a duration as text, with a fitting unit."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


def draw(figures: dict[str, Any], theme: str) -> str:
    """Return the chart as SVG: times faster than the peer, one bar per measure."""
    text, bar, faint, on_bar = THEMES[theme]
    measures = figures["measures"]
    with plt.rc_context(
        {"svg.hashsalt": "oml_epe", "svg.fonttype": "none", "font.family": "sans-serif"}
    ):
        figure, axes = plt.subplots(figsize=(5.6, 5.0))
        axes.set_xlim(0, max(each["peer_ms"] / each["ours_ms"] for each in measures))
        rows = [*measures, *figures["behaviors"]]
        axes.set_ylim(len(rows) - 0.4, -0.75)
        for place, each in enumerate(rows):
            # The name above its bar, so that the picture is narrow: phones show it 360 pixels wide.
            axes.text(0, place - 0.3, each["name"], va="center", color=text, fontsize=11)
            if place >= len(measures):
                behavior = f"{each['ours']};  {figures['peer']}: {each['peer']}"
                axes.text(0, place + 0.06, behavior, va="center", color=faint, fontsize=10.5)
                continue
            ratio = each["peer_ms"] / each["ours_ms"]
            axes.barh(place + 0.06, ratio, color=bar, height=0.36)
            times = f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.1f} x"
            peer = f", {each['peer']}" if "peer" in each else ""
            label = (
                f"{times}:  {duration(each['ours_ms'])} instead of "
                f"{duration(each['peer_ms'])}{peer}"
            )
            is_inside = ratio > axes.get_xlim()[1] / 2
            axes.text(
                0.3 if is_inside else ratio + 0.3,
                place + 0.06,
                label,
                va="center",
                color=on_bar if is_inside else text,
                fontsize=10.5,
            )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(
            f"times faster than {figures['peer']}", color=faint, fontsize=11, loc="left", pad=2
        )
        for side in axes.spines.values():
            side.set_visible(False)
        figure.tight_layout()
        out = io.StringIO()
        figure.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
        plt.close(figure)
    return out.getvalue()


def main() -> None:
    figures = json.loads(FIGURES.read_text())
    stale = []
    for theme in THEMES:
        path = IMAGES / f"benchmark-{theme}.svg"
        chart = draw(figures, theme)
        if "--check" not in sys.argv[1:]:
            path.write_text(chart)
        elif not path.exists() or path.read_text() != chart:
            stale.append(path.name)
    if stale:
        sys.exit(f"bench/chart.py: not drawn from bench/headline.json: {', '.join(stale)}")


if __name__ == "__main__":
    main()
