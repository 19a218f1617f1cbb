"""Sentences on a batch: what is wrong with it, and how to fix it."""

from __future__ import annotations

from datetime import datetime, timedelta

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.sentences import history
from homeostat.core.text import count, listed, percent, span

NAMED = 8  # columns that a sentence lists
LONGEST = 40  # characters of a value that is shown


def _volume(finding: Finding) -> str:
    facts, rows = finding.facts, count(finding.rows or 0, "row")
    if finding.value is None:
        return f"{rows}; fewer than {count(facts['least'], 'accepted batch')} to compare with"
    against = f"the median of {facts['median']:g} of the last {count(facts['batches'], 'accepted batch')}"
    return f"{rows}, {percent(finding.value)} off {against} (limit {percent(finding.limit or 0)})"


def _period(finding: Finding) -> str:
    facts = finding.facts
    if not finding.failed:
        return "every row lies in the batch's period"
    time, bound = (datetime.fromisoformat(facts[k]) for k in ("time", "bound"))
    if facts["side"] == "after":
        return f"its last row is of {time}, after its period ended at {bound}: a batch from the future"
    return f"its first row is of {time}, before its period began at {bound}: a stale batch"


def _delivered_once(finding: Finding) -> str:
    if not finding.failed:
        return "no other batch has the same rows"
    return f"the same rows as batch {finding.facts['twin']}: delivered twice"


def _freshness(finding: Finding) -> str:
    late, due = (span(timedelta(seconds=seconds or 0)) for seconds in (finding.value, finding.limit))
    return f"nothing came {late} after the period ended; it is due within {due}"


def _schema(finding: Finding) -> str:
    facts, column = finding.facts, finding.subject
    if not finding.failed:
        return f"{count(facts['columns'], 'column', 'are')} there, as declared"
    if "dtype" in facts:
        return f"column {column} is {facts['dtype']}, declared {facts['type']}"
    gone = facts["type"] is None
    what = f"column {column} is not {'there' if gone else facts['type']}, since {finding.since}"
    if "source" not in facts:
        return f"{what}: see there how to fix it"
    return f"{what}: {_gone(column, finding) if gone else _unfit(column, finding)}"


def _gone(column: str, finding: Finding) -> str:
    source, extra = finding.facts["source"], finding.facts["extra"]
    there = f"not declared but there: {listed(extra, NAMED)}. " if extra else "nothing else is new. "
    twin = extra[0] if len(extra) == 1 else "NEW NAME"
    return (
        f"{there}If {column} has another name now, write sources.{source}.read: "
        f'{{{column}: coalesce("{column}", "{twin}")}} in params.yaml; if batches may come without it, add it to '
        f"sources.{source}.optional there; else deliver the batch again with it"
    )


def _unfit(column: str, finding: Finding) -> str:
    facts = finding.facts
    value = facts["example"]
    shown = repr(value if len(value) <= LONGEST else value[: LONGEST - 3] + "...")
    return (
        f"{facts['unfit']} of {count(finding.rows or 0, 'row')} do not fit, such as {shown}. If that is what "
        f"it holds now, change sources.{facts['source']}.columns.{column} in params.yaml, or write in "
        f"sources.{facts['source']}.read how it is read, in SQL; else deliver the batch again"
    )


def _types(finding: Finding) -> str:
    return f"{count(finding.rows or 0, 'row')}: {finding.facts['first']}"


def _failing_rows(finding: Finding) -> str:
    if finding.value is None:
        return f"{count(finding.rows or 0, 'row')}; too few to say"
    return f"{percent(finding.value)} of the rows fail (limit {percent(finding.limit or 0)}): the others are no better"


def _unique_key(finding: Finding) -> str:
    key = finding.facts["key"]
    if not finding.failed:
        return f"{key} names each row once"
    return f"{count(finding.rows or 0, 'row')} with the key ({key}) of another"


def _contract(finding: Finding) -> str:
    facts = finding.facts
    many = f"{count(finding.rows, 'row')}: " if finding.rows else ""
    return f"{many}{facts['reason']} (observed: {facts['observed']})"


def _amendment(finding: Finding) -> str:
    rows = "all rows" if finding.rows is None else count(finding.rows, "row")
    return f"{rows} released by {finding.facts['who']}: {finding.facts['why']}"


def _batch(finding: Finding) -> str:
    """With the sentence of each finding that failed: those are kept as fields too."""
    facts = finding.facts
    failed = [Finding.from_dict(raw) for raw in facts["failed"]]
    words = SENTENCES | history.SENTENCES
    why = "; ".join(f.text or words[f.rule](f) for f in failed)
    return f"{facts['batch']} is {facts['status']}" + (f": {why}" if why else "")


SENTENCES = {
    Rule.VOLUME: _volume,
    Rule.PERIOD: _period,
    Rule.DELIVERED_ONCE: _delivered_once,
    Rule.FRESHNESS: _freshness,
    Rule.SCHEMA: _schema,
    Rule.TYPES: _types,
    Rule.FAILING_ROWS: _failing_rows,
    Rule.UNIQUE_KEY: _unique_key,
    Rule.CONTRACT: _contract,
    Rule.AMENDMENT: _amendment,
    Rule.BATCH: _batch,
}
