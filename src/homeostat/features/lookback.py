"""The accepted batches that the features of one batch of events are made from, in their versions over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from homeostat.core.periods import Period, period_containing, period_of
from homeostat.data.known_at import FAR
from homeostat.data.versions import versions_of
from homeostat.project.source_scope import ONCE

if TYPE_CHECKING:
    from homeostat.data.verdict_store import VerdictStore
    from homeostat.project.scope import Scope


@dataclass(frozen=True)
class Batch:
    """One batch of a source: ``versions`` are (until when, hash of the accepted rows); the last is in force."""

    source: str
    label: str
    versions: tuple[tuple[datetime, str], ...]

    def as_of(self, time: datetime) -> str:
        """The hash of the version that is seen as of ``time``: an amendment is known strictly before it is used."""
        return next(sha256 for until, sha256 in self.versions if time <= until)


@dataclass(frozen=True)
class LookBack:
    """What the features of one batch of events may be made from: rows of ``start`` to ``period.end``."""

    period: Period
    start: datetime
    batches: tuple[Batch, ...]
    trains_after: datetime | None = None  # before it nothing trains on the events: a batch of their time is in doubt
    received: tuple[str, ...] = ()  # hashes of the files of labels that came by themselves

    @property
    def epochs(self) -> list[tuple[datetime, datetime]]:
        """Spans of time, open at the start, in which each batch has one version; one, where nothing was amended."""
        ends = sorted({until for batch in self.batches for until, _ in batch.versions} | {FAR})
        return list(zip([datetime.min, *ends[:-1]], ends, strict=True))


def look_back(scope: Scope, verdicts: VerdictStore, label: str) -> LookBack:
    """The accepted batches that features of the batch of events ``label`` may be made from."""
    period = period_of(label, scope.events_period, scope.rhythm.offset)
    start = period.start - scope.features.history
    accepted = _accepted(scope, verdicts, start, period.end)
    return LookBack(period, start, accepted, _trains_after(scope, verdicts, period))


def _trains_after(scope: Scope, verdicts: VerdictStore, period: Period) -> datetime | None:
    """When the last batch of the events' own time, of any source, was found to be as it should be.

    None: each always was. ``FAR``: one is still in doubt.
    """
    touched = [verdicts.get(name, label) for name, label in _within(scope, period.start, period.end)]
    accepted = [v for v in touched if v is not None and v.files]
    if any(v.suspect_columns for v in accepted):
        return FAR
    return max((v.trains_since for v in accepted if v.trains_since is not None), default=None)


def widened(scope: Scope, verdicts: VerdictStore, look: LookBack) -> LookBack:
    """The look-back with as much again before it, and after it: rows that its features must not depend on."""
    start, end = look.start - scope.features.history, look.period.end + scope.features.history
    period = Period(look.period.start, end, look.period.label)
    return LookBack(period, start, _accepted(scope, verdicts, start, end))


def _accepted(scope: Scope, verdicts: VerdictStore, start: datetime, end: datetime) -> tuple[Batch, ...]:
    batches = []
    for name, label in _within(scope, start, end):
        verdict = verdicts.get(name, label)
        if verdict is not None and verdict.files:
            batches.append(Batch(name, label, versions_of(verdict.files)))
    return tuple(batches)


def _within(scope: Scope, start: datetime, end: datetime) -> Iterator[tuple[str, str]]:
    """(Source, label) of every batch that a span of time touches, whether it came or not."""
    for name, source in scope.sources.items():
        for label in [ONCE] if source.period == ONCE else labels_between(scope, source.period, start, end):
            yield name, label


def labels_between(scope: Scope, every: timedelta, start: datetime, end: datetime) -> Iterator[str]:
    """The batches of a source that a span of time touches."""
    period = period_containing(start, every, scope.rhythm.offset)
    while period.start < end:
        yield period.label
        period = period_containing(period.end, every, scope.rhythm.offset)


# ---- of neighbouring batches together


def joint(looks: Sequence[LookBack]) -> LookBack:
    """The look-back of neighbouring batches of events together; they are of one of ``groups``."""
    if len(looks) == 1:
        return looks[0]
    first, last = looks[0].period, looks[-1].period
    batches = {(b.source, b.label): b for look in looks for b in look.batches}
    ordered = tuple(batches[key] for key in sorted(batches))
    return LookBack(Period(first.start, last.end, f"{first.label} to {last.label}"), looks[0].start, ordered)


def groups(scope: Scope, looks: Iterable[LookBack]) -> Iterator[list[LookBack]]:
    """The look-backs of batches in order of time, in runs that may be made together.

    Those of a run agree on every batch that several of them reach to: one from before a batch was accepted or amended
    and one from after it do not. A run is no longer than the history, so its tables are at most twice those of one.
    """
    group: list[LookBack] = []
    batches: dict[tuple[str, str], Batch | None] = {}  # as those of the run have them; None: not accepted
    for look in looks:
        own = {(b.source, b.label): b for b in look.batches}
        reach = {key: own.get(key) for key in _within(scope, look.start, look.period.end)}
        if group and not (
            look.period.start >= group[-1].period.end
            and look.period.end - group[0].period.start <= scope.features.history
            and all(batches.get(key, batch) == batch for key, batch in reach.items())
        ):
            yield group
            group, batches = [], {}
        group.append(look)
        batches |= reach
    if group:
        yield group
