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
# Text and bars on a light and on a dark page; the background is the page's.
THEMES = {"light": ("#1f2328", "#2f6f9f", "#6e7781"), "dark": ("#e6edf3", "#6cb6ff", "#9198a1")}


def duration(milliseconds: float) -> str:
    """Return a duration as text, with a fitting unit."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


def draw(figures: dict[str, Any], theme: str) -> str:
    """Return the chart as SVG: times faster than the peer, one bar per measure."""
    text, bar, faint = THEMES[theme]
    measures = figures["measures"]
    with plt.rc_context(
        {"svg.hashsalt": "oml_epe", "svg.fonttype": "none", "font.family": "sans-serif"}
    ):
        figure, axes = plt.subplots(figsize=(8.6, 3.9))
        places = range(len(measures) + len(figures["behaviors"]))
        ratios = [each["peer_ms"] / each["ours_ms"] for each in measures]
        axes.barh(list(places)[: len(measures)], ratios, color=bar, height=0.55)
        for place, (each, ratio) in enumerate(zip(measures, ratios, strict=True)):
            times = f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.1f} x"
            peer = f", {each['peer']}" if "peer" in each else ""
            axes.text(
                ratio + 0.3,
                place,
                f"{times}:  {duration(each['ours_ms'])} instead of "
                f"{duration(each['peer_ms'])}{peer}",
                va="center",
                color=text,
                fontsize=9,
            )
        for offset, each in enumerate(figures["behaviors"]):
            axes.text(
                0.3,
                len(measures) + offset,
                f"{each['ours']};  {figures['peer']}: {each['peer']}",
                va="center",
                color=text,
                fontsize=9,
            )
        axes.set_yticks(list(places))
        names = [each["name"] for each in [*measures, *figures["behaviors"]]]
        axes.set_yticklabels(names, color=text, fontsize=9)
        axes.set_ylim(len(names) - 0.3, -0.6)
        axes.set_xlim(0, 38)
        axes.set_xticks([1, 5, 10, 15, 20, 25])
        axes.tick_params(colors=faint, labelsize=8, left=False)
        for label in axes.get_yticklabels():
            label.set_color(text)
        axes.set_xlabel(f"times faster than {figures['peer']}", color=faint, fontsize=8)
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
