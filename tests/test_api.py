"""The public API: projects import from it alone, and every name of it is used."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from homeostat import api

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "api.md"
PROJECT_CODE = [*sorted((ROOT / "flows").glob("*.py")), *sorted((ROOT / "src").rglob("template/**/*.py*"))]


def imported(path: Path) -> set[tuple[str, str]]:
    """What a file imports of the package: module and name."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {(alias.name, "") for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {(n.module or "", alias.name) for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names}
    return {(module, name) for module, name in plain | named if module.split(".")[0] == "homeostat"}


@pytest.mark.parametrize("path", PROJECT_CODE, ids=lambda path: path.name)
def test_code_of_a_project_imports_the_api_alone(path: Path) -> None:
    assert {module for module, _ in imported(path)} <= {"homeostat.api"}


def test_every_name_is_used_by_the_code_of_a_project() -> None:
    """But for the one that stands for a project in code which people add."""
    used = {name for path in PROJECT_CODE for _, name in imported(path)}
    steps = set(re.findall(r"homeostat\.api\.(\w+)", (ROOT / "prefect.yaml").read_text()))
    assert used | steps | {"Project"} == set(api.__all__)


def test_every_name_is_described_in_the_module() -> None:
    assert set(re.findall(r"``(\w+)``", api.__doc__ or "")) >= set(api.__all__)


def test_the_page_on_the_api_lists_its_names() -> None:
    rows = re.findall(r"(?m)^\| (`.+?`) \|", DOCS.read_text())
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert listed == set(api.__all__)


def test_the_page_on_the_api_names_the_modules_that_projects_run() -> None:
    text = (ROOT / "Makefile").read_text() + (ROOT / "dvc.yaml").read_text()
    modules = {re.sub(r"(stages\.)\w+", r"\1NAME", name) for name in re.findall(r"-m (homeostat[\w.]+)", text)}
    assert {f"python -m {name}" for name in modules} == set(re.findall(r"`(python -m [\w.]+)`", DOCS.read_text()))
