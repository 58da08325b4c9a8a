"""PostgreSQL's texts of dates, timestamps and intervals outside the range of Python's."""

from __future__ import annotations

_MICROSECONDS = 1_000_000


def _civil(days: int) -> tuple[int, int, int]:
    """The proleptic Gregorian date of a day since 1970-01-01 (H. Hinnant's algorithm)."""
    shifted = days + 719468
    era, day_of_era = divmod(shifted, 146097)
    leap = day_of_era // 1460 - day_of_era // 36524 + day_of_era // 146096
    year_of_era = (day_of_era - leap) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def _clock(microseconds: int) -> str:
    seconds, fraction = divmod(microseconds, _MICROSECONDS)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{fraction:06}".rstrip("0") if fraction else "")


def point_text(days: int, rest: str = "") -> str:
    """Return a date as PostgreSQL prints it, followed by a time of day."""
    year, month, day = _civil(days)
    era = " BC" if year <= 0 else ""
    return f"{year if year > 0 else 1 - year:04}-{month:02}-{day:02}{rest}{era}"


def timestamp_text(microseconds: int, zone: str = "") -> str:
    """Return a timestamp as PostgreSQL prints it."""
    days, rest = divmod(microseconds, 86_400 * _MICROSECONDS)
    return point_text(days, " " + _clock(rest) + zone)


def interval_text(months: int, days: int, microseconds: int) -> str:
    """Return an interval as PostgreSQL prints it."""
    parts: list[str] = []
    is_before = False
    years = int(months / 12)
    for value, unit in ((years, "year"), (months - 12 * years, "mon"), (days, "day")):
        if value:
            sign = "+" if is_before and value > 0 else ""
            parts.append(f"{sign}{value} {unit}{'' if value == 1 else 's'}")
            is_before = value < 0
    if microseconds or not parts:
        sign = "-" if microseconds < 0 else "+" if is_before else ""
        parts.append(sign + _clock(abs(microseconds)))
    return " ".join(parts)
