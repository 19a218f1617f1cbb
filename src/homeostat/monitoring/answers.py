"""The answers of people on record: one append-only file of JSON lines."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING

from homeostat.core.answers import Answer, Answered, excess, named_columns
from homeostat.core.errors import UsageError
from homeostat.core.rules import Rule
from homeostat.monitoring.alerts import read_incidents
from homeostat.serving import jsonl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from homeostat.core.incidents import Incident
    from homeostat.project.layout import Project


def read_answers(project: Project) -> dict[str, list[Answer]]:
    """Every answer by the record that it is about, the oldest first."""
    answers: dict[str, list[Answer]] = defaultdict(list)
    for line in jsonl.read(project.answers) if project.answers.is_file() else ():
        answer = Answer.from_dict(line)
        answers[answer.about].append(answer)
    return answers


def answered_incidents(project: Project, on_record: Mapping[str, Incident] | None = None) -> list[Answered]:
    """Every incident with what people answered it, in order of number; those ``on_record``, where they are at hand."""
    answers = read_answers(project)
    return [
        Answered(number, incident, tuple(a for record in _records(project, number, incident) for a in answers[record]))
        for number, incident in (read_incidents(project) if on_record is None else on_record).items()
    ]


def _records(project: Project, number: str, incident: Incident) -> list[str]:
    """What an answer to an incident may be about: the incident, or the decision that waits for one."""
    waits = [incident.finding.facts["record"]] if incident.finding.rule == Rule.APPROVAL else []
    return [project.cited(project.incidents / f"{number}.json"), *waits]


def answer_incident(
    project: Project, number: str, who: str, why: str, now: datetime, until: datetime | None, owner: str
) -> None:
    """Note that a person snoozes an incident ``until`` a time, or gives it an ``owner``, or both.

    Raises:
        UsageError: the incident is closed, or the snooze would be over already.
    """
    incident = read_incidents(project)[number]
    record = project.cited(project.incidents / f"{number}.json")
    if incident.closed is not None:
        raise UsageError(f"incident {number} is closed since {incident.closed:%Y-%m-%d %H:%M}; nothing to answer")
    if until is not None:
        if until <= now:
            raise UsageError(f"--snooze {until}: is not after {now}, project time; give a later time, or a length: 2d")
        bad = excess(incident.finding), named_columns(incident.finding)
        note_answer(project, Answer(record, "snooze", who, why, now, until, "", *bad))
    if owner:
        note_answer(project, Answer(record, "owner", who, "" if until else why, now, owner=owner))


def note_answer(project: Project, answer: Answer) -> None:
    """Put an answer on record; it is on the disk when this returns."""
    with closing(jsonl.Journal(project.answers)) as journal:
        journal.add([answer.to_dict()])
