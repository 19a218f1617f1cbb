"""Silent faults of data, as changes of the rows of a batch; each by itself, and the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Literal

import numpy as np
import polars as pl

MEASURED = 20  # different values from which a number is a measurement rather than a code
RELATED = 0.7  # rank correlation of two columns from which a change of their relation is a fault
FILLED = 0.5  # of a column's values that may be missing: of one that mostly is, it is no loss if more are
CATEGORIES, SLICES = 5_000, 60  # different texts up to which they are categories, and slices
TIME = "__event_time"  # of each row, beside the columns of its source
PLACE = "__place"  # of a row in its batch
TYPES = (pl.Float64, pl.Int64)  # of numbers: those of one type can stand in each other's place
SEASON = "season-only-drift"  # the values of an earlier batch, where they are put: ``season_before``
WORLD = ("change", "drift share", "score drift", "quality", "calibration", "moved values", "unit change")
RAMP = 14  # batches until a gradual drift is whole, and a recurring one goes or comes
THEN = ", then accepted"  # of an action, where sound rows came after the fault and were taken for such
KEPT_OUT = ("quarantined", "rows quarantined", "in doubt")  # a batch, or its bad rows, that train nothing
Change = Callable[[pl.DataFrame, Sequence[str], float, random.Random], pl.DataFrame]


@dataclass(frozen=True)
class Damage:
    """``change`` gets rows, the columns that it is about, its size and a source of chance.

    ``sizes``: small, middle and large. ``of``: what columns it may be about; ``many``: how many of them.
    ``lasts``: whether every batch from its time on has it, or one alone. ``kinds``: the names under which the history
    rules, or the rules on a batch, should find it; none: it is no fault, and nothing should be found. ``actions``: what
    should become of the batch in which it is found. ``strength``: of the size, in its n-th batch. ``ends``: whether
    sound rows come after it: those of the same batch, ``again``. ``of_world``: the data are right, and the world is
    another: monitoring should find it, and a candidate learn it.
    """

    change: Change
    sizes: tuple[float, float, float]
    of: str
    kinds: tuple[str, ...]
    many: int = 1
    lasts: bool = True
    actions: tuple[str, ...] = KEPT_OUT
    strength: Callable[[int], float] = lambda batch: 1.0
    ends: Literal["", "again"] = ""
    of_world: bool = False


def _share(rows: pl.DataFrame, share: float, chance: random.Random) -> pl.Series:
    """Which of the rows are hit."""
    return pl.Series([chance.random() < share for _ in range(rows.height)], dtype=pl.Boolean)


def null_surge(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    hit = _share(rows, size, chance)
    return rows.with_columns(pl.when(~hit).then(pl.col(c)).alias(c) for c in columns)


def unit_change(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows.with_columns((pl.col(c) * size).cast(rows.schema[c]) for c in columns)


def celsius(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows.with_columns(((pl.col(c) - 32) / 1.8).cast(rows.schema[c]) for c in columns)


def sign_flip(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows.with_columns(-pl.col(c) for c in columns)


def swapped_columns(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    one, other = columns
    return rows.with_columns(
        pl.col(other).cast(rows.schema[one], strict=False).alias(one),
        pl.col(one).cast(rows.schema[other], strict=False).alias(other),
    )


def truncated_batch(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows.sort(TIME, maintain_order=True).head(round(rows.height * (1 - size)))


def lost_rows(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows.filter(_share(rows, 1 - size, chance))


def doubled_batch(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return pl.concat([rows, rows.filter(_share(rows, size, chance))])


def lost_slice(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    (column,) = columns
    counts = rows[column].drop_nulls().value_counts().sort("count", column, descending=[True, False])
    place = min(round(size), counts.height - 1)
    return rows.filter(pl.col(column).ne_missing(counts[column][place])) if counts.height else rows


def category_explosion(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    hit = _share(rows, size, chance)
    tail = pl.Series([f"-{chance.randrange(10**6):06d}" for _ in range(rows.height)])
    return rows.with_columns(pl.when(hit).then(pl.col(c) + tail).otherwise(pl.col(c)).alias(c) for c in columns)


def blank_in_code(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    hit = _share(rows, size, chance)
    return rows.with_columns(pl.when(hit).then(pl.col(c) + " ").otherwise(pl.col(c)).alias(c) for c in columns)


def case_in_code(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    hit = _share(rows, size, chance)
    other = [pl.when(pl.col(c) == pl.col(c).str.to_lowercase()).then(pl.col(c).str.to_uppercase())
             .otherwise(pl.col(c).str.to_lowercase()) for c in columns]  # fmt: skip
    return rows.with_columns(
        pl.when(hit).then(o).otherwise(pl.col(c)).alias(c) for c, o in zip(columns, other, strict=True)
    )


def encoding_damage(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    """Letters come as UTF-8 that was read as Latin-1; where a text is all ASCII its last one is broken."""
    hit = _share(rows, size, chance)

    def broken(text: str) -> str:
        read = text.encode().decode("latin-1")
        return read if read != text else text[:-1] + "\ufffd"

    return rows.with_columns(
        pl.when(hit).then(pl.col(c).map_elements(broken, return_dtype=pl.String)).otherwise(pl.col(c)).alias(c)
        for c in columns
    )


def stuck_sensor(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    since = rows[TIME].sort()[min(round(rows.height * (1 - size)), rows.height - 1)]
    return rows.with_columns(
        pl.when(pl.col(TIME) >= since).then(pl.col(c).drop_nulls().first()).otherwise(pl.col(c)).alias(c)
        for c in columns
    )


def join_break(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    """The keys to another table are written in another way, and match nothing."""
    hit = _share(rows, size, chance)
    return rows.with_columns(pl.when(hit).then(pl.lit("0") + pl.col(c)).otherwise(pl.col(c)).alias(c) for c in columns)


def label_flip(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    hit = _share(rows, size, chance)
    flipped = [~pl.col(c) if rows.schema[c] == pl.Boolean else 1 - pl.col(c) for c in columns]
    return rows.with_columns(
        pl.when(hit).then(f.cast(rows.schema[c])).otherwise(pl.col(c)).alias(c)
        for c, f in zip(columns, flipped, strict=True)
    )


def shifted_time(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows.with_columns(pl.col(c) + timedelta(hours=size) for c in columns)


def renamed_column(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows.rename({c: f"{c}_new" for c in columns})


def missing_batch(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows.clear()


def drift(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    """All values of a column lie ``size`` of its standard deviations higher."""
    return rows.with_columns((pl.col(c) + size * pl.col(c).std().fill_null(0)).cast(rows.schema[c]) for c in columns)


def correlation_flip(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    """The greatest value of a column where the least was, and so on: its distribution stays, its relations turn."""
    places = [pl.col(c).rank("ordinal", descending=down) for c in columns for down in (False, True)]
    ranks = rows.select(place.alias(str(n)) for n, place in enumerate(places))
    turned = []
    for n, c in enumerate(columns):
        values = pl.DataFrame({"place": ranks[str(2 * n)], "turned": rows[c]}).drop_nulls()
        at = ranks.select(place=pl.col(str(2 * n + 1)))
        turned.append(at.join(values, on="place", how="left", maintain_order="left")["turned"].alias(c))
    return rows.with_columns(turned)


def season_before(rows: pl.DataFrame, earlier: pl.DataFrame, kept: Container[str]) -> pl.DataFrame:
    """Rows with the values of those of an earlier batch, but for key and order; other times as far from the event's."""
    names = rows.columns
    moved = [c for c in names if c in earlier.columns and c not in kept and c != TIME]
    rows = rows.with_row_index(PLACE).sort(TIME, maintain_order=True)
    earlier = earlier.sort(TIME, maintain_order=True)
    many = min(rows.height, earlier.height)
    place = [n * earlier.height // many for n in range(many)]
    later = rows[TIME][:many] - earlier[TIME][place]
    values = earlier.select(moved)[place]
    values = values.with_columns(pl.col(c) + later for c in moved if rows.schema[c] == pl.Datetime)
    values = pl.concat([values, rows.select(moved)[many:]])
    return rows.with_columns(values[c].alias(c) for c in moved).sort(PLACE).select(names)


def as_they_are(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
    return rows


DAMAGES = {
    "null-surge": Damage(null_surge, (0.1, 0.3, 0.7), "filled", ("missing values",), lasts=False),
    "unit-change": Damage(unit_change, (1.609344, 60.0, 1000.0), "number", ("unit change",)),
    "celsius": Damage(celsius, (1, 1, 1), "positive", ("unit change",)),
    "sign-flip": Damage(sign_flip, (1, 1, 1), "number", ("sign flip",)),
    "swapped-columns": Damage(swapped_columns, (1, 1, 1), "alike", ("swapped columns",), many=2),
    "truncated-batch": Damage(
        truncated_batch, (0.1, 0.3, 0.7), "rows", ("lost hours", "few rows", "volume"), many=0, lasts=False
    ),
    "lost-rows": Damage(
        lost_rows, (0.3, 0.5, 0.8), "rows", ("few rows", "lost hours", "volume"), many=0, lasts=False
    ),
    "doubled-batch": Damage(
        doubled_batch, (0.1, 0.5, 1.0), "rows", ("many rows", "unique key", "volume"), many=0, lasts=False
    ),
    "lost-slice": Damage(lost_slice, (2, 1, 0), "slice", ("lost slice", "lost hours")),
    "category-explosion": Damage(
        category_explosion, (0.1, 0.3, 1.0), "category", ("category explosion", "keys changed"), lasts=False
    ),
    "blank-in-code": Damage(blank_in_code, (0.1, 0.3, 1.0), "category", ("blanks",)),
    "case-in-code": Damage(case_in_code, (0.1, 0.3, 1.0), "category", ("case",)),
    "encoding-damage": Damage(encoding_damage, (0.1, 0.3, 1.0), "category", ("encoding",)),
    "stuck-sensor": Damage(stuck_sensor, (0.3, 0.6, 1.0), "number", ("stuck values",)),
    "join-break": Damage(
        join_break, (0.1, 0.3, 1.0), "category", ("keys changed", "new categories", "category explosion")
    ),
    "label-flip": Damage(label_flip, (0.3, 0.6, 1.0), "binary", ("flipped values", "moved values")),
    "renamed-column": Damage(renamed_column, (1, 1, 1), "any", ("schema", "missing values")),
    "missing-batch": Damage(
        missing_batch, (1, 1, 1), "rows", ("freshness",), many=0, lasts=False, actions=("missing",)
    ),
    "late-batch": Damage(
        missing_batch, (1, 1, 1), "rows", ("freshness",), many=0, lasts=False, ends="again", actions=(f"missing{THEN}",)
    ),
    "partial-batch": Damage(
        truncated_batch, (0.1, 0.3, 0.7), "rows", ("lost hours", "few rows", "volume"), many=0, lasts=False,
        ends="again", actions=tuple(action + THEN for action in KEPT_OUT),
    ),
    "abrupt-drift": Damage(drift, (1, 3, 6), "number", WORLD, of_world=True),
    "gradual-drift": Damage(
        drift, (1, 3, 6), "number", WORLD, strength=lambda batch: min((batch + 1) / RAMP, 1.0), of_world=True
    ),
    "recurring-drift": Damage(
        drift, (1, 3, 6), "number", WORLD, strength=lambda batch: float(batch // RAMP % 2 == 0), of_world=True
    ),
    SEASON: Damage(as_they_are, (1, 1, 1), "rows", (), many=0, lasts=False, actions=("accepted",)),
    "correlation-flip": Damage(correlation_flip, (1, 1, 1), "related", ("turned relation", "lost relation")),
    "shifted-time": Damage(
        shifted_time, (1, 3, 8), "time", ("shifted time", "shifted dates", "lost hours", "moved values")
    ),
}


def suitable(damage: Damage, batches: Sequence[pl.DataFrame], key: Sequence[str]) -> list[str]:
    """The columns that a fault may be about, in order, by the batches before; the largest shows which vary within one.
    """
    rows, one = pl.concat(batches, how="diagonal_relaxed"), max(batches, key=len)
    plain = [c for c in rows.columns if c not in key and c != TIME]
    numbers = [c for c in plain if rows.schema[c].is_numeric() and one[c].n_unique() > MEASURED]
    texts = [c for c in rows.columns if rows.schema[c] == pl.String and c != TIME]
    return {
        "any": lambda: plain,
        "filled": lambda: [c for c in plain if rows[c].null_count() <= FILLED * rows.height],
        "rows": list,
        "number": lambda: numbers,
        "related": lambda: _related([batch.select(numbers) for batch in batches if set(numbers) <= {*batch.columns}]),
        "alike": lambda: max(([c for c in numbers if rows.schema[c] == kind] for kind in TYPES), key=len),
        "positive": lambda: [c for c in numbers if _like_fahrenheit(rows[c])],
        "category": lambda: [c for c in texts if 1 < rows[c].n_unique() <= CATEGORIES],
        "slice": lambda: [c for c in texts if 1 < rows[c].n_unique() <= SLICES],
        "binary": lambda: [c for c in plain if set(rows[c].unique()) - {None} == {0, 1}],
        "time": lambda: [c for c in rows.columns if rows.schema[c] == pl.Datetime and c != TIME],
    }[damage.of]()


def _related(batches: Sequence[pl.DataFrame]) -> list[str]:
    """The columns whose order goes with that of another in most batches; in one alone it may by chance."""
    often = Counter(chain.from_iterable(map(_strong_pairs, batches)))
    strong = [pair for pair, many in often.items() if many > len(batches) / 2]
    return [c for c in batches[0].columns if any(c in pair for pair in strong)]


def _strong_pairs(numbers: pl.DataFrame) -> list[tuple[str, str]]:
    ranks = numbers.select(pl.all().cast(pl.Float64).rank()).fill_null(strategy="mean")
    names = ranks.columns
    with np.errstate(invalid="ignore"):
        order = np.corrcoef(ranks.to_numpy(), rowvar=False) if len(names) > 1 else np.zeros((1, 1))
    return [(names[a], names[b]) for a, b in zip(*np.nonzero(np.abs(order) >= RELATED), strict=True) if a < b]


def _like_fahrenheit(values: pl.Series) -> bool:
    low, middle, high = (values.quantile(q) for q in (0.02, 0.5, 0.98))
    if low is None or middle is None or high is None:
        return False
    percentages = values.min() >= 0 and values.max() == 100  # type: ignore[operator]  # of numbers
    return low > -20 and middle > 30 and high < 120 and not percentages
