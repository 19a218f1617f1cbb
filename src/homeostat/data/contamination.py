"""Marks on what a bad release predicted: where predictions are acted on, its labels are no lesson.

An alert that somebody acted on changes what happens next: the payment is stopped, the machine is looked at. Labels that
came about under a release that was rolled back teach its mistakes to the next model, so nothing trains on these events
or is judged by them. A mark is an amendment like any other, and a person can clear it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.errors import UsageError
from homeostat.core.text import count
from homeostat.data.amendments import next_number, read_records, write_record
from homeostat.project.window import Span

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger, ReleaseEvent
    from homeostat.project.layout import Project

CONTAMINATED, CLEARED = "contaminated", "cleared"  # kinds of amendments


@dataclass(frozen=True)
class Mark:
    """The events that were to be predicted in ``span`` had their predictions from ``version``, which was rolled back.

    ``who``, ``why`` and ``known`` are those of the rollback; ``cleared``: who took the mark away and why, if anybody.
    """

    number: int
    version: str
    span: Span
    who: str
    why: str
    known: datetime
    cleared: str = ""

    @property
    def sentence(self) -> str:
        since, until = (f"{time:%Y-%m-%d %H:%M}" for time in self.span)
        text = f"mark {self.number}: predicted by {self.version}, {since} to {until}, rolled back by {self.who}"
        if self.cleared:
            return f"{text}; cleared by {self.cleared}"
        return f"{text}: nothing trains on these events; `homeostat data clear {self.number} --why TEXT` takes it away"


def read_marks(project: Project) -> list[Mark]:
    """Every mark, in order of number, those that were cleared among them.

    Raises:
        DataError: a file is damaged.
    """
    cleared = {raw["mark"]: f"{raw['who']}: {raw['why']}" for raw in read_records(project, CLEARED)}
    marks = [
        Mark(raw["number"], raw["version"], (raw["since"], raw["until"]), raw["who"], raw["why"], raw["known"],
             cleared.get(raw["number"], ""))
        for raw in read_records(project, CONTAMINATED)
    ]  # fmt: skip
    return sorted(marks, key=lambda mark: mark.number)


def left_out(project: Project) -> tuple[Span, ...]:
    """The spans of predict-at that train nothing, of the marks that hold; none where predictions change no label."""
    if not project.scope.events.acted_on:
        return ()
    return tuple(mark.span for mark in read_marks(project) if not mark.cleared)


def mark_rolled_back(project: Project, ledger: Ledger) -> list[Path]:
    """Mark what each release predicted that was rolled back, once each; the new files. None where it changes no label.

    Whoever rolled back, and on whatever host: the ledger says it. A release that lost to its baseline is none of these:
    the world has left it, and nothing was wrong with it from its first day.
    """
    if not project.scope.events.acted_on:
        return []
    marked = {(mark.version, mark.span) for mark in read_marks(project)}
    files = []
    for version, span, event in _rolled_back(ledger):
        if (version, span) not in marked:
            number = next_number(project)
            body = {"version": version, "since": span[0], "until": span[1]}
            head = {"number": number, "kind": CONTAMINATED, "who": event.who, "why": event.why, "known": event.at}
            files.append(write_record(project, head | body, version))
    return files


def _rolled_back(ledger: Ledger) -> Iterator[tuple[str, Span, ReleaseEvent]]:
    """Each release that served whole until a rollback to one that had served before: version, span, the rollback."""
    terms = ledger.terms
    for place, event in enumerate(terms[1:], 1):
        before, earlier = terms[place - 1], {term.version for term in terms[:place]}
        if event.action == "rollback" and event.version in earlier and event.version != before.version:
            yield before.version, (before.at, event.at), event


def clear_mark(project: Project, number: int, who: str, why: str, known: datetime) -> Path | None:
    """Take a mark away, with a reason that is kept; None where it was taken away before.

    Raises:
        UsageError: there is no such mark.
    """
    marks = read_marks(project)
    mark = next((mark for mark in marks if mark.number == number), None)
    if mark is None:
        there = f"there are {', '.join(str(m.number) for m in marks)}" if marks else f"{count(0, 'mark', 'are')} there"
        raise UsageError(f"mark {number}: no such mark; {there}: `homeostat data review` lists them")
    if mark.cleared:
        return None
    body = {"number": next_number(project), "kind": CLEARED, "mark": number, "who": who, "why": why, "known": known}
    return write_record(project, body, f"{number:04d}")
