"""``homeostat serve`` as processes, and requests that go on while something happens to it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asked
import httpx
from at_work import COMMAND, ROOT, until

from homeostat.project.layout import Project
from homeostat.serving.auth import read_or_make_token


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
        service = Service(process, log, {"authorization": f"Bearer {read_or_make_token(project)}"})
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


class Noting(Protocol):
    """Keeps what came of requests."""

    answers: list[dict[str, Any]]
    failures: list[str]


def note_answer(noting: Noting, client: httpx.Client, url: str, events: list[dict[str, Any]]) -> None:
    """Ask once, and note the answer or why there is none."""
    try:
        answer = client.post(url, json={"events": events})
    except httpx.HTTPError as error:
        noting.failures.append(repr(error))
        return
    if answer.status_code == 200:
        noting.answers.append(answer.json())
    else:
        noting.failures.append(answer.text)


@dataclass
class Load:
    """Requests one after another, on connections of their own, and what came of each."""

    service: Service
    batches: list[list[dict[str, Any]]] = field(
        default_factory=lambda: [[asked.event(50, n), asked.event(51, n)] for n in range(4)]
    )
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        for batch in itertools.cycle(self.batches):
            if self.over.is_set():
                return
            with httpx.Client(headers=self.service.headers, timeout=60, trust_env=False) as client:
                note_answer(self, client, self.service.address + "/predict", batch)


@contextmanager
def load(service: Service, *batches: list[dict[str, Any]]) -> Iterator[Load]:
    traffic = Load(service, list(batches)) if batches else Load(service)
    thread = threading.Thread(target=traffic.run)
    thread.start()
    try:
        yield traffic
    finally:
        traffic.over.set()
        thread.join()


def workers_at(traffic: Load, event: int) -> set[int]:
    return {answer["worker"] for answer in traffic.answers if answer["event"] == event}
