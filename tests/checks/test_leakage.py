from pathlib import Path

import polars as pl
import pytest
from loads import SQL, feature, loads, make

from homeostat.checks.leakage import LeakageReport, check
from homeostat.core.errors import DataError, ScopeError

KNOWN = "r.meter = e.meter AND r.read_known_at"
LEAKS = {
    "future aggregate": feature(
        "max(r.load)", "r.meter = e.meter AND r.event_time BETWEEN e.event_time AND e.event_time + INTERVAL 3 HOUR"
    ),
    "not strictly before": feature("count(r.load)", "r.read_known_at <= e.predict_at"),
    "late-corrected value": feature("max_by(r.checked, r.event_time)", f"{KNOWN} < e.predict_at"),
    "full-table statistic": feature("min(e.phase) - sum(r.load::DECIMAL(9, 1)) / count(r.load)"),
    "label join": feature("max(r.load)", "r.meter = e.meter AND r.taken = e.taken"),
    "when it became known": feature("max(epoch(r.read_known_at))", "r.meter = e.meter AND r.taken = e.taken"),
    "neighbours in events": "SELECT meter, taken, 1 AS hour, 1 AS total, count(*) OVER () AS leak FROM events",
}


def failed(report: LeakageReport, rule: str) -> list[str]:
    return [f.text for f in report.findings if f.failed and f.rule == rule]


def test_clean_features_pass(tmp_path: Path) -> None:
    report = check(make(tmp_path))
    assert not report.failed and report.text.startswith("leakage: none found")
    assert "54 events of 9 batches were rebuilt" in report.text


@pytest.mark.parametrize("leak", LEAKS)
def test_each_planted_leak_is_caught(tmp_path: Path, leak: str) -> None:
    report = check(make(tmp_path, sql=LEAKS[leak]))
    failures = failed(report, "point in time")
    assert report.failed and len(failures) == 1 and failures[0].startswith("leak sees the future: it differs for ")
    assert "for the event meter m" in failures[0] and " from what was known at 2024-" in failures[0]
    assert report.text.startswith("leakage: 1 to fix\n  FAIL  leak sees")


BEYOND = {
    "counts back to the beginning": ("count(r.load)", f"{KNOWN} < e.predict_at"),
    "the row before, however old": ("max_by(r.load, r.event_time)", f"{KNOWN} < e.predict_at - INTERVAL 3 HOUR"),
}


@pytest.mark.parametrize("beyond", BEYOND)
def test_a_feature_that_depends_on_rows_outside_its_look_back_is_caught(tmp_path: Path, beyond: str) -> None:
    expression, join = BEYOND[beyond]
    report = check(make(tmp_path, sql=feature(expression, join), history="3h"))
    assert failed(report, "point in time") == []
    (said,) = failed(report, "look-back")
    assert said.startswith("leak depends on rows outside its look-back of 3h: it differs for ")
    assert "for the event meter m" in said and report.text.startswith("leakage: 1 to fix")
    (tmp_path / "bounded").mkdir()
    bounded = feature(expression, f"{join} AND r.event_time >= e.predict_at - INTERVAL 2 HOUR")
    assert not failed(check(make(tmp_path / "bounded", sql=bounded, history="3h")), "look-back")


def test_a_sample_catches_a_leak_and_covers_time_and_slices(tmp_path: Path) -> None:
    project = make(tmp_path, sql=LEAKS["future aggregate"])
    reports: list[tuple[str, int, int]] = []
    report = check(project, 18, lambda *done: reports.append(done))
    assert failed(report, "point in time")
    assert len([t for t in reports if t[0] == "events rebuilt"]) == 9 and reports[8][1] >= 18
    again = check(project, 18)
    assert again == report


def test_sql_that_only_works_on_the_future_fails(tmp_path: Path) -> None:
    sql = (
        "SELECT meter, taken, 1 AS hour, 1 AS total FROM events JOIN readings r USING (meter, taken) WHERE r.load >= 0"
    )
    report = check(make(tmp_path, sql=sql))
    assert "features cannot be built from only what was known" in failed(report, "point in time")[0]


