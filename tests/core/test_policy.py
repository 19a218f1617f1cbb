"""The referee on tables of cases; the second half starts from stored drift records, as the loop does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from homeostat.core.drift import drift_findings
from homeostat.core.evaluation import Compared, Comparison
from homeostat.core.findings import Decision, Finding, Outcome
from homeostat.core.intervals import Measure
from homeostat.core.policy import Evidence, alarming, barred_by, decide_action, starts_decision

DRIFT = "reports/drift/2024-03-01T000000.json"
RECORD = "reports/decisions/2024-03-01T000000.json"
RELEASE = Decision("release", "the candidate is released: high: log_loss 0.3 is 5.0% below the baseline's")
KEEP = Decision("keep", "the candidate is not released: high: log_loss 0.4 is 1.0% above the champion's")
NOW = datetime(2024, 3, 1)
WEEK = timedelta(days=7)


def finding(rule: str, outcome: Outcome = "fail") -> Finding:
    return Finding(rule, outcome, 0.2, 0.1, f"{rule}: 20.0% worse than promised", DRIFT)


def compared(share: float, low: float | None = None, high: float | None = None) -> Comparison:
    """Ten percent points of chance on either side, unless given."""
    low, high = (share - 0.1 if low is None else low), (share + 0.1 if high is None else high)
    return Comparison("log_loss", 200, Compared(900, 0.4 * (1 + share), 0.4, Measure(share, low, high)))


def on(**shares: float) -> dict[str, Comparison]:
    return {name: compared(share) for name, share in shares.items()}


SIGN = finding("high: quality")
BASE = Evidence("v0.3.0", (RECORD,), "v0.2.0", on(high=0.0), KEEP, on(high=0.01), on(high=0.0))
EARNED = replace(BASE, gate=RELEASE, candidate=on(high=-0.2))
GONE_BAD = replace(BASE, previous=on(high=-0.4))


@pytest.mark.parametrize(
    ("evidence", "findings", "action"),
    [
        # nothing was seen, nothing is due
        (Evidence("v0.3.0"), [finding("high: quality", "pass")], "nothing"),
        (Evidence("v0.3.0"), [finding("load: column drift")], "nothing"),  # explains, and starts nothing
        # seen, and no evidence yet
        (Evidence("v0.3.0"), [SIGN], "nothing"),
        # the candidate
        (BASE, [SIGN], "nothing"),
        (EARNED, [SIGN], "retrain"),
        (EARNED, [], "nothing"),
        (replace(EARNED, due="28 days since the last retrain"), [], "retrain"),
        (replace(BASE, due="28 days since the last retrain"), [], "nothing"),
        (replace(EARNED, barred="same code and scope as v0.2.0"), [SIGN], "nothing"),
        # the previous version
        (GONE_BAD, [SIGN], "roll back"),
        (GONE_BAD, [], "roll back"),  # judged for a retrain that was due
        (replace(GONE_BAD, gate=None, candidate={}, candidate_previous={}), [SIGN], "roll back"),
        (replace(BASE, previous=on(high=-0.04)), [SIGN], "nothing"),  # better, not materially
        (replace(BASE, previous={"high": compared(-0.3, low=-0.7, high=0.1)}), [SIGN], "nothing"),  # or by chance
        (replace(BASE, previous={"high": Comparison("log_loss", 200, Compared(3))}), [SIGN], "nothing"),
        (replace(BASE, previous=on(high=-0.4, low=0.0)), [SIGN], "roll back"),
        (replace(BASE, previous=on(high=-0.4, low=0.4)), [SIGN], "nothing"),  # everything rolls back together
        # both: known good first, unless the candidate is better still beyond chance
        (replace(GONE_BAD, gate=RELEASE, candidate_previous=on(high=-0.05)), [SIGN], "roll back"),
        (replace(GONE_BAD, gate=RELEASE, candidate_previous=on(high=-0.2)), [SIGN], "retrain"),
        (replace(GONE_BAD, gate=RELEASE, candidate_previous=on(high=-0.2, low=0.2)), [SIGN], "roll back"),
        (replace(GONE_BAD, gate=KEEP, candidate_previous=on(high=-0.2)), [SIGN], "roll back"),
        (replace(GONE_BAD, gate=RELEASE, barred="rolled back", candidate_previous=on(high=-0.2)), [SIGN], "roll back"),
        (GONE_BAD, [finding("high: calibration")], "nothing"),  # the level of the world, which no older version knows
        (GONE_BAD, [finding("high: calibration"), SIGN], "roll back"),
        # nothing serves yet
        (Evidence("", (RECORD,), gate=RELEASE, due="nothing serves"), [], "retrain"),
        (Evidence("", (RECORD,), gate=KEEP, due="nothing serves"), [], "nothing"),
    ],
)
def test_the_action_follows_the_evidence(evidence: Evidence, findings: list[Finding], action: str) -> None:
    decision = decide_action(findings, evidence, roll_back=0.05)
    assert decision.action == action, decision.sentence
    assert decision.findings == tuple(findings)


@pytest.mark.parametrize(
    ("evidence", "findings", "said"),
    [
        (
            GONE_BAD,
            [SIGN],
            "Roll back v0.3.0 to v0.2.0: high: loss of v0.2.0 0.2400, 40.0% below v0.3.0's 0.4000 on the same 900 "
            "matured events (chance leaves -50.0% to -30.0%). [reports/decisions/2024-03-01T000000.json, "
            "reports/drift/2024-03-01T000000.json]",
        ),
        (
            EARNED,
            [SIGN],
            "Release the fresh candidate in place of v0.3.0: it passed its gate (high: loss of the candidate 0.3200, "
            "20.0% below v0.3.0's 0.4000 on the same 900 matured events (chance leaves -30.0% to -10.0%)). Why now: "
            "high: quality: 20.0% worse than promised.",
        ),
        (BASE, [SIGN], "Keep v0.3.0: the candidate is not released: high: log_loss 0.4 is 1.0% above the champion's."),
        (BASE, [SIGN], "No reason to go back to v0.2.0 (it would have to be 5% better beyond chance"),
        (replace(BASE, previous_version=""), [SIGN], "There is no previous version to go back to"),
        (replace(EARNED, barred="same code and scope as v0.1.0"), [SIGN], "barred: same code and scope as v0.1.0"),
        (Evidence("v0.3.0"), [SIGN], "Keep v0.3.0: no candidate was judged"),
        (Evidence("v0.3.0"), [finding("x: quality", "pass"), finding("y: quality", "too few to say")],
         "v0.3.0 serves; of 2 rules none failed, 1 had too few events to say."),
        (Evidence("", gate=KEEP, due="nothing serves"), [], "Nothing serves, and nothing is released: the"),
        (BASE, [finding(f"{name}: quality") for name in "abcde"], "; 2 more."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_to_do_and_from_what(evidence: Evidence, findings: list[Finding], said: str) -> None:
    sentence = decide_action(findings, evidence, roll_back=0.05).sentence
    assert said in sentence


def test_a_decision_lists_the_paths_that_it_rests_on() -> None:
    assert decide_action([SIGN], GONE_BAD, 0.05).evidence == (RECORD, DRIFT)


@pytest.mark.parametrize(
    ("rules", "last", "starts"),
    [
        ([], None, False),
        (["load: column drift"], None, False),
        (["drift share"], None, True),
        (["drift share"], NOW - WEEK, False),
        (["drift share"], NOW - 2 * WEEK, True),
        (["high: score drift"], NOW - WEEK, False),
        (["load: missing values"], NOW - WEEK, False),
        (["high: quality"], NOW - WEEK, True),
        (["high: calibration"], NOW - WEEK, True),
        (["high: against the baseline"], NOW - WEEK, True),
        (["high: quality", "drift share"], NOW - WEEK, True),
    ],
)
def test_what_starts_a_decision(rules: list[str], last: datetime | None, starts: bool) -> None:
    found = starts_decision([finding(rule) for rule in rules], NOW, last, 2 * WEEK)
    assert bool(found) == starts
    assert all(alarming(f) for f in found)


@pytest.mark.parametrize("outcome", ["pass", "too few to say"])
def test_what_did_not_fail_starts_nothing(outcome: Outcome) -> None:
    assert starts_decision([finding("high: quality", outcome)], NOW, None, WEEK) == ()


@pytest.mark.parametrize(
    ("made", "now", "barred"),
    [
        (("code", "scope"), NOW + WEEK, True),
        (("code", "scope"), NOW + 2 * WEEK, False),
        (("code", "other"), NOW + WEEK, False),
        (("other", "scope"), NOW + WEEK, False),
    ],
)
def test_what_was_rolled_back_is_not_released_again_by_itself(
    made: tuple[str, str], now: datetime, barred: bool
) -> None:
    assert bool(barred_by(made, ("code", "scope"), "v0.2.0", NOW, now, 2 * WEEK)) == barred


# ---- from a stored report to the action


@dataclass(frozen=True)
class Limits:
    drift_share: float = 0.5
    score_drift: float = 1.0
    missing_rise: float = 0.2


def stored(load: float, score: float, missing: float = 0.0) -> dict[str, Any]:
    said = {"state": "compared", "method": "psi", "chance": 0.01, "limit": 0.25}
    return {
        "method": "psi",
        "rows": {"current": 900, "reference": 900},
        "columns": {
            "load": said | {"score": load, "missing": [missing, 0.0]},
            "score__high": said | {"score": score, "missing": [0.0, 0.0]},
        },
    }


CALM = stored(0.02, 0.1)


@pytest.mark.parametrize(
    ("record", "evidence", "action"),
    [
        (CALM, EARNED, "nothing"),
        (stored(0.9, 0.1), EARNED, "retrain"),
        (stored(0.02, 5.0), EARNED, "retrain"),
        (stored(0.02, 0.1, missing=0.9), EARNED, "retrain"),
        (stored(0.02, 5.0), BASE, "nothing"),
        (stored(0.02, 5.0), GONE_BAD, "roll back"),
    ],
)
def test_swapping_the_stored_report_changes_the_decision(record: dict, evidence: Evidence, action: str) -> None:
    """Evidence is gathered only for findings that start a decision, as the loop does."""
    findings = drift_findings(record, Limits(), DRIFT)
    started = starts_decision(findings, NOW, None, WEEK)
    decision = decide_action(findings, evidence if started else Evidence("v0.3.0"), roll_back=0.05)
    assert decision.action == action
    assert bool(started) == (record is not CALM)
    assert (DRIFT in decision.evidence and DRIFT in decision.sentence) == bool(started)
