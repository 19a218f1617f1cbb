"""Sentences on the champion's quality, by the labels that have come."""

from __future__ import annotations

from homeostat.core.findings import TOO_FEW, Finding
from homeostat.core.rules import Rule
from homeostat.core.text import change, confidence_interval, count, metric_name, percent, side


def _quality(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None or finding.limit is None:
        return f"too few to say: {count(finding.rows or 0, 'mature event')}, or those that the release was judged on"
    loss = f"{metric_name(facts['loss'])} {side(facts['share'])} the baseline's"
    text = (
        f"{loss} on {count(finding.rows or 0, 'mature event')}, {side(facts['promised'])} when the release was judged"
    )
    if finding.value <= finding.limit:
        return text
    significant = "significant" if finding.failed else "not significant"
    return f"{text}: {percent(finding.value)} worse than promised (limit {percent(finding.limit)}), {significant}"


def _against_baseline(finding: Finding) -> str:
    facts = finding.facts
    if finding.outcome == TOO_FEW or finding.value is None:
        return f"{count(finding.rows or 0, 'mature event', 'are')} too few to say"
    text = f"{metric_name(facts['loss'])} {facts['value']:.4f}, {side(finding.value)} the baseline's"
    text += f" {facts['other']:.4f} on {count(finding.rows or 0, 'mature event')}"
    text += confidence_interval(finding.interval, change)
    return f"{text}: significantly worse than the baseline" if finding.failed else text


def calibration(finding: Finding, kind: str = "mature") -> str:
    """Of the champion on mature events, or of a candidate on held-out ones."""
    facts, limit = finding.facts, finding.limit or 0.0
    rows, ratio = count(finding.rows or 0, f"{kind} event"), facts.get("ratio")
    if ratio is None:
        return f"{count(finding.rows or 0, f'{kind} event', 'are')} too few to say whether the mean score is right"
    off = abs(ratio - 1)
    text = f"predicted/observed ratio {ratio:.2f} on {rows}"
    text += f"{confidence_interval(finding.interval, '{:.2f}'.format)}, {percent(off)} off (limit {percent(limit)})"
    if finding.outcome == TOO_FEW:
        return f"{text}, in too few blocks to say whether that is significant"
    if finding.failed or off <= limit:
        return text
    if "champion" in facts:
        return f"{text}, no further off than the champion's {facts['champion']:.2f}"
    return f"{text}, not significant"


SENTENCES = {
    Rule.QUALITY: _quality,
    Rule.AGAINST_BASELINE: _against_baseline,
    Rule.CALIBRATION: calibration,
}
