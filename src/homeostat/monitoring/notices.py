"""Messages about incidents: one each for its beginning, its escalation and its end, sent until it was taken.

What was sent is on record, so that a run that was interrupted sends what is due, and none sends it again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from homeostat.adapters import notifications
from homeostat.core.incidents import Incident
from homeostat.core.sentences import sentence
from homeostat.core.text import printable
from homeostat.monitoring.alerts import read_incidents
from homeostat.serving import jsonl

if TYPE_CHECKING:
    from homeostat.project.layout import Project

Kind = Literal["opened", "escalated", "closed"]
TITLES: Mapping[Kind, str] = {"opened": "began", "escalated": "nobody has answered", "closed": "is over"}


class Notice(NamedTuple):
    """A message: about which incident, and what became of it."""

    number: str
    kind: Kind
    incident: Incident


class Unsent(NamedTuple):
    """The last message that was not taken: when it was tried, and what went wrong."""

    at: datetime
    problem: str


def send_due(project: Project, now: datetime) -> None:
    """Send what is due, where the scope names a variable with addresses; a message that fails is tried at the next run.

    Raises:
        OSError: what was sent cannot be put on record.
    """
    variable = project.scope.alerts.notify
    if variable is None:
        return
    with closing(jsonl.Journal(project.notices)) as journal:
        fcntl.flock(journal.fileno(), fcntl.LOCK_EX)  # two runs may end at once
        for notice in _due(read_incidents(project), _sent(project)):
            addresses, problem = os.environ.get(variable, ""), f"{variable} is not set"
            if addresses:
                problem = notifications.send(addresses, *_message(project, notice))
            journal.add([{"number": notice.number, "kind": notice.kind, "at": now.isoformat(), "problem": problem}])


def unsent(project: Project) -> Unsent | None:
    """What went wrong with the last of the messages that are still due, where one was tried."""
    if project.scope.alerts.notify is None:
        return None
    due = {(notice.number, notice.kind) for notice in _due(read_incidents(project), _sent(project))}
    failed = [line for line in _lines(project) if (line["number"], line["kind"]) in due]
    return Unsent(datetime.fromisoformat(failed[-1]["at"]), failed[-1]["problem"]) if failed else None


def _sent(project: Project) -> frozenset[tuple[str, str]]:
    return frozenset((line["number"], line["kind"]) for line in _lines(project) if not line["problem"])


def _lines(project: Project) -> list[dict[str, Any]]:
    return list(jsonl.read(project.notices)) if project.notices.is_file() else []


def _due(incidents: Mapping[str, Incident], sent: Iterable[tuple[str, str]]) -> Iterator[Notice]:
    """Of each incident that pages what nobody has heard of; of one that ended before anybody heard of it, nothing."""
    sent = frozenset(sent)
    for number, incident in incidents.items():
        if incident.closed is not None:
            if (number, "opened") in sent and (number, "closed") not in sent:
                yield Notice(number, "closed", incident)
            continue
        if incident.noted:
            continue
        if (number, "opened") not in sent:
            yield Notice(number, "opened", incident)
        if incident.escalated is not None and (number, "escalated") not in sent:
            yield Notice(number, "escalated", incident)


def _message(project: Project, notice: Notice) -> tuple[str, str]:
    """Its title, and its text: the sentence, since when, and what to type."""
    name, incident = project.scope.project, notice.incident
    since = f"since {incident.opened:%Y-%m-%d %H:%M}"
    until = f" to {incident.closed:%Y-%m-%d %H:%M}" if incident.closed else ""
    look = f"homeostat -C {project.home} status --incident {int(notice.number)}"
    body = f"{incident.problem}, {since}{until}: {sentence(incident.finding)}\n\n{look}"
    return printable(f"{name}: {incident.problem}: {TITLES[notice.kind]}"), printable(body)
