"""What the text of a column means: numbers, times, yes or no, or words; and the SQL that reads it so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeostat.scaffold.profile.identifiers import always_quoted, text

if TYPE_CHECKING:
    import duckdb

MOST = 3000  # values of a column that are looked at before all of them are tried
ABSENT = {"", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", ".", "missing", "unknown", "#n/a", "(null)"}
YES = {"true", "t", "yes", "y", "on", "ja", "j", "oui", "si", "sí", "sim", "да", "是"}
NO = {"false", "f", "no", "n", "off", "nein", "non", "não", "nao", "нет", "否"}
OURS = {"true", "t", "yes", "y", "on", "false", "f", "no", "n", "off"}  # that a boolean column is read from as it is
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?\d+")
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+")
SIGNS = "$€£¥₹₽₩₺₪%"
DECORATION = re.compile(rf"[\s\u00a0\u202f{SIGNS}]|(?<![A-Za-z])(USD|EUR|GBP|CHF)(?![A-Za-z])|(?<=\d)['’](?=\d)")
BRACKETED = re.compile(r"\(([^()]*\d)\)")  # how accounts write what is below nought
UNIT = re.compile(r"[+-]?[\d.,]*\d\s*([^\W\d_]{1,8}|°[CF]?|[^\W\d_]{1,4}/[^\W\d_]{1,4})")
ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?")
QUARTER = re.compile(r"\d{4}[ :/-]?[Qq][1-4]|[Qq][1-4][ :/-]?\d{4}|[1-4][Qq][ :/-]?\d{4}")
WEEK = re.compile(r"\d{4}-?[Ww]\d\d(-?[1-7])?")
ZONED = re.compile(r"\d(Z|[+-]\d\d:?\d\d)$")
DAYS = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%d/%m/%y",
    "%m/%d/%y", "%d.%m.%y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%y",
    "%Y%m%d", "%m/%Y", "%m-%Y", "%Y/%m", "%m.%Y", "%b %Y", "%B %Y", "%Y %b", "%Y-%m", "%b-%Y", "%B-%Y", "%b-%d-%Y",
    "%Y-%b-%d", "%Y-%b", "%YM%m", "%b-%y", "%b %y", "%a, %d %b %Y", "%a %d %b %Y", "%a %b %d %Y", "%A, %d %B %Y",
    "%A, %B %d, %Y",
)  # fmt: skip
CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f",
    " %H",
)  # fmt: skip
ZONES = ("", "%z", " %z")
ALL_FORMATS = [d + c + z for z in ZONES for d in DAYS for c in CLOCKS if c or not z] + ["%a %b %d %H:%M:%S %Y"]
FORMATS = 4  # that one column may mix


@dataclass(frozen=True)
class Reading:
    """How a column is read: its kind, SQL over what is written (None: as it is), and what to tell about it."""

    kind: str
    sql: str | None = None
    note: str = ""


def reading_of(connection: duckdb.DuckDBPyConnection, table: str, raw: str, sql_type: str) -> Reading | None:
    """How to read one column; None for one that cannot be used, such as a nested one."""
    name = always_quoted(raw)
    kind = sql_type.split("(")[0]
    if kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"):
        return Reading("integer")
    if kind in ("FLOAT", "DOUBLE", "DECIMAL", "HUGEINT", "UHUGEINT"):
        return Reading("float", None if kind in ("FLOAT", "DOUBLE") else f"CAST({name} AS DOUBLE)")
    if kind == "BOOLEAN":
        return Reading("boolean")
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return Reading("time")
    if kind.startswith(("ENUM", "UUID", "TIME", "INTERVAL")) or kind.strip('"') == "NULL":
        return Reading("string", f"CAST({name} AS VARCHAR)")
    if kind != "VARCHAR" or sql_type.endswith("]"):
        return None
    values = [r[0] for r in connection.sql(
        f"SELECT {name} FROM {always_quoted(table)} WHERE {name} IS NOT NULL "
        f"GROUP BY {name} ORDER BY count(*) DESC, {name} LIMIT {MOST}"
    ).fetchall()]  # fmt: skip
    found = _of_text(connection, name, values)
    if found.kind == "string" or _holds(connection, table, name, found):
        return found
    return Reading("string", note=f"reads like {found.kind} in most rows but not in all: left as words")


def _holds(connection: duckdb.DuckDBPyConnection, table: str, name: str, reading: Reading) -> bool:
    """Whether all values can be read so, not only the frequent ones."""
    # What reads as nothing is told apart from what was nothing: a format that fails must not lose values.
    if reading.kind == "boolean":
        return True
    sql = reading.sql or name
    wanted = "TIMESTAMPTZ" if reading.kind == "time" else "DOUBLE"
    absent = "'', 'NA'"
    bad = connection.sql(
        f"SELECT count(*) FROM {always_quoted(table)} WHERE {name} NOT IN ({absent}) AND ({sql}) IS NOT NULL "
        f"AND TRY_CAST(({sql}) AS {wanted}) IS NULL"
    ).fetchall()[0][0]
    return bool(bad == 0)


def _of_text(connection: duckdb.DuckDBPyConnection, name: str, values: Sequence[str]) -> Reading:
    """The first of yes or no, number and time that all values agree on but for words that say nothing."""
    said = [v for v in values if v.strip().lower() not in ABSENT]
    absent = [v for v in values if v.strip().lower() in ABSENT and v not in ("", "NA")]
    if not said:
        return Reading("string")
    cleared = name
    if absent:
        cleared = f"CASE WHEN {name} NOT IN ({', '.join(map(text, sorted(absent)))}) THEN {name} END"
    missing = f"{', '.join(map(repr, sorted(absent)))} read as missing" if absent else ""
    found = _boolean(said, cleared) or _number(said, cleared) or _time(connection, said, cleared)
    if found is None:
        like = "number" if _share(NUMBER, said) else "time" if _share(ISO, said) else ""
        return Reading("string", note=f"reads like {like} in most rows but not in all: left as words" if like else "")
    sql = found.sql if found.sql is not None else cleared if absent else None
    return Reading(found.kind, sql, "; ".join(n for n in (found.note, missing) if n))


def _share(form: re.Pattern[str], values: Sequence[str]) -> bool:
    """Whether most values, but not all, have a form."""
    many = sum(bool(form.fullmatch(v)) for v in values)
    return len(values) >= 10 and 0.5 * len(values) <= many < len(values)


def _boolean(values: Sequence[str], name: str) -> Reading | None:
    words = {v.strip().lower() for v in values}
    if not (words <= YES | NO and words & YES and words & NO):
        return None
    if words <= OURS and all(v == v.strip() for v in values):
        return Reading("boolean")
    yes = ", ".join(text(w) for w in sorted(words & YES))
    no = ", ".join(text(w) for w in sorted(words & NO))
    bare = f"lower(trim({name}))"
    sql = f"CASE WHEN {bare} IN ({yes}) THEN 'true' WHEN {bare} IN ({no}) THEN 'false' ELSE {name} END"
    return Reading("boolean", sql, f"{', '.join(sorted(words))} read as yes or no")


def _number(values: Sequence[str], name: str) -> Reading | None:
    bracketed = any(BRACKETED.search(v) for v in values)
    bare = [DECORATION.sub("", BRACKETED.sub(r"-\1", v) if bracketed else v).replace("\u2212", "-") for v in values]
    decorated = any(b != v.strip() for b, v in zip(bare, values, strict=True))
    sql, note = name, ""
    unit = _unit(values)
    if unit:
        bare = [DECORATION.sub("", v.strip().removesuffix(unit)) for v in values]
        sql, note = f"replace({name}, {text(unit)}, '')", f"the unit {unit} after the number left out"
        decorated = True
    if bracketed:
        sql = rf"regexp_replace({sql}, '\(([^()]*)\)', '-\1')"
        note = "what stands in brackets is below nought"
    if decorated:
        signs = rf"[\s\x{{00A0}}\x{{202F}}{SIGNS}''’]|USD|EUR|GBP|CHF"
        sql = f"replace(regexp_replace({sql}, '{signs}', '', 'g'), '\u2212', '-')"
        note = note or "signs around the number left out"
    if any("," in v for v in bare):
        if all(GROUPED.fullmatch(v) or NUMBER.fullmatch(v) for v in bare):
            kind = "float" if any("." in v for v in bare) else "integer"
            return Reading(kind, f"replace({sql}, ',', '')", "commas group its thousands")
        if all(COMMA.fullmatch(v) or WHOLE.fullmatch(v) or re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+", v) for v in bare):
            return Reading("float", f"replace(replace({sql}, '.', ''), ',', '.')", "its decimal sign is a comma")
        return None
    if not all(NUMBER.fullmatch(v) for v in bare):
        return None
    if any(len(v) > 1 and v[0] == "0" and v.isdigit() for v in bare) or any(len(v) > 18 for v in bare if v.isdigit()):
        return None  # a code: 007 is not 7
    if all(WHOLE.fullmatch(v) for v in bare):
        return Reading("integer", sql if decorated else None, note)
    return Reading("float", sql if decorated else None, note)


def _unit(values: Sequence[str]) -> str:
    """What stands after every number, such as kg; empty where they differ or some have none."""
    units = {found[1] for v in values if (found := UNIT.fullmatch(v.strip()))}
    if len(units) != 1 or any(not UNIT.fullmatch(v.strip()) for v in values):
        return ""
    return units.pop()


def _span(values: Sequence[str], name: str) -> Reading | None:
    """Quarters and weeks, each by its first day."""
    if all(QUARTER.fullmatch(v) for v in values):
        year = rf"regexp_extract({name}, '\d{{4}}')"
        digit = rf"regexp_extract(replace({name}, {year}, ''), '[1-4]')"
        sql = f"CAST(try_strptime({year} || '-' || (3 * TRY_CAST({digit} AS INTEGER) - 2), '%Y-%m') AS VARCHAR)"
        return Reading("time", sql, "a quarter: its first day")
    if all(WEEK.fullmatch(v) for v in values):
        bare = f"regexp_replace(upper({name}), '[-W]', '', 'g')"
        sql = (
            f"CAST(try_strptime(left({bare}, 4) || '-W' || substr({bare}, 5, 2) || '-' || "
            f"coalesce(nullif(substr({bare}, 7, 1), ''), '1'), '%G-W%V-%u') AS VARCHAR)"
        )
        return Reading("time", sql, "a week: its first day")
    return None


def _time(connection: duckdb.DuckDBPyConnection, values: Sequence[str], name: str) -> Reading | None:
    if all(ISO.fullmatch(v) for v in values):
        zoned = sum(bool(ZONED.search(v) and len(v) > 10) for v in values)
        return Reading("time", None, "times with and without an offset are mixed: those without are taken as UTC"
                       if 0 < zoned < len(values) else "")  # fmt: skip
    if not all(re.search(r"\d", v) and len(v) <= 40 for v in values):
        return None
    span = _span(values, name)
    if span is not None:
        return span
    # A Z is no offset that strptime reads; what is written as ISO asks needs no format.
    formats = _formats(connection, [v for v in values if not (ISO.fullmatch(v) and v.endswith("Z"))])
    if formats is None:
        return None
    plain = [f for f in formats if not f.endswith("%z")]
    zoned_formats = [f for f in formats if f.endswith("%z")]
    tries = []
    if plain:
        tries.append(f"CAST(try_strptime({name}, {_listed(plain)}) AS VARCHAR)")
    if zoned_formats:
        tries.append(f"CAST(timezone('UTC', try_strptime({name}, {_listed(zoned_formats)})) AS VARCHAR)")
    # Values that both orders read are days up to the twelfth only.
    swapped = {"%d/%m": "%m/%d", "%m/%d": "%d/%m"}.get(formats[0][:5])
    note = f"written as {' or '.join(formats)}"
    if swapped and _parsed(connection, values, formats[0].replace(formats[0][:5], swapped)) == set(values):
        note += "; day and month cannot be told apart, look at it"
    return Reading("time", f"coalesce({', '.join([*tries, name])})", note)


def _formats(connection: duckdb.DuckDBPyConnection, values: Sequence[str]) -> list[str] | None:
    """Few formats that read all values, the one that reads most first; None without."""
    left, chosen = set(values), list[str]()
    while left and len(chosen) < FORMATS:
        probe = sorted(left)[:: max(1, len(left) // 40)][:40]
        shapes = {_shape(v) for v in probe}
        candidates = [f for f in ALL_FORMATS if _shape(f) in shapes]
        counted = [(len(_parsed(connection, probe, f)), -n, f) for n, f in enumerate(candidates)]
        top = [f for count, _, f in sorted(counted, reverse=True)[:6] if count]
        if not top:
            return None
        best = max(top, key=lambda f: len(_parsed(connection, left, f)))
        chosen.append(best)
        left -= _parsed(connection, left, best)
    return None if left else chosen


def _shape(value: str) -> str:
    """What is neither letter nor digit in a time or in a format; an offset at the end is a ~."""
    zoned = re.sub(r"(?<=:\d\d)( ?)[+-]\d\d:?\d\d$|%z$", r"\1~", value)
    return re.sub(r"%[A-Za-z]|[^\W_]", "", zoned)


def _parsed(connection: duckdb.DuckDBPyConnection, values: Sequence[str] | set[str], form: str) -> set[str]:
    """The values that a format reads as a time that a table may hold."""
    found = connection.execute(
        "SELECT v FROM (SELECT unnest(?::VARCHAR[]) AS v) WHERE year(try_strptime(v, ?)) BETWEEN 1900 AND 2100",
        [sorted(values), form],
    ).fetchall()
    return {row[0] for row in found}


def _listed(formats: Sequence[str]) -> str:
    return "[" + ", ".join(map(text, formats)) + "]"
