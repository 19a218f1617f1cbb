"""A service under load: a copy of a project, ``homeostat serve`` in it, and a client that costs next to nothing."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic_core import from_json, to_json

from homeostat.project.clock import clock_now
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.serving import batch_scoring
from homeostat.serving.auth import read_or_make_token
from homeostat.serving.context import Context

COMMAND = [sys.executable, "-c", "from homeostat.cli import main; main()"]
RENEWED = 20  # requests of a connection until it is opened again, so that every worker gets some
JSON = {"content-type": "application/json"}


def copied(source: Path) -> Project:
    """The project in a folder of its own, with predictions of the events ahead."""
    folder = Path(tempfile.mkdtemp(prefix="homeostat-serving-")) / "project"
    shutil.copytree(source, folder, symlinks=True)
    project = Project.find(folder)
    batch_scoring.predict_ahead(project.worktree, Registry.open(project), clock_now(project))
    return project


@contextmanager
def serving(
    project: Project, workers: int, most: int = 0
) -> Iterator[tuple[str, dict[str, str], subprocess.Popen[bytes]]]:
    """A service of the project; its address, the headers of a request, and its process. ``most``: elastic."""
    number = f"{workers}..{most}" if most else str(workers)
    command = [*COMMAND, "-C", str(project.home), "serve", "--port", "0", "--workers", number]
    log = project.home / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        while log.read_text().count("is in service after") < workers:  # else the first takes every connection
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        address = next(word for word in log.read_text().split() if word.startswith("http://"))
        yield address, JSON | {"authorization": f"Bearer {read_or_make_token(project)}"}, process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def worker_processes(parent: int) -> list[int]:
    """The workers of a service: its children, or itself where there is one alone."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    python = [int(c) for c in children if b"multiprocessing" in Path(f"/proc/{c}/cmdline").read_bytes()]
    return [c for c in python if b"resource_tracker" not in Path(f"/proc/{c}/cmdline").read_bytes()] or [parent]


def resident(process: int) -> float:
    """Resident memory of a process, MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def requests_ahead(project: Project, many: int) -> list[bytes]:
    """Bodies of requests for one event each, of those ahead.

    Raises:
        SystemExit: the project's data end where it stands, so no event is ahead.
    """
    now = clock_now(project)
    context = Context(project, now)
    until = now + context.scope.rhythm.tick
    ahead = (rows.filter(pl.col("predict_at") >= now, pl.col("predict_at") < until) for _, rows in context.upcoming())
    parts = [rows for rows in ahead if rows.height]
    if not parts:
        raise SystemExit(f"no event is ahead at {now}: give a replay that ends before its data do")
    rows = pl.concat(parts)
    first, *_ = context.scope.event_source.known_at.values()
    rows = rows.select(first.columns).sample(many, with_replacement=many > rows.height, seed=1)
    return [to_json({"events": [row]}) for row in rows.to_dicts()]


@dataclass
class Results:
    """Results of requests: seconds of each, failures, and the answers (with their time) if ``keep``."""

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    answers: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    keep: bool = False

    def line(self, name: str) -> str:
        p50, p99 = np.quantile(self.seconds, [0.5, 0.99]) * 1000
        return (
            f"{name}: {len(self.seconds)} answers, p50 {p50:.1f} ms, p99 {p99:.1f} ms, failures {dict(self.failures)}"
        )


class Connection:
    """One HTTP/1.1 connection that is kept open, and costs next to nothing."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        self._host, _, self._port = address.removeprefix("http://").partition(":")
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.sent = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, int(self._port))
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\n{self._head}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.split("content-length:")[1].split("\r\n")[0])
        status, text = int(answer.split()[1]), await reader.readexactly(length)
        if "connection: close" in answer:
            await self.reopen()
        return status, text

    async def reopen(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def send(connection: Connection, path: str, body: bytes, results: Results) -> None:
    began = time.perf_counter()
    try:
        status, text = await connection.post(path, body)
    except (OSError, asyncio.IncompleteReadError) as error:
        results.failures[type(error).__name__] += 1
        await connection.reopen()
        return
    at = time.perf_counter()
    if status != 200:
        results.failures[str(status)] += 1
        return
    results.seconds.append(at - began)
    if results.keep:
        results.answers.append((at, from_json(text)))


async def send_all(
    address: str, headers: dict[str, str], path: str, requests: list[bytes], callers: int, results: Results
) -> float:
    """Send all requests by so many callers, each one after another; requests a second."""
    waiting = iter(requests)

    async def caller() -> None:
        connection = Connection(address, headers)
        for body in waiting:
            await send(connection, path, body, results)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return len(requests) / (time.perf_counter() - began)


async def send_at_rate(
    address: str,
    headers: dict[str, str],
    path: str,
    requests: list[bytes],
    rate: float,
    over: asyncio.Event,
    results: Results,
) -> None:
    """Send so many requests a second, whatever their results, until ``over`` is set."""
    idle = deque(Connection(address, headers) for _ in range(64))  # in turn, so that every worker gets some
    tasks: set[asyncio.Task[None]] = set()
    began, number = time.perf_counter(), 0

    async def one(body: bytes) -> None:
        connection = idle.popleft() if idle else Connection(address, headers)
        connection.sent += 1
        if connection.sent % RENEWED == 0:
            await connection.reopen()
        await send(connection, path, body, results)
        idle.append(connection)

    while not over.is_set():
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        task = asyncio.create_task(one(requests[number % len(requests)]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        number += 1
    await asyncio.gather(*tasks)
