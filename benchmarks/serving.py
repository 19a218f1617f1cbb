"""The service's figures, on a project that has been replayed:

    python benchmarks/serving.py PROJECT all         each of these, in about eight minutes
    python benchmarks/serving.py PROJECT requests    one-row requests, beside `mlflow models serve`
    python benchmarks/serving.py PROJECT batch       scoring a batch, beside bare LightGBM
    python benchmarks/serving.py PROJECT rollback    from the command to the last worker, under load
    python benchmarks/serving.py PROJECT steps       workers come and go: 10, 100, and 10 computed requests a second
    python benchmarks/serving.py PROJECT bad         ten thousand bad requests
    python benchmarks/serving.py PROJECT ends        SIGTERM and kill -9 under load

The project is copied aside first, so nothing is released or predicted in it. PROJECT is what `homeostat replay` names
at its end; its last two releases must be learned models, and its data go on after it, so that events are ahead. Every
figure comes with its yardstick from the same run.
MLflow and schemathesis are installed in environments of their own, below a temporary folder or the one that
`--environments` names, which keeps them for the next time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bad_requests
import beside_mlflow
import numpy as np
from service_load import (
    COMMAND,
    Connection,
    Results,
    copied,
    requests_ahead,
    send,
    send_all,
    send_at_rate,
    serving,
    worker_processes,
)

from homeostat.features.tables import read_features
from homeostat.models import encoding
from homeostat.models.lightgbm import NAME as TREES
from homeostat.models.lightgbm import Trees
from homeostat.project.clock import clock_now
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.serving import jsonl
from homeostat.serving.context import Context
from homeostat.serving.prediction_log import log_files
from homeostat.training import bundle as bundles

ROOT = Path(__file__).parents[1]
CALLERS = 8


# ---- the figures


async def rollback(project: Project, times: int, rate: float, workers: int) -> None:
    """From the command's start to the last worker's first answer by the old version, under load."""
    requests = requests_ahead(project, 200)
    ledger = Registry.open(project).ledger
    new, old = ledger.champion, ledger.previous_healthy()
    assert new is not None and old is not None, "the project needs two releases"
    weights = {r.bundle: _weights(project, r.version) for r in ledger.releases if r.version in (new.version, old)}
    took, lasted = [], []
    with serving(project, workers) as (address, headers, _):
        results, over = Results(keep=True), asyncio.Event()
        load = asyncio.create_task(send_at_rate(address, headers, "/predict", requests, rate, over, results))
        await _until_all(results, ledger.events[-1].number, workers)
        number = ledger.events[-1].number
        for _ in range(times):
            for verb in (["rollback", "--to", old], ["promote", new.version]):
                number += 1
                began = time.perf_counter()
                command = [*COMMAND, "-C", str(project.home), *verb, "--why", "benchmark", "--who", "benchmark"]
                process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
                assert await process.wait() == 0
                ended = time.perf_counter()
                last = await _until_all(results, number, workers)
                if verb[0] == "rollback":
                    took.append(last - began)
                    lasted.append(ended - began)
        over.set()
        await load
    mixed = sum(not _by_one(answer, weights) for _, answer in results.answers)
    quantiles = np.quantile(took, [0.5, 0.99])
    print(results.line(f"load of {rate:g} a second on {workers} workers"))
    print(
        f"rollback: p50 {quantiles[0]:.3f} s, p99 {quantiles[1]:.3f} s of {times}, of which the command p50 "
        f"{np.median(lasted):.3f} s; answers that mix versions {mixed}"
    )


async def _until_all(results: Results, event: int, workers: int) -> float:
    """When the last worker first answered by that event."""
    first: dict[int, float] = {}
    done = 0
    began = time.perf_counter()
    while len(first) < workers:
        counts = Counter((a["worker"], a["event"]) for _, a in results.answers)
        assert time.perf_counter() - began < 60, f"after a minute: {counts}, failures {results.failures}"
        for at, answer in results.answers[done:]:
            if answer["event"] == event:
                first.setdefault(answer["worker"], at)
        done = len(results.answers)
        await asyncio.sleep(0.005)
    return max(first.values())


def _weights(project: Project, version: str) -> dict[str, float]:
    scope = Registry.open(project).load(version).scope
    return {name: objective.weight for name, objective in scope.objectives.items()}


def _by_one(answer: dict[str, Any], weights: dict[str, dict[str, float]]) -> bool:
    """Whether the answer's scores and risk are of the release that it names."""
    of_release = weights[answer["bundle"]]
    for prediction in answer["predictions"]:
        total = 0.0
        for name, weight in of_release.items():
            total += weight * prediction["scores"][name]
        if total != prediction["risk"]:
            return False
    return True


