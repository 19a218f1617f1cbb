"""The type of a column of text: number, time, yes or no, or words; and the SQL that converts it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from homeostat.scaffold.profile.identifiers import always_quoted, sql_string
from homeostat.scaffold.profile.workspace import Workspace

MOST = 3000  # most frequent values of a column that its type is read from, before all are checked
ABSENT = {"", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", ".", "missing", "unknown", "#n/a", "(null)"}
YES = {"true", "t", "yes", "y", "on", "ja", "j", "oui", "si", "sí", "sim", "да", "是"}
NO = {"false", "f", "no", "n", "off", "nein", "non", "não", "nao", "нет", "否"}
BOOLEAN_WORDS = {"true", "t", "yes", "y", "on", "false", "f", "no", "n", "off"}  # that sources convert without SQL
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?\d+")
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+")
SIGNS = "$€£¥₹₽₩₺₪%"
DECORATION = re.compile(rf"[\s\u00a0\u202f{SIGNS}]|(?<![A-Za-z])(USD|EUR|GBP|CHF)(?![A-Za-z])|(?<=\d)['’](?=\d)")
BRACKETED = re.compile(r"\(([^()]*\d)\)")  # how accounts write negative numbers
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
    """How a column is converted: its kind, SQL over the text as written (None: as it is), and a note for a person.

    ``mostly`` is the kind that most but not all of its values have; ``ambiguous``: day and month may be swapped.
    """

    kind: str
    sql: str | None = None
    note: str = ""
    mostly: str = ""
    ambiguous: bool = False


def reading_of(work: Workspace, table: str, raw: str, sql_type: str) -> Reading | None:
    """How to convert one column; None for one that cannot be used, such as a nested one."""
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
    values = [r[0] for r in work.rows(
        f"SELECT {name} FROM {always_quoted(table)} WHERE {name} IS NOT NULL "
        f"GROUP BY {name} ORDER BY count(*) DESC, {name} LIMIT {MOST}"
    )]  # fmt: skip
    reading = _of_text(work, name, values)
    if reading.kind == "string" or _converts_all(work, table, name, reading):
        return reading
    return _mixed(reading.kind)


def _mixed(kind: str) -> Reading:
    return Reading("string", note=f"looks like {kind} in most rows but not in all: left as words", mostly=kind)


def _converts_all(work: Workspace, table: str, name: str, reading: Reading) -> bool:
    """Whether all values convert, not only the frequent ones: a format that fails must not lose values."""
    if reading.kind == "boolean":
        return True
    sql = reading.sql or name
    wanted = "TIMESTAMPTZ" if reading.kind == "time" else "DOUBLE"
    (failed,) = work.row(
        f"SELECT count(*) FROM {always_quoted(table)} WHERE {name} NOT IN ('', 'NA') AND ({sql}) IS NOT NULL "
        f"AND TRY_CAST(({sql}) AS {wanted}) IS NULL"
    )
    return bool(failed == 0)


def _of_text(work: Workspace, name: str, values: Sequence[str]) -> Reading:
    """The first of yes or no, number and time that all values have, placeholders such as N/A aside."""
    stated = [v for v in values if v.strip().lower() not in ABSENT]
    absent = [v for v in values if v.strip().lower() in ABSENT and v not in ("", "NA")]
    if not stated:
        return Reading("string")
    cleared = name
    if absent:
        cleared = f"CASE WHEN {name} NOT IN ({', '.join(map(sql_string, sorted(absent)))}) THEN {name} END"
    missing = f"{', '.join(map(repr, sorted(absent)))} read as missing" if absent else ""
    reading = _boolean(stated, cleared) or _number(stated, cleared) or _time(work, stated, cleared)
    if reading is None:
        mostly = "number" if _most_match(NUMBER, stated) else "time" if _most_match(ISO, stated) else ""
        return _mixed(mostly) if mostly else Reading("string")
    sql = reading.sql if reading.sql is not None else cleared if absent else None
    return replace(reading, sql=sql, note="; ".join(n for n in (reading.note, missing) if n))


def _most_match(form: re.Pattern[str], values: Sequence[str]) -> bool:
    """Whether most values, but not all, match."""
    many = sum(bool(form.fullmatch(v)) for v in values)
    return len(values) >= 10 and 0.5 * len(values) <= many < len(values)


def _boolean(values: Sequence[str], name: str) -> Reading | None:
    words = {v.strip().lower() for v in values}
    if not (words <= YES | NO and words & YES and words & NO):
        return None
    if words <= BOOLEAN_WORDS and all(v == v.strip() for v in values):
        return Reading("boolean")
    yes = ", ".join(map(sql_string, sorted(words & YES)))
    no = ", ".join(map(sql_string, sorted(words & NO)))
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
        sql, note = f"replace({name}, {sql_string(unit)}, '')", f"without the unit {unit} after the number"
        decorated = True
    if bracketed:
        sql = rf"regexp_replace({sql}, '\(([^()]*)\)', '-\1')"
        note = "brackets mark a negative number"
    if decorated:
        signs = rf"[\s\x{{00A0}}\x{{202F}}{SIGNS}''’]|USD|EUR|GBP|CHF"
        sql = f"replace(regexp_replace({sql}, '{signs}', '', 'g'), '\u2212', '-')"
        note = note or "without the signs around the number"
    if any("," in v for v in bare):
        if all(GROUPED.fullmatch(v) or NUMBER.fullmatch(v) for v in bare):
            kind = "float" if any("." in v for v in bare) else "integer"
            return Reading(kind, f"replace({sql}, ',', '')", "commas separate thousands")
        if all(COMMA.fullmatch(v) or WHOLE.fullmatch(v) or re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+", v) for v in bare):
            return Reading("float", f"replace(replace({sql}, '.', ''), ',', '.')", "the decimal sign is a comma")
        return None
    if not all(NUMBER.fullmatch(v) for v in bare):
        return None
    if any(len(v) > 1 and v[0] == "0" and v.isdigit() for v in bare) or any(len(v) > 18 for v in bare if v.isdigit()):
        return None  # a code: 007 is not 7
    if all(WHOLE.fullmatch(v) for v in bare):
        return Reading("integer", sql if decorated else None, note)
    return Reading("float", sql if decorated else None, note)


def _unit(values: Sequence[str]) -> str:
    """The unit after every number, such as kg; empty where they differ or some have none."""
    matches = [UNIT.fullmatch(v.strip()) for v in values]
    units = {match[1] if match else "" for match in matches}
    return units.pop() if len(units) == 1 else ""


def _span(values: Sequence[str], name: str) -> Reading | None:
    """Quarters and weeks, each as its first day."""
    if all(QUARTER.fullmatch(v) for v in values):
        year = rf"regexp_extract({name}, '\d{{4}}')"
        digit = rf"regexp_extract(replace({name}, {year}, ''), '[1-4]')"
        sql = f"CAST(try_strptime({year} || '-' || (3 * TRY_CAST({digit} AS INTEGER) - 2), '%Y-%m') AS VARCHAR)"
        return Reading("time", sql, "a quarter, as its first day")
    if all(WEEK.fullmatch(v) for v in values):
        bare = f"regexp_replace(upper({name}), '[-W]', '', 'g')"
        sql = (
            f"CAST(try_strptime(left({bare}, 4) || '-W' || substr({bare}, 5, 2) || '-' || "
            f"coalesce(nullif(substr({bare}, 7, 1), ''), '1'), '%G-W%V-%u') AS VARCHAR)"
        )
        return Reading("time", sql, "a week, as its first day")
    return None


def _time(work: Workspace, values: Sequence[str], name: str) -> Reading | None:
    if all(ISO.fullmatch(v) for v in values):
        zoned = sum(bool(ZONED.search(v) and len(v) > 10) for v in values)
        note = "times with and without an offset: those without are taken as UTC" if 0 < zoned < len(values) else ""
        return Reading("time", None, note)
    if not all(re.search(r"\d", v) and len(v) <= 40 for v in values):
        return None
    span = _span(values, name)
    if span is not None:
        return span
    # strptime does not read a Z as an offset; times in ISO form need no format.
    formats = _formats(work, [v for v in values if not (ISO.fullmatch(v) and v.endswith("Z"))])
    if formats is None:
        return None
    plain = [f for f in formats if not f.endswith("%z")]
    zoned_formats = [f for f in formats if f.endswith("%z")]
    tries = []
    if plain:
        tries.append(f"CAST(try_strptime({name}, {_listed(plain)}) AS VARCHAR)")
    if zoned_formats:
        tries.append(f"CAST(timezone('UTC', try_strptime({name}, {_listed(zoned_formats)})) AS VARCHAR)")
    # Both orders of day and month parse only while all days are up to the twelfth.
    swapped = {"%d/%m": "%m/%d", "%m/%d": "%d/%m"}.get(formats[0][:5])
    note = f"written as {' or '.join(formats)}"
    ambiguous = bool(swapped) and set(values) == _parsed(work, values, formats[0].replace(formats[0][:5], str(swapped)))
    note += "; day and month may be swapped, check it" if ambiguous else ""
    return Reading("time", f"coalesce({', '.join([*tries, name])})", note, ambiguous=ambiguous)


def _formats(work: Workspace, values: Sequence[str]) -> list[str] | None:
    """Few formats that parse all values, the one that parses most first; None if there are none."""
    left, chosen = set(values), list[str]()
    while left and len(chosen) < FORMATS:
        probe = sorted(left)[:: max(1, len(left) // 40)][:40]
        shapes = {_shape(v) for v in probe}
        candidates = [f for f in ALL_FORMATS if _shape(f) in shapes]
        counted = [(len(_parsed(work, probe, f)), -n, f) for n, f in enumerate(candidates)]
        top = [f for count, _, f in sorted(counted, reverse=True)[:6] if count]
        if not top:
            return None
        best = max(top, key=lambda f: len(_parsed(work, left, f)))
        chosen.append(best)
        left -= _parsed(work, left, best)
    return None if left else chosen


def _shape(value: str) -> str:
    """The punctuation of a time or of a format; an offset at the end is a ~."""
    zoned = re.sub(r"(?<=:\d\d)( ?)[+-]\d\d:?\d\d$|%z$", r"\1~", value)
    return re.sub(r"%[A-Za-z]|[^\W_]", "", zoned)


def _parsed(work: Workspace, values: Sequence[str] | set[str], form: str) -> set[str]:
    """The values that a format parses as a time between 1900 and 2100."""
    rows = work.rows(
        "SELECT v FROM (SELECT unnest(?::VARCHAR[]) AS v) WHERE year(try_strptime(v, ?)) BETWEEN 1900 AND 2100",
        [sorted(values), form],
    )
    return {row[0] for row in rows}


def _listed(formats: Sequence[str]) -> str:
    return "[" + ", ".join(map(sql_string, formats)) + "]"
