"""A short storm of signals; test/py/jobs/storm.py by itself runs a long one."""

from __future__ import annotations

import random

import storm

SECONDS = 20


def test_nothing_is_lost_doubled_stuck_or_left():
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    assert storm.run(SECONDS, seed) == [], f"seed {seed}"