async def requests_beside_mlflow(project: Project, environments: Path) -> None:
    """One-row requests: throughput, then latency at half of it; precomputed, computed on request, and by MLflow."""
    requests = requests_ahead(project, 400)
    with serving(project, 1) as (address, headers, _):
        ours = await measured("precomputed", address, headers, "/predict", requests * 10)
        await measured("computed on request", address, headers, "/predict?how=computed", requests)
    trees, path, matrix = _trees(project)
    with beside_mlflow.serving(project.home.parent, environments, path) as (address, headers):
        rows = beside_mlflow.bodies(trees, matrix[:400])
        theirs = await measured(f"mlflow {beside_mlflow.VERSION}", address, headers, "/invocations", rows)
    print(f"precomputed against mlflow, one worker each, side by side: {ours / theirs:.1f} times the throughput")
    shares(project, requests)


async def measured(name: str, address: str, headers: dict[str, str], path: str, requests: list[bytes]) -> float:
    """Requests a second by several callers, each one after another; then latency at half that rate."""
    await send_all(address, headers, path, requests[:200], CALLERS, Results())
    results = Results()
    rate = await send_all(address, headers, path, requests, CALLERS, results)
    print(f"{results.line(name)}: {rate:.0f} a second by {CALLERS} callers")
    half, over = Results(), asyncio.Event()
    load = asyncio.create_task(send_at_rate(address, headers, path, requests, rate / 2, over, half))
    await asyncio.sleep(10)
    over.set()
    await load
    print(half.line(f"{name} at half load, {rate / 2:.0f} a second"), flush=True)
    assert not results.failures and not half.failures
    return rate


def _trees(project: Project) -> tuple[Trees, Path, np.ndarray]:
    """A model of the release in service, its file, and rows for it."""
    champion = Registry.open(project).load_champion()
    assert champion is not None
    bundle = champion[1]
    name, model = next((n, m) for n, m in bundle.models.items() if isinstance(m, Trees))
    label = max(p.stem for p in project.worktree.features.glob("*.parquet"))
    matrix = encoding.matrix(model.encoded, read_features(project.worktree, [label]))
    return model, bundle.folder / "models" / name / TREES, matrix


async def ends(project: Project, rate: float) -> None:
    """kill -9 of a worker, then SIGTERM to the service, under load: which answers are on record."""
    requests = requests_ahead(project, 200)
    with serving(project, 2) as (address, headers, process):
        results, over = Results(keep=True), asyncio.Event()
        load = asyncio.create_task(send_at_rate(address, headers, "/predict", requests, rate, over, results))
        await asyncio.sleep(3)
        killed = worker_processes(process.pid)[0]
        os.kill(killed, signal.SIGKILL)
        workers = {killed}
        while len(workers) < 3:
            await asyncio.sleep(0.1)
            workers = {killed} | {a["worker"] for _, a in results.answers}
        over.set()
        await load
        print(f"{results.line(f'kill -9 of one worker of two under {rate:g} a second')}; another came in its place")
        last = Results(keep=True)
        computing = [
            asyncio.create_task(send(Connection(address, headers), "/predict?how=computed", body, last))
            for body in requests[:64]
        ]
        await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*computing)
        code = process.wait(60)
        print(f"{last.line('SIGTERM with 64 computed requests under way')}; exit {code}")
    answered = {p["id"] for part in (results, last) for _, answer in part.answers for p in answer["predictions"]}
    kept = {line["id"] for path in log_files(project) for line in jsonl.read(path) if "id" in line}
    print(f"answered {len(answered)} predictions, not on record {len(answered - kept)}", flush=True)


