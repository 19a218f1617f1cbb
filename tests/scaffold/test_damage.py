"""Every file of a new project dropped, and damaged in every way: one clear line, no traceback, and nothing changed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from scaffold.odd_tables import loads, write

from homeostat.cli import main
from homeostat.scaffold.draft import create
from homeostat.scaffold.profile.request import Address, Request

DAMAGE: dict[str, Callable[[Path], object]] = {
    "dropped": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3]),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 4),
    "no syntax": lambda path: path.write_text("[1, {2\n\tx: SELEC ("),
    "another thing": lambda path: path.write_text("- 1\n- two\n"),
    "a number": lambda path: path.write_text("3\n"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}
VERBS = (["status"], ["check", "scope"], ["releases"], ["data", "review"])
REPLAY = ["replay", "--from", "2022-01-03", "--to", "2022-01-03", "--name", "day", "--force"]
NAMED = ("params.yaml", "features.sql", "expectations/t.json", "data/window.yaml", "dvc.yaml", ".dvc/config")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("damaged")
    table = write(loads(24 * 8), place / "t.csv")
    request = Request(Address.of(str(table)), time="timestamp", label="load")
    create.write(create.draft("tried", request), place / "here")
    return place / "here"


def files(project: Path) -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True)
    return listed.stdout.split()


def complaint(project: Path, verb: list[str]) -> str:
    """The line that a verb ends with, or nothing; what is not one clear line fails the test."""
    run = CliRunner().invoke(main, ["-C", str(project), *verb])
    assert run.exception is None or isinstance(run.exception, SystemExit), (verb, run.output)
    assert "Traceback" not in run.output and "a bug" not in run.output, (verb, run.output)
    if run.exit_code == 0:
        return ""
    line = run.stderr.strip()
    assert len(line.splitlines()) <= 1, (verb, run.output)
    return line or run.stdout


def damaged(project: Path, name: str, how: str, verbs: tuple[list[str], ...]) -> dict[str, str]:
    path = project / name
    good = path.read_bytes()
    DAMAGE[how](path)
    try:
        return {verb[0]: complaint(project, verb) for verb in verbs}
    finally:
        if path.is_dir():
            shutil.rmtree(path)
        path.write_bytes(good)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", DAMAGE)
def test_no_damage_to_any_file_ends_in_a_traceback(project: Path, how: str) -> None:
    for name in files(project):
        damaged(project, name, how, VERBS)
    whole = subprocess.run(["git", "status", "--short"], cwd=project, capture_output=True, text=True, check=True)
    assert whole.stdout == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["dropped", "garbage", "no syntax"])
@pytest.mark.parametrize("name", NAMED)
def test_a_replay_says_what_is_damaged(project: Path, name: str, how: str) -> None:
    line = damaged(project, name, how, (REPLAY,))["replay"]
    if (name, how) != (".dvc/config", "dropped"):  # then DVC's defaults hold, and the replay runs
        assert Path(name).name in line or (how == "dropped" and "/expectations" in line), line
