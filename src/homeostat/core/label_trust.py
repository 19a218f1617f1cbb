"""Whether labels can be believed: of one value, no longer coming, coming at another pace, or at another rate.

The last window of labels is held to earlier windows of the same length, by ``core.ranges``: rates on their log odds,
waiting times on their logarithm. What is odd is dated by the first of the batches in a row, up to the last, that show
it. Each batch is measured as it was when its last event matured, so that old batches are no better off than new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from math import exp, log, log1p, sqrt
from statistics import NormalDist, median

from homeostat.core.findings import TOO_FEW, Finding
from homeostat.core.intervals import FEWEST
from homeostat.core.ranges import FEWEST_WINDOWS, Range, range_of
from homeostat.core.rules import Rule

SURE = 0.999  # confidence of these ranges: they are looked at every tick, and distrust stops all learning
CHANCE = 1e-6  # of so long a run of one value; a rarer one is no chance
UNSURE = 6.0  # log odds, a factor of 400, either way: what another window may show where few are on record
FACTOR = 2.0  # beyond the usual at which labels come too seldom
PACE = 1.5  # the same at which they come too fast or too slowly, where they never did
MARGIN = 0.35  # of what the windows span: so far beyond them, every batch of several in a row, is no record year
STORM = 3  # batches in a row: for fewer, which one storm explains, a rarer share still is odd
OVERDUE = 1.25  # of the horizon: a label that comes later than this comes late, where most came within it
AT_ONCE = 0.05  # share of the horizon: differences between waits far below it mean nothing
IMPLAUSIBLE = log(4)  # of log odds beyond every window: no season does that, flipped or mixed up labels do
SETTLED = 3  # windows after which a rate that stays counts as usual
HALF = 0.5  # of an event on either side of a rate: one of none has log odds too (Anscombe, 1956, Biometrika 43)
UNLIKE = 0.5  # likeness to the usual relation with the features, nearer to none than to that: of a single batch
FAR_OFF = 4.0  # standard errors: days of a run are not independent, and it is looked for at every tick
NORMAL_MAD = 1 / NormalDist().inv_cdf(0.75)
WINDOWS = 60  # on record that count


@dataclass(frozen=True)
class LabelBatch:
    """The labels of one batch, or of one window, that were known when its last event matured.

    ``mean`` is their mean, of a binary label its rate; ``common`` the share of the most frequent value; ``only`` the
    value that all have, if it is one; ``wait`` the median time from event to label, as a
    share of the label horizon. ``relation``: by feature its rank correlation with the label; ``slices``: by slice the
    number of its labels, their mean, and their rank correlation with what the usual relation says of each event.
    ``top``: how many labels are of the fifth of events that the usual relation puts first, and ``top_mean`` their mean.
    """

    label: str
    end: datetime
    events: int
    labelled: int
    mean: float | None
    common: float
    only: float | None
    wait: float | None
    relation: Mapping[str, float] = field(default_factory=dict)
    slices: Mapping[str, tuple[int, float, float | None]] = field(default_factory=dict)
    top: int = 0
    top_mean: float | None = None

    @cached_property
    def parts(self) -> dict[str, LabelBatch]:
        """Each slice as a batch of its own, whose only relation is that with the usual one of all."""
        return {
            name: replace(self, events=rows, labelled=rows, mean=mean, slices={},
                          relation={} if order is None else {name: order})
            for name, (rows, mean, order) in self.slices.items()
        }  # fmt: skip


def label_findings(
    objective: str, task: str, batches: Sequence[LabelBatch], length: timedelta, least: int
) -> list[Finding]:
    """Whether the labels of the last window of ``length`` can be trusted, and whether their rate is a usual one.

    ``batches`` are in order of time; ``least`` is the number of labels below which nothing is judged.
    """
    spans = list(_spans(batches, length))
    if not spans:
        return []
    now, past = _together(spans[0]), _past(spans, least)
    odd = _one_value(task, batches, past, least) or _not_coming(batches, past, least) or _pace(batches, past, least)
    unlike = _unlike(batches, past[SETTLED:], least)
    odd = odd or implausible(task, batches, past[SETTLED:], length, least) or turned(unlike)
    odd = odd or acted_on(task, batches, past[SETTLED:], least) or unrelated(unlike)
    odd = odd or _odd_slice(task, batches, spans, length, least)
    trust = odd or Finding(Rule.LABELS, "", "pass" if now.labelled >= least else TOO_FEW, rows=now.labelled)
    rate = [] if odd else [_rate(task, batches, now, past, least)]  # one problem, one alert
    return [replace(f, subject=objective) for f in (trust, *rate)]


def _spans(batches: Sequence[LabelBatch], length: timedelta) -> Iterator[list[LabelBatch]]:
    """The batches of windows that end with the last batch, the newest first; those without a batch are left out."""
    newest_first = groupby(reversed(batches), lambda batch: (batches[-1].end - batch.end) // length)
    return (list(span)[::-1] for _, span in newest_first)


def _past(spans: Sequence[Sequence[LabelBatch]], least: int) -> list[LabelBatch]:
    """The windows on record that count, but for the newest."""
    return [_together(span) for span in spans[1:WINDOWS] if sum(batch.events for batch in span) >= least]


def _together(batches: Sequence[LabelBatch]) -> LabelBatch:
    filled = [b for b in batches if b.labelled]
    labelled = sum([b.labelled for b in filled])
    mean = sum([(b.mean or 0.0) * b.labelled for b in filled])
    common = sum([b.common * b.labelled for b in filled])
    only, top = {b.only for b in filled}, sum([b.top for b in filled])
    top_yes = sum([b.top * (b.top_mean or 0.0) for b in filled])
    waits = [b.wait for b in filled if b.wait is not None]
    return LabelBatch(
        batches[0].label, batches[-1].end, sum([b.events for b in batches]), labelled,
        mean / labelled if labelled else None, common / labelled if labelled else 0.0,
        only.pop() if len(only) == 1 else None, median(waits) if waits else None, mean_relation(batches),
        top=top, top_mean=top_yes / top if top else None,
    )  # fmt: skip


def mean_relation(batches: Iterable[LabelBatch]) -> dict[str, float]:
    """By feature the mean of its rank correlations with the label, by their number of labels."""
    sums: dict[str, float] = {}
    labels: dict[str, int] = {}
    for batch in batches:
        for name, value in batch.relation.items():
            sums[name] = sums.get(name, 0.0) + value * batch.labelled
            labels[name] = labels.get(name, 0) + batch.labelled
    return {name: total / labels[name] for name, total in sums.items()}


def _one_value(task: str, batches: Sequence[LabelBatch], past: Sequence[LabelBatch], least: int) -> Finding | None:
    """Since some batch every label has one value, in more rows than a usual share of it could explain."""
    filled = [batch for batch in batches if batch.labelled]
    if not filled or filled[-1].only is None:
        return None
    value = filled[-1].only
    run = _last_in_a_row(filled, lambda batch: batch.only == value)
    rows, before = sum(batch.labelled for batch in run), [w for w in past if w.labelled >= least and w.only is None]
    odds = [_log_odds(_share_of(task, value, w), w.labelled) for w in before]
    wide = range_of(odds, SURE)
    highest = wide.high if wide else max(odds, default=0.0) + UNSURE
    if rows < least or rows * -log1p(exp(-highest)) > log(CHANCE):
        return None
    facts = {"kind": "one value", "value": value, "task": task, "before": _means(before), "windows": len(before)}
    return Finding(Rule.LABELS, "", "fail", since=run[0].label, rows=rows, facts=facts)


def _share_of(task: str, value: float, window: LabelBatch) -> float:
    if task != "binary" or window.mean is None:
        return window.common
    return window.mean if value else 1 - window.mean


def _not_coming(batches: Sequence[LabelBatch], past: Sequence[LabelBatch], least: int) -> Finding | None:
    """Events are past their horizon without a label, far more often than usual."""
    shares = [w.labelled / w.events for w in past if w.labelled]
    if not shares:
        return None
    usual = median(shares)
    run = _last_in_a_row(batches, lambda b: b.labelled * FACTOR < b.events * usual)
    events, labelled = sum(b.events for b in run), sum(b.labelled for b in run)
    if events < least or (len(run) < STORM and labelled * FACTOR**2 >= events * usual):
        return None
    facts = {"kind": "not coming", "share": labelled / events, "usual": usual}
    return Finding(Rule.LABELS, "", "fail", since=run[0].label, rows=events, facts=facts)


def _pace(batches: Sequence[LabelBatch], past: Sequence[LabelBatch], least: int) -> Finding | None:
    """Labels come much sooner or later after the event than usual."""
    waits = [w.wait for w in past if w.labelled >= least and w.wait is not None]
    if len(waits) < FEWEST_WINDOWS:
        return None
    usual = median(waits)
    near = [_pace_of(w) for w in waits if abs(_pace_of(w) - _pace_of(usual)) < log(PACE)]
    wide = range_of(near, SURE)

    def off(batch: LabelBatch) -> bool:
        pace = _pace_of(batch.wait or 0.0)
        far = abs(pace - _pace_of(usual)) > log(PACE) or (usual <= 1 and (batch.wait or 0.0) > OVERDUE)
        return far and wide is not None and not _inside(pace, wide)

    run = _last_in_a_row([b for b in batches if b.wait is not None], off)
    rows = sum(batch.labelled for batch in run)
    if rows < least:
        return None
    facts = {"kind": "pace", "wait": run[-1].wait, "usual": usual}
    return Finding(Rule.LABELS, "", "fail", since=run[0].label, rows=rows, facts=facts)


def implausible(
    task: str, batches: Sequence[LabelBatch], past: Sequence[LabelBatch], length: timedelta, least: int
) -> Finding | None:
    """For at least half a window every batch lies so far beyond all windows that no season explains it."""
    before = [w for w in past if w.labelled >= least]
    if len(before) < FEWEST_WINDOWS:  # batches differ more than windows do, and are more
        settled = batches[-1].end - SETTLED * length
        before = [b for b in batches if b.labelled >= least and b.end <= settled]
    if task != "binary" or len(before) < FEWEST_WINDOWS:
        return None
    odds = [_scaled(task, w) for w in before]
    filled = [b for b in batches if b.labelled]
    above = _last_in_a_row(filled, lambda b: _scaled(task, b) > max(odds) + IMPLAUSIBLE)
    run = above or _last_in_a_row(filled, lambda b: _scaled(task, b) < min(odds) - IMPLAUSIBLE)
    if len(run) < STORM or run[-1].end - run[0].end < length / 2:
        return None
    whole = _together(run)
    if whole.labelled < least or abs(_scaled(task, whole) - (max(odds) if above else min(odds))) < IMPLAUSIBLE:
        return None
    facts = {"kind": "implausible rate", "rate": whole.mean, "before": _means(before), "windows": len(before)}
    return Finding(Rule.LABELS, "", "fail", since=run[0].label, rows=whole.labelled, facts=facts)


def _odd_slice(
    task: str, batches: Sequence[LabelBatch], spans: Sequence[Sequence[LabelBatch]], length: timedelta, least: int
) -> Finding | None:
    """A slice whose rate is one that no season explains, or whose labels have turned, alone; the largest of them."""
    last = batches[-1].slices
    for name in sorted(last, key=lambda s: (-last[s][0], s)):
        if not _stands_out(task, [b.slices[name] for b in batches if name in b.slices]):
            continue
        own = [[b.parts[name] for b in span if name in b.slices] for span in spans]
        past, days = _past([span for span in own if span], least)[SETTLED:], [b for span in own[::-1] for b in span]
        unlike = _unlike(days, past, least)
        odd = implausible(task, days, past, length, least) or turned(unlike) or unrelated(unlike)
        if odd is not None:
            return replace(odd, facts={**odd.facts, "slice": name})
    return None


def _stands_out(task: str, values: Sequence[tuple[int, float, float | None]]) -> bool:
    """Whether the last batch of a slice is one that either test could find odd; most slices need no more than that."""
    many, mean, order = values[-1]
    usual = median(m for _, m, _ in values)
    orders = [o for *_, o in values if o is not None]
    far = task == "binary" and abs(_log_odds(mean, many) - _log_odds(usual, many)) > IMPLAUSIBLE
    return far or (order is not None and order * median(orders) < UNLIKE * median(orders) ** 2)


def turned(run: _Unlike | None) -> Finding | None:
    """The labels of the last batches go with the features the other way round than in every window before."""
    return run.finding("turned relation") if run is not None and run.highest < 0 else None


def unrelated(run: _Unlike | None) -> Finding | None:
    """The labels of the last batches hardly go with the features, as they did in every window before.

    So labels are that are joined to other events. A weaker relation is none: the world may change.
    """
    lost = run is not None and len(run.batches) > 1 and run.highest < UNLIKE * run.lowest_before
    return run.finding("lost relation") if run is not None and lost else None


@dataclass(frozen=True)
class _Unlike:
    """Batches at the end whose labels go with the features unlike the usual.

    ``likeness`` of them is 1 as usual, 1 - 2 s where a share s of the labels is flipped, 0 where they are of other
    events; ``highest``: it may be as high. ``lowest_before``: of any window before, of which there are ``windows``.
    """

    batches: Sequence[LabelBatch]
    likeness: float
    highest: float
    lowest_before: float
    windows: int

    def finding(self, kind: str) -> Finding:
        facts = {"kind": kind, "likeness": self.likeness, "windows": self.windows}
        rows = sum(batch.labelled for batch in self.batches)
        return Finding(Rule.LABELS, "", "fail", since=self.batches[0].label, rows=rows, facts=facts)


def _unlike(batches: Sequence[LabelBatch], past: Sequence[LabelBatch], least: int) -> _Unlike | None:
    """The batches at the end that are nearer to no relation than to the usual one; none where they say too little."""
    before = [w for w in past if w.labelled >= least and w.relation]
    usual = mean_relation(before)
    of_past = [_likeness(w, usual) for w in before]
    if len(before) < FEWEST_WINDOWS or not any(usual.values()) or min(of_past) <= 0:
        return None
    run = _last_in_a_row([b for b in batches if b.relation], lambda b: _likeness(b, usual) < UNLIKE)
    days = [_likeness(b, usual) for b in batches if b.relation and b.end <= before[0].end]
    if sum(batch.labelled for batch in run) < least or len(days) < FEWEST:
        return None
    now, error = _likeness(_together(run), usual), FAR_OFF * _spread(days) / sqrt(len(run))
    return _Unlike(run, now, now + error, min(of_past), len(before))


def acted_on(
    task: str, batches: Sequence[LabelBatch], past: Sequence[LabelBatch], least: int
) -> Finding | None:
    """What the usual relation puts first happens less often than the rest, as it hardly did in any window before.

    So labels are where somebody acts on what a model flags. The rest keeps its rate, and its relation.
    """
    before = [w for w in past if w.labelled >= least and w.top] if task == "binary" else []
    usual = sorted(_ahead(w) for w in before)
    if len(before) < FEWEST_WINDOWS or usual[len(usual) // 8] <= 0:
        return None
    days = [_ahead(b) for b in batches if b.top and b.end <= before[0].end]
    run = _last_in_a_row([b for b in batches if b.top], lambda b: _ahead(b) < UNLIKE * median(usual))
    rows = sum(batch.labelled for batch in run)
    if rows < least or len(days) < FEWEST:
        return None
    whole = _together(run)
    error = max(_spread(days) / sqrt(len(run)), _noise_ahead(whole))
    if sum(map(_ahead, run)) / len(run) + FAR_OFF * error >= 0:
        return None
    facts = {"kind": "acted on", "rate": whole.top_mean, "rest": _rest(whole)[0], "windows": len(before)}
    return Finding(Rule.LABELS, "", "fail", since=run[0].label, rows=rows, facts=facts)


def _rest(window: LabelBatch) -> tuple[float, int]:
    """The mean of the labels that are not of the events put first, and their number."""
    many = window.labelled - window.top
    ones = (window.mean or 0.0) * window.labelled - (window.top_mean or 0.0) * window.top
    return max(ones, 0.0) / max(many, 1), many


def _ahead(window: LabelBatch) -> float:
    """By how much, in log odds, what is put first happens more often than the rest."""
    return _log_odds(window.top_mean or 0.0, window.top) - _log_odds(*_rest(window))


def _noise_ahead(window: LabelBatch) -> float:
    rate, many = _rest(window)
    parts = [(window.top_mean or 0.0, window.top), (rate, many)]
    return sqrt(sum(1 / (p * n + HALF) + 1 / (n - p * n + HALF) for p, n in parts))


def _spread(values: Sequence[float]) -> float:
    """The standard deviation of normal values with the same median absolute deviation: few odd ones do not count."""
    middle = median(values)
    return NORMAL_MAD * median(abs(value - middle) for value in values)


def _likeness(window: LabelBatch, usual: Mapping[str, float]) -> float:
    names = [name for name in window.relation if name in usual]
    size = sum(usual[name] ** 2 for name in names)
    return sum(window.relation[name] * usual[name] for name in names) / size if size else 0.0


def _pace_of(wait: float) -> float:
    return log(AT_ONCE + max(wait, 0.0))


def _rate(task: str, batches: Sequence[LabelBatch], now: LabelBatch, past: Sequence[LabelBatch], least: int) -> Finding:
    """The rate of the last window's labels, or their mean, against what earlier windows showed."""
    before = [w for w in past if w.labelled >= least]
    if len(before) < FEWEST_WINDOWS or now.labelled < least:
        few = {"windows": len(before), "needed": FEWEST_WINDOWS}
        return Finding(Rule.LABEL_RATE, "", TOO_FEW, now.mean, rows=now.labelled, facts=few)
    values = [_scaled(task, w) for w in before]
    fewer = max(1.0, sqrt(median(w.labelled for w in before) / now.labelled))
    far, run = _never_observed(values, fewer), _beyond(task, batches, values)
    near = _inside(_scaled(task, now), far)
    usual = near and len(run) < FEWEST
    facts = {"task": task, "before": _means(before), "windows": len(before), "unprecedented": not near}
    return Finding(
        Rule.LABEL_RATE, "", "pass" if usual else "fail", now.mean, rows=now.labelled, facts=facts,
        since=run[0].label if run and not usual else "",
    )  # fmt: skip


