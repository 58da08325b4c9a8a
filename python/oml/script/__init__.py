"""The script repository: functions that are stored in the database by name.

oml.script.create("add", func="def add(a, b): return a + b")
oml.script.load("add")(1, 2)
"""

from oml.script.script import Callable, create, dir, drop, load

__all__ = ["Callable", "create", "dir", "drop", "load"]
