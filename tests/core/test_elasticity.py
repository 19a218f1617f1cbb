"""When a worker is added and when one is let go."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from homeostat.core.elasticity import CALM, RISE, Reading, advised

STEP = 0.5


def read(in_progress: Sequence[float], slow: float = 0.0) -> list[Reading]:
    """Readings each half a second, of twenty answers each, of which a share is slow."""
    return [Reading(STEP * n, one, 20.0 * n, 20.0 * n * slow) for n, one in enumerate(in_progress)]


LONG = int(CALM / STEP) + 1
SHORT = int(RISE / STEP) + 1


@pytest.mark.parametrize(
    ("readings", "workers", "expected"),
    [
        ([], 2, 2),
        (read([9.0] * SHORT), 2, 3),  # three for each
        (read([9.0] * (SHORT - 1)), 2, 2),  # not long enough
        (read([5.0] * SHORT), 2, 2),
        (read([0.0] * LONG + [9.0] * SHORT), 2, 3),  # what was before does not count
        (read([12.0] * SHORT), 4, 4),  # as many as there may be
        (read([2.0] * SHORT, slow=0.02), 2, 3),  # slow, with a request each
        (read([2.0] * SHORT, slow=0.01), 2, 2),
        (read([1.0] * SHORT, slow=0.5), 2, 2),  # a slow one now and then by itself
        (read([0.5] * LONG), 2, 1),
        (read([0.5] * (LONG - 1)), 2, 2),
        (read([0.5] * LONG), 1, 1),  # as few as there may be
        (read([1.0] * LONG), 2, 2),  # the one that is left would be busy
        (read([2.0] * LONG), 4, 3),
        (read([0.0] * 10 + [6.0] * 4 + [0.0] * (LONG - 14)), 3, 3),  # a burst in between
        (read([6.0, *[0.0] * (LONG - 1)]), 3, 2),  # a single moment is no burst
    ],
)
def test_one_more_where_requests_wait_and_one_less_where_none_does(
    readings: list[Reading], workers: int, expected: int
) -> None:
    assert advised(readings, workers, 1, 4) == expected


def test_what_comes_when_it_is_added_does_not_send_it_away() -> None:
    """At the load that adds a worker, the two of them are not idle."""
    crowded = read([3.0] * LONG)
    assert advised(crowded, 1, 1, 8) == 2
    assert advised(crowded, 2, 1, 8) == 2
