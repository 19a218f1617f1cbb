"""Two machines: one runs the loop, the other is a clone that serves; a git remote and a store of bundles between."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import hourly
import pytest
from at_work import COMMAND, until

from homeostat import loop
from homeostat.decisions.session import Session
from homeostat.project.clock import move_on
from homeostat.project.layout import Project
from homeostat.releases import sync as hosts
from homeostat.releases.registry import Registry
from tests.serving.test_service import served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CLOCK = f'threads: 1\nclock: {{start: "{hourly.START.isoformat()}", speed: 1}}\n'


def command(project: Project, *words: str) -> str:
    done = subprocess.run([*COMMAND, "-C", str(project.home), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def ann(tmp_path: Path) -> Project:
    """The machine that runs the loop, after a day and a half: two versions."""
    params = hourly.PARAMS.replace("threads: 1\n", CLOCK) + "remote: {git: origin, every: 1s}\n"
    project = hourly.make(tmp_path / "ann", params=params, table=hourly.readings(40))
    store = project.root / ".dvc" / "config"
    url = f"\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
    store.write_text(store.read_text().rstrip() + url)
    hourly.run(project.root, "config", "user.name", "Ann")
    shutil.copytree(hourly.ROOT / "flows", project.root / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    hourly.commit(project.root, "other hosts")
    hourly.run(tmp_path, "init", "-q", "--bare", "-b", "main", "shared.git")
    hourly.run(project.root, "remote", "add", "origin", str(tmp_path / "shared.git"))
    hourly.run(project.root, "push", "-q", "origin", "main")
    loop.begin(Session.open(project), hourly.START)
    move_on(project, hourly.START)
    for hours in (2, 4, 26, 30):
        loop.tick(Session.open(project), hourly.START + timedelta(hours=hours))
    assert [r.version for r in Registry.open(project).ledger.releases][:2] == ["v0.1.0", "v0.2.0"]
    return project


def test_a_clone_serves_what_the_loop_releases_and_swaps_when_it_is_taken_back(ann: Project) -> None:
    hourly.run(ann.root.parent, "clone", "-q", "shared.git", "bob")
    bob = Project(ann.root.parent / "bob", ann.root.parent / "bob")
    hourly.run(bob.root, "config", "user.name", "Bob")
    command(bob, "run", "data")
    last = Registry.open(ann).ledger.events[-1]
    with served(bob, "--workers", "2") as service:
        state = service.get("/release").json()
        assert (state["serves"]["release"], state["serves"]["event"]) == (last.version, last.number)
        assert state["remote"] == {"failed": None}
        command(ann, "rollback", "--why", "alerts doubled", "--to", "v0.1.0")
        until(lambda: service.get("/release").json()["serves"]["release"] == "v0.1.0", 30, "the rollback elsewhere")
        (ann.root.parent / "shared.git").rename(ann.root.parent / "away.git")
        until(lambda: service.get("/release").json()["remote"]["failed"], 30, "word of the remote")
        assert "homeostat_remote_failed" in service.get("/metrics").text
        assert service.get("/ready").status_code == 200
        assert "origin: cannot be reached" in service.log.read_text()
        (ann.root.parent / "away.git").rename(ann.root.parent / "shared.git")
        command(bob, "promote", last.version, "--why", "it was the data")
        until(lambda: service.get("/release").json()["serves"]["release"] == last.version, 30, "its own promote")
    assert [e.who for e in Registry.open(bob).ledger.events[-2:]] == ["Ann", "Bob"]
    hosts.follow(ann)
    assert Registry.open(ann).ledger.events == Registry.open(bob).ledger.events
    loop.tick(Session.open(ann), hourly.START + timedelta(hours=31))  # and the loop goes on
