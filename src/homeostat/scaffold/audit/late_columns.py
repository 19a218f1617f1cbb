"""Columns that are written after the event: by their power, their times, their twins, their names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import polars as pl

from homeostat.scaffold.audit.candidates import Candidates, names_entities
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.audit.predictive_power import predictive_power
from homeostat.scaffold.profile.identifiers import words
from homeostat.scaffold.profile.table import Column

PERFECT, PERFECT_SERIES = 0.965, 0.995  # power from which a column predicts too much; a series is like its neighbours
STRONG = 0.5  # power from which a column that is called like an outcome is one
FEW = 200  # distinct values of a column that may repeat another
SAME = 0.95  # share of rows in which two times are a day apart at most
BEFORE = {"previous", "prev", "prior", "past", "last", "hist", "history", "lag", "avg", "mean", "expected", "planned",
          "scheduled", "reserved", "requested", "old", "initial", "first", "num_previous", "before", "earlier",
          "yesterday", "ago"}  # fmt: skip
COUNTERS = {"change", "changes", "update", "updates", "revision", "revisions", "modification", "modifications", "edit",
            "edits", "amendments"}  # fmt: skip
AFTER = {"outcome", "result", "resolution", "resolved", "closed", "refund", "refunded", "cancel", "actual", "final",
         "settled", "settlement", "returned", "status", "duration", "elapsed", "completed", "finished", "ended", "end",
         "chargeback", "recovery", "recoveries", "collected"}  # fmt: skip
LATER_OF_TWO = AFTER | {"assigned", "given", "delivered", "received", "new", "current"}
SCORES = {"prediction", "predicted", "pred", "score", "probability", "proba", "forecast", "yhat"}
AHEAD = {"next", "following", "tomorrow", "future", "upcoming", "ahead", "subsequent"}
PLAIN = {"is", "has", "was", "the", "of", "in", "at", "on", "by", "per", "id", "num", "number", "count", "total", "sum",
         "amount", "value", "price", "rate", "flag", "date", "time", "day", "days", "type", "class", "label", "target",
         "code", "name", "level"}  # fmt: skip
STEM = 5  # letters that two words of one stem begin with
KIND, MAYBE = "known only afterwards", "possibly known only afterwards"


def name_words(name: str) -> set[str]:
    """The words of a name in small letters; those that begin with ``cancel`` are one."""
    return {"cancel" if word.startswith("cancel") else word for word in words(name)}


def _share_a_stem(called: set[str], label: set[str]) -> bool:
    """Whether two names are about one thing at one time, by the beginnings of those of their words that say so."""
    stems, of_label = ({word[:STEM] for word in words - PLAIN if len(word) >= STEM - 1} for words in (called, label))
    return bool(stems & of_label) and bool(called & AHEAD) == bool(label & AHEAD)


def _later(rows: pl.DataFrame, one: Column, two: Column) -> Column:
    """Of two columns the one that is written later, by their names; else the one that varies more."""
    for first, second in ((one, two), (two, one)):
        a, b = name_words(first.name), name_words(second.name)
        if a & LATER_OF_TWO and not b & LATER_OF_TWO or b & BEFORE and not a & BEFORE:
            return first
    if one.kind == "time":
        return max((one, two), key=lambda c: float((rows[c.name] - rows["__t"]).dt.total_seconds().std() or 0.0))  # type: ignore[arg-type]
    return one if one.distinct > two.distinct else two


def perfect_predictors(candidates: Candidates) -> Iterator[Issue]:
    profile = candidates.profile
    least = PERFECT_SERIES if profile.series and profile.label.task == "regression" else PERFECT
    for column in candidates.columns:
        power = candidates.powers[column.name]
        if power < least or names_entities(column):  # an entity's label is memorized, not leaked
            continue
        measure = f"AUC {0.5 + power / 2:.3f}" if profile.label.task == "binary" else f"R2 {power:.3f}"
        text = (
            f"{column.raw} alone predicts {profile.label.column} almost perfectly ({measure} on later rows): it is "
            "known only afterwards"
        )
        yield leak("label leakage", column.name, text, min(1.0, power), 100 + power)


def equal_to_known_time(candidates: Candidates) -> Iterator[Issue]:
    """Times that are those at which the label became known."""
    known_at, rows = candidates.profile.delay.column, candidates.rows
    if known_at is None:
        return
    for column in candidates.times:
        apart = (rows[column.name] - rows[known_at]).dt.total_seconds().abs().drop_nulls()
        same = float((apart <= 86400).mean() or 0.0)  # type: ignore[arg-type]
        if same >= SAME:
            text = f"{column.raw} is {known_at} in {same:.0%} of the rows: it is written with the label"
            yield leak(KIND, column.name, text, same, 98)


def late_twins(candidates: Candidates) -> Iterator[Issue]:
    """A column that repeats another but for some rows, whose labels are mostly of one kind."""
    if candidates.profile.label.task == "regression":
        return
    rows, y, label = candidates.rows, candidates.y, candidates.profile.label.column
    worded = [c for c in candidates.columns if c.kind == "string" and 3 <= c.distinct <= FEW]
    for one, two in itertools.combinations(worded, 2):
        differ = (rows[one.name] != rows[two.name]).fill_null(False).to_numpy()
        share = float(differ.mean())
        if not 0.005 < share < 0.5 or differ.sum() < 50:
            continue
        shared = set(rows[one.name].unique()) & set(rows[two.name].unique())
        if len(shared) < 0.6 * min(one.distinct, two.distinct):
            continue
        here, elsewhere = float(y[differ].mean()), float(y[~differ].mean())
        if min(here, 1 - here) < 0.35 * min(elsewhere, 1 - elsewhere):
            later = _later(rows, one, two)
            text = (
                f"{later.raw} is {(two if later is one else one).raw} in {1 - share:.0%} of the rows; where they "
                f"differ, {label} is {here:.0%} instead of {elsewhere:.0%}: {later.raw} is settled afterwards"
            )
            yield leak(KIND, later.name, text, 0.9, 95)


def late_times(candidates: Candidates) -> Iterator[Issue]:
    """Two times whose distance predicts the label: the one that moves with it is written afterwards."""
    rows, label = candidates.rows, candidates.profile.label
    for one, two in itertools.combinations(candidates.times, 2):
        power = predictive_power((rows[one.name] - rows[two.name]).dt.total_seconds(), candidates.y, label.task)
        if power >= 0.9:
            later = _later(rows, one, two)
            text = (
                f"the time from {two.raw} to {one.raw} predicts {label.column} (power {power:.2f}): {later.raw} is "
                "written afterwards"
            )
            yield leak(KIND, later.name, text, 0.9, 96)


def late_by_name(candidates: Candidates) -> Iterator[Issue]:
    """Columns that are called like an outcome, and predict the label as one does."""
    label = candidates.profile.label.column
    for column in candidates.columns:
        called, power, raw = name_words(column.raw), candidates.powers[column.name], column.raw
        drop = f"if it is known only afterwards: homeostat new ... --drop {raw!r}"
        if called & BEFORE:
            continue
        if called & COUNTERS and power > 0.02 and _counts_from_zero(column, candidates.rows[column.name]):
            values = candidates.rows[column.name].to_numpy()
            zero, more = float(candidates.y[values == 0].mean()), float(candidates.y[values > 0].mean())
            text = f"{raw} counts later events: {label} is {zero:.2g} where it stayed 0 and {more:.2g} elsewhere"
            yield leak(KIND, column.name, text, 0.8, 90)
        elif called & AFTER and power >= STRONG:
            text = f"{raw} is called like an outcome, and predicts {label} well (power {power:.2f})"
            yield leak(KIND, column.name, text, 0.75, 88)
        elif called & AHEAD and called & AHEAD & name_words(label):
            text = f"{raw} is of the same time to come as {label} by its name: it is known with it"
            yield leak(KIND, column.name, text, 0.8, 88)
        elif called & SCORES and power >= 0.3:
            text = f"{raw} looks like another model's score (power {power:.2f}); kept: was it there before the event?"
            yield Issue(MAYBE, column.name, text, f"{drop}, or move it to a later known_at group", 0.6, 60)
        elif power >= STRONG and _share_a_stem(called, name_words(label)) and not names_entities(column):
            text = f"{raw} is called after {label}, and predicts it well (power {power:.2f})"
            if candidates.profile.series:  # it may be an earlier value
                yield Issue(MAYBE, column.name, f"{text}; kept: was it known before?", drop, 0.6, 62)
            else:
                yield leak(KIND, column.name, f"{text}: it is written with it", 0.75, 87)
        elif power >= 0.85 and not candidates.profile.series and not names_entities(column):
            text = f"{raw} alone predicts {label} very well (power {power:.2f}); kept: was it known before?"
            yield Issue(MAYBE, column.name, text, drop, 0.6, 62)


def _counts_from_zero(column: Column, values: pl.Series) -> bool:
    return column.kind == "integer" and bool(values.min() == 0 and (values == 0).mean() > 0.6)  # type: ignore[operator]
