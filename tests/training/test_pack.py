"""Stage pack on the small project, after the stages before it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import hourly
import numpy as np
import polars as pl
import pytest

from homeostat import models
from homeostat.adapters.parquet import place_of, write_table
from homeostat.core.errors import DataError
from homeostat.features.tables import read_features
from homeostat.project.layout import Project
from homeostat.training import bundle as bundles
from homeostat.training import golden, pack, reference

pytestmark = pytest.mark.slow  # the first needs the stages before


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return hourly.judged(hourly.make(tmp_path_factory.mktemp("pack") / "meters", hours=40))


@pytest.fixture
def project(judged: Project, tmp_path: Path) -> Project:
    """A copy in another folder, packed."""
    root = tmp_path / "elsewhere"
    shutil.copytree(judged.root, root, ignore=shutil.ignore_patterns(".git", ".homeostat"))
    return Project(root, root)


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def edit(project: Project, old: str, new: str) -> Project:
    """The project with another line in its scope."""
    path = project.root / "params.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return replace(project)


def test_the_bundle_is_everything_of_the_release(judged: Project) -> None:
    sealed = pack.pack(judged)
    bundle = bundles.load(judged.bundle, sealed)
    assert set(bundle.manifest["files"]) == {
        "params.yaml", "features.sql", "expectations/readings.json", "evaluation.json", "training.json",
        "reference.parquet", "golden.parquet", "golden/requests.parquet", "golden/context/readings.parquet",
        "models/high/model.json", "judged/high/model.json", "baseline/high/model.json",
    }  # fmt: skip
    assert bundle.training == json.loads((judged.candidate / "training.json").read_text())
    assert bundle.evaluation == json.loads((judged.evaluation / "evaluation.json").read_text())
    table = read_features(judged)
    scores = {
        kind: models.load(judged.candidate / "high" / kind).predict(table) for kind in ("final", "baseline-final")
    }
    scored = bundles.score(bundle, table)
    assert np.array_equal(scored["score__high"].to_numpy(), scores["final"])
    assert np.array_equal(scored["baseline__high"].to_numpy(), scores["baseline-final"])


def test_the_same_inputs_give_the_same_bytes_anywhere(judged: Project, project: Project) -> None:
    pack.pack(judged)
    (project.bundle / "stray.py").parent.mkdir(parents=True, exist_ok=True)
    (project.bundle / "stray.py").write_text("left from before")
    pack.pack(edit(project, "threads: 1", "threads: 4"))
    assert files(project.bundle) == files(judged.bundle)
    told = (judged.bundle / "manifest.json").read_text()
    assert set(json.loads(told)["inputs"]) == {"code", "data", "scope"}


@pytest.mark.parametrize(
    ("old", "new"),
    [("weight: 2", "weight: 3"), ("reference_rows: 200", "reference_rows: 150"), ("goal: know", "goal: tell")],
)
def test_another_scope_is_another_bundle(judged: Project, project: Project, old: str, new: str) -> None:
    assert pack.pack(edit(project, old, new)) != pack.pack(judged)


def test_the_reference_is_a_sample_with_scores_out_of_sample_alone(judged: Project) -> None:
    pack.pack(judged)
    reference = bundles.load(judged.bundle).reference
    assert len(reference) == 200
    assert reference["event_time"].is_sorted()
    assert [c for c in reference.columns if c.startswith(("label__", "known__", "group__"))] == []
    table = read_features(judged)
    shared = [c for c in reference.columns if c in table.columns]
    assert reference.select(shared).equals(table.join(reference, on=["meter", "at"], how="semi").sort(
        "event_time", "meter", "at").select(shared))  # fmt: skip
    held = bundles.load(judged.bundle).training["objectives"]["high"]["holdout"]
    inside = reference.filter(
        pl.col("event_time") >= pl.lit(held["from"]).str.to_datetime(),
        pl.col("event_time") < pl.lit(held["to"]).str.to_datetime(),
    )
    assert len(inside) > 20
    assert reference.filter(pl.col("score__high").is_not_null()).equals(inside)
    judge = models.load(judged.candidate / "high" / "judged")
    assert inside["score__high"].to_list() == judge.predict(inside).tolist()
    assert (
        inside["score__high"].to_list() != bundles.score(bundles.load(judged.bundle), inside)["score__high"].to_list()
    )


def test_what_is_sampled_follows_from_keys_not_from_batches(judged: Project) -> None:
    training = json.loads((judged.candidate / "training.json").read_text())
    sampled = reference.sample(judged, training)
    held = training["objectives"]["high"]["holdout"]["to"]
    whole = read_features(judged).filter(pl.col("event_time") < pl.lit(held).str.to_datetime())
    order = [place_of(key) for key in whole.select("meter", "at").iter_rows()]
    lowest = whole.with_columns(pl.Series("order", order)).sort("order").head(200)
    assert sampled.select("meter", "at").equals(lowest.select("meter", "at"))


def test_golden_requests_give_what_was_sealed(judged: Project) -> None:
    pack.pack(judged)
    bundle = bundles.load(judged.bundle)
    sealed = bundle.golden
    assert len(sealed) == golden.EVENTS
    assert list(golden.differences(bundle)) == []
    scored = bundles.score(bundle, sealed)
    assert scored.equals(sealed.select(scored.columns))
    worth = scored["risk"] > bundle.scope.costs.alert * (1 - scored["score__high"])
    assert sealed["alert"].to_list() == worth.to_list()
    assert set(worth) == {True, False}
    table = read_features(judged).join(sealed, on=["meter", "at"], how="semi")  # so short a history travels whole
    shared = [c for c in table.columns if c in sealed.columns]
    assert sealed.select(shared).equals(table.sort("meter", "at").select(shared))


def spoil(path: Path, old: str, new: str) -> None:
    """Another text in the file; in a table, another value in the column ``old``."""
    if path.suffix != ".parquet":
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        return
    table = pl.read_parquet(path)
    column = pl.col(old)
    write_table(table.with_columns(~column if table.schema[old] == pl.Boolean else column + float(new)), path)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("features.sql", "AS last_load", "+ 1e-9 AS last_load", "last_load of golden row"),
        ("golden/context/readings.parquet", "load", "0.5", "last_load of golden row"),
        ("golden/requests.parquet", "phase", "1", "phase of golden row 0 is"),
        ("golden.parquet", "alert", "", "alert of golden row 0 is"),
        ("golden.parquet", "score__high", "1e-16", "score__high of golden row"),
        ("params.yaml", "alert: 1", "alert: 1000", "alert of golden row"),
        ("params.yaml", "weight: 2", "weight: 3", "risk of golden row 0 is"),
        ("params.yaml", "INTERVAL 10 MINUTE", "INTERVAL 100 MINUTE", "last_load of golden row"),
    ],
)
def test_whatever_answers_otherwise_is_told(judged: Project, file: str, old: str, new: str, told: str) -> None:
    pack.pack(judged)
    spoil(judged.bundle / file, old, new)
    bundle = bundles.Bundle(judged.bundle, "", {})
    assert told in next(golden.differences(bundle))


def test_few_rows_of_each_source_travel(judged: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "ROWS", 30)
    reference.write_reference(judged)
    pack.pack(judged)
    bundle = bundles.load(judged.bundle)
    context = pl.read_parquet(judged.bundle / "golden/context/readings.parquet")
    assert len(context) == 30
    assert list(golden.differences(bundle)) == []
    assert bundle.golden["last_load"].null_count() < len(bundle.golden)


@pytest.mark.parametrize("file", ["features.sql", "expectations/readings.json"])
def test_what_people_wrote_is_named_as_code(judged: Project, project: Project, file: str) -> None:
    pack.pack(judged)
    before = bundles.load(judged.bundle).manifest["inputs"]
    (project.root / file).write_text((project.root / file).read_text() + "\n")
    pack.pack(project)
    after = bundles.load(project.bundle).manifest["inputs"]
    assert [name for name in before if before[name] != after[name]] == ["code"]


@pytest.mark.parametrize(
    "gone",
    ["models/candidate/training.json", "models/candidate/high/final", "models/holdout_scores.parquet",
     "models/reference", "reports/evaluation/evaluation.json", "features.sql", "data/features"],
)  # fmt: skip
def test_what_is_missing_is_named_in_one_line(project: Project, gone: str) -> None:
    path = project.root / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError) as caught:
        pack.pack(project)
    assert gone.split("/")[-1] in str(caught.value) and "\n" not in str(caught.value)
    assert not (project.bundle / "manifest.json").exists()
