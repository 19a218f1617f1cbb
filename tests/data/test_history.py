"""A batch held to those before it: faults of each kind in one batch of a real project, and batches in which none is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import depot
import polars as pl
import pytest
from depot import DAYS, LAST, START, label, parcels
from steps import read_verdict, validate

from homeostat.adapters.parquet import read_table, write_table
from homeostat.core.batch_rules import Verdict
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.data import amendments
from homeostat.data.history import clocks_change
from homeostat.data.known_at import FAR
from homeostat.data.workspace import Workspace
from homeostat.features.lookback import look_back
from homeostat.project.layout import Project


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which all days but the last are judged."""
    return depot.judged(tmp_path_factory.mktemp("depot"))


def judged(project: Project, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Verdict:
    """The verdict on the last day, with a change of its rows."""
    path = project.landed / "parcels" / f"{label(LAST)}.parquet"
    sound = path.read_bytes()
    try:
        write_table(change(read_table(path)), path)
        return validate(project, "parcels", label(LAST))
    finally:
        path.write_bytes(sound)


def found(verdict: Verdict) -> dict[str, set[str]]:
    """The kinds that the history rules found, each with its columns."""
    failed = [f for f in verdict.failed if f.rule == Rule.HISTORY]
    return {f.facts["kind"]: set(f.facts["columns"]) for f in failed}


def some(share: float, column: str, value: pl.Expr) -> pl.Expr:
    hit = pl.int_range(pl.len()).hash(3) % 100 < 100 * share
    return pl.when(hit).then(value).otherwise(pl.col(column)).alias(column)


AGAIN = parcels().with_columns(pl.col("at") + timedelta(days=1), pl.col("id") + 10_000).filter(
    pl.col("at").is_between(START + timedelta(days=LAST), START + timedelta(days=LAST + 1), closed="left")
)  # fmt: skip
DELAY, TEMP, LOAD, DEPOT = (pl.col(c) for c in ("delay", "temp", "load", "depot"))
CASES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str, set[str], str]] = {
    "a null surge": (lambda r: r.with_columns(some(0.3, "load", pl.lit(None))), "missing values", {"load"}, "accepted"),
    "one joint surge": (
        lambda r: r.with_columns(some(0.4, "load", pl.lit(None)), some(0.4, "temp", pl.lit(None))),
        "missing values", {"load", "temp"}, "accepted",
    ),
    "seconds for minutes": (lambda r: r.with_columns(LOAD * 60), "unit change", {"load"}, "quarantined"),
    "Celsius": (lambda r: r.with_columns((TEMP - 32) / 1.8), "unit change", {"temp"}, "quarantined"),
    "a sign": (lambda r: r.with_columns(-LOAD), "sign flip", {"load"}, "quarantined"),
    "swapped numbers": (
        lambda r: r.with_columns(TEMP.alias("load"), LOAD.alias("temp")), "swapped columns", {"load", "temp"},
        "quarantined",
    ),
    "swapped texts": (
        lambda r: r.with_columns(DEPOT.alias("code"), pl.col("code").alias("depot")), "swapped columns",
        {"depot", "code"}, "quarantined",
    ),
    "a blank": (lambda r: r.with_columns(DEPOT + " "), "blanks", {"depot"}, "quarantined"),
    "case": (lambda r: r.with_columns(some(0.5, "code", pl.col("code").str.to_lowercase())), "case", {"code"},
             "quarantined"),
    "Latin-1": (lambda r: r.with_columns(DEPOT.str.replace("ü", "Ã¼", literal=True)), "encoding", {"depot"},
                "quarantined"),
    "broken bytes": (lambda r: r.with_columns(some(0.3, "depot", pl.lit("nor\ufffdh"))), "encoding", {"depot"},
                     "accepted"),
    "new texts": (lambda r: r.with_columns(some(0.3, "depot", pl.lit("east"))), "new categories", {"depot"},
                  "accepted"),
    "an explosion": (
        lambda r: r.with_columns((DEPOT + pl.int_range(pl.len()).cast(pl.String)).alias("depot")), "category explosion",
        {"depot"}, "accepted",
    ),
    "a stuck sensor": (lambda r: r.with_columns(TEMP.first().alias("temp")), "stuck values", {"temp"}, "accepted"),
    "a feed that stands still": (
        lambda r: AGAIN.cast(dict(r.schema)).select(r.columns), "stale values", {"load", "temp", "delay"}, "accepted",
    ),
    "signs that are lost": (lambda r: r.with_columns(DELAY.abs()), "lost signs", {"delay"}, "accepted"),
    "whole tens": (lambda r: r.with_columns((LOAD / 10).round() * 10), "coarse values", {"load"}, "accepted"),
    "a lost slice": (lambda r: r.filter(DEPOT != "north"), "lost slice", {"depot"}, "accepted"),
    "yes for no": (lambda r: r.with_columns(late=1 - pl.col("late")), "flipped values", {"late"}, "quarantined"),
    "a batch cut short": (lambda r: r.filter(pl.col("at").dt.hour() < 13), "lost hours", set(), "accepted"),
    "another time zone": (
        lambda r: r.with_columns(pl.col("at") + timedelta(hours=5)).filter(pl.col("at") < START + timedelta(days=DAYS)),
        "shifted time", set(), "quarantined",
    ),
    "columns that no longer belong together": (
        lambda r: r.with_columns(pl.col("late").reverse()), "lost relation",
        {"late", "delay"}, "accepted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_named_with_its_columns(good: Project, case: str) -> None:
    change, kind, columns, status = CASES[case]
    verdict = judged(good, change)
    assert found(verdict).get(kind) == columns, found(verdict)
    assert verdict.status == status
    assert {f.since for f in verdict.failed if f.rule == Rule.HISTORY} == {label(LAST)}


def test_the_sentence_says_what_and_how_to_fix_it(good: Project) -> None:
    (finding,) = [f for f in judged(good, CASES["Celsius"][0]).failed if f.rule == Rule.HISTORY]
    words = sentence(finding)
    assert words.startswith("unit change: temp came as if in Celsius for Fahrenheit (median ")
    assert f"VALUE * 1.8 + 32 makes the usual values of it; since {label(LAST)}" in words
    assert f"`homeostat data release-rows parcels {label(LAST)}`" in words


@pytest.mark.parametrize("seed", range(2, 7))
def test_days_in_which_nothing_is_wrong_pass(good: Project, seed: int) -> None:
    at = START + timedelta(days=LAST)
    other = parcels(seed).filter(pl.col("at") >= at)
    verdict = judged(good, lambda rows: other.with_columns(TEMP - other["temp"].mean() + rows["temp"].mean()))
    assert found(verdict) == {} and verdict.status == "accepted"


def test_a_tenth_of_the_rows_is_no_alarm(good: Project) -> None:
    assert found(judged(good, lambda rows: rows.gather_every(10))).keys() <= {"few rows"}


def test_too_few_batches_say_nothing(good: Project) -> None:
    early = read_verdict(good, "parcels", label(20))
    assert early is not None
    assert [f.outcome for f in early.findings if f.rule == Rule.HISTORY] == ["too few to say"]


def test_a_batch_most_of_whose_rows_fail_is_bad_as_a_whole(good: Project) -> None:
    rule = {
        "type": "expect_column_values_to_be_between", "kwargs": {"column": "load", "min_value": 0},
        "severity": "warning", "meta": {"reason": "Load is in kW."},
    }  # fmt: skip
    good.contracts.mkdir()
    (good.contracts / "parcels.json").write_text(json.dumps({"name": "parcels", "expectations": [rule]}))
    try:
        few, most = (judged(good, lambda r, s=s: r.with_columns(some(s, "load", -LOAD))) for s in (0.05, 0.7))
    finally:
        (good.contracts / "parcels.json").unlink()
    assert (few.status, most.status) == ("accepted", "quarantined") and 0 < few.rows_quarantined < few.rows
    assert Rule.FAILING_ROWS in {f.rule for f in most.failed}


def test_nothing_trains_on_a_batch_in_doubt_until_a_person_releases_it(good: Project) -> None:
    path = good.landed / "parcels" / f"{label(LAST)}.parquet"
    sound = path.read_bytes()
    try:
        write_table(CASES["a null surge"][0](read_table(path)), path)
        assert validate(good, "parcels", label(LAST)).suspect_columns == {"load"}
        assert look_back(good.scope, Workspace(good).verdicts, label(LAST)).trains_after == FAR
        known = START + timedelta(days=DAYS + 3)
        amendment = amendments.release_rows(good, "parcels", label(LAST), None, "Ann", "the scale was off", known)
        verdict = validate(good, "parcels", label(LAST))
        assert verdict.suspect_columns == frozenset() and found(verdict) == {}
        assert look_back(good.scope, Workspace(good).verdicts, label(LAST)).trains_after == known
        amendment.unlink()
    finally:
        path.write_bytes(sound)


@pytest.mark.parametrize(
    ("day", "changes"), [((2013, 3, 10), True), ((2024, 10, 27), True), ((2024, 7, 1), False), ((2024, 1, 15), False)]
)
def test_summer_time_is_no_other_zone(day: tuple[int, int, int], changes: bool) -> None:
    start = datetime(*day)
    assert clocks_change(start, start + timedelta(days=1)) == changes


def test_a_column_that_batches_before_did_not_have_is_no_error(good: Project) -> None:
    """It was declared since: of those batches it is not known."""
    text = (good.root / "params.yaml").read_text()
    more = text.replace("late: integer}", "late: integer, wind: float}").replace("delay, late]", "delay, late, wind]")
    (good.root / "params.yaml").write_text(more)
    try:
        declared = Project(good.root, good.root)
        verdict = judged(declared, lambda rows: rows.with_columns(pl.lit(3.0).alias("wind"), -LOAD))
        assert found(verdict) == {"sign flip": {"load"}}
    finally:
        (good.root / "params.yaml").write_text(text)
