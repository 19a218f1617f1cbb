"""Sentences on drift: how far inputs and scores have moved from the release's reference."""

from __future__ import annotations

from homeostat.core.findings import TOO_FEW, Finding
from homeostat.core.rules import Rule
from homeostat.core.text import count, percent


def _score_drift(finding: Finding) -> str:
    if finding.outcome == TOO_FEW or finding.value is None:
        return "too few scores to compare their distribution with the release's"
    method = finding.facts["method"]
    return f"the scores lie {finding.value:.2f} ({method}) from the release's (limit {finding.limit:g})"


def _missing(finding: Finding) -> str:
    if not finding.failed:
        rise = percent(max(finding.value or 0.0, 0.0))
        return f"no feature has lost its values; the share missing rose by {rise} at most"
    if finding.facts["state"] == "gone":
        return "gone from the features; check the source that it comes from"
    now, before = finding.facts["missing"]
    where = "in the reference of the release; check the source that it comes from"
    return f"{percent(now)} is missing, {percent(before)} {where}"


def _drift_share(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None or finding.limit is None:
        return f"too few values to say whether any of {count(facts['features'], 'feature')} drifts"
    text = f"{facts['drifted']} of {count(facts['judged'], 'feature')} drifted"
    text += f" ({percent(finding.value)}, limit {percent(finding.limit)})"
    return f"{text}, furthest {', '.join(facts['furthest'])}" if facts["furthest"] else text


def _column_drift(finding: Finding) -> str:
    method = finding.facts["method"]
    return f"{finding.value:.2f} ({method}) from the reference of the release (limit {finding.limit:g})"


SENTENCES = {
    Rule.SCORE_DRIFT: _score_drift,
    Rule.MISSING: _missing,
    Rule.DRIFT_SHARE: _drift_share,
    Rule.COLUMN_DRIFT: _column_drift,
}
