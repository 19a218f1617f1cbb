"""The sealed bundle: what is sealed reads back, and what was touched is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import hourly
import polars as pl
import pytest
from sealed import FULL, events, fill

from homeostat.core.errors import DataError
from homeostat.project import scope
from homeostat.training import bundle as bundles


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = fill(tmp_path_factory.mktemp("bundle") / "one")
    return folder, bundles.seal(folder, "meters", {"data": "abc"})


@pytest.fixture
def copied(made: tuple[Path, str], tmp_path: Path) -> Path:
    return shutil.copytree(made[0], tmp_path / "copy")


def test_what_was_sealed_reads_back(made: tuple[Path, str]) -> None:
    folder, sealed = made
    bundle = bundles.load(folder, sealed)
    assert (bundle.hash, bundle.manifest["project"], bundle.manifest["inputs"]) == (sealed, "meters", {"data": "abc"})
    assert set(bundle.manifest["files"]) == {
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"
    }
    assert bundle.sql == hourly.SQL and bundle.contracts == {"readings.json": b"{}"}
    assert {name: model.kind for name, model in bundle.models.items()} == {"high": "linear"}
    assert bundle.models is bundle.models and bundle.scope is bundle.scope
    assert bundle.reference.equals(events())


def test_the_same_content_has_the_same_hash_wherever_it_lies(made: tuple[Path, str], tmp_path: Path) -> None:
    assert bundles.seal(fill(tmp_path / "b"), "meters", {"data": "abc"}) == made[1]
    assert bundles.seal(tmp_path / "b", "meters", {"data": "other"}) != made[1]


def test_a_bundle_scores_by_itself(made: tuple[Path, str]) -> None:
    bundle = bundles.load(made[0])
    table = events()
    scored = bundles.score(bundle, table)
    assert scored.columns == ["meter", "at", "event_time", "predict_at", "score__high", "baseline__high", "risk"]
    assert scored["score__high"].to_list() == bundle.models["high"].predict(table).tolist()
    assert scored["risk"].to_list() == [2 * score for score in scored["score__high"]]
    one_by_one = pl.concat([bundles.score(bundle, table.slice(n, 1)) for n in range(len(table))])
    assert one_by_one.equals(scored)
    assert bundles.score(bundle, table.head(0)).is_empty()


def edit_manifest(folder: Path, **change: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def link(folder: Path) -> None:
    (folder / "features.sql").unlink()
    (folder / "features.sql").symlink_to("/etc/hostname")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte": (lambda f: (f / "features.sql").write_text("SELECT 1"), "features.sql is damaged"),
    "cut short": (lambda f: (f / "reference.parquet").write_bytes(b""), "reference.parquet is damaged"),
    "a file gone": (lambda f: (f / "models" / "high" / "model.json").unlink(), "models/high/model.json is missing"),
    "a file more": (lambda f: (f / "notes.txt").write_text("x"), "notes.txt is not in its manifest"),
    "code": (lambda f: (f / "models" / "run.py").write_text("x"), "models/run.py is not in its manifest"),
    "hidden": (lambda f: (f / ".x.json").write_text("x"), ".x.json is not in its manifest"),
    "a link": (link, "features.sql is a link"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json is missing"),
    "no json": (lambda f: (f / "manifest.json").write_text("{"), "manifest.json: is damaged"),
    "a list": (lambda f: (f / "manifest.json").write_text("[]"), "manifest.json: is damaged"),
    "no files": (lambda f: edit_manifest(f, files=None), "manifest.json: is damaged"),
    "no hash": (lambda f: edit_manifest(f, files={"features.sql": 1}), "manifest.json: is damaged"),
    "a newer format": (lambda f: edit_manifest(f, format=2), "is of format 2"),
    "code by manifest": (lambda f: edit_manifest(f, files={"x.py": "0"}), "x.py has no place in a bundle"),
    "a pickle": (lambda f: edit_manifest(f, files={"x.pkl": "0"}), "x.pkl has no place in a bundle"),
    "above": (lambda f: edit_manifest(f, files={"../x.json": "0"}), "../x.json has no place"),
    "elsewhere": (lambda f: edit_manifest(f, files={"/x.json": "0"}), "/x.json has no place"),
    "nothing": (shutil.rmtree, "no bundle here"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_bundle_is_refused_in_one_line(copied: Path, damage: str) -> None:
    change, words = DAMAGES[damage]
    change(copied)
    with pytest.raises(DataError) as caught:
        bundles.load(copied)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_another_bundle_than_the_one_released_is_refused(made: tuple[Path, str]) -> None:
    with pytest.raises(DataError, match="not 000000000000 as the ledger says"):
        bundles.load(made[0], "0" * 64)


def test_code_is_not_sealed(copied: Path) -> None:
    (copied / "run.py").write_text("x")
    with pytest.raises(DataError, match="run.py has no place"):
        bundles.seal(copied, "meters", {})


def test_the_scope_of_a_release_is_what_it_stands_for(made: tuple[Path, str]) -> None:
    sealed = bundles.load(made[0]).scope
    for name in bundles.SECTIONS:
        assert getattr(sealed, name) == getattr(FULL, name), name
    assert sealed.rhythm.offset == FULL.rhythm.offset


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("threads: 1", "threads: 4"), True),
        (("tick: 1h, decide: 2h", "tick: 1h, decide: 3h"), True),
        (("seed: 1\n", "seed: 1 # a comment\nclock: {speed: 60}\n"), True),
        (("weight: 2", "weight: 3"), False),
        (("seed: 1", "seed: 2"), False),
        (("capacity: 2", "capacity: 3"), False),
    ],
)
def test_what_is_the_running_projects_own_is_not_sealed(change: tuple[str, str], same: bool) -> None:
    assert change[0] in hourly.PARAMS
    text = bundles.sealed_text(hourly.PARAMS.replace(*change))
    assert (text == bundles.sealed_text(hourly.PARAMS)) is same


def test_every_section_of_the_scope_is_sealed_or_the_projects_own() -> None:
    own = {"branch", "threads", "clock", "rhythm", "remote", "rollout", "alarms", "alerts", "device", "approval"}
    own |= {"business", "learn", "questions", "scale"}
    assert set(scope.Scope.model_fields) == set(bundles.SECTIONS) | own
