"""``dvc.yaml``: held to the code and the scope, and run for real on a small project."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import hourly
import pytest
from ruamel.yaml import YAML

from homeostat.adapters import dvc, dvc_yaml, worktree
from homeostat.adapters.import_graph import reached
from homeostat.core.errors import EnvironmentFault, ScopeError
from homeostat.project import scope
from homeostat.project.layout import Project
from homeostat.project.training_scope import Training
from homeostat.project.window import write_window
from homeostat.stages import entry
from homeostat.training import bundle

ROOT = Path(__file__).parents[1]
DAG: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
STAGES = ["ingest", "validate", "featurize", "train", "evaluate", "reference", "pack"]
OWN = {"threads", "scale", "branch", "clock"}  # of the scope, what no out depends on


# ---- what is written


def test_the_dag_is_as_the_code_and_the_scope_ask() -> None:
    """Where this fails: ``make dag``."""
    assert (ROOT / "dvc.yaml").read_text() == dvc_yaml.rewritten(ROOT)


def test_each_stage_is_a_module_of_its_name_and_says_what_it_does() -> None:
    assert list(DAG) == STAGES
    for name, stage in DAG.items():
        assert (ROOT / "src" / "homeostat" / "stages" / f"{name}.py").is_file()
        assert stage["cmd"].endswith(f" -m homeostat.stages.{name}")
        assert len(stage["desc"].split()) > 20


@pytest.mark.parametrize("name", STAGES)
def test_no_stage_reaches_what_runs_it(name: str) -> None:
    found = {
        p.relative_to(ROOT / "src" / "homeostat").as_posix() for p in reached(f"homeostat.stages.{name}", ROOT / "src")
    }
    above = ("cli", "loop", "replay", "deployment", "up.py", "status", "checks/", "adapters/prefect", "adapters/dvc.py")
    assert [p for p in found if p.startswith(above)] == []


def test_what_is_written_by_hand_stays(tmp_path: Path) -> None:
    text = """\
# a word
stages:
  ingest:
    cmd: x
    deps:
    - data/window.yaml # as of
    - src/homeostat/gone.py
    params:
    - sources
  train:
    cmd: x
    deps:
    - data/features
    params:
    - seed # why
    - objectives.gone.task
