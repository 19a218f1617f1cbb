import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from homeostat.core.findings import Finding, Outcome
from homeostat.core.incidents import Incident, look

START = datetime(2024, 3, 1)
WEEK = timedelta(days=7)


def finding(rule: str, outcome: Outcome) -> Finding:
    return Finding(rule, outcome, 1.0, 0.5, f"{rule} {outcome}", "reports/x.json")


def after(*weeks: Iterable[tuple[str, Outcome]]) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """What each week alerted on and closed, and what is open at the end."""
    state: tuple[Incident, ...] = ()
    alerts, ends = [], []
    for number, week in enumerate(weeks):
        changes = look(state, [finding(*f) for f in week], START + number * WEEK)
        alerts.append([i.problem for i in changes.opened])
        ends.append([i.problem for i in changes.closed])
        state = changes.open
    return alerts, ends, [i.problem for i in state]


BAD, WELL, UNSURE = ("high: quality", "fail"), ("high: quality", "pass"), ("high: quality", "too few to say")


def test_one_problem_alerts_once() -> None:
    assert after([BAD], [BAD], [BAD]) == ([["high: quality"], [], []], [[], [], []], ["high: quality"])


def test_it_ends_after_two_looks_without_it() -> None:
    assert after([BAD], [WELL], [WELL]) == ([["high: quality"], [], []], [[], [], ["high: quality"]], [])


def test_a_problem_that_comes_back_at_once_is_the_same() -> None:
    assert after([BAD], [WELL], [BAD], [WELL]) == ([["high: quality"], [], [], []], [[]] * 4, ["high: quality"])


def test_a_problem_that_comes_back_after_its_end_is_another() -> None:
    assert after([BAD], [WELL], [WELL], [BAD])[0] == [["high: quality"], [], [], ["high: quality"]]


def test_too_few_to_say_and_no_look_are_no_news() -> None:
    assert after([BAD], [WELL], [UNSURE], [], [("high: calibration", "pass")])[2] == ["high: quality"]


def test_a_kind_that_passes_as_a_whole_ends_the_problems_of_its_subjects() -> None:
    lost: tuple[str, Outcome] = ("load: missing values", "fail")
    whole: tuple[str, Outcome] = ("missing values", "pass")
    assert after([lost], [whole], [whole])[1:] == ([[], [], ["load: missing values"]], [])
    other: tuple[str, Outcome] = ("phase: missing values", "fail")
    assert after([lost], [other], [other])[2] == ["phase: missing values"]


def test_one_column_that_drifts_explains_and_is_no_incident() -> None:
    assert after([("load: column drift", "fail"), ("drift share", "fail")])[0] == [["drift share"]]


def test_two_problems_are_two_incidents() -> None:
    assert after([BAD, ("low: quality", "fail")], [WELL, ("low: quality", "fail")])[0][0] == [
        "high: quality",
        "low: quality",
    ]


def test_an_incident_goes_to_json_and_back() -> None:
    (opened,) = look((), [finding(*BAD)], START).opened
    assert Incident.from_dict(json.loads(json.dumps(opened.to_dict()))) == opened
    (closed,) = look(look((opened,), [finding(*WELL)], START + WEEK).open, [finding(*WELL)], START + 2 * WEEK).closed
    assert Incident.from_dict(json.loads(json.dumps(closed.to_dict()))) == closed
    assert closed.closed == START + 2 * WEEK


def test_the_same_look_again_counts_once() -> None:
    """A tick that was interrupted after its look is run again."""
    state = look((), [finding(*BAD)], START).open
    for _ in range(3):
        state = look(state, [finding(*WELL)], START + WEEK).open
    assert [i.calm for i in state] == [1]
    assert look(state, [finding(*WELL)], START + 2 * WEEK).closed[0].closed == START + 2 * WEEK
