"""False wins of an experiment that is looked at again and again, by a confidence sequence and by ordinary intervals.

    .venv/bin/python benchmarks/peeking.py [--nulls 1000] [--seed 1]

Each null is an experiment of two releases that are equally good: the squared errors of scores that are right, of events
whose rate varies from day to day, a share of them to the challenger. It is looked at whenever the smaller arm has grown
by twenty events, and a null is a false win where any look excludes no difference. Pairs are means of blocks of both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

import numpy as np

from homeostat.core.confidence_sequence import (
    FEWEST_MEANS,
    FEWEST_ROWS,
    Bounds,
    Moments,
    difference_bounds,
    mean_bounds,
)

CONFIDENCE = 0.95
LOOK = 20  # events of the smaller arm, or pairs
DAY = 200  # events whose rate is alike
SHARES = (0.05, 0.1, 0.25, 0.5)
EVENTS, PAIRS = 4_000, 4_000  # of the smaller arm, and means of blocks, at which an experiment ends


def errors(random: np.random.Generator, events: int) -> np.ndarray:
    """Squared errors of scores that are the true probabilities, days of them alike."""
    day = np.repeat(random.normal(0, 0.7, -(-events // DAY)), DAY)[:events]
    score = 1 / (1 + np.exp(-(random.normal(-1.5, 1, events) + day)))
    return np.asarray((score - (random.random(events) < score)) ** 2)


def naive(mean: float, variance: float) -> bool:
    """Whether an ordinary interval excludes zero."""
    return abs(mean) > NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(variance)


def excludes(bounds: Bounds | None) -> bool:
    return bounds is not None and not bounds.low <= 0 <= bounds.high


def moments(values: np.ndarray, looks: np.ndarray) -> list[Moments]:
    """Those of the first so many values, for each look."""
    mean, square = (np.cumsum(part)[looks - 1] / looks for part in (values, values**2))
    return [Moments(int(n), float(m), float(s - m * m)) for n, m, s in zip(looks, mean, square, strict=True)]


def arms(random: np.random.Generator, share: float) -> tuple[bool, bool]:
    """Whether two arms that are alike ever differ, by the sequence and by ordinary intervals at the same looks."""
    every = errors(random, int(EVENTS / share))
    mine = random.random(len(every)) < share
    looks = np.arange(FEWEST_ROWS, mine.sum() + 1, LOOK)
    places = np.flatnonzero(mine)[looks - 1] + 1  # events by then, of both arms
    both = [*zip(moments(every[mine], looks), moments(every[~mine], places - looks), strict=True)]
    won = any(excludes(difference_bounds(ours, theirs, CONFIDENCE)) for ours, theirs in both)
    return won, any(naive(o.mean - t.mean, o.variance / o.rows + t.variance / t.rows) for o, t in both)


def pairs(random: np.random.Generator, _: float) -> tuple[bool, bool]:
    """The same of the difference of two scores of the same events, block by block."""
    differences = random.normal(0, 0.02, PAIRS) * random.gamma(2, 0.5, PAIRS)
    looked = moments(differences, np.arange(FEWEST_MEANS, PAIRS + 1, LOOK))
    won = any(excludes(mean_bounds(one, CONFIDENCE)) for one in looked)
    return won, any(naive(one.mean, one.variance / one.rows) for one in looked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nulls", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.process_time()
    print(f"{given.nulls:,} experiments of two releases that are equally good, at {CONFIDENCE:.0%} confidence.\n")
    print("| experiment | looks at most | false wins by the sequence | by ordinary intervals |\n|---|---|---|---|")
    of_arms: list[tuple[str, int, Callable[[np.random.Generator, float], tuple[bool, bool]], float]] = [
        (f"{share:.0%} of keys", (EVENTS - FEWEST_ROWS) // LOOK, arms, share) for share in SHARES
    ]
    for name, looks, experiment, share in (*of_arms, ("pairs", (PAIRS - FEWEST_MEANS) // LOOK, pairs, 1.0)):
        random = np.random.default_rng(given.seed)
        results = np.array([experiment(random, share) for _ in range(given.nulls)])
        won, fooled = results.mean(axis=0)
        print(f"| {name} | {looks} | {won:.1%} | {fooled:.1%} |", flush=True)
    print(f"\n{time.process_time() - began:.0f} s of CPU.")


if __name__ == "__main__":
    main()
