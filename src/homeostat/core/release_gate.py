"""The release gate: what a candidate must pass to serve. It answers with findings, not with a boolean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from homeostat.core.evaluation import Compared, Comparison, Evaluation
from homeostat.core.findings import Decision, Finding, Outcome

TOO_FEW: Outcome = "too few to say"


class ReleaseLimits(Protocol):
    """Shares; see ``release`` in the scope."""

    @property
    def beats_baseline(self) -> float: ...

    @property
    def not_worse(self) -> float: ...

    @property
    def slice_not_worse(self) -> float: ...

    @property
    def calibration(self) -> float: ...


def decide_release(
    candidate: Mapping[str, Evaluation],
    baseline: Mapping[str, Comparison],
    champion: Mapping[str, Comparison] | None,
    limits: ReleaseLimits,
    is_baseline: bool,
) -> Decision:
    """Release only if every rule passes; the findings are kept either way.

    All mappings are by objective; the comparisons are of the candidate against the baseline and against the champion
    on the same rows; an objective that the champion does not have is held against the baseline alone.
    ``first``: nothing serves yet and the candidate is the baseline, which need not beat itself.
    Too few rows to say holds a candidate back where it must prove itself, not where it must do no harm.
    """
    proofs: list[Finding] = []
    harms: list[Finding] = []
    for name, evaluation in candidate.items():
        against = champion.get(name) if champion is not None else None
        proofs.append(enough_rows(evaluation))
        if not is_baseline:
            proofs.append(beats_baseline(name, baseline[name], limits))
        if against is not None:
            proofs.append(not_worse_than_champion(name, against, limits))
            harms.append(no_slice_gets_worse(name, against, limits))
        if evaluation.task != "ranking":  # its scores order and measure nothing
            harms.append(calibrated(evaluation, against, limits))
    findings = (*proofs, *harms)
    if is_baseline and champion is None:
        return Decision("release", "nothing serves yet; the baseline is better than nothing", findings)
    against_it = [f for f in proofs if f.outcome != "pass"] + [f for f in harms if f.failed]
    if against_it:
        more = f"; {len(against_it) - 1} more against it" if len(against_it) > 1 else ""
        return Decision("keep", f"the candidate is not released: {against_it[0].sentence}{more}", findings)
    deciding = [f.sentence for f in proofs if "enough rows" not in f.rule]
    return Decision("release", "the candidate is released: " + "; ".join(deciding), findings)


def enough_rows(evaluation: Evaluation) -> Finding:
    """As many held-out events as a slice needs to be judged."""
    rows, least = evaluation.overall.rows, evaluation.min_rows
    outcome: Outcome = "pass" if rows >= least else TOO_FEW
    said = f"{evaluation.objective}: {rows:,} events held out, of {least:,} needed to judge"
    return Finding(f"{evaluation.objective}: enough rows", outcome, float(rows), float(least), said)


def beats_baseline(objective: str, against: Comparison, limits: ReleaseLimits) -> Finding:
    """The loss lies the limit's share below the baseline's."""
    rule, found = f"{objective}: beats baseline", against.overall
    share, limit = found.share.value, limits.beats_baseline
    if share is None:
        return _too_few(rule, limit, f"{objective}: {found.rows:,} rows are too few to hold it against the baseline")
    said = f"{_versus(objective, against, 'the baseline')} ({limit:.1%} below is needed)"
    return Finding(rule, "pass" if -share >= limit else "fail", 0.0 - share, limit, said)


def not_worse_than_champion(objective: str, against: Comparison, limits: ReleaseLimits) -> Finding:
    """The loss lies at most the limit's share above the champion's on the same rows, unless chance explains it."""
    rule, found = f"{objective}: not worse than champion", against.overall
    share, limit = found.share.value, limits.not_worse
    if share is None:
        return _too_few(rule, limit, f"{objective}: {found.rows:,} rows are too few to hold it against the champion")
    allowed = f"({limit:.1%} above is allowed)"
    said = _versus(objective, against, "the champion")
    if share > limit and not _beyond_chance(found) and found.share.low is not None:
        return Finding(rule, "pass", share, limit, f"{said}, which chance explains {allowed}")
    return Finding(rule, "pass" if share <= limit else "fail", share, limit, f"{said} {allowed}")


def no_slice_gets_worse(objective: str, against: Comparison, limits: ReleaseLimits) -> Finding:
    """In no slice does the loss rise by more than the limit's share, unless chance explains it.

    Chance explains it where the interval of the share reaches down to no change at all.
    """
    rule, limit = f"{objective}: no slice gets worse", limits.slice_not_worse
    parts = [(c, v, part) for c, values in against.slices.items() for v, part in values.items()]
    judged = [(c, v, part, part.share.value) for c, v, part in parts if part.share.value is not None]
    if not judged:
        return _too_few(rule, limit, f"{objective}: none of {len(parts)} slices has {against.min_rows:,} rows to judge")
    bad = [found for found in judged if found[3] > limit and _beyond_chance(found[2])]
    column, value, part, share = max(bad or judged, key=lambda found: found[3])
    where = f"{against.loss} in {column} {value} is {_off(share)} the champion's on {part.rows:,} rows"
    if bad:
        said = f"{objective}: {where}, more than chance explains ({limit:.1%} above is allowed; {len(bad)} such slices)"
        return Finding(rule, "fail", share, limit, said)
    said = (
        f"{objective}: the worst of {len(judged)} slices: {where}{_excuse(part, limit)} ({limit:.1%} above is allowed)"
    )
    return Finding(rule, "pass", share, limit, said)


def calibrated(evaluation: Evaluation, champion: Comparison | None, limits: ReleaseLimits) -> Finding:
    """The mean score is within the limit's share of the label rate, unless chance explains it or it only improves.

    A candidate no further off than the champion on the same rows is not held back for it.
    """
    rule, limit = f"{evaluation.objective}: calibration", limits.calibration
    found = evaluation.metric("calibration")
    if found.value is None:
        return _too_few(rule, limit, f"{evaluation.objective}: too few labels to say whether the mean score is right")
    off = abs(found.value - 1)
    said = f"{evaluation.objective}: the mean score is {found.value:.2f} times the label rate"
    allowed = f" ({limit:.0%} off is allowed)"
    if off <= limit:
        return Finding(rule, "pass", off, limit, said + allowed)
    if found.low is None or found.high is None:
        return _too_few(rule, limit, f"{said}, in too few blocks to say whether by chance{allowed}")
    if found.low <= 1 + limit and found.high >= 1 - limit:
        return Finding(rule, "pass", off, limit, f"{said}, which chance explains{allowed}")
    theirs = champion.overall.other_calibration if champion is not None else None
    if theirs is not None and off <= abs(theirs - 1):
        return Finding(rule, "pass", off, limit, f"{said}, no further off than the champion's {theirs:.2f}{allowed}")
    return Finding(rule, "fail", off, limit, said + allowed)


def _beyond_chance(part: Compared) -> bool:
    return part.share.low is not None and part.share.low > 0


def _excuse(part: Compared, limit: float) -> str:
    if part.share.value is None or part.share.value <= limit:
        return ""
    return ", in too few blocks to say whether by chance" if part.share.low is None else ", which chance explains"


def _versus(objective: str, against: Comparison, other: str) -> str:
    found = against.overall
    here, there = f"{objective}: {against.loss} {found.loss:.4g}", f"{other}'s {found.other_loss:.4g}"
    return f"{here} is {_off(found.share.value or 0.0)} {there} on {found.rows:,} rows"


def _off(share: float) -> str:
    """A share above or below, in words.

    >>> _off(-0.031)
    '3.1% below'
    """
    return f"{abs(share):.1%} {'above' if share > 0 else 'below'}" if share else "level with"


def _too_few(rule: str, limit: float, sentence: str) -> Finding:
    return Finding(rule, TOO_FEW, None, limit, sentence)
