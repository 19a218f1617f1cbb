"""What a newcomer finds in the folder: a README that is true, a Makefile that runs, tests that can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from parsed import parsed
from scaffold.odd_tables import loads

from homeostat.project import Project
from homeostat.scaffold.draft import create as making
from homeostat.scaffold.profile.open_table import Address
from homeostat.scaffold.profile.profile_table import Asked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("folder")
    loads(24 * 14).write_csv(place / "loads.csv")
    asked = Asked(Address.of(str(place / "loads.csv")), time="timestamp", label="load")
    making.write(making.draft("mine", asked), place / "mine")
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


def test_what_dvc_is_to_make_a_candidate_of_is_the_whole_history(folder: Path) -> None:
    assert Project.find(folder).window[1].isoformat() == "2022-01-17T00:00:00"


def test_where_homeostat_is_not_make_says_so_in_one_line(folder: Path) -> None:
    said = make(folder, "run", "BIN=/nowhere")
    assert said.returncode != 0
    assert said.stderr.splitlines()[0].startswith("homeostat is not in /nowhere; put it on the path")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("params.yaml", "", "", "OK"),
        ("features.sql", " AS load_", " AS lode_", "test_scope_contracts_and_features_go_together"),
        ("dvc.yaml", "- objectives.load.label\n", "", "run: make dag"),
        ("flows/schedules.py", '"tick"', '"tock"', "test_every_schedule_is_a_length_of_the_rhythm"),
        ("expectations/loads.json", '"reason": "', '"cause": "', "test_every_rule_of_a_contract_says_why"),
    ],
)
def test_its_own_tests_pass_and_tell_what_an_edit_has_broken(
    file: str, old: str, new: str, told: str, folder: Path
) -> None:
    path = folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        ran = own_tests(folder)
    finally:
        path.write_text(before)
    assert told in ran.stderr
    assert (ran.returncode == 0) == (told == "OK")
