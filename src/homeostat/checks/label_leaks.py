"""Label leaks that no known-at declares: a value of a column, or its absence, that always has the same label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING

import polars as pl

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.text import count, number
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

CHANCE = 1e-6  # a constant label less likely than this at the base rate is a leak
FEW = 200  # values of a column up to which each is examined by itself
EVENT = "event's "  # prefix of columns of the events, for a feature may have the same name
BLOCKS = 5  # in which a value must occur before it counts: the events of one bad day are not independent
ROWS = 100_000  # events counted in one go
ABSENT, PRESENT = "absent", "present"


@dataclass(frozen=True)
class LabelLeak:
    """Events that all have ``label``: by ``kind`` with the value ``what``, without one, or with any."""

    column: str
    kind: str
    what: str | None
    label: float
    events: int
    share: float  # of all events that have this label
    chance: float

    @property
    def sentence(self) -> str:
        subject = {ABSENT: f"a missing {self.column}", PRESENT: f"a {self.column} that is there"}.get(
            self.kind, f"{self.column} = {self.what}"
        )
        return (
            f"{subject} always goes with label {number(self.label)} "
            f"({count(self.events, 'event')} with it, no exception; "
            f"{self.share:.1%} of all events; p = {max(self.chance, 1e-300):.0e})"
        )


class Counts:
    """For one column and one objective, by value and by absence: number of events and blocks, range of labels."""

    def __init__(self) -> None:
        self.groups: pl.DataFrame | None = None
        self.many = False  # too many values to examine each

    def add(self, values: pl.Series, label: pl.Series, block: pl.Series) -> None:
        """Count some of the events; events of one ``block`` are not independent of each other."""
        rows = pl.DataFrame({"value": values, "label": label, "block": block})
        there = pl.when(pl.col("value").is_null()).then(pl.lit(ABSENT)).otherwise(pl.lit(PRESENT))
        groups = [_groups(rows.select("label", "block", kind=there, what=pl.lit(None, dtype=pl.String)))]
        # a time never recurs: its label says nothing about the next
        self.many = self.many or values.dtype.is_temporal() or values.n_unique() > FEW
        if not self.many:
            given = rows.filter(pl.col("value").is_not_null())
            groups.append(
                _groups(given.select("label", "block", kind=pl.lit("value"), what=pl.col("value").cast(pl.String)))
            )
        if self.groups is not None:
            groups.append(self.groups)
        merged = (
            pl.concat(groups)
            .group_by("kind", "what")
            .agg(pl.col("n", "blocks").sum(), pl.col("low").min(), pl.col("high").max())
        )
        self.many = self.many or merged.height > FEW + 2
        self.groups = merged.filter(pl.col("kind") != "value") if self.many else merged

    def leaks(self, column: str, shares: dict[float, float], blocks: int) -> list[LabelLeak]:
        """The groups whose label is constant and improbably so, the least likely first.

        ``shares`` are of all events by label; a group must occur in ``blocks`` blocks.
        """
        if self.groups is None:
            return []
        leaks = []
        for kind, what, n, in_blocks, low, high in self.groups.rows():
            if low == high and in_blocks >= blocks and (chance := n * log(shares[low])) < log(CHANCE):
                leaks.append(
                    LabelLeak(column.removeprefix(EVENT), kind, what, low, n, shares[low], exp(max(chance, -690)))
                )
        return sorted(leaks, key=lambda g: (g.chance, -g.label, g.kind, g.what or ""))


def _groups(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("kind", "what").agg(
        pl.len().cast(pl.Int64).alias("n"),
        pl.col("block").n_unique().cast(pl.Int64).alias("blocks"),
        pl.col("label").min().alias("low"),
        pl.col("label").max().alias("high"),
    )


def label_leak_findings(
    project: Project, labels: Sequence[str], report: Callable[[str, int, int], None]
) -> list[Finding]:
    """A finding for each column of the events (as known at predict-at) or listed feature that gives a label away."""
    scope = project.scope
    every = int(scope.evaluation.block.total_seconds() * 1_000_000)
    counts: dict[str, dict[str, Counts]] = {name: {} for name in scope.objectives}
    rates: dict[str, list[pl.DataFrame]] = {name: [] for name in scope.objectives}
    blocks: Counter[str] = Counter()
    for done, table in _chunks(project, labels):
        for name in scope.objectives:
            part = table.filter(pl.col(f"label__{name}").is_not_null())
            label, block = part[f"label__{name}"].alias("label"), part["event_time"].to_physical() // every
            rates[name].append(label.value_counts(name="n"))
            blocks[name] += block.n_unique()
            for column in _columns(scope, name, part):
                counts[name].setdefault(column, Counts()).add(part[column], label, block)
        report("batches searched for label leaks", done, len(labels))
    findings: list[Finding] = []
    for name in scope.objectives:
        shares, needed = _shares(rates[name]), min(BLOCKS, blocks[name])
        leaks = [leak for column, counted in counts[name].items() for leak in counted.leaks(column, shares, needed)]
        for column in dict.fromkeys(leak.column for leak in leaks):
            findings.append(_finding(scope, name, [leak for leak in leaks if leak.column == column]))
    if any(f.failed for f in findings):
        return sorted(findings, key=lambda f: (not f.failed, f.value))
    none = f"nothing gives a label away that the scope does not bar or allow ({count(len(labels), 'batch')} searched)"
    return [Finding(Rule.GIVE_AWAY, "", "pass", None, CHANCE, text=none), *findings]


def _chunks(project: Project, labels: Sequence[str]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Events as known, with their features and labels, some batches at a time, and how many batches are done."""
    waiting: list[pl.DataFrame] = []
    tables = FeatureTables(Workspace(project))
    for done, label in enumerate(labels, 1):
        look = tables.point.look_back(label)
        events = tables.point.known_events(look, tables.point.events(look)).rename(lambda c: EVENT + c)
        waiting.append(pl.concat([tables.of(label), events], how="horizontal"))  # the same order: by key
        if done == len(labels) or sum(w.height for w in waiting) >= ROWS:
            yield done, pl.concat(waiting)
            waiting = []


def _columns(scope: Scope, objective: str, table: pl.DataFrame) -> list[str]:
    names = (*(EVENT + c for c in scope.event_source.columns), *scope.features_of(objective))
    return [c for c in names if c in table.columns]


def _shares(rates: Sequence[pl.DataFrame]) -> dict[float, float]:
    """By label, the share of events that have it."""
    counts = pl.concat(rates).group_by("label").agg(pl.col("n").sum())
    total = int(counts["n"].sum())
    return {label: n / total for label, n in counts.rows()}


def _finding(scope: Scope, objective: str, leaks: Sequence[LabelLeak]) -> Finding:
    worst = leaks[0]
    name = f"{objective}.{worst.column}"
    more = [f"{len(leaks) - 2} more of its values"] if len(leaks) > 2 else []
    sentence = f"{name}: {'; '.join([leak.sentence for leak in leaks[:2]] + more)}"
    for place, names in (("bars", scope.features.barred), ("allows", scope.features.allowed)):
        if name in names:
            return Finding(Rule.GIVE_AWAY, name, "pass", worst.chance, CHANCE, text=f"{sentence}; the scope {place} it")
    fix = f"add {name} to features.barred in params.yaml, or to features.allowed if it may be used"
    text = f"{sentence}: it gives the label away; {fix}"
    return Finding(Rule.GIVE_AWAY, name, "fail", worst.chance, CHANCE, text=text)
