"""Records from before they had fields, as the fields that they now have; a new one comes back as it is.

An old finding named its subject within its rule (``late: calibration``), and had a sentence in place of facts. The
sentence is kept as text, to be shown as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeostat.core.rules import Reason, Rule

RENAMED = {"came once": Rule.DELIVERED_ONCE}
NAMES = frozenset(Rule)
SEVERITIES = ("critical", "warning", "info")

Raw = Mapping[str, Any]


def finding(raw: Raw) -> Raw:
    """The fields of a finding; the drift of one column was a failure once, and explains one.

    >>> raw = {"rule": "late: calibration", "outcome": "pass", "value": 0.1, "limit": 0.5, "sentence": "It fits."}
    >>> fields = finding(raw | {"evidence": "reports/x.json"})
    >>> fields["rule"], fields["subject"], fields["text"], fields["evidence"]
    ('calibration', 'late', 'It fits.', ('reports/x.json',))
    """
    explains = {"outcome": "explains"} if raw["outcome"] == "fail" and Rule.COLUMN_DRIFT in raw["rule"] else {}
    if "subject" in raw:
        return {**raw, **explains}
    rule, subject = _split(raw["rule"])
    fields = {k: raw[k] for k in ("outcome", "value", "limit")} | {"rule": rule, "subject": subject} | explains
    evidence = raw.get("evidence")
    if evidence in SEVERITIES:  # of a contract's expectation, which stood in the place of a path
        fields["facts"] = {"severity": evidence}
    elif evidence:
        fields["evidence"] = (evidence,)
    return fields | {"text": raw["sentence"]}


def decision(raw: Raw) -> Raw:
    """The fields of a decision, or of a step of a rollout."""
    if "reason" in raw:
        return raw
    release, champion = raw.get("release") or "", raw.get("champion")
    versions = {"champion": release, "previous": raw.get("previous") or ""}
    if champion is not None:  # a step, whose release is the challenger
        versions = {"champion": champion, "candidate": release}
    return {
        "action": raw["action"],
        "reason": Reason.UNKNOWN,
        "versions": versions,
        "findings": raw.get("findings", ()),
        "evidence": raw.get("evidence", ()),
        "text": raw["sentence"],
    }


def incident(raw: Raw) -> Raw:
    """The fields of an incident."""
    if "finding" in raw:
        return raw
    rule, subject = _split(raw["problem"])
    failed = {"rule": rule, "subject": subject, "outcome": "fail", "text": raw["sentence"]}
    return {
        "finding": failed | ({"evidence": [raw["evidence"]]} if raw.get("evidence") else {}),
        "opened": raw["opened"],
        "last_failed": raw["seen"],
        "passes": raw["calm"],
        "last_passed": raw.get("looked"),
        "closed": raw.get("closed"),
    }


def _split(name: str) -> tuple[str, str]:
    """Rule and subject; an old finding of a contract was named after its expectation.

    >>> _split("drift share"), _split("v0.2.0: demand scores"), _split("column_values_to_not_be_null load")
    (('drift share', ''), ('scores', 'demand'), ('contract', 'column_values_to_not_be_null load'))
    """
    subject, _, rule = name.rpartition(": ")
    objective, _, last = rule.rpartition(" ")
    if last in (Rule.SCORES, Rule.LOSS):
        return last, objective
    rule = RENAMED.get(rule, rule)
    return (rule, subject) if rule in NAMES else (Rule.CONTRACT.value, name)
