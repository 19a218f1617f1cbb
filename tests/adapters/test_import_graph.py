"""Keys of cached work: an edit in any module that is reached makes another key, and an edit elsewhere does not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import hourly
import pytest

from homeostat.adapters.import_graph import SRC, hash_of, reached, tools

KEYED = ("homeostat.data.validate", "homeostat.features.build", "homeostat.training.golden")  # each keeps its work


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder above a copy of the package."""
    src = tmp_path_factory.mktemp("src")
    shutil.copytree(SRC / "homeostat", src / "homeostat", ignore=shutil.ignore_patterns("__pycache__"))
    return src


@pytest.mark.parametrize("module", KEYED)
def test_an_edit_in_any_module_that_is_reached_makes_another_key(copy: Path, module: str) -> None:
    before = hash_of(module, copy, with_tools=True)
    code = set(reached(module, copy))
    assert len(code) > 10
    names = ("loop.py", "scheduling/up.py", "cli/app.py", "adapters/prefect.py")
    elsewhere = {copy / "homeostat" / name for name in names}
    for path in sorted(code | elsewhere):
        text = path.read_bytes()
        path.write_bytes(text + b"\n# an edit\n")
        try:
            assert (hash_of(module, copy, with_tools=True) != before) == (path in code), path
        finally:
            path.write_bytes(text)
    assert hash_of(module, copy, with_tools=True) == before


def test_the_keys_reach_what_decides_without_being_named(copy: Path) -> None:
    """What lists kept by hand lacked: how a source's files are read, and how its SQL is."""
    decides = {
        "homeostat.data.validate": {"data/source_files.py", "adapters/sql_names.py", "data/casts.py", "core/rules.py"},
        "homeostat.features.build": {"adapters/sql_names.py", "data/casts.py", "data/known_at.py", "core/periods.py"},
    }
    for module, names in decides.items():
        reach = {path.relative_to(copy / "homeostat").as_posix() for path in reached(module, copy)}
        assert names <= reach


def test_the_version_of_a_tool_is_in_the_key(copy: Path) -> None:
    for module, tool in (("homeostat.stages.validate", "great_expectations"), ("homeostat.stages.featurize", "duckdb")):
        assert tools(reached(module, copy), copy)[tool] == metadata.version(tool)
    assert tools(reached("homeostat.training.golden", copy), copy)["scikit-learn"] == metadata.version("scikit-learn")
    assert "" not in {v for module in KEYED for v in tools(reached(module, copy), copy).values()}  # each is installed


def test_a_tool_counts_by_its_distribution_and_may_be_absent(tmp_path: Path) -> None:
    (tmp_path / "homeostat").mkdir()
    (tmp_path / "homeostat" / "__init__.py").touch()
    lines = (
        "import json, yaml, nowhere.at_all\nfrom ruamel.yaml.error import YAMLError\ndef f():\n    import sklearn.svm\n"
    )
    (tmp_path / "homeostat" / "a.py").write_text(lines)
    versions = {name: metadata.version(name) for name in ("PyYAML", "ruamel.yaml", "scikit-learn")}
    assert tools(reached("homeostat.a", tmp_path), tmp_path) == {**versions, "nowhere": ""}
    plain = hash_of("homeostat.a", tmp_path, with_tools=False)
    (tmp_path / "homeostat" / "a.py").write_text(lines.replace("import json, ", "import "))
    assert hash_of("homeostat.a", tmp_path, with_tools=False) != plain


def keys_of(folder: Path) -> set[str]:
    """Every key in the records of a folder."""
    return set(re.findall(r'"key": "(\w+)"', "".join(p.read_text() for p in folder.rglob("*.json"))))


def test_what_is_kept_of_a_batch_goes_with_an_edit_in_what_made_it(copy: Path, tmp_path: Path) -> None:
    project = hourly.make(tmp_path / "meters", hours=2)
    environment = os.environ | {"PYTHONPATH": str(copy)}

    def keys() -> tuple[set[str], set[str]]:
        for stage in ("ingest", "validate", "featurize"):
            command = [sys.executable, "-m", f"homeostat.stages.{stage}"]
            subprocess.run(command, cwd=project.root, env=environment, capture_output=True, check=True)
        return keys_of(project.accepted), keys_of(project.features)

    verdicts, features = keys()
    assert len(verdicts) == len(features) == 2
    assert keys() == (verdicts, features)
    path = copy / "homeostat" / "adapters" / "sql_names.py"
    text = path.read_bytes()
    path.write_bytes(text + b"\n# an edit\n")
    try:
        later = keys()
    finally:
        path.write_bytes(text)
    assert len(later[0]) == len(later[1]) == 2
    assert not later[0] & verdicts and not later[1] & features
