"""Sentences on the champion's quality, by the labels that have come."""

from __future__ import annotations

from homeostat.core.findings import TOO_FEW, Finding
from homeostat.core.rules import Rule
from homeostat.core.text import change, confidence_interval, count, metric_name, percent, side


def _quality(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None or finding.limit is None:
        return too_few(finding)
    loss = f"{metric_name(facts['loss'])} {side(facts['share'])} the baseline's on {_events(finding)}"
    promised = facts["promised"]
    text = loss if promised is None else f"{loss}, {side(promised)} when the release was judged"
    if finding.value <= finding.limit:
        return text + _range(finding)
    text += f": {percent(finding.value)} worse than promised (limit {percent(finding.limit)})"
    if finding.outcome == TOO_FEW:
        return f"{text}, in too few blocks to say whether that is significant"
    return f"{text}, {'significant' if finding.failed else 'not significant'}{_range(finding)}"


def _range(finding: Finding) -> str:
    """What good windows showed, where there are windows enough."""
    held = finding.facts.get("range")
    if held is None:
        return ""
    low, high = sorted((held["best"], held["worst"]))
    return f"; {count(held['of'], 'window')} at {held['now']:.2f}, {held['windows']} good ones {low:.2f} to {high:.2f}"


def _metrics(finding: Finding) -> str:
    facts = finding.facts
    if "doubted" in facts:
        return too_few(finding)
    if "metric" not in facts:
        return f"fewer than {facts['needed']} good windows to compare with are too few to say"
    held, name = facts["ranges"][facts["metric"]], metric_name(facts["metric"])
    low, high = sorted((held["best"], held["worst"]))
    scale = f" {held['scale']}" if held["scale"] else ""
    text = f"{name} {held['now']:.3f}{scale} in {count(held['of'], 'window')}"
    where = "outside" if finding.failed else "the nearest to its end, inside"
    return f"{text}, {where} the {low:.3f} to {high:.3f} of {held['windows']} good windows"


def _slices(finding: Finding) -> str:
    facts = finding.facts
    if "slice" not in facts:
        return too_few(finding)
    where = f"{metric_name(facts['loss'])} in {facts['column']} {facts['slice']} {facts['value']:.4f}"
    text = f"{where}, {side(finding.value or 0.0)} the baseline's {facts['other']:.4f} on {_events(finding)}"
    text += confidence_interval(finding.interval, change)
    if finding.failed:
        return f"{text}: significantly worse; {count(facts['worse'], 'such slice')} of {facts['judged']}"
    return f"the worst of {count(facts['judged'], 'slice')}: {text}, not significantly worse"


def _against_baseline(finding: Finding) -> str:
    facts = finding.facts
    if finding.outcome == TOO_FEW or finding.value is None:
        return too_few(finding)
    text = f"{metric_name(facts['loss'])} {facts['value']:.4f}, {side(finding.value)} the baseline's"
    text += f" {facts['other']:.4f} on {_events(finding)}"
    text += confidence_interval(finding.interval, change)
    return f"{text}: significantly worse than the baseline" if finding.failed else text


def _fallback(finding: Finding) -> str:
    facts = finding.facts
    if not finding.failed:
        return "a model serves"
    since = f" since {facts['since'][:10]}" if facts["since"] else f" in the place of {facts['version']}"
    return (
        f"the baseline serves{since}, because the model lost to it; a candidate is judged once in a cool-down and "
        "released if it passes, and `homeostat promote VERSION --why TEXT` puts a model back"
    )


def _events(finding: Finding) -> str:
    return count(finding.rows or 0, "mature event")


def too_few(finding: Finding) -> str:
    """Why nothing can be said: events, the blocks of time that they lie in, or a promise to compare with."""
    facts = finding.facts
    if "doubted" in facts:
        return f"nothing can be said: labels cannot be trusted since {facts['doubted']}"
    events = _events(finding)
    if facts.get("blocks", facts.get("needed", 0)) < facts.get("needed", 0):
        return f"{events} lie in too few blocks ({facts['blocks']} of {facts['needed']}) to say"
    if "no promise" in facts:
        return f"nothing to compare {events} with: the release was judged on too few, and good windows are too few"
    return f"{count(finding.rows or 0, 'mature event', 'are')} too few to say"


def calibration(finding: Finding, kind: str = "mature") -> str:
    """Of the champion on mature events, or of a candidate on held-out ones."""
    facts, limit = finding.facts, finding.limit or 0.0
    rows, ratio = count(finding.rows or 0, f"{kind} event"), facts.get("ratio")
    if ratio is None:
        if "blocks" in facts or "doubted" in facts:
            return too_few(finding)
        return f"{count(finding.rows or 0, f'{kind} event', 'are')} too few to say whether the mean score is right"
    off = abs(ratio - 1)
    text = f"predicted/observed ratio {ratio:.2f} on {rows}"
    text += f"{confidence_interval(finding.interval, '{:.2f}'.format)}, {percent(off)} off (limit {percent(limit)})"
    if finding.outcome == TOO_FEW:
        blocks = f" ({facts['blocks']} of {facts['needed']})" if "blocks" in facts else ""
        return f"{text}, in too few blocks{blocks} to say whether that is significant"
    text += _range(finding)
    if finding.failed or off <= limit:
        return text
    if "champion" in facts:
        return f"{text}, no further off than the champion's {facts['champion']:.2f}"
    return f"{text}, not significant"


def _business(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None or finding.interval is None:
        return "too few blocks under the release in service, or under the one before, to compare what the business made"
    low, high, confidence = finding.interval
    text = f"under {facts['release']} the loss moved by {facts['loss_change']:+.4g} against {facts['before']}, and the "
    text += f"business's figure by {finding.value:+.4g} ({percent(confidence)} CI {low:+.4g} to {high:+.4g})"
    if not finding.failed:
        return text
    return f"{text}: the model is better and the business worse; look for a metric that moves with it"


SENTENCES = {
    Rule.BUSINESS: _business,
    Rule.QUALITY: _quality,
    Rule.METRICS: _metrics,
    Rule.SERVED_SLICES: _slices,
    Rule.AGAINST_BASELINE: _against_baseline,
    Rule.FALLBACK: _fallback,
    Rule.CALIBRATION: calibration,
}
