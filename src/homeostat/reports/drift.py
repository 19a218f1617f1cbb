"""The page of one record of drift: each column beside its limit and its reference, the furthest first; one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.drift import SCORE, column_outcome, drift_findings
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.core.text import count, percent
from homeostat.monitoring.joint_drift import CONFIDENCE, JointDrift, joint_drift
from homeostat.project.whole_files import write_text
from homeostat.reports.distributions import overlaid
from homeostat.reports.document import document
from homeostat.reports.drift_pictures import times_limit

if TYPE_CHECKING:
    from homeostat.monitoring.recorded_drift import RecordedDrift

HEADINGS = ("column", "drift", "limit", "moves anyway", "missing now", "missing before", "reference and now")


def write_page(drift: RecordedDrift, project: str) -> Path:
    """Write the page beside the record; its path."""
    limits = drift.serving.bundle.scope.monitoring
    columns = drift.record["columns"]
    steady = [c for c in drift.current.columns if c in columns and not c.startswith(SCORE)
              and columns[c]["limit"] == limits.drift_limit]  # fmt: skip
    joint = joint_drift(drift.current.select(steady), drift.reference, drift.days, drift.serving.bundle.scope.seed)
    title = f"Drift of {project}, {drift.at:%Y-%m-%d %H:%M}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(_rows(drift))}</p>',
        *(f"<p>{escape(text)}</p>" for text in _verdicts(drift)),
        f"<p>{escape(joint_sentence(joint, len(steady)))}</p>",
        _table(drift),
        f'<p class="soft">{escape(NOTE)}</p>',
    ]
    return write_text(document(title, body), drift.path.with_suffix(".html"))


NOTE = (
    "Drift: the score of Evidently's test between the rows of now and those that the release was trained and judged "
    "on. A column that lay as far off between weeks of that reference moves anyway, by season or by construction: its "
    "limit is wider. Drift explains; whether the model is worse is for quality to say."
)


def _rows(drift: RecordedDrift) -> str:
    rows, version = drift.record["rows"], drift.serving.event.version
    return f"{version}: {count(rows['current'], 'row')} now, {count(rows['reference'], 'row')} of its reference"


def _verdicts(drift: RecordedDrift) -> Iterator[str]:
    """What is over its limit as a whole, or that nothing is."""
    findings = drift_findings(drift.record, drift.serving.bundle.scope.monitoring, "")
    told = [f for f in findings if f.rule != Rule.COLUMN_DRIFT and (f.failed or f.rule == Rule.DRIFT_SHARE)]
    yield from (f"{'Over its limit: ' if f.failed else ''}{f.name}: {sentence(f)}." for f in told)


def joint_sentence(joint: JointDrift | None, columns: int) -> str:
    """What the domain classifier says of the columns that do not move anyway."""
    if joint is None:
        return "Too few days, or columns, to say whether they still belong together as before."
    chance = f"AUC {joint.auc:.3f}; days exchanged at random give up to {joint.by_chance:.3f} in {percent(CONFIDENCE)}"
    if not joint.drifted:
        many = count(columns, "column")
        return f"Together, {many} that do not move anyway cannot be told from the reference ({chance})."
    named = ", ".join(f"{name} ({percent(share)})" for name, share in joint.columns)
    return f"Together, the rows can be told from the reference ({chance}), by {named}."


def _table(drift: RecordedDrift) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in HEADINGS)
    lines = "".join(_line(drift, name) for name in _furthest_first(drift.record["columns"]))
    return f'<div class="wide"><table><tr>{heads}</tr>{lines}</table></div>'


def _furthest_first(columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """By how many times its limit a column lies off; what has no score first."""
    return sorted(columns, key=lambda name: (-times_limit(columns[name]), name))


def _line(drift: RecordedDrift, name: str) -> str:
    column = drift.record["columns"][name]
    limit = drift.serving.bundle.scope.monitoring.score_drift if name.startswith(SCORE) else column["limit"]
    bad = column_outcome(column, limit) == "fail"
    score = column["state"] if column["score"] is None else f"{column['score']:.3g}"
    usual = f"{max(column['usual']):.3g}" if column.get("usual") else ""
    cells = [f'<b class="bad">{score}</b>' if bad else score, f"{limit:.3g}", usual, *map(percent, column["missing"])]
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td>{c}</td>' for c in cells)}<td>{_picture(drift, name)}</td></tr>"


def _picture(drift: RecordedDrift, name: str) -> str:
    """The distribution of a column on both sides, one over the other; empty where a side has no values."""
    sides = [table[name] for table in (drift.reference, drift.current) if name in table.columns]
    return overlaid(name, *sides) if len(sides) == 2 else ""
