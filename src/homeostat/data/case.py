"""All that the verdict on one batch follows from, and the key that it is kept under."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from homeostat.adapters.parquet import digest
from homeostat.core import batch_rules
from homeostat.core.batch_rules import Verdict
from homeostat.core.errors import DataError
from homeostat.core.periods import period_of
from homeostat.core.profiles import ENOUGH
from homeostat.data import amendments
from homeostat.project.source_scope import ONCE

if TYPE_CHECKING:
    from homeostat.data.amendments import Amendment
    from homeostat.data.workspace import Workspace
    from homeostat.project.source_scope import Source


MOST = 168  # batches that one is compared with: of hourly ones a week
DAYS = 56  # of batches of a day or longer: eight weeks


@dataclass(frozen=True)
class Before:
    """An accepted batch that later ones are compared with: ``suspect`` columns of it are not as they were before."""

    label: str
    content: str
    suspect: tuple[str, ...]
    released: bool


@dataclass
class History:
    """What a batch is compared with in those before it; verdicts are added in order of time."""

    rows: deque[int] = field(default_factory=lambda: deque(maxlen=batch_rules.HISTORY))  # of accepted batches
    contents: dict[str, str] = field(default_factory=dict)  # by hash of the content, the first batch that had it
    changed: batch_rules.Since = field(default_factory=dict)  # what of the schema failed in the last one, since when
    batches: deque[Before] = field(default_factory=lambda: deque(maxlen=MOST))  # accepted
    suspect: dict[str, str] = field(default_factory=dict)  # columns that were not as usual in the last one, since when
    units: dict[str, str] = field(default_factory=dict)  # the unit that columns of the last one came in, not their own

    @classmethod
    def before(cls, label: str, verdicts: Mapping[str, Verdict]) -> History:
        """Of the batches before ``label``; ``verdicts`` are in order of time."""
        history = cls()
        for earlier, verdict in verdicts.items():
            if earlier >= label:
                break
            history.add(earlier, verdict)
        return history

    def add(self, label: str, verdict: Verdict) -> None:
        if verdict.status == "accepted":
            self.rows.append(verdict.rows)
            suspect = tuple(sorted(verdict.suspect_columns))
            self.batches.append(Before(label, verdict.batch, suspect, verdict.released_history))
        if verdict.batch:
            self.contents.setdefault(verdict.batch, label)
        if verdict.status != "missing":
            self.changed = batch_rules.failing_since(verdict.findings)
            self.suspect = batch_rules.suspect_since(verdict.findings)
            self.units = batch_rules.unusual_units(verdict.findings)


@dataclass(frozen=True)
class Case:
    """All that a verdict follows from."""

    name: str
    label: str
    landed: bytes
    source: Source
    span: tuple[datetime, datetime] | None
    contract: bytes
    history: tuple[int, ...]  # rows of the accepted batches before
    twin: str | None  # the batch before that had the same rows
    changed: batch_rules.Since  # what of the schema already failed in the batch before, and since which batch
    before: tuple[Before, ...]  # the accepted batches that it is held to
    suspect: Mapping[str, str]  # columns that already were not as usual in the batch before, and since which batch
    units: Mapping[str, str]  # the unit that columns of the batch before came in instead of their own
    amendments: tuple[Amendment, ...]
    code: str  # a hash of the code, and of the tool, that judge

    @property
    def correction(self) -> Amendment | None:
        """The correction in force: the last one."""
        return next((a for a in reversed(self.amendments) if a.kind == "correct"), None)

    @cached_property
    def landed_hash(self) -> str:
        return digest(self.landed)

    @property
    def content(self) -> str:
        """The hash of the rows that are judged."""
        return self.correction.sha256 if self.correction else self.landed_hash

    @property
    def _compared_with(self) -> tuple[Before, ...]:
        """The batches before, where they are enough to say anything."""
        return self.before if len(self.before) >= ENOUGH else ()

    @property
    def key(self) -> str:
        """A hash of the batch, its contract, the code and the tool that judge, and what it is compared with."""
        parts = [
            self.name, self.label, self.landed_hash, digest(self.contract), self.code, self.source.meaning(),
            str(self.span), str(self.history), str(self.twin), str(self.changed), str(self._compared_with),
            str(self.suspect), str(self.units), str(self.amendments),
        ]  # fmt: skip
        return digest("\n".join(parts).encode())


def case_of(
    workspace: Workspace, name: str, label: str, now: datetime | None = None, history: History | None = None
) -> Case:
    """Gather what decides on a landed batch.

    ``now`` hides amendments known later; ``history`` is that of the verdicts on record, unless others are supposed.

    Raises:
        DataError: the landed file is missing, or an amendment's file was changed.
    """
    project, source = workspace.project, workspace.scope.sources[name]
    path = project.landed / name / f"{label}.parquet"
    landed = workspace.files.read(path)
    if landed is None:
        raise DataError(f"{name} {label}: {path} is not there; land the batch first")
    if history is None:
        history = History.before(label, workspace.verdicts.of_source(name))
    span = None
    if source.period != ONCE:
        period = period_of(label, source.period, workspace.scope.rhythm.offset)
        span = (period.start, period.end)
    case = Case(
        name=name, label=label, landed=landed, source=source, span=span,
        contract=workspace.files.read(project.contracts / f"{name}.json") or b"",
        history=tuple(history.rows), twin=None, changed=history.changed,
        before=_held_to(source, history), suspect=dict(history.suspect), units=dict(history.units),
        amendments=tuple(
            a for a in workspace.amendments
            if (a.source, a.batch) == (name, label) and (now is None or a.known <= now)
        ),
        code=workspace.judging_code,
    )  # fmt: skip
    if case.correction is not None:
        amendments.corrected_rows(project, case.correction)  # a changed file is reported even when a verdict is kept
    return replace(case, twin=history.contents.get(case.content))


def _held_to(source: Source, history: History) -> tuple[Before, ...]:
    """The batches that one of the source is compared with; none where that is not wanted, or it has no time."""
    if source.period == ONCE or source.history == "off":
        return ()
    most = DAYS if source.length >= timedelta(hours=8) else MOST
    return tuple(history.batches)[-most:]
