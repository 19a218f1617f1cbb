"""Records from before they had fields are still read; the files are of a replay and of a rollout of that time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homeostat.core.batch_rules import Verdict
from homeostat.core.evidence_table import evidence_table
from homeostat.core.findings import Decision, Finding, Versions
from homeostat.core.headlines import headline, summary
from homeostat.core.incidents import Incident
from homeostat.core.ledger import fold
from homeostat.core.policy import alarming
from homeostat.core.rules import Reason, Rule
from homeostat.core.sentences import sentence

OLD = Path(__file__).parents[1] / "old_records"


def read(name: str) -> Any:
    return json.loads((OLD / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "action", "versions"),
    [
        ("decision_nothing", "nothing", Versions("v0.1.0")),
        ("decision_retrain", "retrain", Versions("v0.1.0")),
        ("rollout", "roll back", Versions("v0.1.0", candidate="v0.2.0")),
    ],
)
def test_a_decision(name: str, action: str, versions: Versions) -> None:
    raw = read(name)
    decision = Decision.from_dict(raw)
    assert (decision.action, decision.reason, decision.versions) == (action, Reason.UNKNOWN, versions)
    assert headline(decision) == summary(decision) == raw["sentence"]
    assert list(decision.evidence) == raw["evidence"]
    assert [(f.outcome, f.value, f.limit) for f in decision.findings] == [
        (f["outcome"], f["value"], f["limit"]) for f in raw["findings"]
    ]
    assert [sentence(f) for f in decision.findings] == [f["sentence"] for f in raw["findings"]]
    assert Decision.from_dict(json.loads(json.dumps(decision.to_dict()))) == decision


def test_its_findings_have_rule_and_subject() -> None:
    findings = Decision.from_dict(read("decision_nothing")).findings
    assert [f.name for f in findings if alarming(f)] == ["late: calibration"]
    assert {f.rule for f in findings} >= {Rule.QUALITY, Rule.SCORE_DRIFT, Rule.MISSING, Rule.DRIFT_SHARE}
    step = Decision.from_dict(read("rollout")).findings
    assert [(f.rule, f.subject) for f in step] == [
        (Rule.ENOUGH_EVENTS, "v0.2.0"), (Rule.SCORES, "late"), (Rule.ERRORS, "v0.2.0"), (Rule.LATENCY, "v0.2.0"),
    ]  # fmt: skip


def test_its_evidence_is_a_table_too() -> None:
    table = evidence_table(Decision.from_dict(read("decision_nothing")))
    assert table.rows[0].cells == ("late: calibration", "132.1 %", "0.50 to 1.50", "", "fail")
    assert len(table.rows) == len(read("decision_nothing")["findings"])


def test_an_incident() -> None:
    raw = read("incident")
    incident = Incident.from_dict(raw)
    assert (incident.problem, incident.finding.rule, incident.finding.subject) == (
        "late: calibration", Rule.CALIBRATION, "late",
    )  # fmt: skip
    times = (incident.opened, incident.last_failed, incident.last_passed, incident.closed)
    assert [t and t.isoformat() for t in times] == [raw[k] for k in ("opened", "seen", "looked", "closed")]
    assert (incident.passes, sentence(incident.finding)) == (raw["calm"], raw["sentence"])
    assert Incident.from_dict(json.loads(json.dumps(incident.to_dict()))) == incident


def test_a_verdict() -> None:
    raw = read("verdict")
    verdict = Verdict.from_dict(raw)
    (failed,) = verdict.failed
    assert (failed.rule, failed.subject) == (Rule.CONTRACT, "column_values_to_be_between wind_speed")
    assert (failed.facts, failed.evidence) == ({"severity": "warning"}, ())
    assert Rule.DELIVERED_ONCE in {f.rule for f in verdict.findings}
    assert [sentence(f) for f in verdict.findings] == [f["sentence"] for f in raw["findings"]]
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_tags() -> None:
    ledger = fold("flights", [tuple(tag) for tag in read("tags")])
    assert [(e.action, e.version) for e in ledger.events] == [("promote", "v0.1.0"), ("promote", "v0.2.0")]
    assert ledger.champion is not None and ledger.champion.why == read("decision_retrain")["sentence"]
    assert "reports/decisions/2013-02-04T050000.json" in ledger.champion.evidence


def test_a_finding_of_today_stays_as_it_is() -> None:
    finding = Finding(Rule.BATCH, "readings", "fail", facts={"batch": "1", "status": "missing", "failed": []})
    assert Finding.from_dict(finding.to_dict()) == finding


@pytest.mark.parametrize(
    "raw",
    [
        {"rule": "load: column drift", "outcome": "fail", "value": 0.5, "limit": 0.2, "sentence": "It drifts."},
        {"rule": "column drift", "subject": "load", "outcome": "fail", "value": 0.5, "limit": 0.2},
    ],
)
def test_one_column_s_drift_was_a_failure_once_and_explains_one(raw: dict[str, Any]) -> None:
    read_back = Finding.from_dict(raw)
    assert (read_back.rule, read_back.subject, read_back.outcome) == (Rule.COLUMN_DRIFT, "load", "explains")
    kept = Finding.from_dict(raw | {"outcome": "pass"})
    assert kept.outcome == "pass"
