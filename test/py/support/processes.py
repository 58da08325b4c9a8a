"""Observes engine processes, their zygotes and the supervisor, in /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from background import SAFETY_SECONDS
from psycopg import Connection

REACHED = 7003  # class of the advisory locks by which calls report that they run

# Preamble of scripts: reached() shows other sessions that a call has reached the stop position.
PRELUDE = f"""
import ctypes, itertools, os, signal, sys, threading, time
import numpy as np
import pandas as pd
import oml

def reached(number=1):
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared({REACHED}, $1::int)", (number,))
"""


class Process(NamedTuple):
    pid: int
    name: str
    state: str
    parent: int
    niceness: int
    start: int

    @property
    def is_alive(self) -> bool:
        """Tell whether it is still there: its number may be another's by now."""
        now = read_process(self.pid)
        return now is not None and now.start == self.start and now.state not in "ZX"


def read_process(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
    words = rest.split()
    return Process(pid, name, words[0], int(words[1]), int(words[16]), int(words[19]))


def descendants(pid: int) -> list[Process]:
    """The processes below one, parents first."""
    found = filter(None, (read_process(int(p)) for p in os.listdir("/proc") if p.isdigit()))
    children: dict[int, list[Process]] = {}
    for process in found:
        children.setdefault(process.parent, []).append(process)
    tree = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        tree += below
        waiting += [process.pid for process in below]
    return tree


def descriptors(pid: int) -> list[str]:
    """Open descriptors of a process other than files: "socket", "memfd:oml_epe", "pipe", ..."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
        target = target.replace(" (deleted)", "").replace("/memfd", "memfd").split(":[")[0]
        if not target.startswith("/"):
            found.append(target)
    return sorted(found)


def wait_for(what: str, condition: Callable[[], Any]) -> Any:
    """Wait until a condition holds; return its value."""
    deadline = time.monotonic() + SAFETY_SECONDS
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.002)


class EngineMonitor:
    """The engines of one server, seen from outside and by an observing session."""

    def __init__(self, observer: Connection[Any]) -> None:
        self.observer = observer
        self.data = Path(self._one("SHOW data_directory"))
        self.postmaster = int((self.data / "postmaster.pid").read_text().split()[0])

    def _one(self, query: str, *parameters: Any) -> Any:
        row = self.observer.execute(query, parameters).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None

    def named(self, name: str) -> list[Process]:
        """The server's processes of that name: epe_supervisor, epe_zygote, epe_engine."""
        return [p for p in descendants(self.postmaster) if p.name == name]

    def supervisor(self) -> Process:
        return wait_for("a supervisor", lambda: self.named("epe_supervisor"))[0]

    def zygote(self) -> Process:
        return wait_for("a zygote", lambda: self.named("epe_zygote"))[0]

    def engines(self, backend: int, state: str | None = None) -> list[int]:
        """Process ids of a session's engines, of one state or any."""
        return [
            row[0]
            for row in self.observer.execute(
                "SELECT pid FROM pyq_engines WHERE backend_pid = %s AND state = coalesce(%s, state)"
                " ORDER BY pid",
                (backend, state),
            )
        ]

    def wait_until_reached(self, backend: int, calls: int = 1) -> None:
        wait_for(
            f"{calls} calls under way",
            lambda: (
                calls
                == self._one(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                    " AND classid = %s AND pid = %s",
                    REACHED,
                    backend,
                )
            ),
        )

    def has_reached(self, backend: int | None = None, number: int | None = None) -> bool:
        """Whether reached() was called, of a given or any backend, with a given or any number."""
        return bool(
            self._one(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND classid = %s AND pid = coalesce(%s, pid) AND objid = coalesce(%s, objid))",
                REACHED,
                backend,
                number,
            )
        )

    def processes(self) -> list[Process]:
        """All processes of the server, engines included."""
        return descendants(self.postmaster)

    def wait_until_in_script(self, engine: int, function: str) -> None:
        """Wait until an engine is in that function itself, not in a callee; or is stopped.

        A C function counts as part of the Python function that has called it.
        """

        def is_there() -> bool:
            process = read_process(engine)
            if process is None or process.state == "T":
                return True
            stack = self._one("SELECT pyq_engine_stack(%s)", engine) or ""
            frames = [line for line in stack.splitlines() if line.startswith("  File ")]
            return bool(frames) and frames[0].endswith(f" in {function}")

        wait_for(f"engine {engine} in {function}", is_there)

    def folders(self) -> list[str]:
        """The folders of engines that lie on disk."""
        return sorted(str(each) for each in self.data.glob("pgsql_tmp_oml_epe/*/*"))

    def footprint(self) -> dict[str, Any]:
        """Resources of supervisor, zygote and disk: equal before and after, if nothing leaks."""
        return {
            "supervisor": descriptors(self.supervisor().pid),
            "zygote": descriptors(self.zygote().pid),
            "engines": len(self.named("epe_engine")),
            "folders": len(self.folders()),
        }

    def empty_footprint(self) -> dict[str, Any]:
        """The footprint beside which only the observer is connected, once it is so."""
        wait_for(
            "no other session",
            lambda: (
                self.observer.execute("SELECT FROM pyq_engines").rowcount == 0
                and self._one(
                    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                )
                == 1
            ),
        )
        return self.footprint()

    def wait_for_footprint(self, expected: dict[str, Any]) -> None:
        deadline = time.monotonic() + SAFETY_SECONDS
        while (now := self.footprint()) != expected:
            assert time.monotonic() < deadline, f"left over: {now} instead of {expected}"
            time.sleep(0.002)
