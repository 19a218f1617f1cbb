"""Sentences on a candidate at its release gate."""

from __future__ import annotations

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.sentences.champion import calibration
from homeostat.core.text import change, confidence_interval, count, listed, metric_name, percent, side


def _enough_rows(finding: Finding) -> str:
    return f"{count(int(finding.value or 0), 'held-out event')}, of {finding.limit:,.0f} needed to judge"


def _beats_baseline(finding: Finding) -> str:
    if finding.value is None:
        return f"{count(finding.rows or 0, 'row', 'are')} too few to compare with the baseline"
    return f"{_versus(finding, 'the baseline')} ({percent(finding.limit or 0)} below is needed)"


def _not_worse(finding: Finding) -> str:
    if finding.value is None or finding.limit is None:
        return f"{count(finding.rows or 0, 'row', 'are')} too few to compare with the champion"
    text = _versus(finding, "the champion")
    allowed = f" ({percent(finding.limit)} above is allowed)"
    excused = finding.value > finding.limit and not finding.failed
    return f"{text}, not significant{allowed}" if excused else text + allowed


def _versus(finding: Finding, other: str) -> str:
    facts = finding.facts
    loss = f"{metric_name(facts['loss'])} {facts['value']:.4g}"
    return f"{loss} is {side(facts['share'])} {other}'s {facts['other']:.4g}{_on_rows(finding)}"


def _on_rows(finding: Finding) -> str:
    return f" on {count(finding.rows or 0, 'row')}{confidence_interval(finding.interval, change)}"


def _slices(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None or finding.limit is None:
        return f"no slice has {count(facts['least'], 'row')} to judge it by"
    where = f"{metric_name(facts['loss'])} in {facts['column']} {facts['slice']}"
    where += f" is {side(finding.value)} the champion's{_on_rows(finding)}"
    allowed = f"({percent(finding.limit)} above is allowed)"
    if finding.failed:
        return f"{where}, significant {allowed}; {count(facts['worse'], 'such slice')}"
    if finding.value <= finding.limit:
        excuse = ""
    else:
        excuse = ", in too few blocks to say" if finding.interval is None else ", not significant"
    return f"the worst of {count(facts['judged'], 'slice')}: {where}{excuse} {allowed}"


def _calibration(finding: Finding) -> str:
    return calibration(finding, "held-out")


def _too_good(finding: Finding) -> str:
    facts, value = finding.facts, finding.value or 0.0
    how = f"AUC {value:.3f}" if facts["metric"] == "auc" else f"{metric_name(facts['loss'])} {percent(value)} below"
    rests = f": it rests on {listed(facts['features'], 3)}" if facts.get("features") else ""
    return f"{how} on held-out events is too good to trust{rests}; check when these are written"


SENTENCES = {
    Rule.TOO_GOOD: _too_good,
    Rule.ENOUGH_ROWS: _enough_rows,
    Rule.BEATS_BASELINE: _beats_baseline,
    Rule.NOT_WORSE: _not_worse,
    Rule.SLICES: _slices,
    Rule.HELD_OUT_CALIBRATION: _calibration,
}
