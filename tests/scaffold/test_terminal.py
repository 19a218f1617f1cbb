"""``homeostat new`` at a terminal: it shows its guesses, and a person changes them."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from scaffold.odd_tables import loads, write

from homeostat.cli.new import _changed
from homeostat.project.layout import Project
from homeostat.scaffold.profile.request import Address, Request

LIMIT = 240  # seconds until a silent terminal is given up


def typed_at(command: list[str], answers: list[str]) -> str:
    """The output of a command at a terminal where a person types the next of ``answers`` at each prompt."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)
    output, answered, since = b"", 0, time.monotonic()
    while time.monotonic() - since < LIMIT:
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            block = os.read(terminal, 65536)
        except OSError:  # the other side has ended
            break
        output += block
        if answers and b"stops:" in output[answered:]:
            answered = len(output)
            os.write(terminal, answers.pop(0).encode() + b"\n")
    os.waitpid(process, 0)
    return output.decode()


@pytest.mark.slow
def test_guesses_are_shown_and_changed_at_a_terminal(tmp_path: Path) -> None:
    table = write(loads(24 * 20), tmp_path / "t.csv")
    start = f"import sys; from homeostat.cli import main; sys.exit(main(['new', {str(tmp_path / 'here')!r}, '--from', "
    command = [sys.executable, "-c", f"{start}{str(table)!r}, '--time', 'timestamp']))"]
    output = typed_at(command, ["label=loat", "label=load", "drop=warm", "colour=red", ""])
    assert "--label: say which column is to be predicted; there are timestamp, site, warm, load" in output
    assert "no such column; perhaps load" in output
    assert "colour=red: is no change; write NAME=VALUE with one of time, label" in output
    assert "is in" in output and "committed" in output
    scope = Project.find(tmp_path / "here").scope
    assert scope.objectives["load"].label == "load"
    assert "warm" not in scope.event_source.columns


@pytest.mark.parametrize(
    ("typed", "field", "value"),
    [
        ("label=load", "label", "load"),
        (" --known-at = seen", "known_at", "seen"),
        ("drop=a", "drop", ("x", "a")),
        ("drop=", "drop", ()),
        ("predict-before=2h", "predict_before", timedelta(hours=2)),
        ("predict-before=soon", "predict_before", timedelta(0)),
        ("group=race", "task", "ranking"),
        ("source=other.csv", "source", Address("t.csv")),
        ("what is this?", "label", None),
    ],
)
def test_a_change_is_what_was_typed(typed: str, field: str, value: object) -> None:
    assert getattr(_changed(Request(Address("t.csv"), drop=("x",)), typed), field) == value
