"""Tab in a shell: verbs, options and this project's own names."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from recorded import recorded

from homeostat.project.layout import Project

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SHOWN = re.findall(r"\| (bash|zsh|fish) \| `([^`]+)` \|", (ROOT / "docs" / "howto" / "completion.md").read_text())
INSTALL = {shell: line.replace(r"\|", "|") for shell, line in SHOWN}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = recorded(tmp_path_factory.mktemp("tab") / "meters")
    shutil.copytree(ROOT / "flows", project.home / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    return project


def said(shell: str, script: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}
    done = subprocess.run(
        [shell, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def tab(typed: str, folder: Path) -> list[str]:
    """What bash offers at the end of what is typed: its own function is asked, as the key asks it."""
    words = shlex.split(typed) + ([""] if typed.endswith(" ") else [])
    asked = f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
    call = r"""$(complete -p homeostat | sed 's/.* -F \([^ ]*\).*/\1/') homeostat; printf '%s\n' "${COMPREPLY[@]}" """
    return said("bash", f"{INSTALL['bash']}\n{asked}{call}", folder).split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("homeostat ro", ["rollback"]),
        ("homeostat releases ve", ["verify"]),
        ("homeostat rollback --w", ["--why", "--who"]),
        ("homeostat promote ", ["candidate", "weights", "v0.2.0", "v0.1.0"]),
        ("homeostat releases decision 2024-03-02", ["2024-03-02T00:00"]),
        ("homeostat releases decision ", [f"2024-03-0{time}:00" for time in ("2T00", "1T18", "1T12", "1T06")]),
        ("homeostat rollback --to v0.1", ["v0.1.0"]),
        ("homeostat releases compare v0.1.0 v0.2", ["v0.2.0"]),
        ("homeostat run d", ["data", "deployment"]),
        ("homeostat replay --fault ba", ["bad-release@"]),
        ("homeostat data correct r", ["readings"]),
        ("homeostat data review readings ", ["2024-03-01T20", "2024-03-01T05"]),
    ],
)
def test_tab_in_bash(project: Project, typed: str, offered: list[str]) -> None:
    assert tab(typed, project.home) == offered


def test_of_another_folder(project: Project, tmp_path: Path) -> None:
    assert tab(f"homeostat promote -C {project.home} v", tmp_path) == ["v0.2.0", "v0.1.0"]
    assert tab(f"homeostat -C {project.home} promote v", tmp_path) == ["v0.2.0", "v0.1.0"]


def test_where_there_is_no_project_nothing_is_offered_and_nothing_is_said(tmp_path: Path) -> None:
    assert tab("homeostat promote v", tmp_path) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_to_install_it_makes_that_shells_own_script(shell: str, tmp_path: Path) -> None:
    source = said("bash", f"_HOMEOSTAT_COMPLETE={shell}_source homeostat", tmp_path)
    assert f"_HOMEOSTAT_COMPLETE={shell}_source homeostat" in INSTALL[shell]
    assert {"bash": "complete -o", "zsh": "compdef", "fish": "complete --no-files"}[shell] in source
    if shutil.which(shell):
        said(shell, INSTALL[shell], tmp_path)