"""
    (tmp_path / "dvc.yaml").write_text(text)
    (tmp_path / "params.yaml").write_text(hourly.PARAMS)
    stages = tmp_path / "src" / "homeostat" / "stages"
    stages.mkdir(parents=True)
    for name in ("ingest", "train"):
        (stages / f"{name}.py").write_text("")
    wanted = text.replace("- src/homeostat/gone.py", "- readings.csv\n    - src/homeostat/stages")
    wanted = wanted.replace("- data/features", "- data/features\n    - src/homeostat/stages/train.py")
    parts = "\n    - ".join(f"objectives.high.{part}" for part in ("task", "label", "known", "features"))
    assert dvc_yaml.rewritten(tmp_path) == wanted.replace("objectives.gone.task", parts)


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ({"path": "in/a.csv"}, ["in/a.csv"]),
        ({"path": "in/day-*.csv"}, ["in"]),
        ({"path": "*.csv"}, []),
        ({"path": "a.csv", "package": "tides"}, []),
        ({"path": "/elsewhere/a.csv"}, []),
        ({"path": "../a.csv"}, []),
        ({"path": "s3://bucket/a.csv"}, []),
        ({"url": "sqlite:///a.db", "query": "SELECT 1"}, []),
    ],
)
def test_files_in_the_project_are_deps(source: dict[str, str], files: list[str]) -> None:
    assert dvc_yaml.source_files({"sources": {"a": source}}) == files


def test_a_dag_that_would_miss_a_change_of_an_objective_is_refused(tmp_path: Path) -> None:
    project = hourly.make(tmp_path / "meters")
    dvc_yaml.check_objectives(project.root)
    path = project.root / "params.yaml"
    path.write_text(path.read_text().replace("label: load > 5,", "label: load > 5, where: phase > 1,"))
    with pytest.raises(ScopeError, match=r"stage featurize lack objectives.high.where; .*make dag"):
        dvc_yaml.check_objectives(project.root)
    path.write_text(hourly.PARAMS.replace("  high:", "  tall:"))
    with pytest.raises(ScopeError, match=r"lack objectives.tall"):
        dvc_yaml.check_objectives(project.root)


# ---- the import graph


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "homeostat/__init__.py": "",
        "homeostat/a.py": "import homeostat.b\nif TYPE_CHECKING:\n    import homeostat.typed\n",
        "homeostat/b.py": "def f():\n    from homeostat.deep import lazy\n    import numpy\n",
        "homeostat/deep/__init__.py": "from .. import top\n",
        "homeostat/deep/lazy.py": "from . import near\nfrom .near import thing\nfrom ..far import x\n",
        "homeostat/deep/near.py": "thing = 1\n",
        "homeostat/far.py": "if t.TYPE_CHECKING:\n    import homeostat.typed\nelse:\n    import homeostat.real\n",
        "homeostat/real.py": "from homeostat import a\n",
        "homeostat/top.py": "",
        "homeostat/typed.py": "",
        "homeostat/alone.py": "",
        "homeostat/computed.py": "def f(x):\n    return importlib.import_module('homeostat.' + x)\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(paths: list[Path], src: Path) -> set[str]:
    return {p.relative_to(src / "homeostat").as_posix() for p in paths}


def test_lazy_and_relative_imports_count_and_those_for_types_do_not(package: Path) -> None:
    assert names(reached("homeostat.a", package), package) == {
        "__init__.py", "a.py", "b.py", "deep/__init__.py", "deep/lazy.py", "deep/near.py", "far.py", "real.py",
        "top.py",
    }  # fmt: skip
    assert names(reached("homeostat.deep.near", package), package) == {
        "__init__.py", "deep/__init__.py", "deep/near.py", "top.py"
    }  # fmt: skip


def test_what_cannot_be_followed_is_refused(package: Path) -> None:
    with pytest.raises(ValueError, match=r"computed.py:2: imports by a computed name"):
        reached("homeostat.computed", package)
    with pytest.raises(ValueError, match="no such module"):
        reached("homeostat.nowhere", package)


# ---- where a stage comes in


def test_a_stage_refuses_code_that_is_not_the_trees_own(tmp_path: Path) -> None:
    installed = Path(entry.homeostat.__file__)
    entry.own_code(tmp_path, installed)  # no src: the installed package is right
    (tmp_path / "src" / "homeostat").mkdir(parents=True)
    entry.own_code(tmp_path, installed)
    own = tmp_path / "src" / "homeostat" / "__init__.py"
    own.touch()
    entry.own_code(tmp_path, own)
    with pytest.raises(EnvironmentFault, match="PYTHONPATH=src") as caught:
        entry.own_code(tmp_path, installed)
    assert "\n" not in str(caught.value)


def stage(root: Path, name: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"homeostat.stages.{name}"]
    return subprocess.run(command, cwd=root, env=os.environ | env, capture_output=True, text=True, check=False)


def test_every_stage_comes_in_there_and_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "src" / "homeostat").mkdir(parents=True)
    (tmp_path / "src" / "homeostat" / "__init__.py").touch()
    for name in STAGES:
        done = stage(tmp_path, name, PYTHONPATH=str(ROOT / "src"))
        assert done.returncode == 1
        assert done.stderr.startswith(f"EnvironmentFault: {tmp_path}: its stages would run with the code in {ROOT}")
        assert len(done.stderr.splitlines()) == 1


# ---- the DAG, run


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with a copy of this code, reproduced and committed. Tests leave it as they found it."""
    project = hourly.make(tmp_path_factory.mktemp("dag") / "meters", hours=32, own_code=True)
    assert dvc.reproduce(project.root) == STAGES
    hourly.commit(project.root, "reproduced")
    return project


@contextlib.contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """The file with ``old`` replaced; as it was afterwards."""
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(before)


