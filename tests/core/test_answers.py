"""What an answer means for an incident: a table of cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homeostat.core.answers import Answer, Answered, excess, named_columns
from homeostat.core.findings import Finding
from homeostat.core.incidents import Incident
from homeostat.core.rules import Rule

START, DAY = datetime(2024, 3, 1), timedelta(days=1)
BAD = Finding(Rule.CALIBRATION, "high", "fail", 0.55, 0.35)
INCIDENT = Incident(BAD, START, START)
UNLIKE = Finding(Rule.HISTORY, "load", "fail", 1.2, 1.0, facts={"columns": ["load"], "source": "readings"})


def snooze(finding: Finding = BAD, until: datetime = START + 2 * DAY) -> Answer:
    return Answer("r", "snooze", "ann", "known", START, until, "", excess(finding), named_columns(finding))


@pytest.mark.parametrize(
    ("finding", "later", "days", "rests"),
    [
        (BAD, BAD, 1, True),
        (BAD, BAD, 2, False),  # it is over
        (BAD, replace(BAD, value=0.59), 1, True),  # a little further off is no news
        (BAD, replace(BAD, value=0.61), 1, False),
        (UNLIKE, UNLIKE, 1, True),
        (UNLIKE, replace(UNLIKE, facts={"columns": ["load", "phase"], "source": "readings"}), 1, False),
        (replace(BAD, limit=None), replace(BAD, limit=None, value=9.0), 1, True),  # nothing to measure it by
    ],
)
def test_a_snooze_holds_until_it_ends_or_gets_worse(finding: Finding, later: Finding, days: int, rests: bool) -> None:
    one = Answered("0001", replace(INCIDENT, finding=later), (snooze(finding),))
    assert (one.snooze(START + days * DAY) is not None) == rests


def test_the_last_snooze_counts_and_a_closed_incident_has_none() -> None:
    longer = snooze(until=START + 9 * DAY)
    assert Answered("0001", INCIDENT, (longer, snooze())).snooze(START + 3 * DAY) is None
    assert Answered("0001", INCIDENT, (snooze(), longer)).snooze(START + 3 * DAY) == longer
    assert Answered("0001", replace(INCIDENT, closed=START + DAY), (longer,)).snooze(START + 3 * DAY) is None


@pytest.mark.parametrize(
    ("incident", "answers", "days", "escalates"),
    [
        (INCIDENT, (), 3, True),
        (INCIDENT, (), 2, False),
        (INCIDENT, (Answer("r", "owner", "ann", "", START, owner="bob"),), 9, False),
        (INCIDENT, (snooze(),), 9, False),  # it was answered; when the snooze is over the status shows it again
        (replace(INCIDENT, finding=replace(BAD, value=0.7)), (snooze(),), 1, True),  # it outgrew its snooze
        (replace(INCIDENT, passes=1), (), 3, False),  # about to close
        (replace(INCIDENT, escalated=START + 3 * DAY), (), 9, False),  # once
        (replace(INCIDENT, closed=START + DAY), (), 9, False),
    ],
)
def test_it_is_escalated_once_when_nobody_answers(
    incident: Incident, answers: tuple[Answer, ...], days: int, escalates: bool
) -> None:
    assert Answered("0001", incident, answers).is_escalated(START + days * DAY, 3 * DAY) == escalates


@pytest.mark.parametrize(
    "answer", [snooze(), snooze(UNLIKE), Answer("r", "owner", "ann", "", START, owner="bob"),
               Answer("r", "approve", "ann", "the storm was real", START)],
)  # fmt: skip
def test_a_record_is_read_as_it_was_written(answer: Answer) -> None:
    assert Answer.from_dict(answer.to_dict()) == answer


def test_an_incident_keeps_when_it_was_escalated() -> None:
    escalated = replace(INCIDENT, escalated=START + 3 * DAY)
    assert Incident.from_dict(escalated.to_dict()) == escalated
    assert "escalated" not in INCIDENT.to_dict()
