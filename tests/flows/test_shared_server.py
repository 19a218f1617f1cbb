"""One server on PostgreSQL for two projects, whose runs two workers of a pool take; one of the workers is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from at_work import ROOT, ask, events, runs, toyed, until
from postgres import needs_postgres, postgres
from ruamel.yaml import YAML

from homeostat.adapters.prefect_server import server
from homeostat.project.layout import Project

EVERY = 5  # seconds between two runs of a project
NAMES = ("north", "south")


def deployable(folder: Path, name: str) -> Project:
    """A project of one flow that waits to be let go, deployed as ``prefect.yaml`` has it for the lifecycle."""
    project = toyed(folder / name, name)
    conf = YAML(typ="safe").load(ROOT / "prefect.yaml")
    row = dict(conf["deployments"][0]) | {
        "name": f"{name}-wait", "entrypoint": "flows/toys.py:wait", "tags": [name], "schedules": [{"interval": EVERY}],
        "parameters": {"project": str(project.home)},
    }  # fmt: skip
    with (project.home / "prefect.yaml").open("w") as out:
        YAML(typ="safe").dump({"name": name, "pull": conf["pull"], "deployments": [row]}, out)
    return project


def environment(api: str, home: Path) -> dict[str, str]:
    return {**os.environ, "PREFECT_API_URL": api, "PREFECT_HOME": str(home), "PYTHONPATH": str(ROOT / "src")}


def prefect(api: str, home: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *words], cwd=home, env=environment(api, home) | {"PWD": str(home)}, text=True,
        check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@contextmanager
def worker(api: str, folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    home = folder / name
    home.mkdir()
    with (folder / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "homeostat", "--name", name]
        process = subprocess.Popen(command, cwd=home, env=environment(api, home), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def parents(process: int) -> list[int]:
    """The process, its parent, the parent's, and so on."""
    line = [process]
    while line[-1] > 1:
        line.append(int(Path(f"/proc/{line[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
    return line


def at_work(project: Project) -> int:
    """The process of the project's run."""
    path = project.home / "pid"
    return int(until(lambda: path.is_file() and path.read_text(), 90, f"a run of {project.home.name}"))


def due(api: str, name: str) -> Counter[str]:
    """The project's runs that are due by now, by their state."""
    now = datetime.now(UTC).isoformat()
    rows = ask(api, "flow_runs", flow_runs={"tags": {"all_": [name]}, "expected_start_time": {"before_": now}})
    return Counter(str(row["state_name"]) for row in rows)


@needs_postgres
@pytest.mark.slow
@pytest.mark.timeout(500)
def test_two_projects_two_workers_and_one_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = [deployable(tmp_path, name) for name in NAMES]
    with postgres() as database:
        monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", database)
        with server(tmp_path / "elsewhere") as api:
            assert not (tmp_path / "elsewhere" / ".prefect" / "prefect.db").exists()
            prefect(api, tmp_path, "work-pool", "create", "--type", "process", "homeostat")
            for project in projects:
                prefect(api, project.home, "--no-prompt", "deploy", "--all")
            until(lambda: all(sum(due(api, name).values()) >= 3 for name in NAMES), 90, "runs that nobody takes")
            with worker(api, tmp_path, "first") as first, worker(api, tmp_path, "second") as second:
                processes = {project: at_work(project) for project in projects}
                time.sleep(2 * EVERY)
                for name in NAMES:
                    assert due(api, name)["Running"] == 1
                    assert due(api, name)["Cancelled"] >= 3
                # one dies, with the run that it had taken
                north = projects[0]
                taken_by = next(w for w in (first, second) if w.pid in parents(processes[north]))
                run = next(r for r in runs(api, "RUNNING") if "north" in r["tags"])["id"]
                until(lambda: run in str(events(api, "prefect.flow-run.heartbeat")), 60, "a heartbeat")
                for process in (taken_by.pid, processes[north]):
                    os.kill(process, signal.SIGKILL)
                (north.home / "pid").unlink()
                until(lambda: run in {r["id"] for r in runs(api, "CRASHED")}, 200, "the end of the run that died")
                at_work(north)  # the other worker has taken the next
                for project in projects:
                    (project.home / "go").touch()
                until(lambda: all(due(api, name)["Completed"] for name in NAMES), 90, "both projects' runs")
