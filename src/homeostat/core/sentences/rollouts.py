"""Sentences on a challenger beside the champion, in one step of its rollout."""

from __future__ import annotations

from datetime import timedelta

from homeostat.core.findings import TOO_FEW, Finding
from homeostat.core.rules import Rule
from homeostat.core.text import change, confidence_interval, count, metric_name, percent, side, span


def _enough_events(finding: Finding) -> str:
    return f"the challenger scored {count(int(finding.value or 0), 'event')}, of {finding.limit:,.0f} needed"


def _loads(finding: Finding) -> str:
    times = count(int(finding.value or 0), "time")
    return f"the challenger could not be loaded ({times}): {finding.facts['first']}"


def _errors(finding: Finding) -> str:
    if finding.rows is None or finding.value is None:
        return "no request reached the challenger"
    failures, (theirs, requests) = finding.facts["failures"], finding.facts["champion"]
    text = (
        f"the challenger failed {failures:,} of {count(finding.rows, 'request')} ({percent(failures / finding.rows)})"
    )
    text += f", the champion {theirs:,} of {requests:,}" if requests else ""
    return f"{text}: more than {percent(finding.limit or 0)} above it" if finding.failed else text


def _latency(finding: Finding) -> str:
    if finding.value is None:
        return "the challenger answered too few requests to time"
    share, theirs = percent(finding.facts["share"]), finding.facts["champion"]
    text = f"{share} of the challenger's answers come within {1000 * finding.value:.3g} ms"
    text += confidence_interval(finding.interval, lambda seconds: f"{1000 * seconds:.3g} ms")
    text += f", of the champion's within {1000 * theirs:.3g} ms" if theirs is not None else ""
    return f"{text} (limit {1000 * (finding.limit or 0):.3g} ms)"


def _scores(finding: Finding) -> str:
    if finding.value is None:
        return "too few scores to compare" if finding.outcome == TOO_FEW else "the challenger gives no usable score"
    if finding.outcome == TOO_FEW:
        return "too few scores to compare"
    where = f"the challenger's scores lie {finding.value:.2f} ({finding.facts['method']})"
    return f"{where} from the champion's of the same time (limit {finding.limit:g})"


def _loss(finding: Finding) -> str:
    facts = finding.facts
    if finding.outcome == TOO_FEW or finding.value is None or finding.limit is None:
        return f"{count(finding.rows or 0, 'mature event', 'are')} too few to compare losses"
    text = f"the challenger's {metric_name(facts['loss'])} {facts['value']:.4g} is {side(finding.value)} the champion's"
    text += f" {facts['other']:.4g} on {count(finding.rows or 0, 'mature event')}"
    text += confidence_interval(finding.interval, change)
    if finding.value <= finding.limit:
        return text
    significant = "significant" if finding.failed else "not significant"
    return f"{text}, {significant} ({percent(finding.limit)} above is allowed)"


def _surely_worse(finding: Finding) -> str:
    text = f"the challenger's squared error lies {finding.value:+.4f} beside the champion's"
    text += f" on {count(finding.rows or 0, 'mature observation')}"
    text += confidence_interval(finding.interval, lambda value: f"{value:+.4f}")
    return f"{text}: worse, however often it is looked at" if finding.failed else text


def _rollout(finding: Finding) -> str:
    facts = finding.facts
    if not finding.failed:
        return "no rollout is in trouble"
    if facts["action"] == "roll back":
        return f"taken back, {facts['champion']} answers all; failed {', '.join(facts['failed'])}"
    waited = f" for {span(timedelta(seconds=facts['elapsed']))}" if facts["elapsed"] is not None else ""
    return f"has waited for events{waited}: promote it or roll back to end this"


SENTENCES = {
    Rule.ENOUGH_EVENTS: _enough_events,
    Rule.LOADS: _loads,
    Rule.ERRORS: _errors,
    Rule.LATENCY: _latency,
    Rule.SCORES: _scores,
    Rule.LOSS: _loss,
    Rule.SURELY_WORSE: _surely_worse,
    Rule.ROLLOUT: _rollout,
}
