"""Faults of a replay: a bad release is made from any model, planted once, and what became of it is told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import numpy as np
import pytest

from homeostat import faults, models, replay
from homeostat.core.errors import UsageError
from homeostat.core.ledger import Act, Ledger, ReleaseEvent
from homeostat.faults.bad_release import outcome, turned_around
from homeostat.models.heuristic import Given
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from tests.loop.test_it_survives import git_that_kills
from tests.models.test_models import CASES, Case, events, fitted

AT = datetime(2024, 3, 2, 17)


@pytest.mark.parametrize("case", [c for c in CASES if not c.baseline.column and not c.baseline.sql], ids=str)
def test_a_model_of_any_kind_is_turned_around(case: Case, tmp_path: Path) -> None:
    model, fresh = fitted(case), events(300, seed=9)
    turned = turned_around(model)
    turned.save(tmp_path)
    scores, others = model.predict(fresh), models.load(tmp_path).predict(fresh)
    np.testing.assert_allclose(others, 1 - scores if case.task == "binary" else -scores, rtol=0, atol=1e-12)
    assert np.ptp(scores) > 0
    assert np.array_equal(turned.predict(fresh), others)


def test_a_score_that_is_a_column_cannot_be_turned_around() -> None:
    with pytest.raises(UsageError, match="the column legacy, which no model file can turn around; choose a time"):
        turned_around(Given("binary", "legacy", 0.5))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("outage@2024-03-02", "--fault outage@2024-03-02: no such fault; there are: bad-release, corrupted-bundle, "),
        ("bad-release@soon", "'soon' is not a time; write bad-release@2013-05-01T12:00, in UTC"),
        ("bad-release@2024-03-02T17:00+01:00", "the time has an offset; write it in UTC"),
        ("bad-release@2024-03-03T00:00", "choose a time from 2024-03-01 00:00 to 2024-03-02 21:00"),
        ("bad-release@2024-02-29", "outside the replay"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_in_one_line(text: str, line: str) -> None:
    with pytest.raises(UsageError) as raised:
        faults.check_times([faults.parse(text)], hourly.START, hourly.START + timedelta(hours=45))
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def event(number: int, action: Act, version: str, who: str) -> ReleaseEvent:
    return ReleaseEvent(number, version, action, "c", who, "v0.1.0 turned", AT + timedelta(days=number), "b")


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([], "and still does: the loop did not roll it back in this time"),
        ([event(3, "rollback", "v0.1.0", "homeostat")], "when homeostat rolled it back to v0.1.0"),
        ([event(3, "promote", "v0.3.0", "homeostat")], "when homeostat replaced it by v0.3.0"),
    ],
)
def test_what_became_of_it_is_told(after: list[ReleaseEvent], words: str) -> None:
    planted = [event(1, "promote", "v0.1.0", "homeostat"), event(2, "promote", "v0.2.0", "drill it")]
    sentence = outcome(Ledger("meters", (), (*planted, *after)), "drill it")
    assert sentence.startswith("v0.2.0 (v0.1.0 turned) served from 2024-03-04 17:00")
    assert sentence.endswith(words) or f"{words}" in sentence
    assert outcome(Ledger("meters"), "drill it") == "nothing was in service to make a bad release from"


# ---- by the command


def drill(of: Project, name: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from homeostat.cli import main; main()", "-C", str(of.home), "replay"]
    span = ["--from", "2024-03-01", "--to", "2024-03-02", "--name", name, "--fault", f"bad-release@{AT.isoformat()}"]
    env = os.environ | {"PYTHONPATH": str(hourly.ROOT / "src")} | env
    return subprocess.run([*command, *span], env=env, capture_output=True, text=True, check=False, timeout=250)


@pytest.mark.slow
def test_it_is_planted_once_though_killed_and_the_loop_takes_it_back(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=hourly.STEADY, table=hourly.steady_readings())
    whole, cut = (Project(of.state / "replays" / name, of.state / "replays" / name) for name in ("whole", "cut"))
    run = drill(of, "whole")
    assert run.returncode == 0, run.stderr
    who = f"drill bad-release@{AT.isoformat()}"
    at = hourly.START + timedelta(hours=42)  # the first tick at or after it
    assert [(e.action, e.version, e.who, e.at) for e in Registry.open(whole).ledger.events] == [
        ("promote", "v0.1.0", "homeostat", hourly.START + timedelta(hours=24)),
        ("promote", "v0.2.0", who, at),
        ("rollback", "v0.1.0", "homeostat", hourly.START + timedelta(hours=48)),
    ]
    assert "2024-03-02 18:00  drill  v0.2.0 is put in service: v0.1.0 with its scores turned around" in run.stdout
    assert re.search(
        r"^drill      bad-release@\S+: v0\.2\.0 \(.*\) served from 2024-03-02 18:00 to 2024-03-03 00:00, when "
        r"homeostat rolled it back to v0\.1\.0\npage       \S+\nnext  ", run.stdout, re.MULTILINE,
    )  # fmt: skip
    for number, tag in enumerate(("meters@v0.2.0", "meters#prod#2")):
        killed = drill(of, "cut", **git_that_kills(tmp_path / f"bin{number}", tag))
        assert killed.returncode == -signal.SIGKILL, killed.stdout
    assert drill(of, "cut").returncode == 0
    assert hourly.run(cut.home, "show-ref") == hourly.run(whole.home, "show-ref")
    with pytest.raises(UsageError, match="a replay of other inputs"):
        replay.prepare(of, hourly.START, hourly.START + timedelta(days=2), "whole")
