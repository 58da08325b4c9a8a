"""Some thousand mixed calls leave the processes that serve them as they were.

bench/flat.py makes 100 000, and prints the figures; its result is in bench/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Server, with_server
from mixed_calls import Mix

WARM_UP_ROUNDS = 3
ROUNDS = 8
# Allocators keep pages back and grow in steps: less than this is no leak of this many calls.
SLACK_KB = {
    "backend (backend)": 6000,
    "backend (process)": 3000,
    "engines": 12000,
    "supervisor": 1000,
    "zygotes": 1500,
}


@pytest.fixture
def mix() -> Iterator[Mix]:
    """A mix on a server of its own: the supervisor also counts what other sessions have."""
    with with_server.PrivateServer(["shared_preload_libraries = 'oml_epe'"]) as private:
        connect = Server(private.environment).connect
        with connect() as admin:
            admin.execute("CREATE EXTENSION oml_epe")
        made = Mix(connect)
        yield made
        made.close()
        private.stop()
        assert not private.signal_deaths()


def test_mixed_calls_leave_nothing(mix):
    for _ in range(WARM_UP_ROUNDS):
        mix.run_round()
    after = mix.sample()
    # A parallel call takes its second engine only if the first one has not done all work by then:
    # the number of engines can grow once for each session.
    for _ in range(3):
        before = after
        assert set(before.private_kb) == set(SLACK_KB)
        for _ in range(ROUNDS):
            mix.run_round()
        after = mix.sample()
        if after.processes == before.processes:
            break
    assert after.processes == before.processes
    assert after.descriptors == before.descriptors
    growth = {kind: after.private_kb[kind] - kb for kind, kb in before.private_kb.items()}
    for kind, slack in SLACK_KB.items():
        assert growth[kind] <= slack, growth
