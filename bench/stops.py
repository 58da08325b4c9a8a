#!/usr/bin/python3
"""Print the duration of stops, in milliseconds: the matrix of test/py/support/stop_cases.py.

    bench/stops.py [--rounds N] [--kinds NAME,...] [--no-shutdown]

Starts private servers. Each figure is the median of the rounds from the trigger to the end of the
statement as its client sees it (the end of the backend for a disconnect, of the whole server for a
fast shutdown); for statement_timeout it is what goes beyond the limit.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "py" / "support"))
from stop_cases import ENDS_SESSION, KINDS, SHUTDOWN, TRIGGERS, Scene, fast_shutdown  # noqa: E402

SETTINGS = ["shared_preload_libraries = 'oml_epe'"]
Connect = Callable[[], "psycopg.Connection[Any]"]


def load_with_server() -> ModuleType:
    """Import tools/with-server, a script without a suffix."""
    path = ROOT / "tools" / "with-server"
    loader = SourceFileLoader("with_server", str(path))
    spec = importlib.util.spec_from_loader("with_server", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def connector(server: Any) -> Connect:
    """Return a function that opens sessions of a server, which has the extension from now on."""
    address = server.environment

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=address["PGHOST"],
            port=int(address["PGPORT"]),
            user=address["PGUSER"],
            dbname=address["PGDATABASE"],
            autocommit=True,
        )

    with connect() as admin:
        admin.execute("CREATE EXTENSION oml_epe")
    return connect


def measure(scene: Scene, kind: str, trigger: str, rounds: int) -> float:
    """Return the median of some stops; sessions are warm."""
    times = []
    session = scene.session(kind)
    scene.works(session)
    for _ in range(rounds):
        times.append(TRIGGERS[trigger](scene, session).milliseconds)
        if trigger in ENDS_SESSION:
            session.close()
            session = scene.session(kind)
        scene.works(session)
    session.close()
    return statistics.median(times)


def shut_down(with_server: ModuleType, kind: str) -> float:
    """Return the time of one fast shutdown under a kind."""
    with with_server.PrivateServer(SETTINGS) as server:
        stopped = fast_shutdown(server, connector(server), [kind])
        assert stopped.state == "stopped"
        return stopped.milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--no-shutdown", action="store_true")
    options = parser.parse_args()
    with_server = load_with_server()
    kinds = options.kinds.split(",")
    names = [*TRIGGERS, *([] if options.no_shutdown else [SHUTDOWN])]
    columns: dict[str, list[float]] = {name: [] for name in names}
    print(f"| {'kind of code':24} | " + " | ".join(names) + " |")
    print("| --- " * (len(names) + 1) + "|")
    with with_server.PrivateServer(SETTINGS) as server:
        connect = connector(server)
        scene = Scene(connect, connect())
        for kind in kinds:
            scene.store(kind)
            figures = [measure(scene, kind, trigger, options.rounds) for trigger in TRIGGERS]
            if not options.no_shutdown:
                figures.append(shut_down(with_server, kind))
            for name, value in zip(names, figures, strict=True):
                columns[name].append(value)
            cells = (
                f"{each:.0f}".rjust(len(name)) for name, each in zip(names, figures, strict=True)
            )
            print(f"| {kind:24} | " + " | ".join(cells) + " |", flush=True)
    most = (f"{max(columns[name]):.0f}".rjust(len(name)) for name in names)
    print(f"| {'most':24} | " + " | ".join(most) + " |")


if __name__ == "__main__":
    main()
