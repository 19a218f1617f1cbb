"""Every command that README and RUNBOOK show is run, on a small project that has been round the loop."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest

from homeostat import loop
from homeostat.core.rules import ALERTING, Rule
from homeostat.project.clock import move_on, stands_at
from homeostat.project.layout import Project
from homeostat.releases import registry

ROOT = Path(__file__).parents[1]
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "RUNBOOK.md")}
BATCH = "2024-03-01T03"
WORDS = {"VERSION": "v0.2.0", "SOURCE": "readings", "BATCH": BATCH, "FILE": "again.csv"}
TALKS = re.compile(r"(?:homeostat|dvc|make)(?: [^`\n]*)?")


def commands(text: str) -> list[str]:
    """What stands alone on an indented line or between backquotes, and begins with one of our commands."""
    shown = re.findall(r"(?m)^    (.+)$", re.sub(r"(?ms)^```.*?^```", "", text)) + re.findall(r"`([^`\n]+)`", text)
    return [" ".join(line.split()) for line in shown if TALKS.fullmatch(" ".join(line.split()))]


SHOWN = sorted({c for text in PAGES.values() for c in commands(text)})
OWN_TESTS = ("homeostat up", "homeostat serve", "homeostat serve --workers 2")  # until Ctrl-C: below, and in serving
OURS = [c for c in SHOWN if c.startswith("homeostat") and c not in OWN_TESTS]


def test_the_pages_show_what_there_is() -> None:
    assert {"make run", "make test", "homeostat", "homeostat up", "dvc repro", "homeostat check leakage"} <= set(SHOWN)
    assert len(OURS) > 15


@pytest.mark.parametrize("rule", sorted(ALERTING))
def test_every_alert_has_its_heading(rule: Rule) -> None:
    assert f"\n## {rule}\n" in PAGES["RUNBOOK.md"]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGES[name])
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("command", [c for c in SHOWN if c.startswith("make")])
def test_make_knows_it(command: str) -> None:
    done = subprocess.run(["make", "-n", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The hourly project after a day and a half: two versions, and a row that is held."""
    folder = tmp_path_factory.mktemp("docs") / "meters"
    clock = f'threads: 1\nclock: {{start: "{hourly.START.isoformat()}", speed: 60}}\n'
    project = hourly.make(folder, params=hourly.PARAMS.replace("threads: 1\n", clock) + hourly.ROLLOUT)
    hourly.run(folder, "config", "user.name", "Ann")
    rows = hourly.readings()
    at = pl.col("at") == hourly.START + timedelta(hours=3)
    rows.with_columns(pl.when(at).then(500.0).otherwise("load").alias("load")).write_csv(
        folder / "readings.csv", datetime_format="%Y-%m-%dT%H:%M:%S"
    )
    shutil.copytree(ROOT / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    hourly.commit(folder, "a reading that cannot be")
    rows.filter(pl.col("at").dt.truncate("1h") == hourly.START + timedelta(hours=3)).write_csv(
        folder / "again.csv", datetime_format="%Y-%m-%dT%H:%M:%S"
    )
    loop.begin(project, hourly.START)
    move_on(project, hourly.START)
    for hours in (2, 3, 4, 26, 30):
        loop.tick(project, hourly.START + timedelta(hours=hours))
    assert [r.version for r in registry.ledger(project).releases][:2] == ["v0.1.0", "v0.2.0"]
    return project


def said(project: Project, command: str) -> subprocess.CompletedProcess[str]:
    words = [WORDS.get(word, word) for word in shlex.split(command)]
    words[0] = str(Path(sys.executable).parent / words[0])
    return subprocess.run(words, cwd=project.home, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.slow
@pytest.mark.parametrize("command", OURS)
def test_a_command_of_ours_runs(home: Project, command: str) -> None:
    if "rollback" in command:  # there must be something to take back
        registry.promote(home, "v0.2.0", "to roll it back", "a test", stands_at(home))
    if "--canary" in command:  # and something to try it beside
        registry.promote(home, "v0.1.0", "to try another", "a test", stands_at(home))
    done = said(home, command)
    allowed = (0, 1) if command.endswith("check leakage") else (0,)  # findings are an answer too
    assert done.returncode in allowed, done.stdout + done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_dvc_commands_run(home: Project) -> None:
    tree = home.ledger
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    for command in [c for c in SHOWN if c.startswith("dvc") and c != "dvc fetch"]:
        done = subprocess.run(
            shlex.split(command), cwd=tree.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, command + done.stdout + done.stderr


@pytest.mark.slow
def test_up_says_where_to_look_and_ends_on_ctrl_c(home: Project) -> None:
    command = [str(Path(sys.executable).parent / "homeostat"), "up"]
    log = home.home / "up.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=home.home, stdout=out, stderr=out)
    try:
        end = time.monotonic() + 120
        while "http://127.0.0.1" not in log.read_text():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
