import json
from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
from readings import CONTRACT, START, readings, write_contract
from steps import missing, read_verdict, validate, validate_many

from homeostat.adapters.parquet import read_table
from homeostat.core.batch_rules import Verdict
from homeostat.core.errors import DataError, ScopeError
from homeostat.core.periods import Period
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.data import validate as stage
from homeostat.project.layout import Project
from homeostat.stages import validate as validate_stage

Make = Callable[..., Project]
LABELS = [f"2024-03-01T{h:02d}" for h in range(10)]


def spoilt(change: pl.Expr, hours: int = 10) -> pl.DataFrame:
    """Readings with ``change`` applied."""
    return readings(hours).with_columns(change)


def at(hour: int, minute: int | None = None) -> pl.Expr:
    found = pl.col("at").dt.hour() == hour
    return found if minute is None else found & (pl.col("at").dt.minute() == minute)


def held(project: Project, label: str) -> pl.DataFrame:
    return read_table(project.quarantine / "readings" / f"{label}.parquet")


def failed(verdict: Verdict) -> set[str]:
    return {f.rule for f in verdict.failed}


def test_a_good_history_is_accepted_whole(meters: Make) -> None:
    project = meters(readings(10))
    verdicts = validate_many(project, "readings", LABELS)
    assert {v.status for v in verdicts} == {"accepted"} and sum(v.rows_accepted for v in verdicts) == 100
    for label in LABELS:
        landed, accepted = (read_table(d / "readings" / f"{label}.parquet") for d in (project.landed, project.accepted))
        assert accepted.equals(landed)
    assert not project.quarantine.exists()


def test_a_warning_holds_its_rows_with_the_reason(meters: Make) -> None:
    load = pl.when(at(1, 4)).then(1048.0).otherwise("load").alias("load")
    project = meters(spoilt(load))
    verdict = validate(project, "readings", LABELS[1])
    assert (verdict.status, verdict.rows_accepted, verdict.rows_quarantined) == ("accepted", 9, 1)
    row = held(project, LABELS[1])
    assert row["load"].to_list() == [1048.0] and row["reason"].to_list() == ["Load is in kW."]
    assert 1048.0 not in read_table(project.accepted / "readings" / f"{LABELS[1]}.parquet")["load"]


def test_critical_holds_the_batch_whole_and_info_nothing(meters: Make) -> None:
    meter = pl.when(at(1, 4)).then(None).otherwise("meter").alias("meter")
    phase = pl.when(at(2)).then(9).otherwise("phase").alias("phase")
    project = meters(readings(10).with_columns(meter, phase))
    verdict = validate(project, "readings", LABELS[1])
    assert (verdict.status, verdict.rows_accepted, verdict.rows_quarantined) == ("quarantined", 0, 10)
    assert held(project, LABELS[1])["reason"].str.starts_with("Each reading is of a meter.").all()
    assert not (project.accepted / "readings" / f"{LABELS[1]}.parquet").exists()
    noted = validate(project, "readings", LABELS[2])
    assert noted.rows_accepted == 10 and failed(noted) == {"contract"}
    (finding,) = noted.failed
    assert (finding.subject, finding.facts["severity"]) == ("column_values_to_be_in_set phase", "info")


def test_copies_are_held_once_and_rivals_all(meters: Make) -> None:
    rows = readings(10)
    copies = rows.filter(at(1, 4))
    rivals = rows.filter(at(1, 7)).with_columns(pl.lit(50.0).alias("load"))
    project = meters(pl.concat([rows, copies, copies, rivals]))
    verdict = validate(project, "readings", LABELS[1])
    assert (verdict.rows_accepted, verdict.rows_quarantined) == (9, 4) and "unique key" in failed(verdict)
    reasons = held(project, LABELS[1]).sort("at")["reason"].to_list()
    assert [r.split()[0] for r in reasons] == ["an", "an", "other", "other"]


def test_volume_is_held_against_its_own_accepted_history(meters: Make) -> None:
    rows = readings(10)
    project = meters(pl.concat([rows.filter(~at(8)), rows.filter(at(8)).head(4)]))
    verdicts = validate_many(project, "readings", LABELS)
    assert [v.status for v in verdicts] == ["accepted"] * 8 + ["quarantined", "accepted"]
    assert failed(verdicts[8]) == {"volume"} and "60 % off the median of 10" in held(project, LABELS[8])["reason"][0]