def test_nothing_accepted_is_an_error(tmp_path: Path) -> None:
    project = make(tmp_path)
    for path in (project.accepted / "readings").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no batch of events was accepted"):
        check(project)


# ---- what gives the label away

HIGH = pl.col("load") > 5


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (pl.when(HIGH).then(None).otherwise("note"), "a missing note always goes with label 1"),
        (pl.when(HIGH).then("note"), "a note that is there always goes with label 1"),
        (pl.when(HIGH).then(pl.lit("x")).otherwise("note"), "note = x always goes with label 1"),
        (pl.col("note"), None),
        # one bad hour is no rule
        (pl.when(pl.col("taken").dt.hour() == 3).then(pl.lit("x")).otherwise("note"), None),
    ],
)
def test_a_value_or_its_absence_gives_the_label_away(tmp_path: Path, note: pl.Expr, words: str | None) -> None:
    bad = pl.when(pl.col("taken").dt.hour() == 3).then(9.0).otherwise("load").alias("load")
    project = make(tmp_path, loads().with_columns(bad).with_columns(note.alias("note")))
    failures = failed(check(project), "give-away")
    if words is None:
        assert failures == []
    else:
        assert any(f"high.note: {words}" in f for f in failures) and len(failures) == 1
        assert "add high.note to features.barred in params.yaml" in failures[0]


def test_a_listed_feature_gives_the_label_away(tmp_path: Path) -> None:
    rows = loads().with_columns(pl.when(HIGH).then(pl.col("phase") + 10).otherwise("phase").alias("phase"))
    report = check(make(tmp_path, rows, "SELECT meter, taken, 1 AS hour, phase >= 10 AS total FROM events"))
    failures = failed(report, "give-away")
    assert len(failures) == 1 and failures[0].startswith("high.total: total = ")


def test_what_the_scope_allows_passes(tmp_path: Path) -> None:
    rows = loads().with_columns(pl.when(HIGH).then(None).otherwise("note").alias("note"))
    report = check(make(tmp_path, rows, allowed="[high.note]"))
    assert not report.failed and "the scope allows it" in report.text


# ---- what is barred

THROUGH = {
    "the column": ("SELECT meter, taken, 1 AS hour, note AS total FROM events", True),
    "a join": ("SELECT e.meter, e.taken, 1 AS hour, floors AS total FROM events e LEFT JOIN places USING (note)", True),
    "that a join finds nothing": (
        "SELECT e.meter, e.taken, 1 AS hour, p.note IS NULL AS total FROM events e LEFT JOIN places p USING (note)",
        True,
    ),
    "other rows of the source": (
        "SELECT e.meter, e.taken, 1 AS hour, count(r.note) AS total FROM events e "
        "LEFT JOIN readings r ON r.plan_known_at < e.predict_at AND r.phase = e.phase GROUP BY ALL",
        True,
    ),
    "a feature that is not listed": ("SELECT meter, taken, 1 AS hour, phase AS total, note FROM events", False),
    "nothing": (SQL, False),
}


@pytest.mark.parametrize("through", THROUGH)
def test_no_listed_feature_depends_on_a_barred_column(tmp_path: Path, through: str) -> None:
    sql, leaks = THROUGH[through]
    rows = loads().with_columns(pl.when(HIGH).then(None).otherwise("note").alias("note"))
    report = check(make(tmp_path, rows, sql, barred="[high.note]"))
    failures = failed(report, "barred")
    assert bool(failures) == leaks
    if leaks:
        change = "high.note is barred, yet features of the objective change when it is null: total ("
        assert failures[0].startswith(change)
    else:
        assert "high.note is barred, and no feature of the objective depends on it" in report.text


@pytest.mark.parametrize(
    ("name", "words"), [("high.colour", "is no column of readings"), ("high.taken", "event's key")]
)
def test_a_barred_name_must_be_a_column_that_can_be_hidden(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(ScopeError, match=words):
        check(make(tmp_path, barred=f"[{name}]"))
