"""Sentences on a batch that is unlike those before it: what is wrong, since when, and how to fix it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.text import count, listed, percent

NAMED = 8  # columns, texts or hours that a sentence lists

Facts = Mapping[str, Any]


def _unit_change(columns: str, e: Facts) -> str:
    unit = f"as if in {e['unit']}" if e.get("unit") else "in another unit"
    return f"{columns} came {unit}{_medians(e)}; {_formula(e)} makes the usual values of it"


def _sign_flip(columns: str, e: Facts) -> str:
    return f"{columns} came with the opposite sign{_medians(e)}"


def _swapped(columns: str, e: Facts) -> str:
    return f"{columns} changed places: each has the values that the other had"


def _flipped(columns: str, e: Facts) -> str:
    if "other" in e:
        return f"{_relation(columns, e)}: yes for no in some rows"
    if "repair" not in e:
        return f"{_unsteady(columns, e)}: yes for no in some rows"
    return f"{columns} came with yes for no"


def _unsteady(columns: str, e: Facts) -> str:
    return f"{columns}: {percent(e['now'])} of the values are as the one before, {percent(e['usual'])} is usual"


def _values_are(columns: str, e: Facts, what: str) -> str:
    return f"{columns}: {percent(e['now'])} of the values are {what}, {percent(e['usual'])} is usual"


def _moved(columns: str, e: Facts) -> str:
    return f"{columns}: values lie where they never did{_medians(e)}"


def _new(columns: str, e: Facts, what: str) -> str:
    if "new" not in e:
        return f"{columns}: {what}, in {percent(e['now'])} of the rows, {percent(e['usual'])} is usual"
    texts = listed([repr(text) for text in e["new"]], NAMED)
    return f"{columns}: {what} in {count(e['rows'], 'row')} ({count(e['distinct'], 'new text')}, such as {texts})"


def _form(columns: str, e: Facts) -> str:
    return f"{columns}: texts have {e['now']:.3g} characters, {e['usual']:.3g} is usual"


def _shares(columns: str, e: Facts) -> str:
    return f"{columns}: {percent(e['now'])} of the rows lie in other categories than usual ({percent(e['usual'])})"


def _slice(columns: str, e: Facts) -> str:
    return f"{columns} = {e['slice']} has {count(e['rows'], 'row')}, {e['usual']:,} is usual"


def _lost_hours(columns: str, e: Facts) -> str:
    parts = listed([str(part + 1) for part in e["parts"]], NAMED)
    return f"no rows in parts of the period that always had some ({parts} of {e['of']}): cut short"


def _shifted(columns: str, e: Facts) -> str:
    late = "late" if e["parts"] > 0 else "early"
    return f"event times lie {abs(e['parts'])} of {e['of']} parts of the {_whole(e)} too {late}: another time zone"


def _clock_change(columns: str, e: Facts) -> str:
    late = "late" if e["parts"] > 0 else "early"
    return f"event times lie 1 of {e['of']} parts of the {_whole(e)} {late}, as when the clocks change"


def _whole(e: Facts) -> str:
    return str(e.get("whole", "period"))


def _times(columns: str, e: Facts) -> str:
    return "rows lie at other times of the period than usual"


def _rows(columns: str, e: Facts) -> str:
    if "copies" in e:
        return f"{percent(e['copies'])} of the rows repeat another, {percent(e['usual'])} is usual"
    return f"{count(e['rows'], 'row')}, {e['usual']:,} is usual"


def _relation(columns: str, e: Facts) -> str:
    pair = columns if e["other"] in columns.split(", ") else f"{columns}, {e['other']}"
    return f"{pair}: no longer related as before: rank correlation {e['now']:.2f}, {e['usual']:.2f} is usual"


KINDS: Mapping[str, Callable[[str, Facts], str]] = {
    "unit change": _unit_change,
    "sign flip": _sign_flip,
    "swapped columns": _swapped,
    "flipped values": _flipped,
    "missing values": lambda columns, e: _values_are(columns, e, "missing"),
    "filled values": lambda columns, e: _values_are(columns, e, "missing"),
    "stuck values": lambda columns, e: _values_are(columns, e, "one and the same"),
    "stale values": lambda columns, e: f"{columns}: the very values of a batch before",
    "lost signs": lambda columns, e: _values_are(columns, e, "below zero"),
    "coarse values": lambda columns, e: f"{columns}: {e['now']:,} different values, {e['usual']:,} is usual",
    "zeros": lambda columns, e: _values_are(columns, e, "zero"),
    "moved values": _moved,
    "unsteady values": _unsteady,
    "shifted dates": lambda columns, e: f"{_values_are(columns, e, 'days as a whole')}: another time zone",
    "blanks": lambda columns, e: _new(columns, e, "blanks around the text"),
    "case": lambda columns, e: _new(columns, e, "letters of another case"),
    "encoding": lambda columns, e: _new(columns, e, "text in a wrong encoding"),
    "keys changed": lambda columns, e: _new(columns, e, "no text is a known one"),
    "category explosion": lambda columns, e: _new(columns, e, "very many new texts"),
    "new categories": lambda columns, e: _new(columns, e, "new texts"),
    "form of texts": _form,
    "category shares": _shares,
    "lost slice": _slice,
    "rows of a slice": _slice,
    "lost hours": _lost_hours,
    "shifted time": _shifted,
    "clock change": _clock_change,
    "times of day": _times,
    "few rows": _rows,
    "many rows": _rows,
    "turned relation": _relation,
    "lost relation": _relation,
}


def _medians(e: Facts) -> str:
    if e.get("now") is None or not isinstance(e.get("usual"), Sequence):
        return ""
    low, high = e["usual"]
    return f" (median {e['now']:.4g}, in the batches before {low:.4g} to {high:.4g})"


def _formula(e: Facts) -> str:
    return str(e["repair"]).format(c="VALUE")


def _history(finding: Finding) -> str:
    facts = finding.facts
    if "columns" not in facts:
        return "too few batches before to compare with" if finding.value is None else "as in the batches before"
    source, columns = facts["source"], listed(facts["columns"], NAMED)
    text = f"{facts['kind']}: {KINDS[facts['kind']](columns, facts['evidence'])}; since {finding.since}"
    if not finding.failed:
        return f"{text}; released"
    batch = facts.get("batch", "BATCH")
    trains = "" if not facts["suspect"] else "; it trains nothing until `homeostat data"
    action = f" correct {source} {batch} FILE` or, where it is right, `homeostat data release-rows {source} {batch}`"
    return text + (trains + action if trains else "")


SENTENCES = {Rule.HISTORY: _history}
