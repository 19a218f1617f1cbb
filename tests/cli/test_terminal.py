"""No value of the data, and no reason or name, steers the terminal that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from recorded import recorded
from ruamel.yaml import YAML

from homeostat.cli import main
from homeostat.core.text import printable

CLI = Path(__file__).parents[2] / "src" / "homeostat" / "cli"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CLEARS = "\x1b[2J\x1b[31mall is well\x1b[0m\r\u202e"


@given(st.text())
def test_what_is_printable_stays_and_the_rest_is_spelled_out(text: str) -> None:
    shown = printable(text)
    assert not STEERS.search(shown)
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.name)
def test_all_that_a_command_prints_goes_through_one_function(path: Path) -> None:
    direct = re.findall(r"(?:click\.s?echo|(?<![\w.])print)\((?!statuses)", path.read_text())
    assert path.name == "terminal.py" or direct == []


def test_a_reason_and_a_name_are_shown_as_they_are(tmp_path: Path) -> None:
    of = recorded(tmp_path / "meters")
    where = ["-C", str(of.home)]
    given = ["data", "release-rows", "readings", "2024-03-01T05", "--why", f"real {CLEARS}", "--who", f"ann{CLEARS}"]
    runner = CliRunner()
    shown = [runner.invoke(main, [*command, *where], catch_exceptions=False).output
             for command in (given, ["status"], ["data", "review"], ["releases"])]  # fmt: skip
    shown.append(runner.invoke(main, ["releases", "show", CLEARS, *where]).output)
    assert "\\x1b[2J" in shown[-1]
    assert [text for text in shown if STEERS.search(text.replace("\n", ""))] == []


def test_a_file_keeps_the_value(tmp_path: Path) -> None:
    of = recorded(tmp_path / "meters")
    why = ["--why", "a\x1b[2Jb", "--who", "ann"]
    args = ["data", "release-rows", "readings", "2024-03-01T05", *why, "-C", str(of.home)]
    assert CliRunner().invoke(main, args).exit_code == 0
    newest = max((of.home / ".homeostat" / "ledger" / "data" / "amendments").glob("*.yaml"))
    assert YAML(typ="safe").load(newest)["why"] == "a\x1b[2Jb"
