"""What docs/serving.md shows is typed as it stands: the service is started, asked by curl, and its answer explained."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import hourly
import pytest

from homeostat import loop
from homeostat.decisions.session import Session
from homeostat.project.clock import move_on
from homeostat.project.layout import Project
from tests.serving.test_service import served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
TEXT = (hourly.ROOT / "docs" / "serving.md").read_text()
SHELL = re.findall(r"(?ms)^```sh\n(.*?)^```", TEXT)
CLOCK = f'threads: 1\nclock: {{start: "{hourly.START.isoformat()}", speed: 1}}\n'


def typed(script: str, folder: Path, **variables: str) -> str:
    """What a person sees who types it in the folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(hourly.ROOT / "src"), **variables}
    done = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def block(word: str) -> str:
    (script,) = [script for script in SHELL if word in script]
    return script


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("serving") / "meters"
    made = hourly.make(folder, params=hourly.PARAMS.replace("threads: 1\n", CLOCK), table=hourly.readings(60))
    shutil.copytree(hourly.ROOT / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    hourly.run(folder, "config", "user.name", "Ann")
    hourly.commit(folder, "flows")
    loop.begin(Session.open(made), hourly.START)
    move_on(made, hourly.START)
    for hours in (2, 4):
        loop.tick(Session.open(made), hourly.START.replace(hour=hours))
    return made


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_it_is_started_asked_and_explained(project: Project) -> None:
    assert "homeostat serve --workers 2 --port 8471" in block("--workers")
    with served(project, "--workers", "2") as service:
        port = service.address.rpartition(":")[2]
        answer = json.loads(typed(block("--data @ask.json").replace("8471", port), project.home))
        promised = json.loads((project.home / "openapi.json").read_text())["paths"]["/predict"]["post"]
        example = promised["responses"]["200"]["content"]["application/json"]["example"]
        assert answer["predictions"] == example["predictions"] and answer["predictions"]
        rows = re.findall(r"(?m)^\| `(.+?)` \|", TEXT)
        paths = {path for row in rows for path in re.findall(r"/\w+", row)}
        assert paths == set(json.loads((project.home / "openapi.json").read_text())["paths"])
    explained = typed(block("explain"), project.home, ID=answer["predictions"][0]["id"])
    assert "recomputed to the last bit" in explained


def test_many_machines(project: Project, tmp_path: Path) -> None:
    """The four lines of settings, a release, and a clone that serves it."""
    home = tmp_path / "meters"
    shutil.copytree(project.home, home, ignore=shutil.ignore_patterns("ledger", "rebuilt"))
    hourly.run(home, "worktree", "prune")
    copied = Project(home, home)
    hourly.run(tmp_path, "init", "-q", "--bare", "-b", "main", "shared.git")
    shared, store = str(tmp_path / "shared.git"), str(tmp_path / "store")
    typed(block("dvc remote add"), home, GIT=shared, STORE=store)
    (line,) = re.findall(r"(?m)^remote: .+$", TEXT)
    (home / "params.yaml").write_text((home / "params.yaml").read_text() + line + "\n")
    hourly.commit(home, "other hosts")
    hourly.run(home, "push", "-q", "origin", "main")
    loop.tick(Session.open(copied), hourly.START.replace(hour=6))
    start = block("git clone").replace("homeostat serve --host 0.0.0.0\n", "")
    typed(start, tmp_path, GIT=shared)
    host = Project(tmp_path / "host", tmp_path / "host")
    with served(host, "--host", "127.0.0.1") as service:
        assert service.get("/ready").status_code == 200
        assert service.get("/release").json()["remote"] == {"failed": None}
