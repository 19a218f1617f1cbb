"""The look of the alarm budget: one window a round of decisions on record, and what the latest says.

A window is summed up from the feature rows that became due in it, their scores, and the outcomes that matured in it.
It stays on record as it was then; where features, objectives or the length of a window change, all are summed up again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from homeostat.adapters.parquet import digest, read_or_none, read_table, write_table
from homeostat.core.alarm_budget import LAST, Budget, Look, latest_look
from homeostat.core.errors import HomeostatError
from homeostat.core.findings import TOO_FEW, Finding, Outcome
from homeostat.core.looks import Sums
from homeostat.core.periods import floor, labels_overlapping, period_of
from homeostat.core.rules import Rule
from homeostat.data.known_at import FAR
from homeostat.features.sql import read_features_sql
from homeostat.features.tables import is_mature, listed
from homeostat.monitoring.batch_sums import SCHEMA, Summed, as_windows, input_sums, outcome_sums, window_table
from homeostat.monitoring.outcomes import window_length
from homeostat.project.layout import Project
from homeostat.project.scope import Scope
from homeostat.releases.registry import Registry
from homeostat.training.bundle import Bundle

DAY = timedelta(days=1)
SCORE = "score ("  # how the aspects of scores begin
RECORD = {**SCHEMA, "made_of": pl.String(), "at": pl.Datetime("us")}


@dataclass(frozen=True)
class Unit:
    """The batches of one day of events, or of a shorter window, or one that is longer: what is summed up at once."""

    start: datetime
    end: datetime
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Units:
    """The days of a tree's events, and how each is summed up; ``registry`` tells the kinds of the models."""

    tree: Project
    registry: Registry

    @property
    def scope(self) -> Scope:
        return self.tree.scope

    @cached_property
    def labels(self) -> list[str]:
        """The batches with features, in order of time."""
        return sorted(path.stem for path in self.tree.features.glob("*.parquet"))

    @property
    def length(self) -> timedelta:
        return max(self.scope.events_period, min(DAY, window_length(self.scope)))

    def between(self, since: datetime, until: datetime) -> list[Unit]:
        """Those that end after ``since`` and by ``until``, in order of time."""
        every, offset = self.scope.events_period, self.scope.rhythm.offset
        inside: dict[datetime, list[str]] = {}
        for label in labels_overlapping(self.labels, every, offset, since - self.length, until):
            inside.setdefault(floor(period_of(label, every, offset).start, self.length, offset), []).append(label)
        units = (Unit(start, start + self.length, tuple(labels)) for start, labels in inside.items())
        return [unit for unit in units if since < unit.end <= until]

    def rows(self, unit: Unit) -> pl.DataFrame:
        """Its feature rows, with scores and the release that gave them where there are such.

        Without batches in doubt: what is wrong with them is an alert already, and no measure of what is usual.
        """
        rows = self._read([self.tree.features / f"{label}.parquet" for label in unit.labels])
        doubted = [pl.col(c) == FAR for c in rows.columns if c.startswith("known__")]
        rows = rows.filter(~pl.any_horizontal(doubted).fill_null(False)) if doubted else rows
        paths = [path for label in unit.labels if (path := self.tree.predictions / f"{label}.parquet").is_file()]
        if not paths:
            return rows
        key = list(self.scope.key)
        scored = self._read(paths)
        columns = [c for c in scored.columns if c == "release" or c.startswith(("score__", "baseline__"))]
        scored = scored.unique(key, keep="first", maintain_order=True).select(*key, *columns)
        return rows.join(scored, on=key, how="left", nulls_equal=True, maintain_order="left")

    @staticmethod
    def _read(paths: Sequence[Path]) -> pl.DataFrame:
        return pl.concat([read_table(path) for path in paths], how="diagonal_relaxed")

    def features(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The features that an objective lists."""
        return rows.select(name for name in listed(self.scope) if name in rows.columns)

    def inputs(self, rows: pl.DataFrame) -> list[Summed]:
        return list(input_sums(set(listed(self.scope)), self.scope.objectives, rows, self._kinds(rows)))

    def outcomes(self, rows: pl.DataFrame, now: datetime) -> list[Summed]:
        """Of the rows that are mature as of ``now``."""
        mature = {name: rows.filter(is_mature(name, self.scope, now)) for name in self.scope.objectives}
        return list(outcome_sums(self.scope, mature))

    def _kinds(self, rows: pl.DataFrame) -> Mapping[str, str]:
        if "release" not in rows.columns:
            return {}
        kinds: dict[str, str] = {}
        for version in rows["release"].drop_nulls().unique(maintain_order=True):
            try:
                trained = self.registry.load(version).training["objectives"]
            except HomeostatError:  # no longer there: its scores are a series of their own
                continue
            kinds |= {f"{version} {name}": str(one["kind"]) for name, one in trained.items()}
        return kinds


def check_change(
    tree: Project, registry: Registry, now: datetime, importance: Callable[[], Mapping[str, float]],
    doubted: Collection[str] = (),
) -> list[Finding]:  # fmt: skip
    """The look at the window that ended with ``now``'s round, where the scope has an alarm budget; once a round.

    ``importance``: of the columns, for the blame; it is called where a look is taken.
    ``doubted``: objectives whose labels cannot be trusted, which is an alert of its own.
    """
    alarms, scope = tree.scope.alarms, tree.scope
    if alarms is None:
        return []
    length = window_length(scope)
    until = floor(now, length, scope.rhythm.offset)
    units = Units(tree, registry)
    record = record_windows(units, until, now)
    if record.filter(pl.col("until") == until, pl.col("at") != now).height:
        return []  # looked at before: a decision between two rounds
    windows = _without(as_windows(record, _ends(units, until, length)), doubted)
    budget = Budget(alarms.false_pages, alarms.within)
    look = latest_look(windows, budget.a_look(length), importance())
    return [_finding(look, budget, until, length, tree.cited(_path(tree)))]


def left_to_baseline(scope: Scope) -> float | None:
    """What the alarm budget leaves to a page on a loss to the baseline, a look; None without a budget."""
    if scope.alarms is None:
        return None
    return Budget(scope.alarms.false_pages, scope.alarms.within).to_baseline(window_length(scope))


def importance_of(bundle: Bundle) -> dict[str, float]:
    """Of each feature, by its place among those that a model rests on most: 1 for the first."""
    importance: dict[str, float] = {}
    for model in bundle.models.values():
        order = model.strongest(len(model.features))
        for place, name in enumerate(order):
            importance[name] = max(importance.get(name, 0.0), 1 - place / len(order))
    return importance


def record_windows(units: Units, until: datetime, now: datetime) -> pl.DataFrame:
    """The windows that ended by ``until``, in the columns of ``RECORD``; those that are not on record yet are added."""
    scope, path = units.scope, _path(units.tree)
    made_of, length = _made_of(units.tree), window_length(scope)
    record = read_or_none(path)
    record = pl.DataFrame(schema=RECORD) if record is None else record  # damaged: measured again
    kept = record.filter(pl.col("made_of") == made_of)
    done = set(kept["until"].unique())
    missing = [end for end in _ends(units, until, length) if end not in done]
    tables = [window_table(end, _parts(units, end, length)) for end in missing]
    if any(map(len, tables)):
        stamped = pl.concat(tables).with_columns(made_of=pl.lit(made_of), at=pl.lit(now, pl.Datetime("us")))
        kept = pl.concat([kept, stamped])
        write_table(kept, path)
    return kept.filter(pl.col("until") <= until)


def _ends(units: Units, until: datetime, length: timedelta) -> list[datetime]:
    """Of the windows that count and have batches, the last by ``until``."""
    if not units.labels:
        return []
    first = period_of(units.labels[0], units.scope.events_period, units.scope.rhythm.offset).start
    many = min((until - floor(first, length, units.scope.rhythm.offset)) // length, LAST)
    return [until - number * length for number in range(many)][::-1]


def _parts(units: Units, until: datetime, length: timedelta) -> Iterator[list[Summed]]:
    """The sums of inputs that became due, and of outcomes that matured, in the window."""
    horizon = units.scope.events.label_horizon
    for unit in units.between(until - length - horizon, until):
        due, matured = until - length < unit.end, unit.end + horizon <= until
        if due or matured:
            rows = units.rows(unit)
            if due:
                yield units.inputs(rows)
            if matured:
                yield units.outcomes(rows, until)


def _without(windows: Sums, doubted: Collection[str]) -> Sums:
    """Without the outcomes of objectives whose labels are in doubt."""
    kept = [i for i, one in enumerate(windows.series) if one.subject not in doubted or one.aspect.startswith(SCORE)]
    return Sums(tuple(windows.series[i] for i in kept), *(array[:, kept] for array in windows.arrays))


def _finding(look: Look, budget: Budget, until: datetime, length: timedelta, path: str) -> Finding:
    limit = look.limit
    outcome: Outcome = TOO_FEW if limit.value is None or look.statistic is None else "fail" if look.pages else "pass"
    facts = {
        "budget": {"false_pages": budget.pages, "seconds": budget.length.total_seconds()},
        "looks": limit.looks,
        "method": limit.method,
        "blamed": [asdict(one) for one in look.blamed],
    }
    if limit.value is None:
        facts["not_before"] = (until + limit.wait * length).isoformat()
    value, most = (None if v is None else round(v, 4) for v in (look.statistic, limit.value))
    return Finding(Rule.CHANGE, "", outcome, value, most, facts=facts, evidence=(path,))


def _path(tree: Project) -> Path:
    return tree.quality / "windows.parquet"


def _made_of(tree: Project) -> str:
    """What a window's sums follow from, but for the data."""
    scope = tree.scope
    parts = {
        "features": read_features_sql(tree),
        "objectives": {name: one.model_dump(mode="json", exclude={"train", "retrain"})
                       for name, one in scope.objectives.items()},
        "events": scope.events.model_dump(mode="json"),
        "evaluation": scope.evaluation.model_dump(mode="json", include={"metrics", "slices"}),
        "window": [str(window_length(scope)), str(scope.events_period), str(scope.rhythm.offset)],
    }
    return digest(json.dumps(parts, sort_keys=True).encode())[:12]
