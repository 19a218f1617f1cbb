"""Sentences on labels, and on the scores of a release that has just been put in service."""

from __future__ import annotations

from math import tanh

from homeostat.core.findings import TOO_FEW, Finding
from homeostat.core.rules import Rule
from homeostat.core.text import count, label_rate, label_rates, percent


def _labels(finding: Finding) -> str:
    rows = f"{count(finding.rows or 0, 'label')} of the last window"
    if finding.outcome == TOO_FEW:
        return f"{rows} are too few to say"
    if not finding.failed:
        return f"{rows} came as they usually do"
    return f"cannot be trusted since {finding.since}: {KINDS[finding.facts['kind']](finding)}"


def _one_value(finding: Finding) -> str:
    facts = finding.facts
    value = {1.0: "positive", 0.0: "negative"}[facts["value"]] if facts["task"] == "binary" else f"{facts['value']:g}"
    text = f"all {count(finding.rows or 0, 'label')} are {value}"
    if facts["task"] == "binary" and facts["before"]:
        text += f", {label_rates('binary', facts['before'])} positive in {count(facts['windows'], 'earlier window')}"
    return f"{text}; check where the label comes from"


def _not_coming(finding: Finding) -> str:
    share, usual = (percent(finding.facts[name]) for name in ("share", "usual"))
    events = f"{count(finding.rows or 0, 'event')} past the label horizon"
    return f"{share} of {events} have a label, usually {usual}; check whether labels are still delivered"


def _pace(finding: Finding) -> str:
    wait, usual = (percent(max(finding.facts[name], 0.0)) for name in ("wait", "usual"))
    return f"they come after {wait} of the label horizon, usually after {usual}; check what sets their time"


def _labels_of(finding: Finding) -> str:
    """How many labels, and of which slice where it is one."""
    of = f" of {finding.facts['slice']}" if "slice" in finding.facts else ""
    return f"{count(finding.rows or 0, 'label')}{of}"


def _implausible(finding: Finding) -> str:
    facts = finding.facts
    text = f"{percent(facts['rate'])} of {_labels_of(finding)} are positive"
    text += f", {label_rates('binary', facts['before'])}"
    return f"{text} in {count(facts['windows'], 'earlier window')}; check whether the label still means the same"


def _turned(finding: Finding) -> str:
    windows = count(finding.facts["windows"], "earlier window")
    text = f"{_labels_of(finding)} go with the features the other way round than in {windows}"
    return f"{text}; check whether yes and no have changed places"


def _lost(finding: Finding) -> str:
    windows = count(finding.facts["windows"], "earlier window")
    text = f"{_labels_of(finding)} hardly go with the features, as they did in {windows}"
    return f"{text}; check whether labels are joined to the right events"


def _acted_on(finding: Finding) -> str:
    facts = finding.facts
    text = f"events that the features put first are yes in {percent(facts['rate'])}, the others in "
    text += f"{percent(facts['rest'])} ({count(finding.rows or 0, 'label')}); in nearly all of "
    text += f"{count(facts['windows'], 'earlier window')} the first were ahead; check whether somebody acts on them, "
    return f"{text}and set events.acted_on"


KINDS = {
    "one value": _one_value, "not coming": _not_coming, "pace": _pace, "implausible rate": _implausible,
    "turned relation": _turned, "lost relation": _lost, "acted on": _acted_on,
}  # fmt: skip


def _label_rate(finding: Finding) -> str:
    facts = finding.facts
    if finding.outcome == TOO_FEW or finding.value is None:
        enough = facts["windows"] >= facts["needed"]
        few = "too few labels" if enough else f"too few earlier windows ({facts['windows']} of {facts['needed']})"
        return f"{few} to say whether it is a usual one"
    now = label_rate(facts["task"], finding.value)
    text = f"{now} on {count(finding.rows or 0, 'label')}, {label_rates(facts['task'], facts['before'])}"
    text += f" in {count(facts['windows'], 'earlier window')}"
    if not finding.failed:
        return text
    since = f" since {finding.since}" if finding.since else ""
    return f"{text}: further off than any of them{since}; a new world, or a label that means something else"


def _switch(finding: Finding) -> str:
    facts = finding.facts
    if facts.get("over"):
        return "no release was put in service in the last batches"
    if "figure" not in facts:
        return f"too few blocks with scores of both releases ({facts['blocks']} of {facts['needed']}) to compare them"
    now, then = (facts[part][facts["figure"]] for part in ("now", "holdout"))
    rows = count(finding.rows or 0, "event")
    if facts["figure"] == "order":
        text = f"rank correlation {tanh(now):.2f} with the release before on {rows}, {tanh(then):.2f} on"
    else:
        text = f"{now:+.2f} (log odds or standard deviations) from the release before on {rows}, {then:+.2f} on"
    text += " the holdout"
    return f"{text}: not the release that was judged" if finding.failed else text


SENTENCES = {Rule.LABELS: _labels, Rule.LABEL_RATE: _label_rate, Rule.SWITCH: _switch}
