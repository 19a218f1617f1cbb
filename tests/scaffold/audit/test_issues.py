"""Each fault is put into a healthy table, and reported; the healthy table has no issues."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from scaffold.odd_tables import START

from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.draft import create
from homeostat.scaffold.profile.request import Address, Request

ROWS = 4000


def healthy() -> pl.DataFrame:
    """Visits, ten a day: some come back, depending on where from and how long; every figure stays as it is."""
    chance = random.Random(5)
    rows = []
    for n in range(ROWS):
        source = chance.choice(["search", "mail", "shop", "friend"])
        spent = round(chance.gammavariate(3, 20), 1)
        back = chance.random() < {"search": 0.2, "mail": 0.4, "shop": 0.55, "friend": 0.7}[source]
        rows.append(
            {
                "visit": f"v{n * 7919 % 1_000_003}",
                "at": START + timedelta(minutes=144 * n + chance.randrange(120)),
                "source": source,
                "spent": spent,
                "pages": chance.randrange(1, 30),
                "device": chance.choice(["phone", "desk"]),
                "back": int(back),
            }
        )
    return pl.DataFrame(rows)


LATE = pl.int_range(pl.len()) >= ROWS // 2
BACK = pl.col("back") == 1
CHARTED = {
    "label leakage", "label leakage by absence", "known only afterwards", "column begins late", "column stopped",
    "value with a single label", "unit change", "category codes change", "labels stop",
    "missing labels", "constant labels", "gaps",
}  # fmt: skip
Made = Callable[[pl.DataFrame], pl.DataFrame]
FAULTS: list[tuple[str, str, Made]] = [
    ("label leakage", "state", lambda t: t.with_columns(state=pl.when(BACK).then(pl.lit("R")).otherwise(pl.lit("L")))),
    (
        "label leakage by absence",
        "parcel",
        lambda t: t.with_columns(parcel=pl.when(BACK, pl.col("pages") > 8).then(pl.col("pages"))),
    ),
    (
        "known only afterwards",
        "visit_changes",
        lambda t: t.with_columns(visit_changes=pl.when(~BACK, pl.col("pages") > 20).then(2).otherwise(0)),
    ),
    (
        "value with a single label",
        "gate",
        lambda t: t.with_columns(
            gate=pl.when(BACK, pl.col("pages") > 22)
            .then(pl.lit("z"))
            .when(pl.col("pages") > 10)
            .then(pl.lit("x"))
            .otherwise(pl.lit("y"))
        ),
    ),
    (
        "column begins late",
        "fresh",
        lambda t: t.with_columns(fresh=pl.when(LATE).then(pl.col("spent") * 2 + pl.col("pages"))),
    ),
    ("column stopped", "old", lambda t: t.with_columns(old=pl.when(~LATE).then(pl.col("pages") * 3))),
    (
        "unit change",
        "spent",
        lambda t: t.with_columns(spent=pl.when(LATE).then(pl.col("spent") * 2.54).otherwise(pl.col("spent"))),
    ),
    (
        "category codes change",
        "device",
        lambda t: t.with_columns(
            device=pl.when(LATE).then(pl.col("device").replace({"phone": "1", "desk": "2"})).otherwise(pl.col("device"))
        ),
    ),
    (
        "implausible values",
        "spent",
        lambda t: t.with_columns(spent=pl.when(pl.int_range(pl.len()) == 77).then(-5.0).otherwise(pl.col("spent"))),
    ),
    ("duplicate rows", "", lambda t: pl.concat([t, t.head(400)]).sort("at")),
    (
        "labels stop",
        "back",
        lambda t: t.with_columns(back=pl.when(pl.int_range(pl.len()) < ROWS * 3 // 4).then(pl.col("back"))),
    ),
    ("missing labels", "back", lambda t: t.with_columns(back=pl.when(pl.col("pages") > 3).then(pl.col("back")))),
    (
        "labels dry up",
        "back",
        lambda t: t.with_columns(back=pl.when(pl.int_range(pl.len()) < pl.len() * 0.8).then("back").otherwise(0)),
    ),
    (
        "constant labels",
        "back",
        lambda t: t.with_columns(back=pl.when(pl.int_range(pl.len()) < 1200).then(0).otherwise(pl.col("back"))),
    ),
    (
        "rare class",
        "back",
        lambda t: t.with_columns(back=pl.when(pl.int_range(pl.len()) % 37 == 0).then(pl.col("back")).otherwise(0)),
    ),
    (
        "gaps",
        "at",
        lambda t: t.with_columns(
            pl.when(LATE).then(pl.col("at") + timedelta(days=60)).otherwise(pl.col("at")).alias("at")
        ),
    ),
    (
        "mixed types",
        "pages",
        lambda t: t.with_columns(pages=pl.when(LATE).then(pl.lit("many")).otherwise(pl.col("pages").cast(pl.String))),
    ),
    (
        "label leakage by absence",
        "fee",
        lambda t: t.with_columns(
            fee=pl.when(BACK, pl.col("pages") > 8).then(pl.col("spent") * 3 + pl.col("pages")).otherwise(0.0)
        ),
    ),
    (
        "category codes change",
        "back",
        lambda t: t.with_columns(
            back=pl.when(LATE)
            .then(pl.col("back").cast(pl.String))
            .otherwise(pl.col("back").replace_strict({1: "yes", 0: "no"}))
        ),
    ),
    (
        "entities on both sides of the split",
        "member",
        lambda t: t.with_columns(
            member=pl.format("m{}", pl.int_range(pl.len()) * 37 % 150),
            back=(pl.int_range(pl.len()) * 37 % 150 * 7 % 10 < 4).cast(pl.Int64),
        ),
    ),
    (
        "entities on both sides of the split",
        "member_no",
        lambda t: t.with_columns(
            member_no=pl.int_range(pl.len()) * 37 % 150 + 7000,
            back=(pl.int_range(pl.len()) * 37 % 150 * 7 % 10 < 4).cast(pl.Int64),
        ),
    ),
    (
        "near-duplicate rows",
        "pages",
        lambda t: pl.concat([t, t.head(300).with_columns(pl.col("pages") + 40)]).sort("at"),
    ),
    (
        "several rows of one event",
        "order_id",
        lambda t: pl.concat([t.with_columns(state=1), t.head(900).with_columns(pl.col("pages") + 40, state=2)])
        .with_columns(order_id=pl.col("visit")).drop("visit").sort("at", "state").drop("state"),
    ),
    (
        "words alike",
        "source",
        lambda t: t.with_columns(source=pl.when(pl.col("pages") < 9).then(pl.col("source").str.to_uppercase() + ".")
                                 .otherwise(pl.col("source"))),
    ),
    ("rows without a time", "at", lambda t: t.with_columns(at=pl.when(pl.col("pages") != 3).then(pl.col("at")))),
    ("uninformative column", "ticket", lambda t: t.with_columns(ticket=pl.int_range(pl.len()) + 500_000)),
    ("uninformative column", "store", lambda t: t.with_columns(store=pl.lit("one"))),
]


def issues_of(table: pl.DataFrame, folder: Path) -> tuple[Issue, ...]:
    table.write_csv(folder / "visits.csv")
    return create.draft("tried", Request(Address.of(str(folder / "visits.csv")), time="at", label="back")).issues


@pytest.mark.parametrize(("kind", "column", "made"), FAULTS, ids=[f"{k}: {c}" for k, c, _ in FAULTS])
def test_a_fault_is_reported_with_its_fix(kind: str, column: str, made: Made, tmp_path: Path) -> None:
    issues = issues_of(made(healthy()), tmp_path)
    here = [i for i in issues if i.kind == kind and i.column in (column, "")]
    assert here, [(i.kind, i.column, i.text) for i in issues]
    assert here[0].text and here[0].fix and 0 < here[0].confidence <= 1
    assert kind not in CHARTED or len(here[0].chart) > 1 and here[0].chart_title
    barred = {i.column for i in issues if i.barred}
    assert barred == ({column} if here[0].barred else set())


def test_of_a_healthy_table_nothing_is_left_out(tmp_path: Path) -> None:
    issues = issues_of(healthy(), tmp_path)
    assert [(i.kind, i.column) for i in issues if i.kind != "uninformative column"] == []


def test_only_of_what_comes_once_it_is_stated_that_it_identifies_a_row(tmp_path: Path) -> None:
    table = healthy().with_columns(customer="c" + (pl.int_range(pl.len()) * 37 % (ROWS // 2)).cast(pl.String))
    texts = {i.column: i.text for i in issues_of(table, tmp_path) if i.kind == "uninformative column"}
    assert texts["visit"].startswith("visit identifies a row")
    assert texts["customer"] == "customer has 2,000 distinct values in 4,000 rows, too few of each to learn from"


def test_labels_that_dry_up_or_thin_out_are_not_trusted(tmp_path: Path) -> None:
    dried = healthy().with_columns(back=pl.when(pl.int_range(pl.len()) < ROWS * 0.8).then("back").otherwise(0))
    dried.write_csv(tmp_path / "dried.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "dried.csv")), time="at", label="back"))
    last = dried.filter(BACK)["at"].max()
    until = (last + timedelta(seconds=1)).replace(microsecond=0)
    assert f'labels_until: "{until.isoformat()}"' in made.files["params.yaml"]
    late = healthy().with_columns(at=START + (pl.col("at") - START) / 4)
    late = late.with_columns(known=pl.col("at") + timedelta(days=1) * (pl.int_range(pl.len()) * 7919 % 25))
    late = late.filter(pl.col("known") < late["at"].max())
    late.write_csv(tmp_path / "late.csv")
    request = Request(Address.of(str(tmp_path / "late.csv")), time="at", label="back", known_at="known")
    made = create.draft("tried", request)
    until = made.profile.history.labels_until
    assert until is not None and timedelta(days=5) < late["at"].max() - until < timedelta(days=25)
    assert f'labels_until: "{until.isoformat()}"' in made.files["params.yaml"] and made.profile.history.end == until
    made = create.draft("tried", Request(Address.of(str(tmp_path / "late.csv")), time="at", label="back"))
    assert "labels_until" not in made.files["params.yaml"]


def test_columns_that_add_up_to_the_label_are_left_out(tmp_path: Path) -> None:
    table = healthy().with_columns(total=pl.col("spent") + pl.col("pages"))
    table.write_csv(tmp_path / "visits.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "visits.csv")), time="at", label="total"))
    assert set(made.leakage.barred) == {"spent", "pages"}


def amounts(local: bool = False) -> pl.DataFrame:
    """Hourly amounts of two things that follow the hour; in local time the clocks change."""
    hours = pl.datetime_range(START, START + timedelta(days=330), "1h", eager=True, time_zone="UTC")
    zoned = hours.dt.convert_time_zone("Europe/Berlin") if local else hours
    chance = random.Random(9)
    parts = [
        pl.DataFrame({
            "ts": zoned.dt.replace_time_zone(None),
            "thing": f"t{n}",
            "warm": [round(chance.gauss(10, 4), 1) for _ in hours],
            "used": [round(20 + 5 * n + t.hour + chance.gauss(0, 2), 2) for t in hours],
        })
        for n in range(2)
    ]  # fmt: skip
    return pl.concat(parts)


AMOUNTS: list[tuple[str, Made]] = [
    ("clock changes", lambda t: amounts(local=True)),
    ("duplicate keys", lambda t: amounts(local=True)),
    ("censored labels", lambda t: t.with_columns(pl.col("used").clip(upper_bound=38.0))),
    ("component of the label", lambda t: t.with_columns(own=pl.col("used") - pl.col("warm"))),
    ("component of the label", lambda t: t.with_columns(other_unit=pl.col("used") * 3.6 + 2)),
    ("label drift", lambda t: t.with_columns(used=pl.col("used") + pl.col("ts").rank("dense") / 300)),
]


@pytest.mark.parametrize(("kind", "made"), AMOUNTS, ids=[f"{n}: {k}" for n, (k, _) in enumerate(AMOUNTS)])
def test_a_fault_of_a_series_is_reported(kind: str, made: Made, tmp_path: Path) -> None:
    made(amounts()).write_csv(tmp_path / "used.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "used.csv")), time="ts", label="used"))
    assert kind in [i.kind for i in made.issues]


def test_a_healthy_series_has_no_issues(tmp_path: Path) -> None:
    amounts().write_csv(tmp_path / "used.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "used.csv")), time="ts", label="used"))
    assert [(i.kind, i.text) for i in made.issues] == []


def test_early_labels_are_reported_as_a_biased_sample(tmp_path: Path) -> None:
    wait = pl.when(BACK).then(pl.col("pages") % 10 + 1).otherwise(60 + pl.col("pages") % 20)
    table = healthy().with_columns(known=pl.col("at") + pl.duration(days=wait))
    table.write_csv(tmp_path / "visits.csv")
    request = Request(Address.of(str(tmp_path / "visits.csv")), time="at", label="back", known_at="known")
    made = create.draft("tried", request)
    late = [i for i in made.issues if i.kind == "delayed labels"]
    assert late and "biased sample" in late[0].text
    assert made.profile.delay.horizon >= timedelta(days=30)


def test_the_page_needs_no_other_file(tmp_path: Path) -> None:
    table = FAULTS[6][2](healthy())
    table.write_csv(tmp_path / "visits.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "visits.csv")), time="at", label="back"))
    page = made.files["issues.html"]
    assert "unit change" in page and "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def labelled(**columns: pl.Expr) -> pl.DataFrame:
    return healthy().with_columns(**columns)


NOT_COPIES: list[tuple[str, dict[str, pl.Expr], set[str]]] = [
    (
        "filled where the label is yes, with slips",
        {"closed_by": pl.when((pl.int_range(pl.len()) % 40 == 0) != BACK).then(pl.lit("ann"))},
        {"closed_by"},
    ),
    (
        "filled together with one that leaks",
        {
            "refund": pl.when(BACK).then(pl.int_range(pl.len()) % 7 + 1.0),
            "clerk": pl.when(BACK).then(pl.concat_str(pl.lit("c"), pl.int_range(pl.len()) % 9)),
        },
        {"refund", "clerk"},
    ),
    (
        "called after one that leaks",
        {
            "final_state": pl.when(BACK).then(pl.lit("gone")).otherwise(pl.lit("kept")),
            "final_state_by": pl.concat_str(pl.lit("clerk "), pl.int_range(pl.len()) % 6),
        },
        {"final_state", "final_state_by"},
    ),
]


@pytest.mark.parametrize(("columns", "barred"), [c[1:] for c in NOT_COPIES], ids=[c[0] for c in NOT_COPIES])
def test_leaks_that_are_no_perfect_copies_are_left_out(
    columns: dict[str, pl.Expr], barred: set[str], tmp_path: Path
) -> None:
    labelled(**columns).write_csv(tmp_path / "visits.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "visits.csv")), time="at", label="back"))
    assert set(made.leakage.barred) == barred


def test_few_labels_that_weigh_more_than_all_others_are_named(tmp_path: Path) -> None:
    nine = pl.int_range(pl.len()) % 500 == 7
    table = healthy().with_columns(paid=pl.when(nine).then(1e7).otherwise(pl.col("spent") * (pl.col("pages") > 20)))
    for name, column in (("odd", "paid"), ("sound", "spent")):
        table.write_csv(tmp_path / f"{name}.csv")
        made = create.draft("tried", Request(Address.of(str(tmp_path / f"{name}.csv")), time="at", label=column))
        texts = [i.text for i in made.issues if i.kind == "few labels weigh most"]
        assert bool(texts) == (name == "odd")
