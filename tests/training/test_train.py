from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tides import START, gauges, only, tides

from homeostat import models
from homeostat.core.errors import DataError, ScopeError
from homeostat.features.tables import read_features
from homeostat.project.layout import Project
from homeostat.project.window import write_window
from homeostat.training.train import split, train

DAY = timedelta(days=1)


def hashes(project: Project) -> dict[str, str]:
    files = sorted(p for p in project.candidate.rglob("*") if p.is_file())
    return {str(p.relative_to(project.candidate)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_each_objective_has_its_models_and_says_what_they_saw(tmp_path: Path) -> None:
    project = tides(tmp_path)
    train(project)
    said = json.loads((project.candidate / "training.json").read_text())
    assert said["as_of"] == "2024-04-10T00:00:00"
    flood = said["objectives"]["flood"]
    assert flood["kind"] == "lightgbm"
    assert flood["from"] == "2024-03-01T00:30:00"
    assert flood["holdout"]["from"] == "2024-04-01T00:00:00"
    assert flood["holdout"]["to"] == "2024-04-08T00:00:00"
    assert flood["holdout"]["rows"] == 7 * 48 - 8
    assert flood["features"] == ["wind", "moon", "bay"]
    for name in ("flood", "height", "order"):
        for part in ("judged", "final", "baseline", "baseline-final"):
            kind = "heuristic" if part.startswith("baseline") else "lightgbm"
            assert models.load(project.candidate / name / part).kind == kind


def test_the_same_inputs_give_the_same_bytes_at_any_number_of_threads(tmp_path: Path) -> None:
    projects = [tides(tmp_path / str(i), threads=threads) for i, threads in enumerate((1, 1, 2))]
    for project in projects:
        train(project)
    one, again, two = map(hashes, projects)
    assert one == again == two


def test_what_was_in_the_folder_goes(tmp_path: Path) -> None:
    project = tides(tmp_path, **only("flood"))
    stray = project.candidate / "gone" / "final" / "model.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    train(project)
    assert not stray.exists()


def test_no_label_is_used_before_it_is_mature(tmp_path: Path) -> None:
    project = tides(tmp_path)
    table = read_features(project)
    as_of = START + 40 * DAY
    rows = split(project.scope, "height", table, as_of)
    assert rows.every["event_time"].max() == as_of - 2 * DAY
    assert rows.held["event_time"].min() == rows.start == as_of - 9 * DAY
    assert rows.held["event_time"].max() < rows.end == as_of - 2 * DAY  # type: ignore[operator]
    assert rows.before["event_time"].max() == rows.start - 2 * DAY  # what was mature when the holdout began


def test_labels_from_when_on_the_scope_trusts_none_train_and_judge_nothing(tmp_path: Path) -> None:
    until = START + 30 * DAY
    tides(tmp_path, **only("height"))
    params = tmp_path / "params.yaml"
    until_then = f'label_horizon: 2d\n  labels_until: "{until}"'
    params.write_text(params.read_text().replace("label_horizon: 2d", until_then))
    training = train(Project(tmp_path, tmp_path))
    height = training["objectives"]["height"]
    assert height["to"] < until.isoformat() and height["holdout"]["to"] == until.isoformat()
    assert height["holdout"]["rows"] > 0


def test_labels_that_come_late_train_late(tmp_path: Path) -> None:
    project = tides(tmp_path)
    late = read_features(project).with_columns(pl.col("known__height") + 5 * DAY)
    rows = split(project.scope, "height", late, START + 40 * DAY)
    assert rows.every["event_time"].max() < START + 35 * DAY  # type: ignore[operator]


def test_a_training_window_forgets(tmp_path: Path) -> None:
    project = tides(tmp_path, windows__train="20d")
    said = train(project)["objectives"]["height"]
    assert said["from"] == (START + 20 * DAY).isoformat()


def test_an_objective_has_a_window_of_its_own(tmp_path: Path) -> None:
    project = tides(tmp_path, windows__train="30d", objectives__height__train="10d", objectives__order__train="all")
    trained = train(project)["objectives"]
    days = {name: datetime.fromisoformat(part["from"]).date() - START.date() for name, part in trained.items()}
    assert days == {"flood": 10 * DAY, "height": 30 * DAY, "order": 0 * DAY}


def test_a_combined_model_is_one_fit_of_all_objectives_whose_weights_count(tmp_path: Path) -> None:
    table = gauges(40).with_columns(
        label__ebb=(pl.col("label__height") < 3.5).cast(pl.Float64), known__ebb=pl.col("known__height")
    )
    objectives = only("flood")["objectives"]
    objectives["ebb"] = objectives["flood"] | {"label": "level < 3.5", "features": ["wind", "moon"]}
    made = {}
    for number, weights in enumerate(({"flood": 1, "ebb": 1}, {"flood": 9, "ebb": 1})):
        project = tides(tmp_path / str(number), table=table, objectives=objectives, training__model="combined",
                        training__weights=weights)  # fmt: skip
        trained = train(project)["objectives"]
        assert {part["kind"] for part in trained.values()} == {"combined"}
        assert trained["ebb"]["features"] == ["wind", "moon"]
        made[number] = hashes(project)
    for part in ("judged", "final"):
        ebb = f"ebb/{part}/trees.txt"
        assert made[0][f"flood/{part}/trees.txt"] == made[0][ebb] != made[1][ebb]
    assert made[0]["ebb/baseline/model.json"] == made[1]["ebb/baseline/model.json"]


def test_the_judged_model_has_not_seen_the_holdout(tmp_path: Path) -> None:
    """Labels of the holdout turned round change the final model and not the judged one."""
    table = gauges(40)
    held = pl.col("event_time") >= START + 31 * DAY
    turned = table.with_columns(
        pl.when(held).then(1 - pl.col("label__flood")).otherwise("label__flood").alias("label__flood")
    )
    straight, other = tides(tmp_path / "a", **only("flood")), tides(tmp_path / "b", table=turned, **only("flood"))
    train(straight)
    train(other)
    ours, theirs = hashes(straight), hashes(other)
    same = {name for name in ours if ours[name] == theirs[name]}
    assert {"flood/judged/trees.txt", "flood/baseline/model.json"} <= same
    assert not {"flood/final/trees.txt", "flood/baseline-final/model.json"} & same


def test_without_refit_the_judged_model_serves(tmp_path: Path) -> None:
    project = tides(tmp_path, training__refit=False)
    said = train(project)["objectives"]["flood"]
    found = hashes(project)
    assert found["flood/final/trees.txt"] == found["flood/judged/trees.txt"]
    assert datetime.fromisoformat(said["to"]) < datetime.fromisoformat(said["holdout"]["from"])


@pytest.mark.parametrize(("days", "kind"), [(9, "heuristic"), (10, "lightgbm"), (13, "lightgbm")])
def test_the_baseline_serves_until_it_is_warm(days: int, kind: str, tmp_path: Path) -> None:
    said = train(tides(tmp_path, days, **only("height")))["objectives"]["height"]
    assert said["kind"] == kind


def test_before_there_is_a_holdout_everything_trains_and_nothing_judges(tmp_path: Path) -> None:
    project = tides(tmp_path, 5)
    said = train(project)["objectives"]["height"]
    assert said["rows"] == 3 * 48 + 1
    assert said["holdout"] == {"from": "2024-03-04T00:00:00", "to": "2024-03-04T00:00:00", "rows": 0}


def test_nothing_mature_yet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="objective flood: no event is mature by 2024-03-02"):
        train(tides(tmp_path, 1))


def test_labels_that_cannot_be_used_name_their_objective(tmp_path: Path) -> None:
    odd = gauges(40).with_columns(pl.lit(float("nan")).alias("label__height"))
    with pytest.raises(DataError, match="objective height: label 'level': .* no finite number"):
        train(tides(tmp_path, table=odd))


@pytest.mark.parametrize("kind", ["heuristic", "linear", "lightgbm"])
def test_every_kind_trains(kind: str, tmp_path: Path) -> None:
    said: dict[str, Any] = train(tides(tmp_path, training__model=kind))["objectives"]
    assert [part["kind"] for part in said.values()] == [kind] * 3


def test_a_parent_that_is_not_here_or_of_no_use_is_one_line(tmp_path: Path) -> None:
    project = tides(tmp_path, **only("flood"))
    write_window(project, START, START + 40 * DAY, parent="0" * 64)
    with pytest.raises(ScopeError, match="names a parent, and params.yaml has no learn"):
        train(project)
    project = tides(tmp_path / "other", learn={"every": "7d"}, **only("flood"))
    write_window(project, START, START + 40 * DAY, parent="0" * 64)
    with pytest.raises(DataError, match=r"0: not there or damaged, and .*window.yaml names it as parent; "):
        train(project)
