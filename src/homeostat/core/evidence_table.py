"""The evidence of a decision as a table: a row an action, a row a comparison of two versions, and a row a finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from homeostat.core.findings import Decision, Finding, Interval, Option, Versus
from homeostat.core.option_verdicts import verdict_on
from homeostat.core.rules import Rule
from homeostat.core.text import change, count, label_rate, label_rates, metric_name, percent, span

SIGNIFICANCE = {  # rules that fail above their limit only where that is significant
    Rule.QUALITY, Rule.CALIBRATION, Rule.HELD_OUT_CALIBRATION, Rule.SERVED_SLICES, Rule.AGAINST_BASELINE, Rule.SLICES,
}  # fmt: skip
WORST_FIRST = ("fail", "cannot judge", "explains", "too few to say", "pass")


@dataclass(frozen=True)
class Row:
    """One row, as text; ``finding`` is what it is made of, where that is a finding."""

    what: str
    value: str
    limit: str
    interval: str
    outcome: str
    finding: Finding | None = None

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        return self.what, self.value, self.limit, self.interval, self.outcome


@dataclass(frozen=True)
class Table:
    """``headings`` are as many as the cells of a row; the interval's names its confidence."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def evidence_table(decision: Decision) -> Table:
    """The expected cost of each action, then losses of two versions, then the findings on the candidate and on the
    champion, the worst first.

    The heading names the confidence of most intervals; those of another say so.
    """
    findings = [f for part in (decision.gate, decision.findings) for f in worst_first(part)]
    intervals = [part.interval for part in decision.options] + [part.interval for part in decision.comparisons]
    intervals += [finding.interval for finding in findings]
    levels = Counter(interval.confidence for interval in intervals if interval is not None)
    usual = max(levels, key=lambda level: (levels[level], level), default=None)
    options = [option_row(option, decision) for option in decision.options]
    rows = [*options, *comparison_rows(decision), *map(row, findings)]
    for place, interval in enumerate(intervals):
        if interval is not None and interval.confidence != usual:
            rows[place] = replace(rows[place], interval=f"{rows[place].interval} ({percent(interval.confidence)})")
    heading = "CI" if usual is None else f"{percent(usual)} CI"
    return Table(("what", "value", "limit", heading, "outcome"), tuple(rows))


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: WORST_FIRST.index(f.outcome))


def row(finding: Finding) -> Row:
    """A finding as a row: each number in the rule's own unit.

    >>> row(Finding(Rule.MISSING, "load", "fail", 0.5, 0.2)).cells
    ('load: missing values', '50 %', '20 %', '', 'fail')
    """
    write = UNITS.get(finding.rule, _number)
    value, limit, interval = finding.value, finding.limit, finding.interval
    calibration = finding.rule in (Rule.CALIBRATION, Rule.HELD_OUT_CALIBRATION)
    if calibration and "ratio" in finding.facts:  # the ratio is what has the interval
        value, write = finding.facts["ratio"], "{:.2f}".format
    elif finding.rule == Rule.BEATS_BASELINE and "share" in finding.facts:  # likewise the change
        value, limit = finding.facts["share"], -(finding.limit or 0.0)
    allowed = "" if limit is None else _around_one(limit) if calibration else write(limit)
    if finding.rule == Rule.LABEL_RATE and "before" in finding.facts:
        task = finding.facts["task"]
        write, allowed = partial(label_rate, task), label_rates(task, finding.facts["before"])
    measured = "" if value is None else write(value)
    carried = finding.facts.get("carried")  # from the gate of the release that the same models served as
    what = f"{finding.name} (of {carried})" if carried else finding.name
    if finding.rule == Rule.BEHAVIOUR:  # an objective has several
        what = f"{what}, {finding.facts['test']}"
    elif finding.rule == Rule.METRICS and "metric" in finding.facts:
        what = f"{what}, {metric_name(finding.facts['metric'])}"
    elif finding.rule in (Rule.SLICES, Rule.SERVED_SLICES) and finding.facts.get("slice") is not None:
        what = f"{what}, {finding.facts['column']} {finding.facts['slice']}"
    return Row(what, measured, allowed, _interval(interval, write), _outcome(finding), finding)