def concerning(stage: str, root: Path, modules: list[Path]) -> set[Path]:
    """Those of the modules that the stage depends on, by themselves or with their room."""
    reach = {p.relative_to(root) for p in reached(f"homeostat.stages.{stage}", root / "src")}
    if stage not in dvc_yaml.BY_ROOM:
        return {p for p in modules if p.relative_to(root) in reach}
    rooms = {dvc_yaml.room_of(p) for p in reach}
    return {p for p in modules if dvc_yaml.room_of(p.relative_to(root)) in rooms}


@pytest.mark.slow
def test_once_and_then_nothing(kept: Project) -> None:
    assert dvc.reproduce(kept.root) == []
    assert dvc.pending(kept.root) == []
    assert hourly.run(kept.root, "status", "--porcelain") == ""


@pytest.mark.slow
def test_an_edit_of_any_module_concerns_exactly_the_stages_that_reach_it_or_its_room(kept: Project) -> None:
    """Every module by the deps that DVC has; of all that are deps in the same way, one is edited too."""
    src = kept.root / "src"
    modules = sorted((src / "homeostat").rglob("*.py"))
    reach = {name: concerning(name, kept.root, modules) for name in STAGES}
    for name in STAGES:
        assert set(reached(f"homeostat.stages.{name}", src)) <= reach[name]
    for name in ("train", "evaluate"):
        assert set(reached(f"homeostat.stages.{name}", src)) == reach[name]
    assert len(modules) > 30  # the whole package, reached or not
    deps = YAML(typ="safe").load(kept.root / "dvc.yaml")["stages"]
    alike: dict[frozenset[tuple[str, str]], Path] = {}
    for path in modules:
        covering = {name: covering_dep(path.relative_to(kept.root), deps[name]["deps"]) for name in STAGES}
        assert [name for name in STAGES if covering[name]] == [name for name in STAGES if path in reach[name]], path
        alike.setdefault(frozenset(covering.items()), path)
    assert len(alike) > 10
    for path in alike.values():
        before = path.read_bytes()
        path.write_bytes(before + b"\n# an edit\n")
        try:
            assert dvc.pending(kept.root) == sorted(name for name in STAGES if path in reach[name]), path
        finally:
            path.write_bytes(before)
    assert dvc.pending(kept.root) == []


def covering_dep(module: Path, deps: list[str]) -> str:
    """Whether a module is among the deps ("itself"), or the folder that is; nothing where neither is."""
    if module.as_posix() in deps:
        return "itself"
    return next((folder for parent in module.parents if (folder := parent.as_posix()) in deps), "")


