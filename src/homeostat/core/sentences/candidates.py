"""Sentences on a candidate at its release gate."""

from __future__ import annotations

from homeostat.core.findings import Finding, Interval
from homeostat.core.rules import Rule
from homeostat.core.sentences.champion import calibration
from homeostat.core.text import change, confidence_interval, count, listed, metric_name, percent, side


def _enough_rows(finding: Finding) -> str:
    return f"{count(int(finding.value or 0), 'held-out event')}, of {finding.limit:,.0f} needed to judge"


def _beats_baseline(finding: Finding) -> str:
    if finding.value is None:
        return f"{count(finding.rows or 0, 'row', 'are')} too few to compare with the baseline"
    return f"{_versus(finding, 'the baseline')} ({percent(finding.limit or 0)} below is needed)"


def _same_model(finding: Finding) -> str:
    champion = finding.facts["champion"]
    return f"cannot be judged: the model that the holdout judged is {champion}'s own; the next has newer data"


def _better(finding: Finding) -> str:
    if finding.value is None:
        return f"cannot be judged: {count(finding.rows or 0, 'row', 'are')} too few to compare with the champion"
    facts, text = finding.facts, _versus(finding, "the champion")
    if finding.outcome == "pass":
        return f"{text}: better, as another recipe has to be{_pooled(finding)}"
    if facts.get("no_gain"):
        differ = f"{change(facts['beside_refit'])}, and its own refit by {change(facts['refit'])}"
        return f"{text}, but no gain: where neither trained it differs from the champion's judged model by {differ}"
    if finding.failed:
        return f"{text}: worse, where another recipe has to be better"
    return f"{text}{_unsure(finding, 'not significantly better, as another recipe has to be')}"


def _not_worse(finding: Finding) -> str:
    if finding.value is None or finding.limit is None:
        return f"cannot be judged: {count(finding.rows or 0, 'row', 'are')} too few to compare with the champion"
    text, windows = _versus(finding, "the champion"), finding.facts.get("windows")
    margin = f"the margin of {percent(finding.limit)}"
    margin += f", half of what {count(windows, 'past window', 'differ')} by" if windows else ""
    if finding.outcome == "pass":
        return f"{text}; the upper end lies below {margin}{_pooled(finding)}"
    if finding.failed:
        return f"{text}: worse, and the upper end does not lie below {margin}"
    return f"{text}{_unsure(finding, f'the upper end does not lie below {margin}')}"


def _unsure(finding: Finding, lacking: str) -> str:
    groups = len(finding.facts["groups"]) + finding.facts["pooled"]
    if finding.interval is None:
        lacking = f"{count(groups, 'group')} of contiguous blocks, of {finding.facts['needed']} needed"
    return f"; cannot be judged: {lacking}{_pooled(finding)}"


def _pooled(finding: Finding) -> str:
    pooled, refits = finding.facts.get("pooled"), finding.facts.get("refits")
    if refits:
        return f" (drawn towards {count(refits, 'earlier refit')} of the same recipe)"
    return f" (pooled with {count(pooled, 'group')} of earlier comparisons)" if pooled else ""


def _versus(finding: Finding, other: str) -> str:
    facts = finding.facts
    loss = f"{metric_name(facts['loss'])} {facts['value']:.4g}"
    return f"{loss} is {side(facts['share'])} {other}'s {facts['other']:.4g}{_on_rows(finding)}"


def _on_rows(finding: Finding) -> str:
    return f" on {count(finding.rows or 0, 'row')}{confidence_interval(finding.interval, change)}"


