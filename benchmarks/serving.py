"""The service's figures, each by one command on a project that has been replayed:

    python benchmarks/serving.py PROJECT rollback [--times 100] [--rate 200]
    python benchmarks/serving.py PROJECT requests
    python benchmarks/serving.py PROJECT batch

The project is copied aside first, so nothing is released or predicted in it. PROJECT is what `homeostat replay` names
at its end; it needs two releases. Every figure comes with what it is held against from the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
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

from homeostat import bundles, deployment, predictions
from homeostat.clock import clock_now
from homeostat.project import Project
from homeostat.serving.context import Context
from homeostat.serving.token import read_or_make

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-c", "from homeostat.cli import main; main()"]
RENEWED = 20  # requests of a connection until it is made anew, so that every worker has some
JSON = {"content-type": "application/json"}


def copied(project: Path) -> Project:
    """The project in a folder of its own, with the predictions of what is ahead."""
    folder = Path(tempfile.mkdtemp(prefix="homeostat-serving-")) / "project"
    shutil.copytree(project, folder, symlinks=True)
    found = Project.find(folder)
    predictions.predict_ahead(found, clock_now(found))
    return found


@contextmanager
def serving(project: Project, workers: int) -> Iterator[tuple[str, dict[str, str]]]:
    """A service of the project; its address, and the headers that it asks for."""
    command = [*COMMAND, "-C", str(project.home), "serve", "--port", "0", "--workers", str(workers)]
    log = project.home / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        while log.read_text().count("serves after") < workers:  # else the first takes every connection
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        address = next(word for word in log.read_text().split() if word.startswith("http://"))
        yield address, JSON | {"authorization": f"Bearer {read_or_make(project)}"}
    finally:
        process.terminate()
        process.wait(60)


def bodies(project: Project, many: int) -> list[bytes]:
    """Requests for one event each, of those that are ahead."""
    now = clock_now(project)
    context = Context(project, now)
    rows = pl.concat([rows for _, rows in context.coming()])
    until = now + context.scope.rhythm.tick
    rows = rows.filter(pl.col("predict_at") >= now, pl.col("predict_at") < until)
    first, *_ = context.scope.event_source.known_at.values()
    rows = rows.select(first.columns).sample(many, with_replacement=many > rows.height, seed=1)
    return [to_json({"events": [row]}) for row in rows.to_dicts()]


@dataclass
class Seen:
    """What came of requests: seconds of each, failures, and the answers where they are wanted."""

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
    """One HTTP/1.1 connection that is kept open, with next to no work of its own."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        self._host, _, self._port = address.removeprefix("http://").partition(":")
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.asked = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, int(self._port))
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\n{self._head}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.split("content-length:")[1].split("\r\n")[0])
        return int(answer.split()[1]), await reader.readexactly(length)

    async def again(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def ask(connection: Connection, path: str, body: bytes, seen: Seen) -> None:
    began = time.perf_counter()
    try:
        status, text = await connection.post(path, body)
    except (OSError, asyncio.IncompleteReadError) as error:
        seen.failures[type(error).__name__] += 1
        await connection.again()
        return
    at = time.perf_counter()
    if status != 200:
        seen.failures[str(status)] += 1
        return
    seen.seconds.append(at - began)
    if seen.keep:
        seen.answers.append((at, from_json(text)))


async def at_once(
    address: str, headers: dict[str, str], path: str, asked: list[bytes], callers: int, seen: Seen
) -> float:
    """All requests, by so many callers one after another; requests a second."""
    waiting = iter(asked)

    async def caller() -> None:
        connection = Connection(address, headers)
        for body in waiting:
            await ask(connection, path, body, seen)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return len(asked) / (time.perf_counter() - began)


async def at_rate(
    address: str, headers: dict[str, str], path: str, asked: list[bytes], rate: float, over: asyncio.Event, seen: Seen
) -> None:
    """So many requests a second, whatever becomes of them, until it is over."""
    idle = deque(Connection(address, headers) for _ in range(64))  # in turn, so that every worker has some
    at_work: set[asyncio.Task[None]] = set()
    began, number = time.perf_counter(), 0

    async def one(body: bytes) -> None:
        connection = idle.popleft() if idle else Connection(address, headers)
        connection.asked += 1
        if connection.asked % RENEWED == 0:
            await connection.again()
        await ask(connection, path, body, seen)
        idle.append(connection)

    while not over.is_set():
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        task = asyncio.create_task(one(asked[number % len(asked)]))
        at_work.add(task)
        task.add_done_callback(at_work.discard)
        number += 1
    await asyncio.gather(*at_work)


# ---- the figures


async def rollback(project: Project, times: int, rate: float, workers: int) -> None:
    """From the command's start to the last worker's first answer by the old version, under load."""
    asked = bodies(project, 200)
    ledger = deployment.ledger(project)
    new, old = ledger.champion, ledger.previous_healthy()
    assert new is not None and old is not None, "the project needs two releases"
    weights = {r.bundle: _weights(project, r.version) for r in ledger.releases if r.version in (new.version, old)}
    took, lasted = [], []
    with serving(project, workers) as (address, headers):
        seen, over = Seen(keep=True), asyncio.Event()
        load = asyncio.create_task(at_rate(address, headers, "/predict", asked, rate, over, seen))
        await _until_all(seen, ledger.events[-1].number, workers)
        number = ledger.events[-1].number
        for _ in range(times):
            for verb in (["rollback", "--to", old], ["promote", new.version]):
                number += 1
                began = time.perf_counter()
                command = [*COMMAND, "-C", str(project.home), *verb, "--why", "benchmark", "--who", "benchmark"]
                process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
                assert await process.wait() == 0
                ended = time.perf_counter()
                last = await _until_all(seen, number, workers)
                if verb[0] == "rollback":
                    took.append(last - began)
                    lasted.append(ended - began)
        over.set()
        await load
    mixed = sum(not _by_one(answer, weights) for _, answer in seen.answers)
    quantiles = np.quantile(took, [0.5, 0.99])
    print(seen.line(f"load of {rate:g} a second on {workers} workers"))
    print(
        f"rollback: p50 {quantiles[0]:.3f} s, p99 {quantiles[1]:.3f} s of {times}, of which the command p50 "
        f"{np.median(lasted):.3f} s; answers that mix versions {mixed}"
    )


async def _until_all(seen: Seen, event: int, workers: int) -> float:
    """When the last worker first answered by that event."""
    first: dict[int, float] = {}
    done = 0
    began = time.perf_counter()
    while len(first) < workers:
        told = Counter((a["worker"], a["event"]) for _, a in seen.answers)
        assert time.perf_counter() - began < 60, f"after a minute: {told}, failures {seen.failures}"
        for at, answer in seen.answers[done:]:
            if answer["event"] == event:
                first.setdefault(answer["worker"], at)
        done = len(seen.answers)
        await asyncio.sleep(0.005)
    return max(first.values())


def _weights(project: Project, version: str) -> dict[str, float]:
    scope = deployment.restore(project, version).scope
    return {name: objective.weight for name, objective in scope.objectives.items()}


def _by_one(answer: dict[str, Any], weights: dict[str, dict[str, float]]) -> bool:
    """Whether the answer's scores and risk are of the release that it names."""
    known = weights[answer["bundle"]]
    for said in answer["predictions"]:
        total = 0.0
        for name, weight in known.items():
            total += weight * said["scores"][name]
        if total != said["risk"]:
            return False
    return True


async def requests(project: Project) -> None:
    """One-row requests: throughput, then latency at half of it; precomputed, and computed on request."""
    asked = bodies(project, 400)
    with serving(project, 1) as (address, headers):
        for name, path, many, callers in (
            ("nothing but HTTP (/release)", "/release", 0, 8),
            ("precomputed", "/predict", 10, 8),
            ("computed", "/predict?how=computed", 1, 8),
        ):
            if not many:
                continue
            seen = Seen()
            await at_once(address, headers, path, asked[:100], callers, Seen())
            rate = await at_once(address, headers, path, asked * many, callers, seen)
            print(f"{seen.line(name)}: {rate:.0f} a second by {callers} callers")
            half, over = Seen(), asyncio.Event()
            load = asyncio.create_task(at_rate(address, headers, path, asked, rate / 2, over, half))
            await asyncio.sleep(10)
            over.set()
            await load
            print(half.line(f"{name} at half load, {rate / 2:.0f} a second"))
    shares(project, asked)


def shares(project: Project, asked: list[bytes]) -> None:
    """What share of a computed request is the model and the features, in this process, one event at a time."""
    from homeostat.serving.ready import answers
    from homeostat.serving.requests import shapes

    context = Context(project, clock_now(project))
    found = deployment.serving(project)
    assert found is not None
    bundle, shape = found[1], shapes(context.scope)
    context.warm(bundle.sql)
    spent: Counter[str] = Counter()

    def timed(step: str, began: float) -> float:
        now = time.perf_counter()
        spent[step] += now - began
        return now

    for body in asked[:40]:
        at = time.perf_counter()
        events = shape.events(body)
        at = timed("reading the request", at)
        columns = dict(zip(shape.columns, map(list, zip(*events, strict=True)), strict=True))
        rows = context.asked(columns)
        at = timed("its times", at)
        table, ids = context.features(bundle.sql, rows, context.now)
        at = timed("features", at)
        scored = bundles.score(bundle, table, baselines=False)
        list(answers(bundle, scored, [context.now], "computed", ids.to_list()))
        timed("model", at)
    whole = sum(spent.values())
    told = ", ".join(f"{name} {seconds / 40 * 1000:.1f} ms ({seconds / whole:.0%})" for name, seconds in spent.items())
    print(f"a computed event by itself, HTTP aside: {told}")


def batch(project: Project) -> None:
    """Scoring a batch, against the boosters alone on ready matrices."""
    from homeostat.models import encoding
    from homeostat.models.lightgbm import Trees
    from homeostat.stages.featurize import read_features

    found = deployment.serving(project)
    assert found is not None
    bundle = found[1]
    labels = sorted(p.stem for p in project.ledger.features.glob("*.parquet"))[-60:]
    table = read_features(project.ledger, labels)
    trees = [m for m in bundle.models.values() if isinstance(m, Trees)]
    assert len(trees) == len(bundle.models), "the release's models are not all trees"
    matrices = [encoding.matrix(m.encoded, table) for m in trees]
    ours, bare, encoded = [], [], []
    for _ in range(5):
        began = time.perf_counter()
        bundles.score(bundle, table, baselines=False)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        for model, matrix in zip(trees, matrices, strict=True):
            model.booster.predict(matrix, num_threads=1)
        bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        for model in trees:
            encoding.matrix(model.encoded, table)
        encoded.append(time.perf_counter() - began)
    print(
        f"batch of {table.height} rows: {table.height / min(ours):.0f} rows a second, {min(bare) / min(ours):.0%} of "
        f"Booster.predict alone; matrices {min(encoded):.3f} s of {min(ours):.3f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("figure", choices=["rollback", "requests", "batch"])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    project = copied(given.project)
    try:
        if given.figure == "rollback":
            asyncio.run(rollback(project, given.times, given.rate, given.workers))
        elif given.figure == "requests":
            asyncio.run(requests(project))
        else:
            batch(project)
    finally:
        shutil.rmtree(project.home.parent)


if __name__ == "__main__":
    main()
