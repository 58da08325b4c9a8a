"""Random heap tables whose pages hold tuples of many kinds and states."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conftest import Connect
from psycopg import Connection, sql
from type_cases import CASES

# Cases with a literal that PostgreSQL 14 does not read.
TOO_NEW = ("interval",)

# Large values: compressed in the tuple, and stored in the TOAST table with and without compression.
LARGE = (
    "repeat('compressible ', 400)",
    "repeat('compressible ', 40000)",
    "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) AS i)",
)


class RandomTable:
    """A table of random columns, of which some rows have been changed in each possible way.

    Attributes
    ----------
    name : str
        The table.
    columns : dict[str, str]
        Names and types of its columns that are not dropped, `id` first.
    """

    def __init__(self, connection: Connection[Any], name: str, seed: int) -> None:
        self._connection = connection
        self._random = random.Random(seed)
        self._next_id = 0
        self.name = name
        self.columns = {"id": "int"}
        self._literals: dict[str, tuple[str, ...]] = {}
        connection.execute(f"CREATE TABLE {name} (id int)")
        for _ in range(self._random.randint(1, 7)):
            self.add_column()

    def run(self, statement: str) -> None:
        self._connection.execute(statement)  # type: ignore[call-overload]

    def add_column(self) -> None:
        """Add a column: of a case of the types, of large texts, numeric only or generated."""
        name = f"c{len(self.columns)}_{self._next_id}_{self._random.randrange(1000)}"
        chance = self._random.random()
        if chance < 0.15:
            self.run(f"ALTER TABLE {self.name} ADD {name} text STORAGE {self._storage()}"
                     if self._connection.info.server_version >= 160000
                     else f"ALTER TABLE {self.name} ADD {name} text")  # fmt: skip
            self.columns[name] = "text"
            self._literals[name] = ()
        elif chance < 0.25:
            self.run(f"ALTER TABLE {self.name} ADD {name} int GENERATED ALWAYS AS (id * 2) STORED")
            self.columns[name] = "generated"
        else:
            case = self._random.choice([case for case in CASES if case.name not in TOO_NEW])
            default = self._random.choice(("", "NOT NULL DEFAULT", "DEFAULT"))
            if case.sql_type in ("checked_row[]", "positive[]"):
                default = ""  # the default of an array of domains rewrites the table
            value = sql.Literal(self._random.choice(case.literals)).as_string(None)
            added = f"{default} {value}" if default else ""
            self.run(f"ALTER TABLE {self.name} ADD {name} {case.sql_type} {added}")
            self.columns[name] = case.sql_type
            self._literals[name] = case.literals
            if "NOT NULL" in default:
                self.run(f"ALTER TABLE {self.name} ALTER {name} DROP NOT NULL")

    def _storage(self) -> str:
        return self._random.choice(("EXTERNAL", "EXTENDED", "MAIN"))

    def drop_column(self) -> None:
        names = [name for name in self.columns if name != "id"]
        if len(names) < 2:
            return
        name = self._random.choice(names)
        del self.columns[name]
        self.run(f"ALTER TABLE {self.name} DROP {name}")

    def _value(self, name: str, null_share: float) -> str:
        if self._random.random() < null_share:
            return "NULL"
        literals = self._literals[name]
        if not literals:
            return self._random.choice(LARGE) if self._random.random() < 0.05 else "'small'"
        return sql.Literal(self._random.choice(literals)).as_string(None)

    def insert(self, rows: int) -> None:
        """Insert rows, of which a share that differs from call to call has NULLs."""
        null_share = self._random.choice((0, 0, 0.02, 0.5))
        names = [name for name, kind in self.columns.items() if kind != "generated"]
        tuples = []
        for _ in range(rows):
            self._next_id += 1
            values = [str(self._next_id)] + [self._value(name, null_share) for name in names[1:]]
            tuples.append("(" + ", ".join(values) + ")")
        self.run(f"INSERT INTO {self.name} ({', '.join(names)}) VALUES {', '.join(tuples)}")

    def _insert_some(self) -> None:
        self.insert(self._random.randint(1, 300))

    def update(self) -> None:
        """Update some rows several times: chains of tuples, on the page where it has room."""
        step = self._random.randint(2, 9)
        for _ in range(self._random.randint(1, 3)):
            self.run(f"UPDATE {self.name} SET id = id WHERE id % {step} = 0")

    def delete(self) -> None:
        self.run(f"DELETE FROM {self.name} WHERE id % {self._random.randint(5, 30)} = 1")

    def abort(self) -> None:
        """Change rows in a transaction that is rolled back."""
        self.run("BEGIN")
        self._change_any()
        self.run("ROLLBACK")

    def nest(self) -> None:
        """Change rows in subtransactions, of which some are rolled back."""
        self.run("BEGIN")
        for end in self._random.choices(("RELEASE s", "ROLLBACK TO s"), k=3):
            self.run("SAVEPOINT s")
            self._change_any()
            self.run(end)
        self.run("COMMIT")

    def vacuum(self) -> None:
        freeze = self._random.choice(("", "(FREEZE)"))
        self.run(f"VACUUM {freeze} {self.name}")

    def _change_any(self) -> None:
        change = self._random.choice((self.update, self.delete, lambda: self.insert(20)))
        change()

    def change(self, steps: int) -> None:
        """Change the table in random ways."""
        ways = [self.add_column, self.drop_column, self.update, self.delete, self.abort, self.nest]
        ways += [self.vacuum, self._insert_some]
        self.insert(self._random.randint(1, 400))
        for way in self._random.choices(ways, k=steps):
            way()
        self.insert(self._random.randint(0, 100) + 1)

    @contextmanager
    def in_flight(self, connect: Connect) -> Iterator[None]:
        """Within the context other sessions have changed and locked rows, without a commit."""
        writer, locker = connect(), connect()
        for other in (writer, locker):
            other.execute(self._connection.execute("SELECT 'SET search_path = ' || "
                          "current_setting('search_path')").fetchone()[0])  # fmt: skip
            other.execute("BEGIN")
        lock = self._random.choice(("KEY SHARE", "SHARE"))
        locker.execute(f"SELECT id FROM {self.name} WHERE id % 4 = 1 FOR {lock}")
        writer.execute(f"SELECT id FROM {self.name} WHERE id % 8 = 1 FOR {lock}")
        writer.execute("SAVEPOINT s")
        writer.execute(f"UPDATE {self.name} SET id = -id WHERE id % 5 = 0 AND id % 4 <> 1")
        writer.execute(f"DELETE FROM {self.name} WHERE id % 7 = 0 AND id % 4 <> 1")
        writer.execute("RELEASE s")
        try:
            yield
        finally:
            writer.execute(self._random.choice(("COMMIT", "ROLLBACK")))
            locker.execute("COMMIT")
            writer.close()
            locker.close()

    def qualification(self) -> str:
        """Return a WHERE clause, or nothing."""
        name = self._random.choice(list(self.columns))
        return self._random.choice((
            "", "", "", "WHERE id % 3 = 0", f"WHERE {name} IS NOT NULL",
            f"WHERE {name} IS NULL OR id > 50", "WHERE id < 0", "WHERE ctid > '(1,3)'",
            f"WHERE tableoid <> 0 AND {name}::text <> 'a'",
        ))  # fmt: skip

    def targets(self) -> str:
        """Return a target list: all columns, or some in any order, one possibly twice."""
        if self._random.random() < 0.4:
            return "*"
        names = list(self.columns)
        chosen = self._random.choices(names, k=self._random.randint(1, len(names) + 1))
        return ", ".join(f"{name} AS t{i}" for i, name in enumerate(chosen))
