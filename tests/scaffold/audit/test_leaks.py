"""Leaks that no single column shows by its power: in two columns, in a group, in names, in what a leak is made of."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from scaffold.audit.test_issues import BACK, healthy
from scaffold.odd_tables import START

from homeostat.scaffold.draft import create
from homeostat.scaffold.profile.request import Address, Request

Rows = Callable[[], pl.DataFrame]


def races() -> pl.DataFrame:
    """Races of six to nine, ranked by place; form is known before, all else is settled by the race."""
    chance, rows = random.Random(3), []
    for race in range(250):
        form = [chance.gauss(0, 1) for _ in range(chance.randrange(6, 10))]
        time = [100 - f + chance.gauss(0, 1) for f in form]
        order = sorted(range(len(time)), key=lambda n: time[n])
        names = [f"h{n}" for n in chance.sample(range(900), len(form))]
        for place, n in enumerate(order, 1):
            rows.append(
                {
                    "at": START.replace(hour=12) + (race * (START.replace(day=2) - START.replace(day=1))) / 4,
                    "race": f"r{race}", "horse": names[n], "form": round(form[n], 2), "draw": chance.randrange(1, 99),
                    "won": int(place == 1), "winner": names[order[0]], "seconds": round(time[n], 2),
                    "prize": {1: 1000, 2: 400, 3: 100}.get(place, 0), "place": place,
                }
            )  # fmt: skip
    return pl.DataFrame(rows).sort("at", "race", "horse")


def adverts() -> pl.DataFrame:
    """Variants of adverts, a few a test; what they earned a view is the label."""
    chance, rows = random.Random(4), []
    for test in range(400):
        clicks = [(chance.randrange(900, 1500), chance.randrange(10, 60)) for _ in range(chance.randrange(3, 6))]
        rates = [c / views for views, c in clicks]
        for n, (views, c) in enumerate(clicks):
            rows.append(
                {
                    "at": START + (test * 5 + n / 10) * (START.replace(hour=1) - START.replace(hour=0)),
                    "test_id": f"t{test}", "length": chance.randrange(20, 90), "views": views, "clicks": c,
                    "first_place": rates[n] == max(rates), "rate": round(100 * rates[n], 2),
                }
            )  # fmt: skip
    return pl.DataFrame(rows)


def tides() -> pl.DataFrame:
    """The next day's highest temperature, with the next day's lowest beside it; today's is no leak."""
    chance, high = random.Random(5), [15.0]
    for _ in range(2500):
        high.append(15 + 0.8 * (high[-1] - 15) + chance.gauss(0, 3))
    rows = [
        {
            "at": START + n * (START.replace(day=2) - START.replace(day=1)), "tmax": round(high[n], 1),
            "wind": chance.randrange(30), "next_tmin": round(high[n + 1] - chance.uniform(4, 12), 1),
            "next_tmax": round(high[n + 1], 1),
        }
        for n in range(2500)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def paid() -> pl.DataFrame:
    """A tip means a card but for a slip, and the total gives the tip away."""
    tip = pl.when(BACK & (pl.int_range(pl.len()) % 12 != 0)).then((pl.col("spent") * 0.2).round(2)).otherwise(0.0)
    tip = pl.when(pl.int_range(pl.len()) == 77).then(1.0).otherwise(tip)
    return healthy().with_columns(tip=tip).with_columns(total=(pl.col("spent") + pl.col("tip")).round(2))


def two(**columns: pl.Expr) -> Rows:
    return lambda: healthy().with_columns(**columns)


COST = pl.col("spent") * (pl.int_range(pl.len()) * 7919 % 400 + 800) / 1000
TAX = pl.when(pl.int_range(pl.len()) % 3 == 0).then(1.07).otherwise(1.19)
# a name, the rows, the label, and what is left out of them
LEAKS: list[tuple[str, Rows, str, set[str]]] = [
    ("places, winners and times of a race", races, "place", {"won", "winner", "seconds", "prize"}),
    ("a ratio in per cent, and who came first", adverts, "rate", {"clicks", "first_place"}),
    ("of the same day to come", tides, "next_tmax", {"next_tmin"}),
    ("a tip and the total", paid, "back", {"tip", "total"}),
    ("a product", two(area=(pl.col("spent") * pl.col("pages")).round(1)), "area", {"spent"}),
    ("which of two is larger", two(cost=COST, gain=(pl.col("spent") > COST).cast(int)), "gain", {"cost"}),
    (
        "a name of the same stem",
        two(back_reason=pl.when(BACK & (pl.col("pages") > 3)).then(pl.lit("liked it")).otherwise(pl.lit("-"))),
        "back",
        {"back_reason"},
    ),
    ("the last time's, which is known", two(back_before=((pl.int_range(pl.len()) % 7 != 0) == BACK).cast(int)), "back",
     set()),
    ("a price for each piece, rounded", two(cost=(COST * 4).round(2), each=(COST * 4 / pl.col("pages")).round(2)),
     "cost", {"each"}),
    ("the logarithm of the label", two(cost=COST.round(2), size=(COST + 1).log().round(4)), "cost", {"size"}),
    ("the label by classes", two(cost=COST.round(2), class_of_it=(COST / 20).floor()), "cost", {"class_of_it"}),
    ("the label with one of two taxes", two(price=COST.round(2), gross_price=(COST * TAX).round(2)), "price",
     {"gross_price"}),
    ("nothing, in what only grows", two(count=pl.int_range(pl.len()) // 9 + pl.col("pages"),
                                        day=pl.int_range(pl.len())), "count", set()),
    ("nothing, in visits", healthy, "back", set()),
    ("nothing, in a number", two(load=(pl.col("spent") * 0.3 + pl.col("pages")).log().round(3) + BACK), "load", set()),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "label", "barred"), [c[1:] for c in LEAKS], ids=[c[0] for c in LEAKS])
def test_what_leaks_is_left_out_and_nothing_else(rows: Rows, label: str, barred: set[str], tmp_path: Path) -> None:
    rows().write_csv(tmp_path / "t.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "t.csv")), time="at", label=label))
    assert set(made.leakage.barred) == barred
    used = made.files["features.sql"]
    assert not [name for name in barred if f"e.{name}" in used]
    assert not barred & {*made.plan.baseline, *made.plan.slices}
