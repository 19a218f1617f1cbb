"""The profile of a batch: what it is in numbers; and the batches before that it may be compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from homeostat.core.batch_rules import ROWS
from homeostat.core.repairs import Array

ENOUGH = 28  # accepted batches in which a statistic must have had a value, to say anything
NORMAL = 28  # batches of the history in which a column failed, from which that is how it is; of long periods fewer
FEWEST_NORMAL = 8  # of them, however long a period is
QUANTILES = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0)
PARTS = 24  # of a period, by which the rows of a batch are counted
CLOCK = "event time"  # the place of a row in its period, beside the columns
LEVELS = ("low", "middle", "high")


@dataclass(frozen=True)
class Profile:
    """One batch in numbers.

    ``stats`` by column and statistic. ``quantiles`` (at ``QUANTILES``) and ``spread`` (standard deviation of the middle
    96 %) by column of numbers, times as hours after the event. ``values``: how often each text of a column comes, empty
    where they are too many. ``copies``: the share of rows that repeat another. ``clock``: (PARTS,) rows by part of the
    period; ``course`` the same by part of the day where a period is several days. ``by_part``: (n, PARTS) the mean of
    each of the columns ``ranked`` in the parts of the course, none of texts, and ``order`` (n, n) their rank
    correlations. ``apart``:
    (m, m) the share of rows in which one of ``columns`` is missing and another is not.
    """

    rows: int
    stats: Mapping[tuple[str, str], float] = field(default_factory=dict)
    quantiles: Mapping[str, Array] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    copies: float = 0.0
    clock: Array = field(default_factory=lambda: np.zeros(PARTS))
    course: Array = field(default_factory=lambda: np.zeros(PARTS))
    ranked: tuple[str, ...] = ()
    by_part: Array = field(default_factory=lambda: np.empty((0, PARTS)))
    order: Array = field(default_factory=lambda: np.empty((0, 0)))
    columns: tuple[str, ...] = ()
    apart: Array = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True)
class Past:
    """A batch before: ``failed`` are the columns of it that failed, ``ROWS`` if its rows as such did; ``released``:
    whether a person released it since.
    """

    profile: Profile
    failed: frozenset[str] = frozenset()
    released: bool = False


def trusted(past: Sequence[Past], normal: int = NORMAL) -> list[Past]:
    """The batches before without what failed in them: columns, or the whole batch where its rows did.

    Once a column has failed in ``normal`` of them, that is how it is, and it counts. What a person released counts.
    """
    often = Counter(c for p in past for c in p.failed if not p.released)
    usual = {c for c, many in often.items() if many >= normal}
    kept = [p if p.released else replace(p, failed=p.failed - usual) for p in past]
    return [
        replace(p, profile=_without(p.profile, p.failed)) if p.failed and not p.released else p
        for p in kept
        if p.profile.rows and (p.released or ROWS not in p.failed)
    ]


def _without(profile: Profile, columns: Container[str]) -> Profile:
    """A profile in which nothing is known of some columns."""
    ranked = np.array([c in columns for c in profile.ranked], dtype=bool)
    out = np.array([c in columns for c in profile.columns], dtype=bool)
    return replace(
        profile,
        stats={key: value for key, value in profile.stats.items() if key[0] not in columns},
        quantiles={c: q for c, q in profile.quantiles.items() if c not in columns},
        values={c: {} if c in columns else counts for c, counts in profile.values.items()},
        by_part=np.where(ranked[:, None], np.nan, profile.by_part),
        order=np.where(ranked[:, None] | ranked, np.nan, profile.order),
        apart=np.where(out[:, None] | out, np.nan, profile.apart),
    )
