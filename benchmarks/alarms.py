"""The alarm budget where nothing changes but by chance: synthetic tables, and a table of people dealt out to days.

.venv/bin/python benchmarks/alarms.py [FOLDER]

FOLDER holds acs_employment_ma.parquet. Writes benchmarks/ALARMS.md. A batch a week for sixty weeks; histories of chance
deal the weeks out again, with means that wander from week to week (each keeps 0.7 of the week before's) by a tenth of
the spread of single values. Of batches of more than 5,000 rows the loop reads 5,000, so these are all that is drawn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from homeostat.checks.alarm_history import History, Pages, pages
from homeostat.checks.other_rules import OTHERS, drifted_shares
from homeostat.core.alarm_budget import UNUSED, Budget, episodes, latest_look, look_by_look
from homeostat.core.looks import OF, Sums
from homeostat.monitoring.batch_sums import ROWS, as_windows, input_sums, window_table

HERE = Path(__file__).parent
WEEKS, WEEK = 60, timedelta(days=7)
START = datetime(2024, 1, 1)
BUDGET = Budget(1, timedelta(days=90))
A_LOOK = BUDGET.a_look(WEEK)
QUARTER = BUDGET.length / WEEK  # looks in the time of the budget
COLUMNS, BATCHES = (20, 60, 200), (100, 1_000, 10_000, 100_000)
HISTORIES = 60
TRIALS, WITHIN = 40, 6
SHIFTS = (0.25, 0.5, 1.0, 2.0)  # of the spread of single values, of one column
WANDER, KEPT = 0.1, 0.7


def synthetic(columns: int, rows: int, draw: np.random.Generator) -> list[pl.DataFrame]:
    """A table a week: numbers (normal, skewed, mostly zero, with missing values) and categories."""
    return [pl.DataFrame({f"c{i}": _column(i, min(rows, ROWS), draw) for i in range(columns)}) for _ in range(WEEKS)]


def _column(place: int, rows: int, draw: np.random.Generator) -> pl.Series:
    match place % 5:
        case 0 | 1:
            return pl.Series(draw.normal(size=rows))
        case 2:
            return pl.Series(draw.lognormal(size=rows))
        case 3:
            values = pl.Series(np.where(draw.random(rows) < 0.6, 0.0, draw.exponential(size=rows)))
            return values.scatter(np.flatnonzero(draw.random(rows) < 0.1), None)
        case _:
            return pl.Series(draw.choice(np.array(list("aaaabbbccdefgh")), rows))


def people(path: Path, rows: int, draw: np.random.Generator) -> list[pl.DataFrame]:
    """Rows of the table dealt out to weeks at random: whatever differs between them is chance."""
    table = pl.read_parquet(path)
    return [table[draw.choice(len(table), rows, replace=False)] for _ in range(WEEKS)]


def history_of(weeks: list[pl.DataFrame], rows: int) -> History:
    """The weeks summed up as the loop would; what was drawn stands for ``rows`` in each."""
    ends = [START + (week + 1) * WEEK for week in range(len(weeks))]
    tables = [
        window_table(end, [input_sums(set(week.columns), (), week, {})]) for end, week in zip(ends, weeks, strict=True)
    ]
    each = np.eye(len(weeks))
    none = Sums((), *(np.zeros((len(weeks), 0)) for _ in range(4)))
    starts = tuple(end - WEEK for end in ends)
    return History(starts, tuple(ends), as_windows(pl.concat(tables), ends), none, each, each, WEEK)


def wandering(windows: Sums, draw: np.random.Generator) -> Sums:
    """The means of each column move, each week by a part of the week before's."""
    subjects = {one.subject: draw.normal(size=len(windows.top)) for one in windows.series}
    for walk in subjects.values():
        for week in range(1, len(walk)):
            walk[week] = KEPT * walk[week - 1] + (1 - KEPT**2) ** 0.5 * walk[week]
    numbers = np.array([one.aspect.endswith("third") for one in windows.series])
    moved = np.stack([subjects[one.subject] for one in windows.series], axis=1) * WANDER * windows.spread * numbers
    return Sums(windows.series, windows.top + moved, windows.bottom, windows.weight, windows.spread)