RECORD = """
import json, runpy, sys
from pathlib import Path
name, src = sys.argv.pop(1), Path(sys.argv.pop(1))
runpy.run_module(f"homeostat.stages.{name}", run_name="__main__")
files = {m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "homeostat" and m.__file__}
print("LOADED", json.dumps(sorted(Path(f).relative_to(src).as_posix() for f in files)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_a_stage_loads_no_code_that_is_not_its_dep(kept: Project, name: str) -> None:
    command = [sys.executable, "-c", RECORD, name, str(kept.root)]
    env = os.environ | {"PYTHONPATH": str(kept.root / "src")}
    done = subprocess.run(command, cwd=kept.root, env=env, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1].removeprefix("LOADED "))
    listed = YAML(typ="safe").load(kept.root / "dvc.yaml")["stages"][name]["deps"]
    assert len(loaded) > 5
    assert [file for file in loaded if not {file, dvc_yaml.room_of(Path(file)).as_posix()} & set(listed)] == []
    assert hourly.run(kept.root, "status", "--porcelain") == ""


PARAMS = [
    ("threads: 1", "threads: 2", []),
    ("branch: main", "branch: trunk", []),
    ("decide: 2h", "decide: 3h", []),
    ("tick: 1h", "tick: 30m", []),
    ("seed: 1", "seed: 1\nclock: {speed: 60}", []),
    ("seed: 1", "seed: 2", ["train", "evaluate", "pack"]),
    ("weight: 2", "weight: 3", ["evaluate", "pack"]),
    ("capacity: 2", "capacity: 3", ["evaluate", "pack"]),
    ("label: load > 5", "label: load > 6", ["featurize", "train", "evaluate", "reference", "pack"]),
    ("features: [phase, hour, last_load]", "features: [phase, hour]",
     ["featurize", "train", "evaluate", "reference", "pack"]),
    ("history: 1d", "history: 2d", ["featurize", "reference", "pack"]),
    ("model: linear", "model: lightgbm", ["train", "pack"]),
    ("holdout: 12h", "holdout: 13h", ["train", "pack"]),
    ("by: [meter]", "by: [phase]", ["featurize", "train", "reference", "pack"]),
    ("slices: [meter]", "slices: [phase]", ["featurize", "evaluate", "reference", "pack"]),
    ("resamples: 20", "resamples: 30", ["evaluate", "pack"]),
    ("reference_rows: 200", "reference_rows: 150", ["reference", "pack"]),
    ("beats_baseline: 0.01", "beats_baseline: 0.02", ["pack"]),
    ("goal: know", "goal: tell", ["pack"]),
    ("offset: 0s", "offset: 1h", ["ingest", "validate", "featurize", "evaluate", "reference", "pack"]),
    ("late_after: 2h", "late_after: 3h", ["ingest", "validate", "featurize", "evaluate", "reference", "pack"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new", "stages"), PARAMS)
def test_an_edit_of_a_parameter_concerns_exactly_its_stages(
    kept: Project, old: str, new: str, stages: list[str]
) -> None:
    with edited(kept.root / "params.yaml", old, new):
        assert dvc.pending(kept.root) == sorted(stages)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("features.sql", ["featurize", "reference", "pack"]),
        ("data/window.yaml", ["ingest", "validate", "featurize", "train"]),
        ("expectations/readings.json", ["validate", "pack"]),
        ("data/amendments/.gitkeep", ["validate", "featurize"]),
        ("readings.csv", ["ingest"]),
        ("requirements.lock", STAGES),
    ],
)
def test_an_edit_of_a_file_concerns_exactly_its_stages(kept: Project, file: str, stages: list[str]) -> None:
    before = (kept.root / file).read_bytes()
    (kept.root / file).write_bytes(before + b"\n")
    assert dvc.pending(kept.root) == sorted(stages)
    (kept.root / file).write_bytes(before)


@pytest.mark.slow
def test_edits_rerun_what_they_change_and_no_more(kept: Project) -> None:
    """A comment in a stage's code makes the same bytes again, so nothing behind it runs; another feature does."""
    src = kept.root / "src"
    module = src / "homeostat" / "adapters" / "gx.py"
    with edited(module, "\n", "\n# an edit\n"):
        reach = [name for name in STAGES if module in concerning(name, kept.root, [module])]
        assert dvc.reproduce(kept.root) == reach
    with edited(kept.root / "features.sql", "max_by(r.load", "2 * max_by(r.load"):
        again = [name for name in STAGES if name in {*reach, *STAGES[2:]}]  # the comment is gone again
        assert dvc.reproduce(kept.root) == again
    dvc.reproduce(kept.root)
    with edited(kept.root / "params.yaml", "weight: 2", "weight: 3"):
        assert dvc.reproduce(kept.root) == ["evaluate", "pack"]
    dvc.reproduce(kept.root)
    assert hourly.run(kept.root, "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_fresh_clone_makes_the_same_with_no_remote(kept: Project, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    hourly.run(tmp_path, "clone", "-q", str(kept.root), str(clone))
    assert dvc.reproduce(clone) == STAGES
    assert dvc.reproduce(clone) == []
    assert hourly.run(clone, "status", "--porcelain") == ""
    assert (clone / "models/bundle/manifest.json").read_bytes() == (kept.bundle / "manifest.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_at_an_old_tag_in_a_newer_folder_the_same_model_is_made(kept: Project, tmp_path: Path, cache: str) -> None:
    root = tmp_path / "meters"
    shutil.copytree(kept.root, root, symlinks=True)
    project = Project(root, root)
    old = bundle.load(project.bundle).hash
    hourly.run(root, "tag", "meters@v0.1.0")
    write_window(project, hourly.START, hourly.START + timedelta(hours=50))
    sql = root / "features.sql"
    sql.write_text(sql.read_text().replace("max_by(r.load", "2 * max_by(r.load"))
    (root / "params.yaml").write_text(hourly.PARAMS.replace("load > 5", "load > 6"))
    dvc.reproduce(root)
    hourly.commit(root, "newer")
    assert bundle.load(project.bundle).hash != old
    hourly.run(root, "checkout", "-q", "meters@v0.1.0")
    if cache == "lost":
        shutil.rmtree(root / ".dvc" / "cache")
        shutil.rmtree(root / "models")
    dvc.reproduce(root)
    assert hourly.run(root, "status", "--porcelain") == ""
    assert bundle.load(project.bundle).hash == old
    assert dvc.reproduce(root) == []


@pytest.mark.slow
def test_a_commit_of_the_ledgers_tree_is_one_whose_repro_has_nothing_to_do(kept: Project, tmp_path: Path) -> None:
    root = tmp_path / "meters"
    shutil.copytree(kept.root, root, symlinks=True)
    now = hourly.START + timedelta(hours=43)
    tree = worktree.ensure(root, "meters", "main", now)
    dvc.share_cache(tree, root)
    write_window(Project(tree, root), hourly.START, now)
    assert dvc.reproduce(tree) == STAGES
    commit = worktree.commit_kept(tree, "as of now", now)
    assert hourly.run(tree, "status", "--porcelain") == ""
    assert dvc.pending(tree) == []
    assert set(hourly.run(tree, "show", "--name-only", "--format=", commit).split("\n")) == {
        "data/window.yaml", "dvc.lock", *(f"reports/evaluation/{name}" for name in
        ("calibration.csv", "evaluation.json", "metrics.json", "months.csv")),
    }  # fmt: skip
    assert hourly.run(root, "status", "--porcelain") == "" and dvc.pending(root) == []


# ---- what a stage reads of the scope

MADE = {"ingest": "landed", "validate": "accepted", "featurize": "features"}  # what a stage keeps, by hash


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_no_parameter_that_is_not_listed(
    kept: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(kept.root, root, symlinks=True, ignore=shutil.ignore_patterns(".git", ".homeostat"))
    if name in MADE:
        shutil.rmtree(root / "data" / MADE[name])
    raw = YAML(typ="safe").load(root / "params.yaml")
    whole = scope.read(root / "params.yaml")
    monkeypatch.setattr(scope, "read", lambda path: whole)
    read: set[str] = set()
    parts: dict[str, Any] = {"": whole, "objectives.high.": whole.objectives["high"]}
    parts |= {f"{section}.": getattr(whole, section) for section in ("rhythm", "training", "evaluation", "features")}
    for prefix, part in parts.items():
        monkeypatch.setattr(type(part), "__getattribute__", recording(part, prefix, read))
    with contextlib.chdir(root):
        importlib.import_module(f"homeostat.stages.{name}").main()
    assert "sources" in read or "objectives" in read
    listed = YAML(typ="safe").load(root / "dvc.yaml")["stages"][name]["params"]
    # What has a default and is not said cannot be listed; a stage refuses to run once it is said and not listed.
    unsaid = {
        f"objectives.high.{part}" for part in scope.Objective.model_fields if part not in raw["objectives"]["high"]
    } | {f"training.{part}" for part in Training.model_fields if part not in raw["training"]}
    assert {field for field in read - OWN - unsaid if not covered(field, listed)} == set()


def recording(part: Any, prefix: str, read: set[str]) -> Callable[[Any, str], Any]:
    """Attribute access that notes which fields of ``part`` are read."""
    usual = type(part).__getattribute__

    def seen(self: Any, field: str) -> Any:
        if self is part and field in type(part).model_fields:
            read.add(prefix + field)
        return usual(self, field)

    return seen


def covered(field: str, listed: list[str]) -> bool:
    """Whether the field, the section that it is of, or parts of it are listed."""
    return any(field == param or field.startswith(param + ".") or param.startswith(field + ".") for param in listed)
