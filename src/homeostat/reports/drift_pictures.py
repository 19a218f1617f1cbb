"""The columns of a record of drift that lie furthest beyond their limits, as bars: no release has to be loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from homeostat.core.drift import P_VALUES, SCORE
from homeostat.core.text import percent, typed_time
from homeostat.project.records import read_body
from homeostat.reports.document import grid

SHOWN = 10  # columns
WIDE, HIGH, TIMES = 240, 14, 3.0  # of a bar; it ends at so many times the limit
HEADS = ("column", "drift", "limit", "missing now", "missing before", "drift beside its limit")


def drift_pictures(path: Path, score_limit: float) -> Iterator[str]:
    """A table of the columns of the record at ``path``; nothing where it is no record of drift, or is gone.

    ``score_limit`` is that of the scores, which a record does not hold.
    """
    record: dict[str, Any] = read_body(path) if path.suffix == ".json" and path.is_file() else {}
    columns: dict[str, dict[str, Any]] = record.get("columns", {})
    if not columns:
        return
    columns |= {name: {**columns[name], "limit": score_limit} for name in columns if name.startswith(SCORE)}
    furthest = sorted(columns, key=lambda name: (-times_limit(columns[name]), name))[:SHOWN]
    rows = (_row(name, columns[name]) for name in furthest)
    at = datetime.fromisoformat(record["at"])
    yield f"<p>Inputs and scores beside the reference of {escape(record['release'])}, the furthest first.</p>"
    yield grid(f"<tr>{''.join(f'<th>{head}</th>' for head in HEADS)}</tr>", rows)
    yield f"<p>All of them, with their values: <code>homeostat status --drift {typed_time(at)}</code></p>"


def times_limit(column: Mapping[str, Any]) -> float:
    """How many times its limit a column lies off; infinite where it has no score."""
    score, limit = column["score"], column["limit"]
    if score is None or not limit:
        return float("inf")
    return float(limit / max(score, 1e-12) if column["method"] in P_VALUES else score / limit)


def _row(name: str, column: Mapping[str, Any]) -> str:
    times = times_limit(column)
    score = column["state"] if column["score"] is None else f"{column['score']:.3g}"
    bad = ' class="bad"' if times > 1 else ""
    cells = [f"<b{bad}>{score}</b>", f"{column['limit']:.3g}", *map(percent, column["missing"]), _bar(times)]
    return f"<td>{escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}"


def _bar(times: float) -> str:
    wide, style = WIDE * min(times, TIMES) / TIMES, "quarantined" if times > 1 else "baseline"
    at = WIDE / TIMES
    return (
        f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{min(times, 99):.1f} times its limit">'
        f'<rect class="{style}" width="{wide:.1f}" height="{HIGH - 4}" y="2"/>'
        f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HIGH}"/></svg>'
    )
