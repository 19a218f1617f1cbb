"""What is published: every benchmark, and no figure in the README that they do not produce."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
ON_REQUEST = {"publish.py", "tables.py"}  # the one that runs them, and one that needs somebody's tables
RESULTS = (BENCHMARKS / "RESULTS.md").read_text()
README = (ROOT / "README.md").read_text()
SHOWN = re.search(r"(?ms)^    make run$.*?^```\n(.*?)^```", README)


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return loaded("publish")


@pytest.mark.parametrize("size", ["SMALL", "FULL"])
def test_every_benchmark_is_run_at_each_size(publish: ModuleType, size: str) -> None:
    run = {name for name, *_ in getattr(publish, size)}
    run |= {"bare.py"} if "year.py" in run else set()  # beside which it runs
    commands = {p.name for p in BENCHMARKS.glob("*.py") if "__main__" in p.read_text()}
    assert commands - ON_REQUEST == run


def test_the_results_name_machine_versions_date_and_command_and_no_place() -> None:
    head = RESULTS.split("\n## ")[0]
    assert re.search(r"on \d{4}-\d\d-\d\d: .+, \d+ cores, Python \d", head)
    assert "Made by `.venv/bin/python benchmarks/publish.py" in head
    assert not re.search(r"(?<![\w.])/(?:tmp|home|root|work)\b", RESULTS)


@pytest.mark.skipif(RESULTS.startswith("# Results\n\nAt a small size"), reason="the README shows the whole year")
def test_the_readme_shows_what_the_results_hold() -> None:
    assert SHOWN is not None
    lines = [line for line in SHOWN[1].splitlines() if re.match(r"(?:  |data|releases).*\d", line)]
    assert len(lines) > 15
    assert [line for line in lines if line not in RESULTS] == []
