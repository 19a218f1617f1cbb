import json
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from homeostat.core.findings import Finding, Interval, Outcome
from homeostat.core.incidents import Incident, update_incidents
from homeostat.core.rules import Rule

START = datetime(2024, 3, 1)
WEEK = timedelta(days=7)


Found = tuple[Rule, str, Outcome]


def finding(rule: Rule, subject: str, outcome: Outcome) -> Finding:
    return Finding(rule, subject, outcome, 1.0, 0.5, evidence=("reports/x.json",), text=f"{rule} {outcome}")


def after(*weeks: Iterable[Found]) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """The problems that each week alerted on and closed, and those that are open at the end."""
    state: tuple[Incident, ...] = ()
    alerts, ends = [], []
    for number, week in enumerate(weeks):
        changes = update_incidents(state, [finding(*f) for f in week], START + number * WEEK)
        alerts.append([i.problem for i in changes.opened])
        ends.append([i.problem for i in changes.closed])
        state = changes.open
    return alerts, ends, [i.problem for i in state]


BAD: Found = (Rule.QUALITY, "high", "fail")
WELL: Found = (Rule.QUALITY, "high", "pass")
UNSURE: Found = (Rule.QUALITY, "high", "too few to say")


def test_one_problem_alerts_once() -> None:
    assert after([BAD], [BAD], [BAD]) == ([["high: quality"], [], []], [[], [], []], ["high: quality"])


def test_it_ends_after_two_evaluations_without_it() -> None:
    assert after([BAD], [WELL], [WELL]) == ([["high: quality"], [], []], [[], [], ["high: quality"]], [])


def test_a_problem_that_comes_back_at_once_is_the_same() -> None:
    assert after([BAD], [WELL], [BAD], [WELL]) == ([["high: quality"], [], [], []], [[]] * 4, ["high: quality"])


def test_a_problem_that_comes_back_after_its_end_is_another() -> None:
    assert after([BAD], [WELL], [WELL], [BAD])[0] == [["high: quality"], [], [], ["high: quality"]]


def test_too_few_to_say_and_no_evaluation_change_nothing() -> None:
    assert after([BAD], [WELL], [UNSURE], [], [(Rule.CALIBRATION, "high", "pass")])[2] == ["high: quality"]


def test_a_kind_that_passes_as_a_whole_ends_the_problems_of_its_subjects() -> None:
    lost: Found = (Rule.MISSING, "load", "fail")
    whole: Found = (Rule.MISSING, "", "pass")
    assert after([lost], [whole], [whole])[1:] == ([[], [], ["load: missing values"]], [])
    other: Found = (Rule.MISSING, "phase", "fail")
    assert after([lost], [other], [other])[2] == ["phase: missing values"]


def test_one_column_that_drifts_explains_and_is_no_incident() -> None:
    drifted: Found = (Rule.COLUMN_DRIFT, "load", "fail")
    assert after([drifted, (Rule.DRIFT_SHARE, "", "fail")])[0] == [["drift share"]]


def test_two_problems_are_two_incidents() -> None:
    low: Found = (Rule.QUALITY, "low", "fail")
    assert after([BAD, low], [WELL, low])[0][0] == ["high: quality", "low: quality"]


LOST = Finding(Rule.MISSING, "load", "fail", 1.0, 0.2, facts={"state": "gone", "missing": [1.0, 0.0]})
FEWER = Finding(Rule.MISSING, "load", "fail", 0.4, 0.2, facts={"state": "compared", "missing": [0.4, 0.0]})
NEVER_NEAR = Finding(Rule.LABEL_RATE, "high", "fail", 0.5, facts={"unprecedented": True})
SLIGHTLY = Finding(Rule.AGAINST_BASELINE, "high", "fail", 0.02, 0.0, Interval(0.001, 0.04, 0.95))
CLEARLY = Finding(Rule.AGAINST_BASELINE, "high", "fail", 0.2, 0.0, Interval(0.1, 0.3, 0.95))
BEYOND = Finding(Rule.LABEL_RATE, "high", "fail", 0.5, facts={"unprecedented": False})


@pytest.mark.parametrize(
    ("one", "pages"),
    [
        (finding(*BAD), False),
        (finding(Rule.CALIBRATION, "high", "fail"), False),
        (finding(Rule.DRIFT_SHARE, "", "fail"), False),
        (finding(Rule.SCORE_DRIFT, "high", "fail"), False),
        (FEWER, False),
        (BEYOND, False),
        (SLIGHTLY, False),
        (CLEARLY, True),
        (LOST, True),
        (NEVER_NEAR, True),
        (finding(Rule.CHANGE, "", "fail"), True),
        (finding(Rule.BATCH, "readings", "fail"), True),
        (finding(Rule.HISTORY, "readings", "fail"), True),
        (finding(Rule.LABELS, "high", "fail"), True),
        (finding(Rule.SWITCH, "high", "fail"), True),
        (finding(Rule.RUN, "", "fail"), True),
    ],
)
def test_a_budget_notes_what_may_be_chance_and_pages_about_what_is_certain(one: Finding, pages: bool) -> None:
    noted = update_incidents((), [one], START, budget=0.01)
    assert (bool(noted.opened), [i.noted for i in noted.open]) == (pages, [not pages])
    assert update_incidents((), [one], START).opened


def test_what_is_noted_pages_once_it_is_certain_or_the_budget_is_gone() -> None:
    noted = update_incidents((), [FEWER], START, budget=0.01).open
    again = update_incidents(noted, [FEWER], START + WEEK, budget=0.01)
    assert (again.opened, [i.noted for i in again.open]) == ((), [True])
    lost = update_incidents(again.open, [LOST], START + 2 * WEEK, budget=0.01)
    assert [i.noted for i in lost.opened] == [False]
    assert lost.opened == lost.open
    assert update_incidents(lost.open, [FEWER], START + 3 * WEEK, budget=0.01).opened == ()
    assert update_incidents(again.open, [FEWER], START + 2 * WEEK).opened


def test_an_incident_goes_to_json_and_back() -> None:
    (opened,) = update_incidents((), [finding(*BAD)], START).opened
    assert Incident.from_dict(json.loads(json.dumps(opened.to_dict()))) == opened
    passed = update_incidents((opened,), [finding(*WELL)], START + WEEK).open
    (closed,) = update_incidents(passed, [finding(*WELL)], START + 2 * WEEK).closed
    assert Incident.from_dict(json.loads(json.dumps(closed.to_dict()))) == closed
    assert closed.closed == START + 2 * WEEK
    assert closed.to_dict()["sentence"] == "high: quality: quality fail"  # for a reader of the file


def test_the_same_evaluation_again_counts_once() -> None:
    """A tick that was interrupted after it is run again."""
    state = update_incidents((), [finding(*BAD)], START).open
    for _ in range(3):
        state = update_incidents(state, [finding(*WELL)], START + WEEK).open
    assert [i.passes for i in state] == [1]
    assert update_incidents(state, [finding(*WELL)], START + 2 * WEEK).closed[0].closed == START + 2 * WEEK


def test_a_fallback_is_the_one_alert_on_the_model_that_it_replaced() -> None:
    """What is open already stays so; what is no part of it alerts by itself."""
    fallback: Found = (Rule.FALLBACK, "", "fail")
    drift: Found = (Rule.SCORE_DRIFT, "high", "fail")
    feed: Found = (Rule.MISSING, "load", "fail")
    alerts, _, left = after([BAD], [BAD, fallback, drift, feed])
    assert alerts == [["high: quality"], ["fallback", "load: missing values"]]
    assert left == ["high: quality", "fallback", "load: missing values"]
