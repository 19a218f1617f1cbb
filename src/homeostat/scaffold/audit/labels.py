"""Issues of the label: delayed, stopped, missing, constant, rare, censored, autocorrelated, or drifting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from homeostat.core.text import count, number
from homeostat.project.value_types import format_duration
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.time_bins import TimeBins
from homeostat.scaffold.profile.batch_period import DAY
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.workspace import Workspace

EARLY = 30 * DAY
FEW = 10  # positives of a batch, and five times as many of the holdout, below which a rate says little


FEW_LARGE, HEAVY = 0.005, 0.95  # share of the rows, and of the squared spread, from which they weigh most


def label_issues(work: Workspace, profile: Profile, bins: TimeBins) -> Iterator[Issue]:
    yield from _delayed(work, profile)
    yield from _missing(work, profile)
    yield from _constant(profile, bins)
    yield from _dried(profile)
    yield from _rare(profile)
    yield from _censored(work, profile)
    yield from _heavy_tail(bins, profile)
    yield from _autocorrelated(profile, bins)
    yield from _drifting(profile, bins)


def _dried(profile: Profile) -> Iterator[Issue]:
    """Labels of one class from some day to the end, before which the history ends."""
    history = profile.history
    if history.dried:
        text = f"{profile.label.column} is the same in all {history.dried:,} rows from {history.end:%Y-%m-%d} on: the "
        text += "labels have dried up, so the history ends there"
        fix = "ask whether it was recorded since; if so, take events.labels_until out of params.yaml"
        yield Issue("labels dry up", profile.label.column, text, fix, 0.9, 82)


def _delayed(work: Workspace, profile: Profile) -> Iterator[Issue]:
    delay, label = profile.delay, profile.label.column
    if delay.column is None or delay.quantiles[0.9] < DAY:
        return
    early = min(EARLY, delay.quantiles[0.5]) if delay.quantiles[0.5] >= DAY else DAY
    early = EARLY if delay.quantiles[0.1] <= EARLY <= delay.quantiles[0.9] else early
    soon = f"FILTER (took <= {early.total_seconds()})"
    early_mean, mean, rows = work.row(
        f"SELECT avg(y) {soon}, avg(y), count(*) {soon} FROM (SELECT {profile.label.number_sql} AS y, "
        f"epoch({delay.known_sql}) - epoch(__t) AS took FROM {profile.table.sql}) WHERE took IS NOT NULL"
    )
    if early_mean is None:
        return
    text = f"{label} comes late: after {delay.days(0.5)} days at the median, {delay.days(0.9)} for nine of ten"
    bias = abs(early_mean - mean) / max(abs(mean), 1e-9)
    if bias > 0.05 and rows > 100:
        form = "{:.0%}" if profile.label.task == "binary" else "{:.4g}"
        text += f"; labels known within {early / DAY:.3g} days are a biased sample: "
        text += f"{form.format(early_mean)} instead of {form.format(mean)}"
    fix = f"events count as mature after events.label_horizon: {format_duration(delay.horizon)} in params.yaml"
    if delay.due is not None:
        due = f"{delay.due.column} and {format_duration(delay.due.wait)}"
        fix = f"no label counts before {due}, when nearly all are there: known_at.outcome in params.yaml"
    yield Issue("delayed labels", label, text, fix, 0.97, 80 if bias > 0.05 else 45)


def _missing(work: Workspace, profile: Profile) -> Iterator[Issue]:
    """Labels that are missing from some day on, or here and there."""
    column = profile.label_column
    if not column.absent:
        return
    seconds = int(profile.rhythm.period.total_seconds())
    rows = work.rows(
        f"SELECT min(__t), 1 - count({column.sql}) / count(*) FROM {profile.table.sql} "
        f"WHERE __t >= TIMESTAMP '{profile.history.start}' GROUP BY floor(epoch(__t) / {seconds}) ORDER BY 1"
    )
    chart = tuple((f"{t:%Y-%m-%d}", float(share)) for t, share in rows)
    title = f"share of {column.raw} that is missing, by batch"
    tail = next((n for n, (_, share) in enumerate(reversed(rows)) if share < 0.9), len(rows))
    if 2 <= tail < len(rows):
        text = f"{column.raw} stops: from {rows[len(rows) - tail][0]:%Y-%m-%d} on it is missing in nearly every row"
        fix = "ask whether labels still come, or name the column that says when: --known-at COL"
        yield Issue("labels stop", column.name, text, fix, 0.95, 85, chart=chart, chart_title=title)
    elif column.missing > 0.02:
        text = f"{column.raw} is missing in {column.missing:.1%} of the rows: they neither train nor evaluate a model"
        fix = "if missing means no, say so in objectives.*.label of params.yaml: coalesce(..., false)"
        yield Issue("missing labels", column.name, text, fix, 0.9, 55, chart=chart, chart_title=title)


def _constant(profile: Profile, bins: TimeBins) -> Iterator[Issue]:
    """Bins of the history in which all labels are equal."""
    parts = bins.parts("__y")
    same = [p.n_unique() <= 1 and len(p) >= 15 for p in parts]
    most = float(bins.rows["__y"].value_counts()["count"].max()) / max(bins.rows.height, 1)  # type: ignore[arg-type]
    if not any(same) or most ** min(len(p) for p in parts) > 1e-4:
        return
    first, last = _longest_run(same)
    if profile.label.task != "binary" and last - first < 2 or last == first and profile.series:
        return  # a dry month, a quiet week
    until = "to the end" if last == len(same) - 1 else f"to {bins.starts[last]:%Y-%m-%d}"
    text = (
        f"{profile.label.column} is the same in every row of {last - first + 1} of {len(same)} consecutive parts of "
        f"the history (from {bins.starts[first]:%Y-%m-%d} {until})"
    )
    fix = "ask whether it was recorded then; objectives.*.where in params.yaml leaves such rows out"
    yield Issue("constant labels", profile.label.column, text, fix, 0.9, 78,
                chart=bins.chart(bins.means("__y")), chart_title=f"mean of {profile.label.column}")  # fmt: skip


def _longest_run(flags: Sequence[bool]) -> tuple[int, int]:
    """First and last place of the longest run of true.

    >>> _longest_run([True, False, True, True])
    (2, 3)
    """
    best, start = (0, -1), 0
    for n, flag in enumerate(flags):
        start = start if flag else n + 1
        if n - start > best[1] - best[0]:
            best = (start, n)
    return best


def _rare(profile: Profile) -> Iterator[Issue]:
    if profile.label.task != "binary":
        return
    rate = min(profile.label.rate, 1 - profile.label.rate)
    batch = rate * profile.rhythm.rows
    holdout = batch * (profile.windows.holdout / profile.rhythm.period)
    if holdout < 5 * FEW:
        text = (
            f"the rarer class of {profile.label.column} is {rate:.2%} of the rows: about {batch:.1f} a batch and "
            f"{holdout:.0f} in the holdout, too few to evaluate a model closely"
        )
        fix = "widen windows.holdout and monitoring.window in params.yaml, or predict something less rare"
        yield Issue("rare class", profile.label.column, text, fix, 0.95, 58)


def _censored(work: Workspace, profile: Profile) -> Iterator[Issue]:
    """A label that is at its limit suspiciously often: values beyond it were not recorded."""
    if profile.label.task != "regression":
        return
    y, table = profile.label.number_sql, profile.table.sql
    least, most, at_least, at_most, rows, distinct = work.row(
        f"SELECT min(y), max(y), count(*) FILTER (y = (SELECT min({y}) FROM {table})), "
        f"count(*) FILTER (y = (SELECT max({y}) FROM {table})), count(*), approx_count_distinct(y) "
        f"FROM (SELECT {y} AS y FROM {table}) WHERE y IS NOT NULL"
    )
    if distinct < 50:
        return
    for limit, rows_at, which in ((most, at_most, "maximum"), (least, at_least, "minimum")):
        if rows_at > max(20, 0.02 * rows) and limit != 0:
            share = rows_at / rows
            text = f"{profile.label.column} is exactly {number(limit)}, its {which}, in {share:.1%} of the rows"
            text += ": it looks censored there"
            fix = "ask for the values as measured, or predict whether the limit is reached"
            yield Issue("censored labels", profile.label.column, text, fix, 0.75, 57)


def _heavy_tail(bins: TimeBins, profile: Profile) -> Iterator[Issue]:
    """A few labels that are so large that the loss is theirs alone."""
    if profile.label.task != "regression":
        return
    off = bins.rows["__y"].to_numpy().astype(float)
    off = np.abs(off - np.median(off))
    few = max(1, int(FEW_LARGE * len(off)))
    largest = np.argsort(-off)[:few]
    share = float((off[largest] ** 2).sum() / max((off**2).sum(), 1e-300))
    if share < HEAVY:
        return
    label, least = profile.label.column, float(bins.rows["__y"].to_numpy()[largest[off[largest] > 0]][-1])
    text = f"{share:.1%} of the squared spread of {label} are of {count(few, 'row')} of {len(off):,}, from "
    text += f"{number(least)} on: errors of a model count there alone"
    fix = f"fix them in the table if they are errors, or cap them: objectives.*.label: least({label}, ...)"
    yield Issue("few labels weigh most", label, text, fix, 0.8, 56)


def _autocorrelated(profile: Profile, bins: TimeBins) -> Iterator[Issue]:
    """How often the next label equals the last one."""
    if not profile.series or profile.entities or profile.label.task != "binary":
        return
    y = bins.rows["__y"].to_numpy().astype(float)
    same, most = float((y[1:] == y[:-1]).mean()), max(y.mean(), 1 - y.mean())
    if same > most + 0.1:
        text = f"predicting the previous label is right {same:.1%} of the time; the more frequent class {most:.1%}"
        fix = "not an error: a model has to beat that; features.sql has the newest known labels"
        yield Issue("autocorrelated labels", profile.label.column, text, fix, 0.95, 32)


def _drifting(profile: Profile, bins: TimeBins) -> Iterator[Issue]:
    """A mean that moves far over the history."""
    means = bins.means("__y")
    if len(means) < 8:
        return
    third = len(means) // 3
    early, late = means[:third].mean(), means[-third:].mean()
    spread = float(bins.rows["__y"].std() or 1.0)  # type: ignore[arg-type]
    within = max(means[:third].std(), means[-third:].std(), 1e-9)
    if abs(late - early) > 0.25 * spread and abs(late - early) > 1.5 * within:
        form = "{:.1%}" if profile.label.task == "binary" else "{:.4g}"
        text = f"{profile.label.column} moved from {form.format(early)} in the first third of the history to "
        text += f"{form.format(late)} in the last"
        fix = "not an error: trailing means in features.sql follow it; watch rhythm.retrain"
        yield Issue("label drift", profile.label.column, text, fix, 0.8, 31,
                    chart=bins.chart(means), chart_title=f"mean of {profile.label.column}")  # fmt: skip
