"""The folder that a newcomer gets: a README that is true, a Makefile that runs, tests that can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from parsed import parsed
from scaffold.odd_tables import loads

from homeostat.project.layout import Project
from homeostat.project.window import read_window
from homeostat.scaffold.draft import create
from homeostat.scaffold.profile.request import Address, Request


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("folder")
    loads(24 * 14).write_csv(place / "loads.csv")
    request = Request(Address.of(str(place / "loads.csv")), time="timestamp", label="load")
    create.write(create.draft("mine", request), place / "mine")
    return place / "mine"


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, check=False)


def own_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    return make(folder, "test", f"BIN={Path(sys.executable).parent}")


def test_every_command_of_its_readme_is_one(folder: Path) -> None:
    shown = re.findall(r"`(homeostat[^`]*)`", (folder / "README.md").read_text())
    assert len(shown) > 8
    for command in shown:
        if command != "homeostat new":  # a name, not a command to type
            parsed(command)
    for target in re.findall(r"(?m)(?:^    |`)make (\w+)", (folder / "README.md").read_text()):
        assert make(folder, "-n", target).returncode == 0


def test_every_file_that_its_readme_names_is_there(folder: Path) -> None:
    named = re.findall(r"(?m)^\| `([^`]+)` ", (folder / "README.md").read_text().split("Where things are")[1])
    assert len(named) > 6
    missing = [name for name in named if not list(folder.glob(name))]
    assert missing == [".homeostat/"]  # until the loop has run


def test_dvc_makes_a_candidate_of_the_whole_history(folder: Path) -> None:
    assert read_window(Project.find(folder)).as_of.isoformat() == "2022-01-17T00:00:00"


def test_without_homeostat_make_fails_with_one_line(folder: Path) -> None:
    ran = make(folder, "run", "BIN=/nowhere")
    assert ran.returncode != 0
    assert ran.stderr.splitlines()[0].startswith("homeostat is not in /nowhere; put it on the path")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "output"),
    [
        ("params.yaml", "", "", "OK"),
        ("features.sql", " AS load_", " AS lode_", "test_scope_contracts_and_features_go_together"),
        ("dvc.yaml", "- objectives.load.label\n", "", "run: make dag"),
        ("flows/schedules.py", '"tick"', '"tock"', "test_every_schedule_is_a_length_of_the_rhythm"),
        ("expectations/loads.json", '"reason": "', '"cause": "', "test_every_rule_of_a_contract_says_why"),
    ],
)
def test_its_own_tests_pass_and_name_an_error(file: str, old: str, new: str, output: str, folder: Path) -> None:
    path = folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        ran = own_tests(folder)
    finally:
        path.write_text(before)
    assert output in ran.stderr
    assert (ran.returncode == 0) == (output == "OK")
