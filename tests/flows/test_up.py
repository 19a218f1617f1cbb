"""The scheduled loop under ``homeostat up``: it runs by itself, survives the network, takes turns, and ends cleanly."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from at_work import Up, ask, looped, output, runs, start, until, up

from homeostat.project.layout import Project
from homeostat.project.lock import one_run
from homeostat.project.window import read_window
from homeostat.scheduling.publish import sentence
from homeostat.scheduling.up import run_flow, where

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a file server gives out what lies in ``folder``; the first time it breaks."""
    import hourly

    body = hourly.readings().write_csv(datetime_format="%Y-%m-%dT%H:%M:%S").encode()
    broken = threading.Event()

    class Files(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if not broken.is_set():
                broken.set()
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"1"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/readings.csv"
    server.shutdown()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, address: str) -> Project:
    return looped(tmp_path_factory.mktemp("looped") / "meters", address)


@pytest.fixture(scope="module")
def running(project: Project) -> Iterator[Up]:
    with up(project) as running:
        yield running


def test_a_scheduled_run_completes_by_itself(running: Up, project: Project) -> None:
    done = until(lambda: runs(running.api, "COMPLETED"), 90, "a completed run")
    assert done[0]["auto_scheduled"]
    assert "meters" in done[0]["tags"]
    assert re.fullmatch("meters 2024-03-01 1[3-9]:00", done[0]["name"])
    assert "2024-03-01 13:" in running.log  # on the project's clock: the first tick after its start
    assert read_window(project.worktree).as_of.hour >= 13
    assert where(project) == running.api


def test_its_pages_are_at_the_address_that_it_prints(running: Up, project: Project) -> None:
    line = next(line for line in running.log.splitlines() if line.startswith("  pages "))
    address, token = line.split()[1].rstrip(";"), Path(line.rpartition(" ")[2]).read_text().strip()
    assert httpx.get(address, trust_env=False).status_code == 401
    shown = httpx.get(address, auth=("", token), trust_env=False)
    assert shown.status_code == 200 and "meters" in shown.text and str(project.home) in shown.text


def test_the_network_failed_once_and_was_tried_again(running: Up) -> None:
    until(lambda: [t for t in ask(running.api, "task_runs") if t["run_count"] > 1], 60, "a second try of a task")
    tasks = ask(running.api, "task_runs")
    assert sorted(task["run_count"] for task in tasks)[-1] == 2
    assert re.fullmatch("take in, meters 2024-03-01 1[3-9]:00", tasks[0]["name"])
    assert "readings" in running.log
    assert "Retry 1/3" in running.log


def test_the_decision_is_an_artifact_and_an_event(running: Up, project: Project) -> None:
    artifact = until(lambda: ask(running.api, "artifacts"), 90, "an artifact")[0]
    assert artifact["key"] == "meters-decision"
    assert artifact["type"] == "markdown"
    wanted = {"filter": {"event": {"name": ["homeostat.decision"]}}}
    event = until(lambda: ask(running.api, "events", **wanted), 30, "an event")[-1]
    assert event["resource"]["prefect.resource.id"] == "model.meters"
    assert any(a["data"].startswith(f"# {event['payload']['headline']}\n") for a in ask(running.api, "artifacts"))
    numbers = [n for n in event["payload"]["measured"].values() if n is not None]
    assert all(isinstance(n, float) for n in numbers)


@pytest.mark.parametrize("flow", ["deployment", "evaluation", "monitoring", "training"])
def test_every_flow_runs_when_asked(running: Up, project: Project, flow: str) -> None:
    until(lambda: runs(running.api, "COMPLETED"), 90, "the first tick")
    before = {run["id"] for run in runs(running.api, "COMPLETED")}
    answer = run_flow(project, flow)
    expected = "predictions" if flow == "deployment" else "Release|Keep|Nothing|Retrain"
    assert re.search(expected, sentence(answer))
    done = [run for run in runs(running.api, "COMPLETED") if run["id"] not in before and run["deployment_id"] is None]
    assert len(done) == 1
    assert "meters" in done[0]["tags"]


def test_two_runs_at_once_take_turns_and_say_so(running: Up, project: Project, tmp_path: Path) -> None:
    logs = [tmp_path / "one", tmp_path / "two"]
    with one_run(project, say=lambda _: None):
        both = [start(project, "run", "data", out=log.open("wb")) for log in logs]
        until(lambda: all("is at work in" in log.read_text() for log in logs), 90, "two runs that wait and say so")
    for process, log in zip(both, logs, strict=True):
        assert process.wait(90) == 0, log.read_text()
        assert log.read_text().splitlines()[-1].startswith(("batches: ", "no batch is due"))
    assert not runs(running.api, "FAILED", "CRASHED")


def test_it_ends_cleanly_and_pauses_its_schedules(running: Up, project: Project) -> None:
    api = running.api
    again = start(project, "up")
    assert "up already" in output(again)
    assert again.returncode != 0
    assert running.end() == 0
    assert running.log.splitlines()[-1] == "meters is down; its schedules are paused"
    assert "Traceback" not in running.log
    assert where(project) is None
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{api}/health", trust_env=False)
