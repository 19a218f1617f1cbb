import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from loads import HOURS, SQL, START, feature, loads, make, settle
from steps import features_of, featurize, read_verdict, upcoming, validate

from homeostat.adapters.parquet import read_table
from homeostat.core.errors import DataError, ScopeError
from homeostat.data.amendments import correct_batch, release_rows
from homeostat.features import sql as feature_sql
from homeostat.features.tables import mature, read_features
from homeostat.project.layout import Project
from homeostat.stages import featurize as featurize_stage

HOUR = timedelta(hours=1)
LABELS = [f"2024-03-01T{h:02d}" for h in range(HOURS)]
LATEST = feature("max_by(r.load, r.event_time)", "r.meter = e.meter AND r.read_known_at < e.predict_at")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many events each run of the SQL was asked for."""
    asked: list[int] = []
    real = feature_sql.build
    monkeypatch.setattr(feature_sql, "build", lambda *given: asked.append(given[3].height) or real(*given))
    yield asked


def test_a_table_holds_key_times_features_and_what_happened(tmp_path: Path) -> None:
    project = make(tmp_path)
    path = featurize(project, LABELS[3])
    assert path == project.features / f"{LABELS[3]}.parquet"
    table = read_table(path)
    assert table.columns == [
        "meter", "taken", "event_time", "predict_at", "hour", "total", "given__meter", "given__phase", "label__high",
        "known__high",
    ]  # fmt: skip
    assert table.select("meter", "taken").rows() == sorted(table.select("meter", "taken").rows())
    row = table.row(by_predicate=pl.col("meter") == "m2", named=True)
    moment = START + 3 * HOUR + timedelta(minutes=20)
    assert (row["event_time"], row["predict_at"], row["known__high"]) == (moment, moment - HOUR, moment + HOUR / 6)
    loads_before = [(h * 7 + 26) % 11 for h in range(2)]  # those of hours 0 and 1; that of hour 2 is not known yet
    assert row["total"] == sum(loads_before) and row["label__high"] == float((21 + 26) % 11 > 5)
    assert table.schema["predict_at"] == pl.Datetime("us") and table["given__phase"].to_list() == [1, 2, 3, 1, 2, 3]


def test_what_holds_is_kept_and_what_changed_is_made_again(tmp_path: Path, built: list[int]) -> None:
    project = make(tmp_path)
    path = featurize(project, LABELS[5])
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert featurize(project, LABELS[5]) == path and built == [6]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    path.write_bytes(before[0][:-1])  # spoilt
    assert featurize(project, LABELS[5]).read_bytes() == before[0] and built == [6, 6]
    project.features_sql.write_text(SQL + "-- an edit")
    assert featurize(project, LABELS[5]).read_bytes() == before[0] and built == [6, 6, 6]
    earlier = project.landed / "readings" / f"{LABELS[2]}.parquet"
    read_table(earlier).with_columns(pl.lit(3.0).alias("load")).write_parquet(earlier)
    validate(project, "readings", LABELS[2])
    assert featurize(project, LABELS[5]).read_bytes() != before[0] and len(built) == 4
    featurize(project, LABELS[1])
    assert len(built) == 5
    params = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(params.replace("weight: 1,", "weight: 2,"))
    featurize(Project(tmp_path, tmp_path), LABELS[1])  # a weight is no part of it
    assert len(built) == 5
    (tmp_path / "params.yaml").write_text(params.replace("load > 5", "load > 6"))
    featurize(Project(tmp_path, tmp_path), LABELS[1])
    assert len(built) == 6


def test_the_same_bytes_again_and_at_four_threads(tmp_path: Path) -> None:
    project = make(tmp_path)
    first = featurize(project, LABELS[6]).read_bytes()
    shutil.rmtree(project.features)
    four = project.scope.model_copy(update={"threads": 4})
    project.__dict__["scope"] = four
    assert featurize(project, LABELS[6]).read_bytes() == first


def test_another_sql_is_cached_by_content(tmp_path: Path, built: list[int]) -> None:
    project = make(tmp_path)
    other = "SELECT meter, taken, 1 AS x FROM events"
    table = features_of(project, LABELS[2], other)
    assert "x" in table.columns and features_of(project, LABELS[2], other).equals(table) and built == [6]
    assert not (project.features / f"{LABELS[2]}.parquet").exists()
    assert features_of(project, LABELS[2], SQL).equals(features_of(project, LABELS[2])) and built == [6, 6]


def test_read_features_puts_batches_in_order(tmp_path: Path) -> None:
    project = make(tmp_path)
    with pytest.raises(DataError, match="run the stage featurize first"):
        read_features(project)
    for label in (LABELS[4], LABELS[2], LABELS[3]):
        featurize(project, label)
    assert read_features(project)["event_time"].dt.hour().unique(maintain_order=True).to_list() == [2, 3, 4]
    assert read_features(project, [LABELS[3]]).height == 6
    assert read_features(project, []).columns == read_features(project).columns
    assert read_features(project, []).height == 0
    with pytest.raises(DataError, match="no such file"):
        read_features(project, LABELS)
    project.features_sql.write_text(feature("1"))
    featurize(project, LABELS[3])
    with pytest.raises(DataError, match="different columns; run the stage featurize again"):
        read_features(project)


def test_mature_is_labelled_known_and_past_the_horizon(tmp_path: Path) -> None:
    project = make(tmp_path)
    table = features_of(project, LABELS[3])
    at = START + 4 * HOUR + timedelta(minutes=20)
    assert mature(table, "high", project.scope, at)["meter"].to_list() == ["m0", "m1", "m2"]  # one hour after the event
    longer = project.scope.model_copy(
        update={"events": project.scope.events.model_copy(update={"label_horizon": timedelta(0)})}
    )
    early = START + 3 * HOUR + timedelta(minutes=20)  # m1 is known at just that time: not yet
    assert mature(table, "high", longer, early)["meter"].to_list() == ["m0"]


def test_where_leaves_events_without_label(tmp_path: Path) -> None:
    objective = "{high: {task: binary, label: load > 5, where: phase < 3, known: read, weight: 1, features: []}}"
    table = features_of(make(tmp_path, objectives=objective), LABELS[0])
    assert table.filter(pl.col("label__high").is_null())["given__phase"].to_list() == [3, 3]
    assert table.filter(pl.col("label__high").is_null())["known__high"].to_list() == [None, None]


def test_ranking_has_its_group_and_a_rule_is_given(tmp_path: Path) -> None:
    objective = "{best: {task: ranking, label: load, group: hour(event_time), known: read, weight: 1, features: []}}"
    table = features_of(make(tmp_path, objectives=objective, baseline='{sql: "phase * 2"}'), LABELS[4])
    assert table["group__best"].to_list() == ["4"] * 6 and table["given__sql"].to_list() == [4.0, 6.0, 2.0] * 2
    assert table.columns[-3:] == ["label__best", "known__best", "group__best"]


def test_a_batch_that_was_not_accepted_has_no_events(tmp_path: Path) -> None:
    project = make(tmp_path, loads().filter(pl.col("taken").dt.hour() != 3))
    table = features_of(project, LABELS[3])
    assert table.height == 0 and table.schema == features_of(project, LABELS[4]).schema


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("label: load > 5", "label: laod > 5", "params.yaml: objectives.high.label: .*laod"),
        ("predict_at: event_time - INTERVAL 1 HOUR", "predict_at: nope", "params.yaml: events.predict_at: .*nope"),
        ("at: event_time + INTERVAL 10 MINUTE", "at: load", "sources.readings.known_at.read.at"),
        ("features: [hour, total]", "features: [hour, nope]", "does not return nope, which objectives.high.features"),
    ],
)  # fmt: skip
def test_a_scope_that_cannot_be_used_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    project = make(tmp_path)
    params = (tmp_path / "params.yaml").read_text().replace(old, new)
    (tmp_path / "params.yaml").write_text(params)
    with pytest.raises(ScopeError, match=said):
        featurize(Project(tmp_path, tmp_path), LABELS[2])
    (tmp_path / "features.sql").unlink()
    with pytest.raises(ScopeError, match="write the SELECT"):
        featurize(project, LABELS[2])


def test_an_accepted_file_that_changed_is_told(tmp_path: Path) -> None:
    project = make(tmp_path)
    path = project.accepted / "readings" / f"{LABELS[2]}.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="changed since it was accepted"):
        featurize(project, LABELS[3])


def test_main_makes_the_window_and_removes_the_rest(tmp_path: Path, monkeypatch, capsys) -> None:
    project = make(tmp_path)
    project.features.mkdir(parents=True)
    for name in ("2020-01-01T00.parquet", "2020-01-01T00.json", ".gitignore"):
        (project.features / name).write_text("stray")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        featurize_stage.main()
    said = capsys.readouterr().out
    assert said.count("removed features/2020-01-01T00.parquet") == 1
    assert said.count("features: 54 events in 9 batches") == 2
    kept = {p.name for p in project.features.iterdir()}
    assert kept == {".gitignore", "2024-03-01.json", *(f"{k}.parquet" for k in LABELS)}


def test_events_that_nobody_could_have_asked_about_have_no_features(tmp_path: Path, monkeypatch) -> None:
    project = make(tmp_path)
    late = (tmp_path / "params.yaml").read_text().replace("event_time - INTERVAL 1 HOUR", "event_time - INTERVAL 2 DAY")
    (tmp_path / "params.yaml").write_text(late)
    assert features_of(Project(tmp_path, tmp_path), LABELS[2]).height == 0
    monkeypatch.chdir(project.root)
    with pytest.raises(ScopeError, match="no event is known before it is predicted"):
        featurize_stage.main()


# ---- versions

KNOWN = START + 3 * HOUR + timedelta(minutes=30)  # the predict-at of m3 of hour 4


def corrected(project: Project, folder: Path, label: str, load: float, known: datetime = KNOWN) -> None:
    rows = read_table(project.landed / "readings" / f"{label}.parquet").with_columns(pl.lit(load).alias("load"))
    rows.write_csv(folder / "new.csv", datetime_format="%Y-%m-%dT%H:%M:%S", null_value="NA")
    correct_batch(project, "readings", label, folder / "new.csv", "Ann", "read again", known)


def test_an_event_before_an_amendment_sees_the_earlier_version(tmp_path: Path) -> None:
    project = make(tmp_path, sql=LATEST)
    before = features_of(project, LABELS[4]), features_of(project, LABELS[6])
    corrected(project, tmp_path, LABELS[2], 77.0)
    validate(project, "readings", LABELS[2])
    after = features_of(project, LABELS[4])
    assert before[0]["leak"].to_list()[:4] == after["leak"].to_list()[:4]  # predict-at up to and at the amendment
    assert after["leak"].to_list()[4:] == [77.0, 77.0] != before[0]["leak"].to_list()[4:]
    assert features_of(project, LABELS[6])["leak"].to_list() == before[1]["leak"].to_list()  # hour 4 is its latest
    corrected(project, tmp_path, LABELS[2], 88.0, KNOWN + timedelta(minutes=15))
    validate(project, "readings", LABELS[2])
    assert features_of(project, LABELS[4])["leak"].to_list()[4:] == [77.0, 88.0]
    kept = {
        k: v for k, v in read_verdict(project, "readings", LABELS[2]).files.items() if k.startswith("accepted until")
    }
    assert list(kept) == ["accepted until 2024-03-01T03:30:00", "accepted until 2024-03-01T03:45:00"]
    folder = project.accepted / "readings" / LABELS[2]
    assert {p.stem for p in folder.iterdir()} == {v[:32] for v in kept.values()}
    next(folder.iterdir()).unlink()  # made again
    validate(project, "readings", LABELS[2])
    assert len(list(folder.iterdir())) == 2


def test_labels_that_an_amendment_changed_are_known_with_it(tmp_path: Path) -> None:
    project = make(tmp_path, sql=LATEST)
    before = features_of(project, LABELS[2])
    corrected(project, tmp_path, LABELS[2], 9.0)
    validate(project, "readings", LABELS[2])
    after = features_of(project, LABELS[2])
    assert after["label__high"].to_list() == [1.0] * 6
    changed = (before["label__high"] != after["label__high"]).to_list()
    assert any(changed) and not all(changed)
    expected = [KNOWN if c else old for c, old in zip(changed, before["known__high"], strict=True)]
    assert after["known__high"].to_list() == expected
    assert after.drop("label__high", "known__high").equals(before.drop("label__high", "known__high"))


def test_released_rows_are_events_and_seen_by_later_ones_only(tmp_path: Path) -> None:
    project = make(tmp_path, sql=LATEST)
    rule = {
        "type": "expect_column_values_to_be_between", "kwargs": {"column": "load", "max_value": 9},
        "severity": "warning", "meta": {"reason": "so"},
    }  # fmt: skip
    project.contracts.mkdir()
    (project.contracts / "readings.json").write_text(json.dumps({"name": "readings", "expectations": [rule]}))
    settle(project)
    label = next(k for k in LABELS[2:5] if validate(project, "readings", k).rows_quarantined)
    held = read_table(project.quarantine / "readings" / f"{label}.parquet")
    assert features_of(project, label).height == 6 - held.height
    release_rows(project, "readings", label, None, "Ann", "a true peak", START + 12 * HOUR)
    validate(project, "readings", label)
    table = features_of(project, label)
    assert table.height == 6 and table["given__phase"].null_count() == 0
    back = table.join(held, on="meter", how="semi")
    assert set(back["known__high"]) == {START + 12 * HOUR} and set(back["label__high"]) == {1.0}
    after = features_of(project, LABELS[LABELS.index(label) + 2])["leak"]
    assert 10.0 not in after.to_list()


# ---- events ahead


def test_each_event_ahead_is_met_once_before_its_predict_at(tmp_path: Path) -> None:
    project = make(tmp_path, hours=4)  # the source goes on
    loads(9).write_csv(tmp_path / "readings.csv", datetime_format="%Y-%m-%dT%H:%M:%S", null_value="NA")
    met: list[tuple[str, datetime]] = []
    for now in (START + h * HOUR for h in range(4, 7)):
        table = upcoming(project, now)
        assert table is not None and table.height == 6
        assert ((table["predict_at"] >= now) & (table["predict_at"] < now + HOUR)).all()
        assert table.columns == features_of(project, LABELS[3]).columns
        assert table.schema == features_of(project, LABELS[3]).schema
        assert table["label__high"].null_count() == table["known__high"].null_count() == 6
        met += table.select("meter", "taken").rows()
    assert len(met) == len(set(met)) == 18 and {t.hour for _, t in met} == {5, 6, 7}
    assert upcoming(project, START + 20 * HOUR) is None


def test_events_ahead_see_what_is_known_now(tmp_path: Path) -> None:
    project = make(tmp_path, sql=LATEST, hours=4)
    loads(9).write_csv(tmp_path / "readings.csv", datetime_format="%Y-%m-%dT%H:%M:%S", null_value="NA")
    now = START + 4 * HOUR
    table = upcoming(project, now)
    assert table is not None
    last = {m: 3 if 10 * m + 10 < 60 else 2 for m in range(6)}  # m5 of hour 3 is read at just now: not known yet
    assert table["leak"].to_list() == [float((last[m] * 7 + m * 13) % 11) for m in range(6)]
    counted = upcoming(project, now, "SELECT meter, taken, (SELECT count(load) FROM readings) AS n FROM events")
    assert counted is not None and set(counted["n"]) == {23}
    ahead = upcoming(project, now, "SELECT meter, taken, (SELECT count(*) FROM readings) AS n FROM events")
    assert ahead is not None and set(ahead["n"]) == {36}  # the plan of hours 4 and 5 is known


def test_a_rule_may_go_by_a_feature(tmp_path: Path) -> None:
    table = features_of(make(tmp_path, baseline="{by: [phase, total]}"), LABELS[3])
    assert table["given__total"].equals(table["total"].alias("given__total")) and "given__phase" in table.columns