def _outcome(finding: Finding) -> str:
    """The outcome; that a difference over the limit may be chance is said beside it."""
    over = finding.value is not None and finding.limit is not None and finding.value > finding.limit
    by_chance = finding.outcome == "pass" and over and finding.rule in SIGNIFICANCE
    return "pass, not significant" if by_chance else finding.outcome


def _around_one(limit: float) -> str:
    """The ratios that a share off 1 allows, both ways.

    >>> _around_one(0.35)
    '0.65 to 1.35'
    """
    return f"{max(1 - limit, 0.0):.2f} to {1 + limit:.2f}"


def option_row(option: Option, decision: Decision) -> Row:
    """One action of a decision as a row, with why it was not taken."""
    version = option.version or {"retrain": "the candidate", "fall back": "the baseline"}.get(option.action, "")
    what = f"cost of 1,000 events, {'keep' if option.action == 'nothing' else option.action}: {version}"
    outcome = verdict_on(option, decision)
    if option.cost is None:
        return Row(what, f"{count(option.rows, 'event')}, too few to say", "", "", outcome)
    beside = "" if option.share is None else f"{change(option.share)}, "
    value = f"{option.cost:,.1f} ({beside}{count(option.rows, 'event')})"
    return Row(what, value, "", _interval(option.interval, "{:,.1f}".format), outcome)


def comparison_rows(decision: Decision) -> list[Row]:
    """A row an objective and pair of versions, on the same events."""
    return [_comparison(compared) for compared in decision.comparisons]


def _comparison(compared: Versus) -> Row:
    what = f"{compared.objective}: loss of {compared.version or 'the candidate'} against {compared.other}'s"
    value = (
        f"{change(compared.share)} ({compared.loss:.4f}, {compared.other_loss:.4f}; {count(compared.rows, 'event')})"
    )
    return Row(what, value, "", _interval(compared.interval, change), "")


def _interval(interval: Interval | None, write: Callable[[float], str]) -> str:
    return "" if interval is None else f"{write(interval.low)} to {write(interval.high)}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _length(seconds: float) -> str:
    return span(timedelta(seconds=seconds))


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


UNITS: Mapping[Rule, Callable[[float], str]] = {
    Rule.VOLUME: percent,
    Rule.PERIOD: _length,
    Rule.FRESHNESS: _length,
    Rule.UNIQUE_KEY: _count,
    Rule.CONTRACT: _count,
    Rule.QUALITY: change,
    Rule.AGAINST_BASELINE: change,
    Rule.CALIBRATION: percent,
    Rule.SERVED_SLICES: change,
    Rule.HELD_OUT_CALIBRATION: percent,
    Rule.DRIFT_SHARE: percent,
    Rule.MISSING: percent,
    Rule.TOO_GOOD: _number,
    Rule.ENOUGH_ROWS: _count,
    Rule.BEATS_BASELINE: change,
    Rule.BETTER: change,
    Rule.PAYS: change,
    Rule.COVERAGE: percent,
    Rule.BEHAVIOUR: percent,
    Rule.SLICE_FLOOR: change,
    Rule.SLICE_GAP: percent,
    Rule.PARITY: percent,
    Rule.ODDS: percent,
    Rule.BUDGET: _number,
    Rule.RUNG: change,
    Rule.NOT_WORSE: change,
    Rule.UNJUDGED: _count,
    Rule.SLICES: change,
    Rule.ENOUGH_EVENTS: _count,
    Rule.ERRORS: change,
    Rule.LATENCY: _milliseconds,
    Rule.LOSS: change,
    Rule.SURELY_WORSE: _number,
    Rule.MOVE: _number,
}
