"""What holds for the source as a whole: its words, its imports, its start-up."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "src").rglob("*.py"))

# Words of this scope that are also words of the loop or plain English: saying them gives no project away.
GENERIC = {"minute", "month", "model", "speed", "distance", "engine", "schedule", "outcome", "observed"}
# Words of this repository's own project that no column is called.
TOPIC = {"airport", "airline", "nycflights13", "runway", "cancelled", "departure", "aircraft"}
HEAVY = {
    "dvc", "duckdb", "evidently", "fastapi", "great_expectations", "lightgbm", "numpy", "pandas", "plotly", "polars",
    "prefect", "pyarrow", "scipy", "sklearn", "sqlalchemy",
}  # fmt: skip


def words_of(scope: dict[str, Any]) -> set[str]:
    """Every name that the scope gives: project, sources, columns, groups and objectives."""
    words = {scope["project"], *scope["sources"], *scope["objectives"]}
    for source in scope["sources"].values():
        words |= {*source["columns"], *source.get("known_at", {})}
    return {word for word in words if len(word) > 4}


def telling(word: str) -> set[str]:
    """The word, and without the plural's s."""
    return {word, word.removesuffix("s")}


FORBIDDEN = sorted(
    {form for word in words_of(YAML(typ="safe").load(ROOT / "params.yaml")) | TOPIC for form in telling(word)} - GENERIC
)


def of_package(path: Path) -> str:
    """A module's path below ``src``, for messages."""
    return str(path.relative_to(ROOT / "src"))


def test_the_list_of_forbidden_words_bites() -> None:
    assert {"flight", "carrier", "tailnum", "origin", "dep_delay", "weather"} <= set(FORBIDDEN)


@pytest.mark.parametrize("path", MODULES, ids=of_package)
def test_no_word_of_this_project_is_in_the_source(path: Path) -> None:
    pattern = re.compile(rf"(?<![a-z])({'|'.join(FORBIDDEN)})s?(?![a-z])", re.IGNORECASE)
    lines = path.read_text().splitlines()
    assert [f"{n}: {line}" for n, line in enumerate(lines, 1) if pattern.search(line)] == []


@pytest.mark.parametrize("path", MODULES, ids=of_package)
def test_no_pickles_and_nothing_left_for_later(path: Path) -> None:
    pattern = re.compile(r"\b(pickle|cloudpickle|joblib|dill|TODO|FIXME|XXX)\b")
    lines = path.read_text().splitlines()
    assert [f"{n}: {line}" for n, line in enumerate(lines, 1) if pattern.search(line)] == []


RENDERED = {"sentence", "headline", "problem", "why"}  # what a record is in words
TAKES_APART = {"split", "rsplit", "partition", "rpartition", "removeprefix", "removesuffix", "startswith", "endswith",
               "index", "find", "match", "search", "fullmatch", "findall", "sub"}  # fmt: skip
READS_OLD_RECORDS = "old_records.py"


def is_rendered(node: ast.expr) -> bool:
    """Whether an expression is a record's words: ``x.sentence``, ``sentence(x)``, ``raw["sentence"]`` or a variable."""
    match node:
        case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=name)):
            return name in RENDERED
        case ast.Name(id=name):
            return name in ("sentence", "headline")
        case ast.Call(func=function):
            return is_rendered(function)
    return False


def is_rule(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "rule"


def takes_words_apart(tree: ast.AST) -> Iterator[int]:
    """The lines that split, search or compare the words of a record, or split the name of its rule."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=of, attr=method), args=given) if method in TAKES_APART:
                parts = any(is_rendered(part) or is_rule(part) for part in (of, *given))
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[right]):
                parts = is_rendered(right) or is_rule(right)
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                parts = is_rendered(left) or is_rendered(right)
            case _:
                continue
        if parts:
            yield node.lineno


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("f.rule.rpartition(': ')", True),
        ("subject, _, kind = finding.rule.partition(':')", True),
        ("re.match(SINCE, sentence(finding))", True),
        ("SINCE.match(sentence)", True),
        ("'drift' in incident.problem", True),
        ("(event.why == decision.sentence)", True),
        ("plan['sentence'] != event.why", True),
        ("incident.sentence.split(' is ')[0]", True),
        ("f.rule == Rule.DRIFT_SHARE", False),
        ("f.rule in DRIFT", False),
        ("incident.problem not in problems", False),
        ("label.partition('-')", False),
    ],
)
def test_words_taken_apart_are_found(code: str, parts: bool) -> None:
    assert bool(list(takes_words_apart(ast.parse(code)))) == parts


@pytest.mark.parametrize("path", MODULES, ids=of_package)
def test_no_module_takes_the_words_of_a_record_apart(path: Path) -> None:
    """Sentences are made of fields, last; what reads a record reads its fields."""
    lines = sorted(takes_words_apart(ast.parse(path.read_text())))
    assert not lines or path.name == READS_OLD_RECORDS, lines


def test_no_module_is_named_after_nothing() -> None:
    assert [p.name for p in MODULES if p.stem in {"utils", "helpers", "manager", "service", "common"}] == []


def test_every_pin_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for pin in {pin for group in groups for pin in group}:
        lines = [line for line in text.splitlines() if f'    "{pin}",' in line]
        assert lines, pin
        assert all(re.search(r"# \S.{3,}", line) for line in lines), f"{pin} does not say why"


def test_the_lock_has_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:|@ ", text)
    for name, entry in re.findall(r"^(\S+)((?:.*\\\n)*.*)$", re.sub(r"(?m)^#.*\n", "", text), re.MULTILINE):
        assert "==" in name, name
        assert "--hash=sha256:" in entry, name


def test_the_lock_holds_every_pin() -> None:
    """A pin that was edited without ``make lock`` fails here, not on somebody's fresh machine."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked: dict[str, list[str]] = {}
    for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s;\\]+)", (ROOT / "requirements.lock").read_text()):
        locked.setdefault(canonicalize_name(name), []).append(version)
    for group in [project["dependencies"], *project["optional-dependencies"].values()]:
        for requirement in map(Requirement, group):
            versions = locked.get(canonicalize_name(requirement.name), [])
            assert versions, requirement
            assert all(requirement.specifier.contains(v) for v in versions), f"{requirement}: {versions} locked"


def test_help_imports_nothing_heavy() -> None:
    """``homeostat --help`` answers at once, because a tool is imported where it is used."""
    code = (
        "import sys; sys.argv = ['homeostat', '--help']\n"
        "from homeostat.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('HEAVY', *sorted({HEAVY!r} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    assert "Usage" in run.stdout
    assert run.stdout.splitlines()[-1].split() == ["HEAVY"]
