"""Every rule has its words."""

from __future__ import annotations

from homeostat.core.findings import Finding
from homeostat.core.headlines import SUMMARIES
from homeostat.core.rules import Reason, Rule
from homeostat.core.sentences import SENTENCES, sentence

CHECKS = {Rule.POINT_IN_TIME, Rule.GIVE_AWAY, Rule.BARRED}  # whose findings come with their text


def test_every_rule_has_a_sentence_or_brings_its_own() -> None:
    assert set(SENTENCES) == set(Rule) - CHECKS


def test_every_reason_of_a_decision_has_a_summary() -> None:
    assert set(SUMMARIES) == set(Reason) - {Reason.UNKNOWN}


def test_a_batch_incident_is_in_words_of_what_failed() -> None:
    contract = Finding(
        Rule.CONTRACT, "column_values_to_be_between load", "fail", 2.0, 0.0, rows=2,
        facts={"severity": "critical", "reason": "Load is in kW.", "observed": "900.0"},
    )  # fmt: skip
    facts = {"batch": "2024-03-02", "status": "quarantined", "failed": [contract.to_dict()]}
    found = Finding(Rule.BATCH, "readings", "fail", facts=facts)
    assert sentence(found) == "2024-03-02 is quarantined: 2 rows: Load is in kW. (observed: 900.0)"
    assert sentence(Finding.from_dict(found.to_dict())) == sentence(found)
