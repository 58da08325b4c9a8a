#!/usr/bin/python3
"""100 000 mixed calls, and what the processes that serve them hold meanwhile.

    bench/flat.py [--calls N]

The mix is that of test/py/support/mixed_calls.py: both kinds of engines, results, errors, rows,
groups, parallel calls, generators, SQL of scripts, datastores and jobs. Prints descriptors and
private memory after a warm-up and ten times on the way. Exit status 1 when descriptors have grown,
or memory by more than --slack kilobytes in any kind of process.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from stops import ROOT, SETTINGS, connector, load_with_server

sys.path.insert(0, str(Path(ROOT) / "test" / "py" / "support"))
from mixed_calls import CALLS_PER_ROUND, Mix, Sample

WARM_UP_SHARE = 10  # one in so many calls
STEPS = 10


def show(calls: int, sample: Sample) -> None:
    """Print one line of the table."""
    cells = (
        f"{sample.descriptors[kind]} / {sample.private_kb[kind]}" for kind in sample.private_kb
    )
    print(f"| {calls} | " + " | ".join(cells) + " |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--slack", type=int, default=16_000, help="kilobytes")
    options = parser.parse_args()
    rounds = max(STEPS, options.calls // CALLS_PER_ROUND + 1)
    with_server = load_with_server()
    with with_server.PrivateServer(SETTINGS) as server:
        connect = connector(server)

        def open_session() -> psycopg.Connection[Any]:
            return connect()

        mix = Mix(open_session)
        start = time.monotonic()
        for _ in range(max(3, rounds // WARM_UP_SHARE)):
            mix.run_round()
        first = last = mix.sample()
        print("| calls | " + " | ".join(f"{kind}: descriptors / kB" for kind in first.private_kb))
        print("| --- " * (len(first.private_kb) + 1) + "|")
        show(0, first)
        for step in range(STEPS):
            for _ in range(rounds * (step + 1) // STEPS - rounds * step // STEPS):
                mix.run_round()
            last = mix.sample()
            show(rounds * (step + 1) // STEPS * CALLS_PER_ROUND, last)
        mix.close()
    print(f"{time.monotonic() - start:.0f} s")
    growth = {kind: last.private_kb[kind] - kb for kind, kb in first.private_kb.items()}
    print(f"growth in kB: {growth}")
    if last.descriptors != first.descriptors:
        print(f"descriptors have changed: {first.descriptors} to {last.descriptors}")
        return 1
    return int(max(growth.values()) > options.slack)


if __name__ == "__main__":
    sys.exit(main())
