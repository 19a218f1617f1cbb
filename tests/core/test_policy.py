"""The referee on tables of cases; the second half starts from stored drift records, as the loop does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeostat.core.drift import drift_findings
from homeostat.core.evaluation import Compared, Comparison
from homeostat.core.evidence_table import evidence_table
from homeostat.core.findings import Decision, Due, Finding, Interval, Option, Outcome, Versions
from homeostat.core.headlines import headline, summary
from homeostat.core.intervals import Measure
from homeostat.core.policy import (
    RULES,
    Bar,
    Case,
    Evidence,
    alarming,
    barred_by,
    decide_action,
    noted,
    only_level,
    starts_decision,
    wants_candidate,
)
from homeostat.core.rules import Reason, Rule

ROOT = Path(__file__).parents[2]
DRIFT = "reports/drift/2024-03-01T000000.json"
RECORD = "reports/decisions/2024-03-01T000000.json"
VERSIONS = Versions("v0.3.0", "v0.2.0", "v0.4.0")
LOST = Finding(Rule.NOT_WORSE, "high", "fail", 0.01, 0.005, facts={"share": 0.01})
WON = replace(LOST, outcome="pass", value=-0.2, facts={"share": -0.2})
RELEASE = Decision("release", Reason.PASSED, VERSIONS, (WON,))
KEEP = Decision("keep", Reason.FAILED, VERSIONS, (LOST,))
UNSURE = Decision("keep", Reason.CANNOT_JUDGE, VERSIONS, (replace(LOST, outcome="cannot judge"),))
NOW = datetime(2024, 3, 1)
WEEK = timedelta(days=7)
LEVEL = Decision("release", Reason.LEVEL, VERSIONS, (WON,), facts={"calibrators": {"high": [0.6, 1.02]}})
DUE = Due("interval", NOW - 4 * WEEK)
BARRED = Bar("v0.2.0", NOW, NOW + WEEK)


def finding(rule: Rule, outcome: Outcome = "fail", subject: str = "high") -> Finding:
    return Finding(rule, subject, outcome, 0.2, 0.1, evidence=(DRIFT,))


def compared(share: float, low: float | None = None, high: float | None = None) -> Comparison:
    """An interval of ten percent points on either side, unless given."""
    low, high = (share - 0.1 if low is None else low), (share + 0.1 if high is None else high)
    return Comparison("log_loss", 200, Compared(900, 0.4 * (1 + share), 0.4, Measure(share, low, high)))


def on(**shares: float) -> dict[str, Comparison]:
    return {name: compared(share) for name, share in shares.items()}


def plain(version: str = "v0.3.0") -> Evidence:
    return Evidence(version, 0.95)


SIGN = finding(Rule.QUALITY)
SWITCHED = finding(Rule.SWITCH)
DOUBT = replace(finding(Rule.LABELS), since="2024-02-20")
BASE = Evidence("v0.3.0", 0.95, (RECORD,), "v0.2.0", on(high=0.0), KEEP, on(high=0.0))
EARNED = replace(BASE, gate=RELEASE)
GONE_BAD = replace(BASE, previous=on(high=-0.4))


def in_range(now: float) -> Finding:
    """AUC at ``now``, where good windows lie from 0.85 down to 0.75."""
    ranges = {"auc": {"now": now, "best": 0.85, "worst": 0.75}, "brier": {"now": 0.3, "best": 0.1, "worst": 0.2}}
    return Finding(Rule.METRICS, "high", "fail", 0.3, 0.2, facts={"metric": "brier", "ranges": ranges})


@pytest.mark.parametrize(
    ("findings", "level"),
    [
        ([finding(Rule.CALIBRATION)], True),
        ([finding(Rule.CALIBRATION), SIGN, finding(Rule.DRIFT_SHARE)], True),  # a wrong level costs log loss too
        ([finding(Rule.CALIBRATION), in_range(0.80)], True),  # Brier's score is off with the level
        ([finding(Rule.CALIBRATION), in_range(0.70)], False),  # the order is worse as well
        ([finding(Rule.CALIBRATION), SWITCHED], False),
        ([SIGN], False),
        ([finding(Rule.CALIBRATION, "pass"), SIGN], False),
        ([replace(finding(Rule.CALIBRATION), usual=True)], True),  # too few good windows to know
        ([replace(finding(Rule.CALIBRATION), usual=True, facts={"range": {}})], False),  # they were as far off
        ([], False),
    ],
)
def test_the_level_alone_is_off_where_the_order_holds(findings: list[Finding], level: bool) -> None:
    assert only_level(findings) is level
LOSES = replace(finding(Rule.AGAINST_BASELINE), interval=Interval(0.1, 0.3, 0.95))
BEATS = replace(LOSES, subject="late", outcome="pass", value=-0.2, interval=Interval(-0.3, -0.1, 0.95))


def fallback(share: float | None, low: float = 0.0, high: float = 0.0) -> Evidence:
    """The evidence of a lost candidate, with the baseline's expected cost beside the champion's."""
    option = Option("fall back", "", 900, None if share is None else 100 * (1 + share))
    between = None if share is None else Interval(low, high, 0.9)
    keep = Option("nothing", "v0.3.0", 900, 100.0)
    return replace(BASE, options=(keep, replace(option, share=share, share_interval=between)))


CHEAPER = fallback(-0.2, -0.3, -0.1)


WELL = [finding(Rule.QUALITY, "pass"), finding(Rule.AGAINST_BASELINE, "pass")]
DRIFTED = [*WELL, replace(finding(Rule.DRIFT_SHARE), usual=True)]
CASES: list[tuple[Evidence, list[Finding], str]] = [
    # nothing was seen, nothing is due
    (plain(), [finding(Rule.QUALITY, "pass")], "nothing"),
    (plain(), [finding(Rule.COLUMN_DRIFT, subject="load")], "nothing"),  # explains, and starts nothing
    # seen, and no evidence yet
    (plain(), [SIGN], "nothing"),
    # drift that has not hurt
    (plain(), DRIFTED, "nothing"),
    (plain(), [*DRIFTED, SIGN], "nothing"),
    (replace(EARNED, due=DUE), DRIFTED, "retrain"),
    # the candidate
    (BASE, [SIGN], "nothing"),
    (EARNED, [SIGN], "retrain"),
    (EARNED, [], "nothing"),
    (replace(EARNED, due=DUE), [], "retrain"),
    (replace(BASE, due=DUE), [], "nothing"),
    (replace(BASE, gate=UNSURE, due=DUE), [SIGN], "nothing"),  # missing evidence is no proof
    (replace(EARNED, barred=BARRED), [SIGN], "nothing"),
    # the previous version
    (GONE_BAD, [SIGN], "roll back"),
    (GONE_BAD, [], "roll back"),  # judged for a retrain that was due
    (replace(GONE_BAD, gate=None, candidate_previous={}), [SIGN], "roll back"),
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
    (replace(GONE_BAD, gate=RELEASE, barred=BARRED, candidate_previous=on(high=-0.2)), [SIGN], "roll back"),
    (GONE_BAD, [finding(Rule.CALIBRATION)], "nothing"),  # the level of the world, which no older version knows
    (GONE_BAD, [finding(Rule.CALIBRATION), SIGN], "roll back"),
    # new calibrators on the same models, once they have passed their gate
    (replace(BASE, recalibrated=LEVEL), [finding(Rule.CALIBRATION)], "recalibrate"),
    (replace(BASE, recalibrated=LEVEL), [finding(Rule.CALIBRATION), SIGN], "recalibrate"),
    (replace(BASE, recalibrated=KEEP), [finding(Rule.CALIBRATION)], "nothing"),
    (replace(BASE, recalibrated=LEVEL), [finding(Rule.CALIBRATION), DOUBT], "nothing"),
    (replace(BASE, recalibrated=LEVEL), [finding(Rule.CALIBRATION), SWITCHED], "roll back"),
    (replace(BASE, recalibrated=LEVEL, tried="v0.4.0"), [finding(Rule.CALIBRATION)], "nothing"),
    # a release that is not the one judged goes, whatever labels are in; not to one that is known to be worse
    (BASE, [SWITCHED], "roll back"),
    (replace(BASE, gate=None, previous={}), [SWITCHED], "roll back"),
    (replace(BASE, previous=on(high=0.3)), [SWITCHED], "nothing"),
    (replace(BASE, previous_version="", previous={}), [SWITCHED], "nothing"),
    (BASE, [finding(Rule.SWITCH, "pass")], "nothing"),
    # worse than its own baseline: the baseline, where its alerts cost no more and nothing else helps
    (CHEAPER, [LOSES], "fall back"),
    (CHEAPER, [SIGN], "nothing"),
    (CHEAPER, [replace(LOSES, outcome="pass")], "nothing"),
    (BASE, [LOSES], "nothing"),  # the champion is the baseline: there is nothing to fall back to
    (fallback(None), [LOSES], "fall back"),  # too few to say what it costs: the loss decides
    (fallback(-0.01, -0.2, 0.2), [LOSES], "fall back"),
    (fallback(0.01, -0.2, 0.2), [LOSES], "nothing"),
    (CHEAPER, [LOSES, BEATS], "fall back"),
    (fallback(-0.01, -0.2, 0.2), [LOSES, BEATS], "nothing"),  # it would give up a model that is worth running
    (fallback(None), [LOSES, BEATS], "nothing"),
    (replace(CHEAPER, gate=RELEASE), [LOSES], "retrain"),
    (replace(CHEAPER, gate=RELEASE, barred=BARRED), [LOSES], "fall back"),
    (replace(CHEAPER, previous=on(high=-0.4)), [LOSES], "roll back"),
    (CHEAPER, [LOSES, DOUBT], "nothing"),
    (replace(CHEAPER, tried="v0.4.0"), [LOSES], "nothing"),
    # after a release was taken back: further back only where the champion itself fails
    (replace(GONE_BAD, cooling=True), [], "nothing"),
    (replace(GONE_BAD, cooling=True), [finding(Rule.DRIFT_SHARE)], "nothing"),
    (replace(GONE_BAD, cooling=True), [SIGN], "roll back"),
    (replace(CHEAPER, cooling=True), [LOSES], "fall back"),
    # an earlier decision waits for a person: one change at a time
    (replace(EARNED, waits=True), [SIGN], "nothing"),
    (replace(BASE, waits=True), [SWITCHED], "nothing"),
    (replace(BASE, waits=True, tried="v0.4.0"), [SIGN], "nothing"),
    # labels in doubt: nothing that rests on them is done, unless a person asks for it
    (EARNED, [DOUBT, SIGN], "nothing"),
    (GONE_BAD, [DOUBT, SIGN], "nothing"),
    (replace(EARNED, due=DUE), [DOUBT], "nothing"),
    (replace(EARNED, due=Due("request", request="new prices")), [DOUBT], "retrain"),
    (BASE, [DOUBT, SWITCHED], "roll back"),  # by scores alone
    # nothing serves yet
    (replace(plain(""), gate=RELEASE, due=Due("first")), [], "retrain"),
    (replace(plain(""), gate=KEEP, due=Due("first")), [], "nothing"),
]


@pytest.mark.parametrize(("evidence", "findings", "action"), CASES)
def test_the_action_follows_the_evidence(evidence: Evidence, findings: list[Finding], action: str) -> None:
    decision = decide_action(findings, evidence, roll_back=0.05)
    assert decision.action == action, headline(decision)
    assert decision.findings == tuple(findings)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_has_a_case_for_it_and_one_against(rule: Callable[[Case], Decision | None]) -> None:
    """For it: it decides, no rule before it does. Against it: it is reached, and leaves the decision to a later one."""
    before = RULES[: RULES.index(rule)]
    cases = [Case(tuple(findings), evidence, 0.05) for evidence, findings, _ in CASES]
    answers = [rule(case) for case in cases if not any(earlier(case) for earlier in before)]
    assert any(answers)
    assert not all(answers) or rule is RULES[-1]


def test_the_runbook_has_a_row_for_each_rule_in_the_order_of_the_code() -> None:
    section = (ROOT / "RUNBOOK.md").read_text().split("\n## How the loop decides\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:4] for line in section.splitlines() if line.startswith("| ")][1:]
    assert [name.strip() for name, *_ in rows] == [rule.__name__.replace("_", " ") for rule in RULES]
    for name, _, action in rows:
        rule = next(rule for rule in RULES if rule.__name__.replace("_", " ") == name.strip())
        decided = {d.action for e, f, _ in CASES if (d := rule(Case(tuple(f), e, 0.05))) is not None}
        actions = ("nothing", "roll back", "retrain", "recalibrate", "fall back")
        assert decided == {one for one in actions if one in action}, name


@pytest.mark.parametrize(
    ("evidence", "findings", "reason", "line"),
    [
        (
            EARNED, [SIGN], Reason.PASSED,
            "Retrain: v0.4.0 replaces v0.3.0 (loss: high -20 %). Trigger: `high: quality`.",
        ),
        (
            replace(EARNED, due=DUE), [], Reason.PASSED,
            "Retrain: v0.4.0 replaces v0.3.0 (loss: high -20 %). Trigger: scheduled, the last candidate is of "
            "2024-02-02.",
        ),
        (
            BASE, [SWITCHED], Reason.NOT_AS_JUDGED,
            "Roll back: v0.2.0 replaces v0.3.0, whose scores are not those that were judged. "
            "Trigger: `high: scores since the switch`.",
        ),
        (
            CHEAPER, [LOSES], Reason.WORSE_THAN_BASELINE,
            "Fall back: the baseline replaces v0.3.0, which loses to it (high +20 %). "
            "Trigger: `high: against the baseline`.",
        ),
        (
            EARNED, [DOUBT, SIGN], Reason.LABELS,
            "Keep v0.3.0: labels cannot be trusted since 2024-02-20, so nothing learns from them or is judged by them. "
            "Trigger: `high: quality`.",
        ),
        (
            GONE_BAD, [SIGN], Reason.PREVIOUS_BETTER,
            "Roll back: v0.2.0 replaces v0.3.0 (loss: high -40 %). Trigger: `high: quality`.",
        ),
        (
            replace(GONE_BAD, gate=RELEASE, candidate_previous=on(high=-0.2)), [SIGN],
            Reason.PREVIOUS_BETTER,
            "Retrain: v0.4.0 replaces v0.3.0 (loss: high -20 %), which v0.2.0 beats too (loss: high -40 %); v0.4.0 "
            "beats v0.2.0 (loss: high -20 %). Trigger: `high: quality`.",
        ),
        (
            BASE, [SIGN], Reason.FAILED,
            "Keep v0.3.0: v0.4.0 fails its gate: `high: not worse than champion` +1 % (limit +0.5 %). "
            "Trigger: `high: quality`.",
        ),
        (
            replace(BASE, gate=UNSURE), [SIGN], Reason.CANNOT_JUDGE,
            "Keep v0.3.0: v0.4.0 cannot be judged: `high: not worse than champion` +1 % (limit "
            "+0.5 %). Trigger: `high: quality`.",
        ),
        (
            replace(EARNED, barred=BARRED), [SIGN], Reason.BARRED,
            "Keep v0.3.0: v0.4.0 passes its gate but is barred until 2024-03-08: same code and scope as v0.2.0, rolled "
            "back on 2024-03-01; `homeostat promote candidate --why TEXT` releases it now. Trigger: `high: quality`.",
        ),
        (
            replace(EARNED, barred=Bar("v0.2.0", NOW, None, "ann", "wrong prices")), [], Reason.BARRED,
            "Keep v0.3.0: v0.4.0 passes its gate but is v0.2.0 byte for byte, which ann yanked on 2024-03-01 (wrong "
            "prices); change what it is made from, or wait for data.",
        ),
        (
            plain(), [SIGN], Reason.NO_CANDIDATE,
            "Keep v0.3.0: no candidate was made. Trigger: `high: quality`.",
        ),
        (
            plain(), [finding(Rule.QUALITY, "pass"), finding(Rule.QUALITY, "too few to say")], Reason.NOTHING_DUE,
            "Keep v0.3.0: none of 2 rules failed, 1 had too few events.",
        ),
        (
            replace(plain(), waits=True), [SIGN], Reason.APPROVAL_FIRST,
            "Keep v0.3.0: an earlier decision waits for approval, and no other change is made meanwhile. Trigger: "
            "`high: quality`.",
        ),
        (
            replace(plain(), tried="v0.4.0"), [], Reason.ROLLOUT_FIRST,
            "Keep v0.3.0: v0.4.0 is being tried beside it, and its steps decide first; to end that, promote it or roll "
            "back.",
        ),
        (
            replace(plain(""), gate=KEEP, due=Due("first")), [], Reason.FAILED,
            "Nothing in service: v0.4.0 fails its gate: `high: not worse than champion` +1 % (limit +0.5 %). "
            "Trigger: no candidate so far.",
        ),
        (
            replace(plain(), due=Due("request", request="new prices")),
            [finding(Rule.QUALITY, subject=name) for name in "abc"], Reason.NO_CANDIDATE,
            "Keep v0.3.0: no candidate was made. Trigger: new prices, `a: quality`, `b: quality` and 1 more.",
        ),
    ],
)  # fmt: skip
def test_the_headline_is_one_line(evidence: Evidence, findings: list[Finding], reason: Reason, line: str) -> None:
    decision = decide_action(findings, evidence, roll_back=0.05)
    assert decision.reason == reason
    assert headline(decision) == line
    assert summary(decision) in line and "Trigger" not in summary(decision)


def test_a_decision_has_all_that_it_rests_on() -> None:
    decision = decide_action([SIGN], GONE_BAD, 0.05)
    assert decision.versions == VERSIONS
    assert (decision.trigger.findings, decision.trigger.due) == (("high: quality",), None)
    assert decision.evidence == (RECORD, DRIFT)
    assert decision.gate == (LOST,)
    assert [(c.version, c.other, c.objective, c.rows) for c in decision.comparisons] == [
        ("v0.2.0", "v0.3.0", "high", 900), ("v0.4.0", "v0.2.0", "high", 900),
    ]  # fmt: skip
    back = decision.comparisons[0]
    assert (back.share, back.interval) == (-0.4, Interval(-0.5, -0.4 + 0.1, 0.95))


def test_the_evidence_is_a_table() -> None:
    table = evidence_table(decide_action([SIGN], GONE_BAD, 0.05))
    assert table.headings == ("what", "value", "limit", "95 % CI", "outcome")
    assert [row.cells for row in table.rows] == [
        ("high: loss of v0.2.0 against v0.3.0's", "-40 % (0.2400, 0.4000; 900 events)", "", "-50 % to -30 %", ""),
        ("high: loss of v0.4.0 against v0.2.0's", "0 % (0.4000, 0.4000; 900 events)", "", "-10 % to +10 %", ""),
        ("high: not worse than champion", "+1 %", "+0.5 %", "", "fail"),
        ("high: quality", "+20 %", "+10 %", "", "fail"),
    ]


def test_an_interval_of_another_confidence_says_so() -> None:
    won = replace(WON, interval=Interval(-0.3, -0.1, 0.9))
    decision = decide_action([SIGN], replace(GONE_BAD, gate=replace(KEEP, findings=(won,))), 0.05)
    table = evidence_table(decision)
    assert table.headings[3] == "95 % CI"
    assert [row.interval for row in table.rows] == ["-50 % to -30 %", "-10 % to +10 %", "-30 % to -10 % (90 %)", ""]
    assert evidence_table(decide_action([SIGN], plain(), 0.05)).headings[3] == "CI"


@pytest.mark.parametrize(
    "evidence", [BASE, EARNED, GONE_BAD, CHEAPER, replace(EARNED, barred=BARRED, due=DUE), plain("")]
)
def test_a_decision_goes_to_json_and_back(evidence: Evidence) -> None:
    decision = decide_action([SIGN], evidence, 0.05)
    assert Decision.from_dict(json.loads(json.dumps(decision.to_dict()))) == decision


@pytest.mark.parametrize(
    ("rules", "last", "starts"),
    [
        ([], None, False),
        ([Rule.COLUMN_DRIFT], None, False),
        ([Rule.DRIFT_SHARE], None, True),
        ([Rule.DRIFT_SHARE], NOW - WEEK, False),
        ([Rule.DRIFT_SHARE], NOW - 2 * WEEK, True),
        ([Rule.SCORE_DRIFT], NOW - WEEK, False),
        ([Rule.MISSING], NOW - WEEK, False),
        ([Rule.QUALITY], NOW - WEEK, True),
        ([Rule.CALIBRATION], NOW - WEEK, True),
        ([Rule.AGAINST_BASELINE], NOW - WEEK, True),
        ([Rule.QUALITY, Rule.DRIFT_SHARE], NOW - WEEK, True),
    ],
)
def test_what_starts_a_decision(rules: list[Rule], last: datetime | None, starts: bool) -> None:
    found = starts_decision([finding(rule) for rule in rules], NOW, last, 2 * WEEK)
    assert bool(found) == starts
    assert all(alarming(f) for f in found)


@pytest.mark.parametrize(
    ("rules", "due", "last", "spent", "wanted"),
    [
        ([], None, None, False, False),
        ([Rule.QUALITY], None, None, False, True),
        ([Rule.CALIBRATION, Rule.DRIFT_SHARE], None, NOW - 2 * WEEK, False, True),
        ([Rule.QUALITY], None, NOW - WEEK, False, False),  # the next would be made of nearly the same data
        ([Rule.QUALITY], None, None, True, False),
        ([Rule.DRIFT_SHARE, Rule.SCORE_DRIFT, Rule.MISSING], None, None, False, False),
        ([], DUE, NOW - WEEK, True, True),  # the rhythm, or a person, asks in any case
    ],
)
def test_when_a_candidate_is_fitted(
    rules: list[Rule], due: Due | None, last: datetime | None, spent: bool, wanted: bool
) -> None:
    signs = [finding(rule) for rule in rules]
    assert wants_candidate(signs, due, last, NOW, 2 * WEEK, spent) is wanted


@pytest.mark.parametrize(
    ("findings", "rule", "quiet"),
    [
        ([*WELL, finding(Rule.DRIFT_SHARE)], Rule.DRIFT_SHARE, True),
        ([*WELL, finding(Rule.SCORE_DRIFT)], Rule.SCORE_DRIFT, True),
        ([*WELL, finding(Rule.MISSING)], Rule.MISSING, False),  # a feed broke
        ([finding(Rule.QUALITY, "too few to say"), finding(Rule.SCORE_DRIFT)], Rule.SCORE_DRIFT, False),
        ([*WELL, finding(Rule.QUALITY, subject="late"), finding(Rule.DRIFT_SHARE)], Rule.DRIFT_SHARE, False),
        ([*WELL, finding(Rule.DRIFT_SHARE, "pass")], Rule.DRIFT_SHARE, False),
    ],
)
def test_drift_that_has_not_hurt_alerts_nobody(findings: list[Finding], rule: Rule, quiet: bool) -> None:
    (one,) = [f for f in noted(findings) if f.rule == rule]
    assert one.usual is quiet
    decision = decide_action(noted(findings), replace(BASE, gate=None), 0.05)
    assert (decision.reason == Reason.NOTED) is quiet
    if quiet:
        assert DRIFT in decision.evidence  # the record is cited
        assert "drift is noted, and quality is as it was promised. Trigger: " in headline(decision)


def test_a_budget_that_is_spent_says_what_to_type() -> None:
    line = headline(decide_action([SIGN], replace(BASE, gate=None, spent=4), 0.05))
    assert "findings have asked for 4 since the last change in service; `homeostat run training` makes one" in line


@pytest.mark.parametrize("outcome", ["pass", "too few to say"])
def test_what_did_not_fail_starts_nothing(outcome: Outcome) -> None:
    assert starts_decision([finding(Rule.QUALITY, outcome)], NOW, None, WEEK) == ()


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
    decision = decide_action(findings, evidence if started else plain(), roll_back=0.05)
    assert decision.action == action
    assert bool(started) == (record is not CALM)
    assert (DRIFT in decision.evidence) == bool(started)
