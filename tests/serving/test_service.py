"""``homeostat serve`` as processes: it switches, refuses, and ends, while it is asked."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asked
import httpx
import pytest
from at_work import COMMAND, ROOT, until

from homeostat import deployment
from homeostat.project import Project
from homeostat.serving import prediction_log
from homeostat.serving.token import read_or_make

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


@dataclass
class Service:
    """A ``homeostat serve`` that runs."""

    process: subprocess.Popen[bytes]
    log: Path
    headers: dict[str, str]

    @property
    def address(self) -> str:
        return next(word for word in self.log.read_text().split() if word.startswith("http://"))

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.address + path, headers=self.headers, timeout=30, trust_env=False)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@contextmanager
def served(project: Project, *options: str) -> Iterator[Service]:
    log = project.home / f"serve-{time.monotonic_ns()}.log"
    command = [*COMMAND, "-C", str(project.home), "serve", "--port", "0", *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        until(lambda: process.poll() is not None or "Ctrl-C" in log.read_text(), 60, "homeostat serve")
        assert process.poll() is None, log.read_text()
        found = Service(process, log, {"authorization": f"Bearer {read_or_make(project)}"})
        yield found
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


@dataclass
class Load:
    """Requests one after another, on connections of their own, and what came of each."""

    service: Service
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        events = itertools.cycle([[asked.event(50, n), asked.event(51, n)] for n in range(4)])
        for batch in events:
            if self.over.is_set():
                return
            try:
                answer = httpx.post(
                    self.service.address + "/predict", json={"events": batch}, headers=self.service.headers,
                    timeout=60, trust_env=False,
                )  # fmt: skip
            except httpx.HTTPError as error:
                self.failures.append(repr(error))
                continue
            if answer.status_code == 200:
                self.answers.append(answer.json())
            else:
                self.failures.append(answer.text)


@contextmanager
def load(service: Service) -> Iterator[Load]:
    found = Load(service)
    thread = threading.Thread(target=found.run)
    thread.start()
    try:
        yield found
    finally:
        found.over.set()
        thread.join()


def workers_at(found: Load, event: int) -> set[int]:
    return {answer["worker"] for answer in found.answers if answer["event"] == event}


def test_every_worker_switches_and_no_answer_fails_or_mixes_versions(project: Project) -> None:
    first, second = asked.sealed(project)
    with served(project, "--workers", "2") as service:
        with load(service) as found:
            until(lambda: len(workers_at(found, 1)) == 2, 60, "answers of both workers")
            asked.release(project, 1, after=1)
            until(lambda: len(workers_at(found, 2)) == 2, 60, "answers by the second version")
            command = [*COMMAND, "-C", str(project.home), "rollback", "--why", "alerts doubled", "--who", "ann"]
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
            until(lambda: len(workers_at(found, 3)) == 2, 60, "answers by the first version again")
        assert found.failures == []
        by_event = {1: first, 2: second, 3: first}
        weights = {first: 2, second: 3}
        for answer in found.answers:
            assert answer["bundle"] == by_event[answer["event"]]
            weight = weights[answer["bundle"]]
            assert all(p["risk"] == weight * p["scores"]["high"] for p in answer["predictions"])
        for worker in workers_at(found, 3):  # none goes back
            events = [a["event"] for a in found.answers if a["worker"] == worker]
            assert events == sorted(events)
        assert "homeostat_serving_event" in service.get("/metrics").text
        ids = {p["id"] for answer in found.answers for p in answer["predictions"]}
        assert {entry["id"] for entry in prediction_log.logged(project)} == ids
        assert service.end() == 0
        assert "is served no more" in service.log.read_text()
        assert "Traceback" not in service.log.read_text()


def test_a_rollback_loads_no_model_where_the_release_was_rehearsed_before(project: Project) -> None:
    asked.release(project, 1, after=1)
    code = (
        "import sys\nfrom homeostat.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "assert not {'polars', 'numpy', 'lightgbm', 'duckdb'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, "-C", str(project.home), "rollback", "--why", "w", "--who", "ann"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    (note,) = (project.state / "rehearsed").glob(deployment.ledger(project).events[0].bundle)
    note.write_text("another machine")
    command[5:] = ["promote", "v0.2.0", "--why", "w", "--who", "ann"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    command[5:] = ["rollback", "--why", "w", "--who", "ann"]
    assert subprocess.run(
        command, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ).returncode


def test_a_release_that_fails_its_rehearsal_does_not_serve(project: Project) -> None:
    """Its tag is there, made elsewhere; here the models answer otherwise than they did when they were sealed."""
    import polars as pl

    from homeostat import bundles
    from homeostat.adapters import git
    from homeostat.core.ledger import Register, ReleaseEvent, event_tag, release_tag

    _, second = asked.sealed(project)
    folder = project.releases / second
    golden = pl.read_parquet(folder / "golden.parquet").with_columns(pl.col("score__high") * (1 + 2**-52))
    golden.write_parquet(folder / "golden.parquet")
    spoilt = bundles.seal(folder, "meters", {})
    folder.rename(project.releases / spoilt)
    with served(project) as service:
        until(lambda: service.get("/ready").status_code == 200, 60, "the service")
        commit = git.head(project.root)
        registered = Register("v0.2.0", commit, "ann", "better", asked.NOW, spoilt)
        git.create_tag(project.home, release_tag("meters", "v0.2.0"), commit, registered.message(), asked.NOW)
        made = ReleaseEvent(2, "v0.2.0", "promote", commit, "ann", "better", asked.NOW, spoilt)
        git.create_tag(project.home, event_tag("meters", 2), commit, made.message(), asked.NOW)
        said = until(lambda: service.get("/release").json()["failed"] and service.get("/release").json(), 30, "failure")
        assert (said["serves"]["release"], said["failed"]["release"]) == ("v0.1.0", "v0.2.0")
        assert "rehearsal failed: score__high of golden row 0" in said["failed"]["why"]
        assert 'homeostat_switch_failed{pid="' in service.get("/metrics").text
        assert service.get("/ready").status_code == 200
    with asked.asking(project) as client:  # nor where a worker begins anew
        said = client.get("/release").json()
        assert (said["serves"]["release"], said["failed"]["release"]) == ("v0.1.0", "v0.2.0")


def test_what_was_accepted_is_finished_and_then_it_ends(project: Project) -> None:
    with served(project) as service:
        body = {"events": [asked.event(50, n) for n in range(6)]}
        url = service.address + "/predict"
        answers: list[int] = []

        def ask() -> None:
            answers.append(httpx.post(url, json=body, headers=service.headers, timeout=60, trust_env=False).status_code)

        until(lambda: service.get("/ready").status_code == 200, 60, "the service")
        os.kill(service.process.pid, signal.SIGSTOP)  # requests are accepted by the kernel, and wait
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        os.kill(service.process.pid, signal.SIGCONT)
        until(lambda: bool(answers), 30, "a first answer")
        assert service.end(signal.SIGINT) == 0
        for thread in threads:
            thread.join(60)
        assert answers == [200, 200, 200]