def _beyond(task: str, batches: Sequence[LabelBatch], windows: Sequence[float]) -> list[LabelBatch]:
    """The batches at the end that lie, each of them, well above the highest of the windows; or below the lowest.

    Together they have to lie further off than so many labels do by chance.
    """
    filled, margin = [b for b in batches if b.labelled], MARGIN * (max(windows) - min(windows))
    above = _last_in_a_row(filled, lambda b: _scaled(task, b) > max(windows) + margin)
    run = above or _last_in_a_row(filled, lambda b: _scaled(task, b) < min(windows) - margin)
    if not run or task != "binary":
        return run
    together, edge = _together(run), max(windows) if above else min(windows)
    return run if abs(_scaled(task, together) - edge) > FAR_OFF * _noise(together) else []


def _noise(window: LabelBatch) -> float:
    """The standard error of the log odds of a rate."""
    ones = (window.mean or 0.0) * window.labelled
    return sqrt(1 / (ones + HALF) + 1 / (window.labelled - ones + HALF))


def _never_observed(values: Sequence[float], fewer: float) -> Range:
    """The span of all windows, and as much again on either side: outside of it no window ever was, nor nearly.

    ``fewer``: how much less sure a rate is by fewer labels than these windows had; it widens the span.

    The gap over the span is Dixon's ratio (1950, Annals of Mathematical Statistics 21). Of few windows it has to be
    larger for the same confidence of 99 %: the power law follows the table of Dean and Dixon (1951, Analytical
    Chemistry 23) from 4 windows to 10.
    """
    low, high, many = min(values), max(values), len(values)
    gap = (high - low) * fewer * max(1.0, 36 / many**1.5)
    return Range(low - gap, high + gap, median(values), many)


def _scaled(task: str, window: LabelBatch) -> float:
    """A rate as log odds; another mean as it is."""
    return _log_odds(window.mean or 0.0, window.labelled) if task == "binary" else window.mean or 0.0


def _log_odds(share: float, rows: int) -> float:
    ones = share * rows
    return log((ones + HALF) / (rows - ones + HALF))


def _inside(value: float, wide: Range) -> bool:
    return wide.low <= value <= wide.high


def _means(windows: Sequence[LabelBatch]) -> list[float]:
    """The lowest and the highest."""
    means = [w.mean for w in windows if w.mean is not None]
    return [min(means), max(means)] if means else []


def _last_in_a_row(batches: Sequence[LabelBatch], odd: Callable[[LabelBatch], bool]) -> list[LabelBatch]:
    """Those at the end that are all odd, in order."""
    run: list[LabelBatch] = []
    for batch in reversed(batches):
        if not odd(batch):
            break
        run.append(batch)
    return run[::-1]
