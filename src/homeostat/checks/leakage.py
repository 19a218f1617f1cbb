"""The time-travel test: features rebuilt from only what was known at predict-at must be the same, bit for bit.

With it go the checks for columns that give a label away and for barred columns.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.checks.barred_columns import barred_findings
from homeostat.checks.equality import same_bits
from homeostat.checks.label_leaks import label_leak_findings
from homeostat.checks.look_back import look_back_findings
from homeostat.core.errors import DataError, ScopeError
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.text import count
from homeostat.data.known_at import as_known
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.sql import build, read_features_sql

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

Progress = Callable[[str, int, int], None]  # step, number done, number in total
SPREAD = 3  # events taken of one predict-at, at most, in batches' shares of events


@dataclass(frozen=True)
class LeakageReport:
    """The findings, failed ones first."""

    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        return any(f.failed for f in self.findings)

    @property
    def text(self) -> str:
        """The findings in sentences for a person who knows the domain."""
        bad = sum(f.failed for f in self.findings)
        head = f"leakage: {bad} to fix" if bad else "leakage: none found"
        return "\n".join([head, *(f"  {'FAIL' if f.failed else 'ok'}  {f.text}" for f in self.findings)])


@dataclass
class Tally:
    """How many events were rebuilt, and how their features differed."""

    events: int = 0
    batches: int = 0
    differ: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def check(project: Project, events: int = 2000, progress: Progress | None = None) -> LeakageReport:
    """Search every accepted batch for features that see the future or beyond their look-back, and for label leaks.

    At least ``events`` events (all, if there are fewer) are rebuilt from only what was known.

    Raises:
        ScopeError: features.sql or the scope cannot be used.
        DataError: no batch of events was accepted.
    """
    report = progress or (lambda what, done, of: None)
    tables = FeatureTables(Workspace(project))
    labels = accepted_labels(tables.workspace)
    if not labels:
        raise DataError("no batch of events was accepted; run `homeostat run data` first")
    in_time = time_travel_findings(tables, labels, events, report)
    findings = [
        *in_time,
        *look_back_findings(tables, labels, {f.subject for f in in_time if f.failed}, report),
        *label_leak_findings(project, labels, report),
        *barred_findings(project, labels, report),
    ]
    return LeakageReport(tuple(sorted(findings, key=lambda f: not f.failed)))


def accepted_labels(workspace: Workspace) -> list[str]:
    """The batches of events that were accepted, in order of time; the window may not have moved on to the last."""
    verdicts = workspace.verdicts.of_source(workspace.scope.events.source)
    return [label for label, verdict in verdicts.items() if verdict.rows_accepted]


def time_travel_findings(tables: FeatureTables, labels: Sequence[str], events: int, report: Progress) -> list[Finding]:
    """A finding for each feature that differs when it is rebuilt, or one that none does."""
    tally = Tally()
    for label, built, moments in _sample(tables, labels, events):
        _rebuild(tables, label, built, moments, tally)
        report("events rebuilt", tally.events, events)
    if tally.errors or tally.differ:
        errors = [_error(text) for text in dict.fromkeys(tally.errors)]
        return errors + [_difference(tally, name) for name, _ in tally.differ.most_common()]
    if not tally.events:
        text = "no event has features, so there is nothing to rebuild"
        return [Finding(Rule.POINT_IN_TIME, "", "too few to say", text=text)]
    text = (
        f"{count(tally.events, 'event')} of {count(tally.batches, 'batch', 'were')} rebuilt from only what was known "
        "at predict-at: every feature is the same, bit for bit"
    )
    return [Finding(Rule.POINT_IN_TIME, "", "pass", 0.0, 0.0, text=text)]


def _difference(tally: Tally, name: str) -> Finding:
    text = (
        f"{name} sees the future: it differs for {tally.differ[name]:,} of {count(tally.events, 'event')} when it is "
        f"rebuilt from only what was known; {tally.examples[name]}"
    )
    return Finding(Rule.POINT_IN_TIME, name, "fail", float(tally.differ[name]), 0.0, text=text)


def _error(cause: str) -> Finding:
    text = f"features cannot be built from only what was known: {cause}"
    return Finding(Rule.POINT_IN_TIME, "", "fail", None, 0.0, text=text)


# ---- which events


def _sample(
    tables: FeatureTables, labels: Sequence[str], events: int
) -> Iterator[tuple[str, pl.DataFrame, list[pl.DataFrame]]]:
    """Batches with their features and the keys to rebuild, by predict-at; spread over batches and slices.

    Events of one predict-at are rebuilt together, but never all of them, so that a feature which depends on the others
    shows.
    """
    scope = tables.workspace.scope
    chance = random.Random(scope.seed)
    if len(labels) > events:
        labels = [labels[i * len(labels) // events] for i in range(events)]
    verdicts = {label: tables.workspace.verdicts.get(scope.events.source, label) for label in labels}
    ahead = sum(v.rows_accepted for v in verdicts.values() if v)
    by_slice: Counter[tuple[str, Any]] = Counter()
    left = events
    for label, verdict in verdicts.items():
        size = verdict.rows_accepted if verdict else 0
        built = tables.of(label)
        moments = _moments(scope, built, max(1, -(-left * size // ahead)), by_slice, chance)
        left, ahead = max(0, left - sum(m.height for m in moments)), ahead - size
        yield label, built, moments


def _moments(
    scope: Scope, built: pl.DataFrame, wanted: int, by_slice: Counter[tuple[str, Any]], chance: random.Random
) -> list[pl.DataFrame]:
    """About ``wanted`` events of a batch (all, if it has no more), by predict-at, rare slices first.

    ``by_slice`` counts the events taken so far, and is updated.
    """
    slices = [f"given__{c}" for c in scope.evaluation.slices]
    rows = built.select(*scope.key, "predict_at", *slices).with_row_index("__row")
    order = list(range(rows.height))
    chance.shuffle(order)
    by_moment: dict[Any, list[int]] = {}
    for row in order:
        by_moment.setdefault(rows["predict_at"][row], []).append(row)
    halves = [half for group in by_moment.values() for half in (group[::2], group[1::2]) if half]
    values = rows.select(slices).rows() if slices else [()] * rows.height
    moments: list[pl.DataFrame] = []
    taken = 0
    while taken < wanted and by_moment:
        open_rows = (row for group in by_moment.values() for row in group)
        start = min(open_rows, key=lambda row: _times_taken(by_slice, slices, values[row]))
        group = by_moment.pop(rows["predict_at"][start])
        chosen = [start, *(r for r in group if r != start)][: max(1, min(len(group) - 1, SPREAD * wanted))]
        for row in chosen:
            by_slice.update(zip(slices, values[row], strict=True))
        moments.append(rows[chosen])
        taken += len(chosen)
    return moments if taken >= wanted else [rows[half] for half in halves]


def _times_taken(by_slice: Counter[tuple[str, Any]], slices: Sequence[str], values: Sequence[Any]) -> int:
    """How often the rarest slice of an event was taken so far."""
    return min((by_slice[named] for named in zip(slices, values, strict=True)), default=0)


# ---- rebuilding


def _rebuild(
    features: FeatureTables, label: str, built: pl.DataFrame, moments: Sequence[pl.DataFrame], tally: Tally
) -> None:
    """Build the events again, each from tables with nothing that was not known at its predict-at."""
    point, scope = features.point, features.workspace.scope
    key = list(scope.key)
    if not moments:
        return
    sql = read_features_sql(features.workspace.project)
    look = point.look_back(label)
    keys = pl.concat(moments).select(key)
    rows = point.events(look).join(keys, on=key, how="semi", nulls_equal=True)
    tally.batches += 1
    for events, tables in point.views(look, rows):
        for moment in moments:
            part = events.join(moment.select(key), on=key, how="semi", nulls_equal=True)
            if not part.height:
                continue
            time = part["predict_at"][0]
            visible = {name: as_known(table, scope.sources[name], time) for name, table in tables.items()}
            tally.events += part.height
            try:
                again = build(sql, scope, visible, part, scope.threads)
            except ScopeError as error:
                tally.errors.append(str(error))
                continue
            _compare(scope, built, again, tally)


def _compare(scope: Scope, built: pl.DataFrame, again: pl.DataFrame, tally: Tally) -> None:
    key = list(scope.key)
    stored = again.select(key).join(built, on=key, how="left", nulls_equal=True, maintain_order="left")
    times = stored["predict_at"]
    for name in again.columns:
        if name in key:
            continue
        same = same_bits(stored[name], again[name])
        if same.all():
            continue
        row = (~same).arg_true()[0]
        tally.differ[name] += int((~same).sum())
        event = ", ".join(f"{c} {stored[c][row]}" for c in key)
        tally.examples.setdefault(
            name,
            f"for the event {event} it was built as {_value(stored[name][row])} and is {_value(again[name][row])} "
            f"from what was known at {times[row]}",
        )


def _value(value: object) -> str:
    return "missing" if value is None else repr(value)
