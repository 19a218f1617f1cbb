"""What was understood and what is doubted, in lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from homeostat.newproject.rhythm import DAY
from homeostat.project.value_types import format_duration

if TYPE_CHECKING:
    from homeostat.newproject.choices import Choices
    from homeostat.newproject.doubt import Doubt
    from homeostat.newproject.features_draft import FeatureDraft
    from homeostat.newproject.understanding import Understanding

WIDTH = 100
SHOWN = 12  # doubts on a terminal; the page has all


def guesses(found: Understanding, choices: Choices, features: FeatureDraft) -> Iterator[str]:
    """A line a guess: what, and why."""
    table, label = found.table, found.label
    yield f"{table.name}: {table.rows:,} rows, {len(table.columns)} columns, {found.first} to {found.last}"
    if found.timeless:
        yield f"  {found.timeless:,} rows have no time and are left out"
    time = table.column(found.time_column)
    yield f"  time       {time.raw}{f' ({time.note})' if time.note else ''}{_chosen_among(found)}"
    said = f"{label.rate:.1%} are {label.positive!r}, which counts as yes" if label.task == "binary" else "an amount"
    if label.task == "ranking":
        said = f"an order within {label.group}"
    yield f"  task       {label.task}: {label.column}, {said}{f'; {label.note}' if label.note else ''}"
    yield f"  key        {', '.join(table.key)} ({table.key_note})"
    yield (
        f"  rhythm     a batch every {format_duration(found.rhythm.period)} ({found.rhythm.rows:,} rows as a rule, "
        f"{found.rhythm.batches} so far), a decision every {format_duration(found.rhythm.decide)}, "
        f"a fresh candidate every {format_duration(found.rhythm.retrain)}"
    )
    if found.delays:
        middle, nine = found.delays[0.5] / DAY, found.delays[0.9] / DAY
        mature = format_duration(found.horizon)
        if found.bound is not None:
            mature = f"{found.bound.column} and {format_duration(found.bound.wait)}"
        yield f"  labels     came after {middle:.3g} days in the middle, {nine:.3g} for nine of ten"
        yield f"             mature after {mature}"
    else:
        yield f"  labels     taken as known {format_duration(found.delay)} after the row; --known-at COL says it better"
    yield (
        f"  window     from {found.start:%Y-%m-%d}; first model after "
        f"{format_duration(found.warm_up)}, judged on {format_duration(found.holdout)}"
    )
    yield f"  baseline   the mean of {label.column} by {', '.join(choices.baseline) or 'nothing: of all rows'}"
    yield f"  features   {len(features.features)} in features.sql"
    for kind, names in (
        ("name a row", choices.identifiers),
        ("never change", choices.constant),
        ("too many words", choices.wordy),
    ):
        if names:
            yield f"  left out   {', '.join(names)} ({kind})"


def _chosen_among(found: Understanding) -> str:
    """What else could have been the time of a row, where nobody said."""
    own = (found.time_column, found.known_at)
    others = [c.raw for c in found.table.columns if c.kind == "time" and c.name not in own]
    return f", a guess among {', '.join(others)} and it; --time says it" if found.asked.time is None and others else ""


def suspicions(doubts: Sequence[Doubt]) -> Iterator[str]:
    """The worst first, each with the line that fixes it."""
    if not doubts:
        yield "Nothing looked wrong with the table."
        return
    yield f"What looks wrong with the table ({len(doubts)}, the worst first; suspicion.html shows it):"
    for number, doubt in enumerate(doubts[:SHOWN], 1):
        out = "OUT " if doubt.barred else ""
        yield from textwrap.wrap(
            f"{out}{doubt.said} [{doubt.certainty}]", WIDTH, initial_indent=f"{number:>3}. ", subsequent_indent="     "
        )
        yield from textwrap.wrap(f"fix: {doubt.fix}", WIDTH, initial_indent="     ", subsequent_indent="     ")
    if len(doubts) > SHOWN:
        yield f"     and {len(doubts) - SHOWN} more on the page"