def test_a_batch_from_the_future_and_one_that_came_twice(meters: Make) -> None:
    project = meters(readings(10))
    folder = project.landed / "readings"
    validate(project, "readings", LABELS[0])
    (folder / f"{LABELS[1]}.parquet").write_bytes((folder / f"{LABELS[0]}.parquet").read_bytes())
    twice = validate(project, "readings", LABELS[1])
    assert twice.status == "quarantined" and failed(twice) == {"delivered once", "period"}
    (folder / f"{LABELS[2]}.parquet").write_bytes((folder / f"{LABELS[5]}.parquet").read_bytes())
    early = validate(project, "readings", LABELS[2])
    assert early.status == "quarantined" and failed(early) == {"period"}
    assert any("from the future" in sentence(f) for f in early.findings if f.rule == Rule.PERIOD)


def test_another_schema_is_held_and_a_damaged_file_is_an_error(meters: Make) -> None:
    project = meters(readings(10))
    path = project.landed / "readings" / f"{LABELS[1]}.parquet"
    read_table(path).rename({"load": "power"}).write_parquet(path)
    verdict = validate(project, "readings", LABELS[1])
    assert verdict.status == "quarantined" and failed(verdict) == {"schema"}
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="damaged"):
        validate(project, "readings", LABELS[1])
    path.unlink()
    with pytest.raises(DataError, match="not there"):
        validate(project, "readings", LABELS[1])


def test_a_batch_that_never_came(meters: Make) -> None:
    project = meters(readings(1), hours=3)
    period = Period(START + timedelta(hours=1), START + timedelta(hours=2), LABELS[1])
    assert missing(project, "readings", period, period.end + timedelta(minutes=119)) is None
    verdict = missing(project, "readings", period, period.end + timedelta(hours=2))
    assert verdict is not None and verdict.status == "missing" and failed(verdict) == {"freshness"}
    records = json.loads((project.accepted / "readings" / "2024-03-01.json").read_text())
    assert {label: record["status"] for label, record in records.items()} == {LABELS[1]: "missing"}


def test_a_verdict_is_kept_until_what_it_follows_from_changes(meters: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    project = meters(readings(10))
    first = validate(project, "readings", LABELS[0])
    judged: list[str] = []
    real = stage.judge
    monkeypatch.setattr(stage, "judge", lambda w, c: judged.append(c.label) or real(w, c))
    assert validate(project, "readings", LABELS[0]) == first and judged == []
    accepted = project.accepted / "readings" / f"{LABELS[0]}.parquet"
    good = accepted.read_bytes()
    accepted.write_bytes(good[:-1])  # spoilt: made again
    assert validate(project, "readings", LABELS[0]) == first and accepted.read_bytes() == good
    kind, kwargs, severity, reason = CONTRACT[0]
    write_contract(project, [(kind, {**kwargs, "max_value": 5}, severity, reason)])
    edited = validate(project, "readings", LABELS[0])
    assert edited.key != first.key and edited.rows_quarantined == 4 and len(judged) == 2


def test_a_raised_metric_leaves_no_verdict(meters: Make) -> None:
    project = meters(readings(10))
    write_contract(
        project, [("expect_column_values_to_match_regex", {"column": "load", "regex": "("}, "warning", "so")]
    )
    with pytest.raises(ScopeError, match="could not be computed"):
        validate(project, "readings", LABELS[0])
    assert read_verdict(project, "readings", LABELS[0]) is None


def test_main_decides_on_the_window(meters: Make, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    project = meters(readings(10).filter(~at(4)))
    (project.accepted / "readings").mkdir(parents=True)
    (project.accepted / "readings" / "2023-01-01T00.json").write_text("{}")
    monkeypatch.chdir(project.root)
    validate_stage.main()
    said = capsys.readouterr().out
    assert "removed readings/2023-01-01T00.json" in said
    assert "readings: batches 9 accepted, 0 quarantined, 1 missing; 90 rows accepted, 0 quarantined" in said
