"""Values of Arrow's type month_day_nano_interval: tuples in Python, but one value in SQL."""

import sys
from typing import Any


def is_interval_type(kind: type) -> bool:
    """Whether a type is pyarrow.MonthDayNano."""
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and kind is getattr(pyarrow, "MonthDayNano", None)


def _clock(nanoseconds: int) -> tuple[str, int, int]:
    """Sign, seconds and microseconds; nanoseconds are cut off."""
    seconds, fraction = divmod(abs(nanoseconds) // 1000, 1_000_000)
    return "-" if nanoseconds < 0 else "", seconds, fraction


def interval_text(value: Any) -> str:
    """Return the value in a format that PostgreSQL reads for every IntervalStyle."""
    sign, seconds, fraction = _clock(value.nanoseconds)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"
    return f"{value.months} mons {value.days} days {sign}{clock}"


def iso_duration(value: Any) -> str:
    """Return the value as ISO 8601, with a sign for each part, which PostgreSQL reads."""
    sign, seconds, fraction = _clock(value.nanoseconds)
    digits = f"{seconds}.{fraction:06}".rstrip("0").rstrip(".")
    date = (f"{value.months}M" if value.months else "") + (f"{value.days}D" if value.days else "")
    time = f"T{sign}{digits}S" if seconds or fraction or not date else ""
    return f"P{date}{time}"