def _slices(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None or finding.limit is None:
        return f"the CI is too wide in each of {count(facts['slices'], 'slice')} to judge it"
    where = f"{metric_name(facts['loss'])} in {facts['column']} {facts['slice']}"
    where += f" is {side(finding.value)} the champion's{_on_rows(finding)}"
    if finding.failed:
        return f"{where}, not within {percent(finding.limit)} of it; {count(facts['worse'], 'such slice')}"
    return f"the worst of {count(facts['judged'], 'slice')} judged: {where}; each lies within {percent(finding.limit)}"


def _unjudged(finding: Finding) -> str:
    many = count(int(finding.value or 0), "candidate")
    if not finding.failed:
        return f"{many} in a row could not be judged; a person is asked after {finding.limit:.0f}"
    lacking = ", ".join(f"`{name}`" for name in finding.facts["lacking"])
    return (
        f"{many} in a row could not be judged, the last for {lacking}; the champion stays, and grows older: look "
        "at the evidence, then `homeostat promote candidate --why TEXT`"
    )


def _calibration(finding: Finding) -> str:
    return calibration(finding, "held-out")


def _too_good(finding: Finding) -> str:
    facts, value = finding.facts, finding.value or 0.0
    how = f"AUC {value:.3f}" if facts["metric"] == "auc" else f"{metric_name(facts['loss'])} {percent(value)} below"
    rests = f": it rests on {listed(facts['features'], 3)}" if facts.get("features") else ""
    return f"{how} on held-out events is too good to trust{rests}; check when these are written"


def _pays(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None:
        return "cannot be judged: no event was held out"
    text = f"alerts at these weights cost {facts['cost']:,.0f} on {count(finding.rows or 0, 'held-out event')}"
    text += f", {side(finding.value)} the baseline's {facts['other']:,.0f}"
    return f"{text}: more, and significantly so" if finding.failed else text


def _coverage(finding: Finding) -> str:
    facts, held_out = finding.facts, count(finding.rows or 0, "held-out event")
    parts = []
    if facts["then"]:
        left = f"{percent(finding.value or 0)} of {held_out} are left undecided (then: {facts['then']})"
        parts.append(f"{left}, of at most {percent(finding.limit or 0)}")
    if facts["silence"]:
        saved = percent(1 - facts["cost"] / facts["silence"])
        parts.append(f"alerts save {saved} of the {facts['silence']:,.0f} of none on the {facts['rows']:,} others")
    parts += [f"filter {name} takes out {many:,}" for name, many in facts["filtered"].items()]
    return "; ".join(parts) or f"every one of {held_out} is decided"


def _behaviour(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None:
        return f"{facts['test']}: no held-out event is changed by it, so that it says nothing"
    text = f"{facts['test']}: the score {facts['expected']}, but in {facts['broken']:,} of "
    text += f"{count(finding.rows or 0, 'row')} ({percent(finding.limit or 0)} may)"
    return f"{text}; furthest off by {facts['worst']:.3g}: {facts['reason']}" if facts["broken"] else text
def _slice_floor(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None or finding.limit is None:
        return "too few events in each slice to compare it with the baseline"
    where = f"{metric_name(facts['loss'])} in {facts['column']} {facts['slice']} is {side(-finding.value)}"
    where += f" the baseline's on {count(finding.rows or 0, 'row')}"
    needed = f"release.slice_floor asks for {side(-finding.limit)}"
    if finding.failed:
        return f"{where}, significantly short of what {needed}; {count(facts['worse'], 'such slice')}"
    return f"the worst of {count(facts['judged'], 'slice')}: {where}; {needed}"


def _slice_gap(finding: Finding) -> str:
    facts = finding.facts
    if finding.value is None or finding.limit is None:
        return "no column has two slices with events enough to compare them"
    gap = f"the gain over the baseline differs by {percent(finding.value)} between {facts['column']} {facts['best']}"
    over = "significantly more than" if finding.failed else "not significantly more than"
    return f"{gap} and {facts['worst']}, {over} the {percent(finding.limit)} of release.slice_gap"


RATES = {"alerted": "are given an alert", "caught": "that happened are given an alert",
         "disturbed": "that did not happen are given an alert"}  # fmt: skip


def _fairness(finding: Finding) -> str:
    facts, entry = finding.facts, "parity" if finding.rule == Rule.PARITY else "odds"
    if finding.value is None or finding.limit is None:
        return "fewer than two groups have events enough to compare them"
    high, low = (f"{percent(facts[end])} of {facts[name]}" for end, name in (("most", "high"), ("least", "low")))
    over = "significantly more than" if finding.failed else "not significantly more than"
    text = f"{high} {RATES[facts['rate']]} and {low}: {percent(finding.value)} apart, {over} the"
    return f"{text} {percent(finding.limit)} of release.fairness.{entry}"


BUDGETS = {
    "megabytes": "the bundle has {:.4g} MB", "score_seconds": "95 % of events are scored within {:.3g} s",
    "make_seconds": "the candidate took {:.4g} s, from data to bundle",
    "score_memory": "a process that scores takes {:.4g} MB", "score_cost": "1,000 events cost {:.3g} to score",
    "make_memory": "making the candidate took {:.4g} MB", "make_cost": "making the candidate cost {:.3g}",
}  # fmt: skip


def _budget(finding: Finding) -> str:
    spent = BUDGETS[finding.subject].format(finding.value)
    return f"{spent}, {'more than' if finding.failed else 'of'} {finding.limit:g} (release.budget.{finding.subject})"


def _move(finding: Finding) -> str:
    if finding.value is None:
        return "cannot be judged: no event was held out to score by both models"
    unit = "" if finding.facts["task"] == "binary" else " standard deviations"
    text = f"scores in service move by {finding.value:.3g}{unit} on average over "
    text += count(finding.rows or 0, "held-out event")
    return f"{text}, {'more than the' if finding.failed else 'of at most'} {finding.limit:g} of learn.max_move"


def _rung(finding: Finding) -> str:
    facts = finding.facts
    text = f"{facts['kind']}{', which makes the candidate' if facts['used'] else ''}"
    if finding.value is None or facts["cost"] is None:
        return f"{text}; too few held-out events to judge it"
    if facts["best"] == finding.subject:
        text += ": the lowest weighted loss"
    else:
        beside = "within" if finding.outcome == "pass" else "not significantly within"
        text += f": weighted loss {side(finding.value)} that of {facts['best']}{_on_rows(finding)}, {beside} "
        text += f"{percent(finding.limit or 0)}"
    text += f"; 1,000 events cost {facts['cost']:,.1f}"
    if facts["below"] != finding.subject:
        within = confidence_interval(Interval(*facts["buys_interval"]) if facts["buys_interval"] else None, change)
        text += f", {side(facts['buys'])} the cost of {facts['below']}{within}"
    refused = f"; chosen, but its gate refused it: {listed(facts['refused'], 2)}" if facts["refused"] else ""
    return text + (refused if not facts["used"] else "")


SENTENCES = {
    Rule.RUNG: _rung,
    Rule.MOVE: _move,
    Rule.COVERAGE: _coverage,
    Rule.BEHAVIOUR: _behaviour,
    Rule.SLICE_FLOOR: _slice_floor,
    Rule.SLICE_GAP: _slice_gap,
    Rule.PARITY: _fairness,
    Rule.ODDS: _fairness,
    Rule.BUDGET: _budget,
    Rule.PAYS: _pays,
    Rule.SAME_MODEL: _same_model,
    Rule.BETTER: _better,
    Rule.UNJUDGED: _unjudged,
    Rule.TOO_GOOD: _too_good,
    Rule.ENOUGH_ROWS: _enough_rows,
    Rule.BEATS_BASELINE: _beats_baseline,
    Rule.NOT_WORSE: _not_worse,
    Rule.SLICES: _slices,
    Rule.HELD_OUT_CALIBRATION: _calibration,
}
