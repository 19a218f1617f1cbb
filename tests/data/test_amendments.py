from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from readings import CONTRACT, START, readings, write_contract
from steps import validate, validate_many

from homeostat.adapters.parquet import read_table
from homeostat.checks.contracts import what_if
from homeostat.core.errors import DataError, UsageError
from homeostat.core.rules import Rule
from homeostat.data.amendments import correct_batch, read_amendments, release_rows
from homeostat.project.layout import Project

Make = Callable[..., Project]
LABEL = "2024-03-01T01"
NOW = datetime(2024, 3, 2)
HIGH = (
    pl.when(pl.col("at").dt.hour() == 1, pl.col("at").dt.minute().is_in([4, 7]))
    .then(500.0)
    .otherwise("load")
    .alias("load")
)


def key(minute: int) -> list[object]:
    return [f"m{minute}", START + timedelta(hours=1, minutes=minute)]


def test_released_rows_go_back_and_the_rest_stays_held(meters: Make) -> None:
    project = meters(readings(3).with_columns(HIGH), hours=3)
    assert validate(project, "readings", LABEL).rows_quarantined == 2
    path = release_rows(project, "readings", LABEL, [key(4)], "Ann", "a test of the meter", NOW)
    assert path.name == f"0001-release-readings-{LABEL}.yaml"
    assert validate(project, "readings", LABEL, now=NOW - timedelta(1)).rows_quarantined == 2
    verdict = validate(project, "readings", LABEL, now=NOW)
    assert (verdict.rows_accepted, verdict.rows_quarantined) == (9, 1)
    assert any(f.facts.get("why") == "a test of the meter" for f in verdict.findings if f.rule == Rule.AMENDMENT)
    assert 500.0 in read_table(project.accepted / "readings" / f"{LABEL}.parquet")["load"]
    release_rows(project, "readings", LABEL, None, "Ann", "all of them", NOW)
    assert validate(project, "readings", LABEL).rows_quarantined == 0
    assert [a.number for a in read_amendments(project)] == [1, 2]


def test_a_batch_held_whole_can_be_released(meters: Make) -> None:
    project = meters(readings(3).with_columns(HIGH), hours=3)
    kind, kwargs, _, reason = CONTRACT[0]
    write_contract(project, [(kind, kwargs, "critical", reason)])
    assert validate(project, "readings", LABEL).status == "quarantined"
    release_rows(project, "readings", LABEL, None, "Ann", "known", NOW)
    assert validate(project, "readings", LABEL).rows_accepted == 10
    assert not (project.quarantine / "readings" / f"{LABEL}.parquet").exists()


def test_a_correction_takes_the_place_and_the_earlier_version_stays(meters: Make, tmp_path: Path) -> None:
    project = meters(readings(3).with_columns(HIGH), hours=3)
    landed = project.landed / "readings" / f"{LABEL}.parquet"
    before = landed.read_bytes()
    validate(project, "readings", LABEL)
    readings(3).filter(pl.col("at").dt.hour() == 1).write_csv(tmp_path / "new.csv")
    path = correct_batch(project, "readings", LABEL, tmp_path / "new.csv", "Ann", "the meter was read again", NOW)
    assert validate(project, "readings", LABEL).rows_accepted == 10 and landed.read_bytes() == before
    kept = path.with_suffix(".parquet")
    kept.write_bytes(kept.read_bytes() + b"x")
    with pytest.raises(DataError, match="restore it from git"):
        validate(project, "readings", LABEL)


def test_what_cannot_be_amended_is_said(meters: Make, tmp_path: Path) -> None:
    project = meters(readings(3).with_columns(HIGH), hours=3)
    validate(project, "readings", LABEL)
    with pytest.raises(UsageError, match="no row of it is quarantined"):
        release_rows(project, "readings", "2024-03-01T02", None, "Ann", "why", NOW)
    with pytest.raises(UsageError, match="no quarantined row has the key"):
        release_rows(project, "readings", LABEL, [key(5)], "Ann", "why", NOW)
    with pytest.raises(UsageError, match="needs who and why"):
        release_rows(project, "readings", LABEL, None, "Ann", " ", NOW)
    (tmp_path / "bad.csv").write_text("meter,at,load,phase\nm1,2024-03-01T01:00:00,much,1\n")
    with pytest.raises(DataError, match="load is 'much'"):
        correct_batch(project, "readings", LABEL, tmp_path / "bad.csv", "Ann", "why", NOW)
    assert list(project.amendments.glob("*.yaml")) == []


def test_what_an_edited_contract_would_have_done(meters: Make) -> None:
    project = meters(readings(3).with_columns(HIGH), hours=3)
    labels = [f"2024-03-01T0{h}" for h in range(3)]
    validate_many(project, "readings", labels)
    assert "unchanged: quarantined 0 of 3 batches, 2 rows" in what_if(project)
    before = {p: p.read_bytes() for p in project.root.rglob("data/**/*") if p.is_file()}
    kind, kwargs, _, reason = CONTRACT[0]
    write_contract(project, [(kind, {**kwargs, "max_value": 10}, "critical", reason)])
    said = what_if(project)
    assert "would have quarantined 2 of 3 batches, 20 rows" in said and "on record: quarantined 0 of 3" in said
    change = "quarantined, 10 rows quarantined (was accepted, 2 rows quarantined)"
    assert f"{LABEL}: {change}: 2 rows: Load is in kW." in said
    assert before == {p: p.read_bytes() for p in project.root.rglob("data/**/*") if p.is_file()}


def test_a_command_that_is_run_again_amends_once(meters: Make, tmp_path: Path) -> None:
    project = meters(readings(3).with_columns(HIGH), hours=3)
    validate(project, "readings", LABEL)
    fixed = tmp_path / "fixed.parquet"
    readings(2).filter(pl.col("at") >= START + timedelta(hours=1)).write_parquet(fixed)
    acts: list[Callable[[], Path]] = [
        lambda: release_rows(project, "readings", LABEL, [key(4)], "Ann", "a test", NOW),
        lambda: release_rows(project, "readings", LABEL, None, "Ann", "a test", NOW),
        lambda: correct_batch(project, "readings", LABEL, fixed, "Ann", "off by ten", NOW),
    ]
    for number, act in enumerate(acts, 1):
        assert act() == act()
        assert [a.number for a in read_amendments(project)] == [*range(1, number + 1)]
    release_rows(project, "readings", LABEL, None, "Ann", "a test", NOW)  # of what the correction brought
    correct_batch(project, "readings", LABEL, fixed, "Bob", "off by ten", NOW)
    assert [a.number for a in read_amendments(project)] == [1, 2, 3, 4, 5]
