"""The evidence of the ML Test Score as it is read from a project: what is broken on the disk costs points."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from recorded import recorded

from homeostat.adapters.git_command import run
from homeostat.cli import main
from homeostat.core.ml_test_score import score
from homeostat.project.layout import Project
from homeostat.reports.ml_test_score import evidence, lines


@pytest.fixture
def project(tmp_path: Path, base: Project) -> Project:
    shutil.copytree(base.home, tmp_path / "meters", symlinks=True)
    return Project(tmp_path / "meters", tmp_path / "meters")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Records of a day, nothing in service, so that no bundle is needed, and a test of features."""
    of = recorded(tmp_path_factory.mktemp("score") / "meters")
    for tag in run(of.home, "tag").splitlines():
        run(of.home, "tag", "-d", tag)
    (of.home / "tests").mkdir()
    (of.home / "tests" / "test_project.py").write_text("from homeostat.api import project_tests\nProjectTests\n")
    (of.home / ".ci").mkdir()
    (of.home / ".ci" / "run").write_text("make test\n")
    of.predictions.chmod(0o700)
    return of


def points(project: Project) -> dict[str, float]:
    at = max(path.stem for path in project.decisions.glob("*.json"))
    sections = score(evidence(project, json_time(project, at) + timedelta(hours=1)))
    assert any("ML Test Score" in line for line in lines(sections))
    return {one.test.name: one.point.points for tests in sections.values() for one in tests}


def json_time(project: Project, stem: str) -> datetime:
    return datetime.fromisoformat(json.loads((project.decisions / f"{stem}.json").read_text())["at"])


def no_contract(of: Project) -> None:
    (of.contracts / "readings.json").unlink()


def readable(of: Project) -> None:
    of.predictions.chmod(0o755)
    next(iter(sorted(of.predictions.glob("*.parquet"), reverse=True))).chmod(0o644)


def no_tests(of: Project) -> None:
    shutil.rmtree(of.home / "tests")


def no_pipeline(of: Project) -> None:
    shutil.rmtree(of.home / ".ci")


def infinite(of: Project) -> None:
    path = sorted(of.predictions.glob("*.parquet"))[-1]
    pl.read_parquet(path).with_columns(score__high=pl.lit(float("nan"))).write_parquet(path)


def no_verdict(of: Project) -> None:
    for path in (of.worktree.accepted / "readings").glob("*.json"):
        path.unlink()


def unwatched(of: Project) -> None:
    path = of.home / "params.yaml"
    path.write_text(path.read_text().replace("period: 1h", "period: 1h\n    history: 'off'"))


@pytest.mark.parametrize(
    ("test", "harm"),
    [
        ("feature expectations are captured in a schema", no_contract),
        ("the data pipeline has privacy controls", readable),
        ("all input feature code is tested", no_tests),
        ("the pipeline is integration tested", no_pipeline),
        ("models are numerically stable", infinite),
        ("data invariants hold for inputs", no_verdict),
        ("changes of dependencies are noticed", unwatched),
    ],
)
def test_what_is_broken_costs_points(project: Project, test: str, harm: Callable[[Project], None]) -> None:
    before = points(project)
    harm(project)
    after = points(Project(project.root, project.home))
    assert after[test] < before[test]


def test_the_command_fails_where_a_section_has_less_than_is_asked(project: Project) -> None:
    shown = CliRunner().invoke(main, ["check", "score", "-C", str(project.home)])
    assert shown.exit_code == 0 and "MONITORING: " in shown.output
    assert "homeostat check contracts" in shown.output and "; to do: " in shown.output
    failed = CliRunner().invoke(main, ["check", "score", "--least", "6.5", "-C", str(project.home)])
    assert failed.exit_code == 1
    assert "less than 6.5 of 7 points; see what is to do above" in failed.stderr
