"""Durations from text: clocks such as 1:05:30 or 2 days 00:05:30, words such as 1h 5m, and ISO's PT1H5M."""

from __future__ import annotations

import polars as pl

BLANK = r"[\s\x{a0}\x{202f}]"
SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
WORDS = {
    "w": "w|wks?|weeks?|wochen?", "d": "d|days?|tage?|jours?", "h": r"h|hrs?|hours?|std\.?|stunden?|heures?",
    "m": r"m|mins?\.?|minutes?|minuten?", "s": r"s|secs?\.?|seconds?|sek\.?|sekunden?|secondes?",
}  # fmt: skip
CLOCK = (
    rf"^{BLANK}*(?:(?:(?P<d>[+-]?\d+)(?:{BLANK}*d(?:ays?)?,?{BLANK}+|\.))?(?P<sign>[+-]?)(?P<h>\d+):|(?P<minus>[+-]?))"
    rf"(?P<m>\d+):(?P<s>[0-5]\d(?:[.,]\d+)?){BLANK}*$"
)
NUMBER = {unit: r"\d+(?:[.,]\d+)?" if unit in "hms" else r"\d+" for unit in SECONDS}
COUNTED = (
    rf"(?i)^{BLANK}*(?P<sign>[+-]?)P?"
    + rf"(?:{BLANK}|,|T|and|und|et)*".join(rf"(?:(?P<{u}>{NUMBER[u]}){BLANK}*(?:{WORDS[u]}))?" for u in SECONDS)
    + rf"{BLANK}*$"
)


def durations(text: pl.Series) -> pl.Series:
    """Durations as plain numbers in text: seconds, or of clocks of two parts the unit of the second; else null.

    >>> durations(pl.Series(["5:30", "1:05:30", "1 day, 0:00:10", "-1 days +23:59:30"])).to_list()
    ['330.0', '3930.0', '86410.0', '-30.0']
    >>> durations(pl.Series(["1h 5m", "PT1M0.5S", "5"])).to_list()
    ['3900.0', '60.5', None]
    """
    clock = _parts(text, CLOCK)
    signs = clock["sign"].fill_null("") + clock["minus"].fill_null("")
    of_clock = _sized(clock, "hms", signs) + _number(clock["d"]).fill_null(0) * SECONDS["d"]
    of_clock = of_clock.set(clock["m"].is_null(), None)
    counted = _parts(text, COUNTED)
    given = pl.select(pl.any_horizontal(*(counted[unit].is_not_null() for unit in SECONDS)))[:, 0]
    of_words = _sized(counted, "wdhms", counted["sign"]).set(~given.fill_null(False), None)
    return of_clock.fill_null(of_words).cast(pl.String).alias(text.name)


def _parts(text: pl.Series, pattern: str) -> dict[str, pl.Series]:
    groups = text.str.extract_groups(pattern).struct.unnest()
    return {name: groups[name] for name in groups.columns}


def _number(digits: pl.Series) -> pl.Series:
    return digits.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)


def _sized(parts: dict[str, pl.Series], units: str, signs: pl.Series) -> pl.Series:
    """The sum of the parts that are there, in seconds."""
    total = pl.Series([0.0]).new_from_index(0, len(signs))
    for unit in units:
        total = total + _number(parts[unit]).fill_null(0) * SECONDS[unit]
    return total * pl.select(pl.when(signs == "-").then(-1.0).otherwise(1.0))[:, 0]
