"""A draft made again over a project: what was edited by hand stays, all else follows the new option."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from scaffold.audit.test_issues import healthy

from homeostat.adapters import git
from homeostat.cli import main
from homeostat.project.layout import Project

GOAL = 'goal: "Fewer parcels to carry back."'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("redraft")
    healthy().write_csv(folder / "visits.csv")
    asked = ["--from", str(folder / "visits.csv"), "--label", "back", "--time", "at", "--yes"]
    made = CliRunner().invoke(main, ["new", str(folder / "p"), *asked])
    assert made.exit_code == 0, made.output
    return folder / "p"


def edited(folder: Path) -> str:
    path = folder / "params.yaml"
    lines = [GOAL if line.startswith("goal:") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    return path.read_text()


def test_a_new_period_moves_all_that_follows_from_it_and_keeps_edits(project: Path) -> None:
    before = edited(project)
    assert Project(project, project).scope.events_period.days == 28
    done = CliRunner().invoke(main, ["new", str(project), "--period", "7d", "--yes"])
    assert done.exit_code == 0, done.output
    assert "-    period: 28d" in done.output and "+    period: 7d" in done.output
    scope = Project(project, project).scope
    assert scope.events_period.days == 7 and scope.windows.warm_up.days % 7 == 0
    assert GOAL in (project / "params.yaml").read_text() != before
    assert "params.yaml" in git.run(project, "status", "--short")
    again = CliRunner().invoke(main, ["new", str(project), "--period", "7d", "--yes"])
    assert again.output.splitlines()[-1].endswith("nothing to change")


def test_nothing_is_written_where_nobody_agrees(project: Path) -> None:
    before = (project / "params.yaml").read_text()
    done = CliRunner().invoke(main, ["new", str(project), "--drop", "pages"])
    assert done.exit_code != 0 and "add --yes" in done.output + str(done.exception)
    assert (project / "params.yaml").read_text() == before


def test_an_option_has_to_be_named(project: Path) -> None:
    done = CliRunner().invoke(main, ["new", str(project), "--yes"])
    assert done.exit_code != 0 and "a project already" in done.output + str(done.exception)
