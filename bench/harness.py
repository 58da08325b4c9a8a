"""Races of contestants: interleaved rounds, medians, targets, and a backend's peak memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OURS = "oml_epe"


@dataclass
class Contestant:
    """One way to do a job.

    Attributes
    ----------
    name : str
        How the table calls it; OURS for the extension.
    run : callable
        Does the job once and returns what it found, to be compared with the others.
    warm_ups : int
        Runs before the first one that counts.
    missing : str
        Why it cannot take part; empty when it can.
    """

    name: str
    run: Callable[[], object]
    warm_ups: int = 1
    missing: str = ""


@dataclass
class Target:
    """A bound on the ratio of two contestants' medians, or on a figure of its own.

    `faster` names the contestant in the denominator, `slower` the one in the numerator; the ratio
    slower/faster must be at least `bound`, or at most when `at_most`.
    """

    text: str
    slower: str
    faster: str
    bound: float
    at_most: bool = False


@dataclass
class Race:
    """The outcome of one measure."""

    title: str
    unit: str = "ms"
    figures: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    failed: bool = False

    def median(self, name: str) -> float | None:
        """Median of a contestant's figures, None when it did not run."""
        return statistics.median(self.figures[name]) if self.figures.get(name) else None

    def judge(self, target: Target) -> None:
        """Add a line that says whether the target is met."""
        above, below = self.median(target.slower), self.median(target.faster)
        if above is None or below is None:
            self.verdicts.append(f"{target.text}: not measured")
            return
        self.judge_value(target.text, above / below, target.bound, target.at_most)

    def judge_value(self, text: str, value: float, bound: float, at_most: bool) -> None:
        """As judge, for a figure that was computed elsewhere."""
        is_met = value <= bound if at_most else value >= bound
        self.verdicts.append(f"{text}: {value:.2f} - {'met' if is_met else 'MISSED'}")

    def show(self) -> None:
        """Print the race as a table."""
        print(f"\n{self.title}")
        ours = self.median(OURS)
        for name, values in self.figures.items():
            middle = statistics.median(values)
            ratio = f"{middle / ours:8.2f} x" if ours else f"{'':10}"
            spread = f"{figure(min(values)):>8} .. {figure(max(values))}"
            print(f"  {name:44} {figure(middle):>8} {self.unit:4} {ratio}   {spread}")
        for name, reason in self.missing.items():
            print(f"  {name:44} missing: {reason}")
        for verdict in self.verdicts:
            print(f"  -> {verdict}", flush=True)


def figure(value: float) -> str:
    """Return a number with about four digits and without an exponent."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def reason_of(problem: Exception) -> str:
    """Return the first line of an exception's message."""
    text = str(problem).strip() or repr(problem)
    return text.splitlines()[0]


def race(title: str, contestants: Sequence[Contestant], rounds: int, per: float = 1e-3) -> Race:
    """Run the contestants in turn, `rounds` times each; figures are in units of `per` seconds.

    A contestant that fails drops out and is reported; a result that differs from the first
    contestant's is a failure too.
    """
    outcome = Race(title)
    expected: object = None
    running: list[Contestant] = []
    for contestant in contestants:
        if contestant.missing:
            outcome.missing[contestant.name] = contestant.missing
            continue
        try:
            for _ in range(contestant.warm_ups):
                found = contestant.run()
            if expected is None:
                expected = found
            if not same(found, expected):
                raise ValueError(f"found {found!r} where the others found {expected!r}")
        except Exception as problem:
            outcome.missing[contestant.name] = reason_of(problem)
            outcome.failed = True
            continue
        running.append(contestant)
        outcome.figures[contestant.name] = []
    for number in range(rounds):
        # Each round starts with a different contestant, so that the order varies.
        first = number % len(running) if running else 0
        for contestant in running[first:] + running[:first]:
            outcome.figures[contestant.name].append(seconds_of(contestant.run) / per)
    return outcome


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long the work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def same(found: object, expected: object) -> bool:
    """Compare two results; floats may differ in the last digits (order of summation)."""
    if isinstance(found, float) and isinstance(expected, float):
        return abs(found - expected) <= 1e-9 * max(abs(found), abs(expected))
    return found == expected


class BackendMemory:
    """Peak of a backend's resident memory while something runs in it."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def _field(self, name: str) -> int:
        for line in (self._folder / "status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(name)

    def peak_of(self, work: Callable[[], object]) -> int:
        """Largest increase of the resident set over its size before, in bytes."""
        (self._folder / "clear_refs").write_text("5")  # the high-water mark falls to the present
        before = self._field("VmRSS")
        work()
        return self._field("VmHWM") - before