async def steps(project: Project, most: int, rates: tuple[float, ...] = (10, 100, 10), seconds: float = 45) -> None:
    """Computed requests at one rate after another, to a service that has from one worker to ``most``."""
    requests = requests_ahead(project, 400)
    with serving(project, 1, most) as (address, headers, process):
        await send_all(address, headers, "/predict?how=computed", requests[:50], 1, Results())
        began = time.perf_counter()
        for rate in rates:
            results, over, counts = Results(keep=True), asyncio.Event(), []
            send = send_at_rate(address, headers, "/predict?how=computed", requests, rate, over, results)
            load, since = asyncio.create_task(send), time.perf_counter()
            while time.perf_counter() - since < seconds:
                answering = {a["worker"] for at, a in results.answers if at > time.perf_counter() - 2}
                counts.append((time.perf_counter() - began, len(worker_processes(process.pid)), len(answering)))
                await asyncio.sleep(0.5)
            over.set()
            await load
            print(results.line(f"{rate:g} computed a second for {seconds:g} s, 1 to {most} workers"))
            last = Results([s for s, (at, _) in zip(results.seconds, results.answers, strict=True)
                            if at > since + seconds - 15])  # fmt: skip
            print(last.line("  of these in the last 15 s"))
            changes = [one for before, one in zip([None, *counts], counts, strict=False)
                       if before is None or before[1:] != one[1:]]  # fmt: skip
            print("  second, processes, of which answered: " + "; ".join(f"{t:.0f}, {n}, {a}" for t, n, a in changes))
            print(f"  machine: {' '.join(f'{load:.1f}' for load in os.getloadavg())} of load", flush=True)


def bad(project: Project, many: int, environments: Path) -> None:
    """Bad requests to two workers."""
    with serving(project, 2) as (address, headers, process):
        print(bad_requests.send(address, headers, process.pid, many, environments), flush=True)


def shares(project: Project, requests: list[bytes]) -> None:
    """The shares of features and model in a computed request, in this process, one event at a time."""
    from homeostat.serving.precomputed import answers
    from homeostat.serving.requests import shapes

    context = Context(project, clock_now(project))
    champion = Registry.open(project).load_champion()
    assert champion is not None
    bundle, shape = champion[1], shapes(context.scope)
    context.warm(bundle.sql)
    spent: Counter[str] = Counter()

    def timed(step: str, began: float) -> float:
        now = time.perf_counter()
        spent[step] += now - began
        return now

    for body in requests[:40]:
        at = time.perf_counter()
        events = shape.events(body)
        at = timed("reading the request", at)
        columns = dict(zip(shape.columns, map(list, zip(*events, strict=True)), strict=True))
        rows = context.events_of_request(columns)
        at = timed("its times", at)
        table, ids = context.features(bundle.sql, rows, context.now)
        at = timed("features", at)
        scored = bundles.score(bundle, table, baselines=False)
        list(answers(bundle, scored, [context.now], "computed", ids.to_list()))
        timed("model", at)
    whole = sum(spent.values())
    steps = ", ".join(f"{name} {seconds / 40 * 1000:.1f} ms ({seconds / whole:.0%})" for name, seconds in spent.items())
    print(f"a computed event by itself, HTTP aside: {steps}")


def batch(project: Project) -> None:
    """Scoring a batch, beside the boosters alone on ready matrices."""
    champion = Registry.open(project).load_champion()
    assert champion is not None
    bundle = champion[1]
    labels = sorted(p.stem for p in project.worktree.features.glob("*.parquet"))[-60:]
    table = read_features(project.worktree, labels)
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
    parser.add_argument("figure", choices=["all", "requests", "batch", "rollback", "ends", "steps", "bad"])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--most", type=int, default=4)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--environments", type=Path)
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    print(f"machine at the start: {' '.join(f'{load:.1f}' for load in os.getloadavg())} of load", flush=True)
    project = copied(given.project.resolve())
    environments = (given.environments or project.home.parent / "environments").resolve()
    figures: dict[str, Callable[[], Any]] = {
        "requests": lambda: asyncio.run(requests_beside_mlflow(project, environments)),
        "batch": lambda: batch(project),
        "rollback": lambda: asyncio.run(rollback(project, given.times, given.rate, given.workers)),
        "ends": lambda: asyncio.run(ends(project, given.rate)),
        "steps": lambda: asyncio.run(steps(project, given.most)),
        "bad": lambda: bad(project, given.many, environments),
    }
    try:
        for name in figures if given.figure == "all" else [given.figure]:
            began = time.perf_counter()
            figures[name]()
            print(f"  {name}: {time.perf_counter() - began:.0f} s\n", flush=True)
    finally:
        shutil.rmtree(project.home.parent)


if __name__ == "__main__":
    main()