def dealt(history: History, draw: np.random.Generator) -> Sums:
    return wandering(history.windows(draw.permutation(len(history.ends))), draw)


def noticed(history: History, size: float, draw: np.random.Generator) -> tuple[float, float]:
    """The share of shifts of one column that are paged about with its name within ``WITHIN`` looks, and the median."""
    after = []
    for _ in range(TRIALS):
        windows = dealt(history, draw)
        names = sorted({one.subject for one in windows.series if one.aspect == "middle third"})
        name, since = str(draw.choice(names)), int(draw.integers(UNUSED + 15, WEEKS - WITHIN - OF))
        for place, one in enumerate(windows.series):
            if one.subject == name and one.aspect.endswith("third"):
                windows.top[since:, place] += size * windows.spread[since:, place]
        looks = (latest_look(windows.take(slice(0, since + wait)), A_LOOK) for wait in range(1, WITHIN + 1))
        after.append(next((n for n, look in enumerate(looks, 1) if name in {b.subject for b in look.blamed}), np.inf))
    found = [n for n in after if np.isfinite(n)]
    return len(found) / TRIALS, float(np.median(found)) if found else np.nan


def line(name: str, weeks: list[pl.DataFrame], rows: int, seed: int) -> str:
    """One table: false pages, those of other rules, the shifts that are noticed, and the time of a look."""
    draw = np.random.default_rng(seed)
    history = history_of(weeks, rows)
    found = Pages()
    began, looks = time.process_time(), 0
    for _ in range(HISTORIES):
        every = look_by_look(dealt(history, draw), A_LOOK)
        found, looks = found + pages(every), looks + len(every)
    spent = (time.process_time() - began) / looks
    rate, _, high = found.rate(QUARTER)
    shares = list(drifted_shares(history, weeks, draw.permutation(WEEKS)))
    others = [rule.alarms(shares) for rule in OTHERS]
    beside = " | ".join(f"{episodes(one) * QUARTER / len(one):.1f} ({sum(one) / len(one):.0%})" for one in others)
    shifts = [noticed(history, size, draw) for size in SHIFTS]
    seen = " | ".join(f"{share:.0%}" + (f", {after:.0f}" if share else "") for share, after in shifts)
    ours = f"{found.opened} in {found.looks:,} | {rate:.2f} | {high:.2f}"
    return f"| {name} | {ours} | {beside} | {seen} | {spent * 1000:.1f} ms |"


def lines(folder: Path | None) -> Iterator[str]:
    for columns in COLUMNS:
        for rows in BATCHES:
            seed = 1_000_003 * columns + rows
            yield line(f"{columns} x {rows:,}", synthetic(columns, rows, np.random.default_rng(seed)), rows, seed)
    if folder is not None:
        for rows in (1_000, 5_000):
            weeks = people(folder / "acs_employment_ma.parquet", rows, np.random.default_rng(rows))
            yield line(f"people, {rows:,}", weeks, rows, rows)


def main() -> None:
    """Write the page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    began = time.process_time()
    shifts = " | ".join(f"{size:g}" for size in SHIFTS)
    head = ["tables", "pages in looks", "in 90 days", "at most", *(rule.name for rule in OTHERS), shifts, "a look"]
    made = []
    for one in lines(folder):
        print(one, flush=True)
        made.append(one)
    command = f".venv/bin/python benchmarks/alarms.py{' FOLDER' if folder else ''}"
    spent = f"{time.process_time() - began:.0f} s of the processors"
    text = [
        "# The alarm budget where nothing changes but by chance",
        "",
        f"Made by `{command}` in {spent}.",
        "",
        f"Budget: {BUDGET.pages} false page in {BUDGET.length.days} days, a look a week, {HISTORIES} histories of "
        f"{WEEKS} weeks a table (columns x rows of a batch). `at most` is the 95 % Poisson bound.",
        "",
        "The other rules, on one history: pages in 90 days, and in brackets the share of looks in alarm.",
        "",
        "The last columns: one column shifts by so much of the spread of its values (upper third less lower third) and "
        f"stays there; the share that is paged about under its name within {WITHIN} looks, and after how many (the "
        f"median of {TRIALS}).",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * (len(head) - 1 + len(SHIFTS))}",
        *made,
    ]
    (HERE / "ALARMS.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
