"""The service's figures, on a project that has been replayed:

    python benchmarks/serving.py PROJECT all         each of these, in about six minutes
    python benchmarks/serving.py PROJECT requests    one-row requests, beside `mlflow models serve`
    python benchmarks/serving.py PROJECT batch       scoring a batch, beside bare LightGBM
    python benchmarks/serving.py PROJECT rollback    from the command to the last worker, under load
    python benchmarks/serving.py PROJECT bad         ten thousand bad requests
    python benchmarks/serving.py PROJECT ends        SIGTERM and kill -9 under load

The project is copied aside first, so nothing is released or predicted in it. PROJECT is what `homeostat replay` names
at its end; its last two releases must have learned. Every figure comes with what it is held against from the same run.
MLflow and schemathesis are put in environments of their own, below a temporary folder or the one that
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
from asking import COMMAND, Connection, Seen, ask, at_once, at_rate, bodies, copied, serving, worker_processes

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
    asked = bodies(project, 200)
    ledger = Registry.open(project).ledger
    new, old = ledger.champion, ledger.previous_healthy()
    assert new is not None and old is not None, "the project needs two releases"
    weights = {r.bundle: _weights(project, r.version) for r in ledger.releases if r.version in (new.version, old)}
    took, lasted = [], []
    with serving(project, workers) as (address, headers, _):
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
    scope = Registry.open(project).load(version).scope
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


async def requests(project: Project, environments: Path) -> None:
    """One-row requests: throughput, then latency at half of it; precomputed, computed on request, and by MLflow."""
    asked = bodies(project, 400)
    with serving(project, 1) as (address, headers, _):
        ours = await measured("precomputed", address, headers, "/predict", asked * 10)
        await measured("computed on request", address, headers, "/predict?how=computed", asked)
    trees, path, matrix = _trees(project)
    with beside_mlflow.serving(project.home.parent, environments, path) as (address, headers):
        rows = beside_mlflow.bodies(trees, matrix[:400])
        theirs = await measured(f"mlflow {beside_mlflow.VERSION}", address, headers, "/invocations", rows)
    print(f"precomputed against mlflow, one worker each, side by side: {ours / theirs:.1f} times the throughput")
    shares(project, asked)


async def measured(name: str, address: str, headers: dict[str, str], path: str, asked: list[bytes]) -> float:
    """Requests a second by several callers, one after another each; then what half of that many take."""
    await at_once(address, headers, path, asked[:200], CALLERS, Seen())
    seen = Seen()
    rate = await at_once(address, headers, path, asked, CALLERS, seen)
    print(f"{seen.line(name)}: {rate:.0f} a second by {CALLERS} callers")
    half, over = Seen(), asyncio.Event()
    load = asyncio.create_task(at_rate(address, headers, path, asked, rate / 2, over, half))
    await asyncio.sleep(10)
    over.set()
    await load
    print(half.line(f"{name} at half load, {rate / 2:.0f} a second"), flush=True)
    assert not seen.failures and not half.failures
    return rate


def _trees(project: Project) -> tuple[Trees, Path, np.ndarray]:
    """A model of what serves, its file, and rows for it."""
    found = Registry.open(project).load_champion()
    assert found is not None
    bundle = found[1]
    name, model = next((n, m) for n, m in bundle.models.items() if isinstance(m, Trees))
    label = max(p.stem for p in project.ledger.features.glob("*.parquet"))
    matrix = encoding.matrix(model.encoded, read_features(project.ledger, [label]))
    return model, bundle.folder / "models" / name / TREES, matrix


async def ends(project: Project, rate: float) -> None:
    """kill -9 of a worker, then SIGTERM to the service, under load: what was answered, and what is on record."""
    asked = bodies(project, 200)
    with serving(project, 2) as (address, headers, process):
        seen, over = Seen(keep=True), asyncio.Event()
        load = asyncio.create_task(at_rate(address, headers, "/predict", asked, rate, over, seen))
        await asyncio.sleep(3)
        killed = worker_processes(process.pid)[0]
        os.kill(killed, signal.SIGKILL)
        workers = {killed}
        while len(workers) < 3:
            await asyncio.sleep(0.1)
            workers = {killed} | {a["worker"] for _, a in seen.answers}
        over.set()
        await load
        print(f"{seen.line(f'kill -9 of one worker of two under {rate:g} a second')}; another came in its place")
        last = Seen(keep=True)
        at_work = [
            asyncio.create_task(ask(Connection(address, headers), "/predict?how=computed", body, last))
            for body in asked[:64]
        ]
        await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*at_work)
        code = process.wait(60)
        print(f"{last.line('SIGTERM with 64 computed requests under way')}; exit {code}")
    said = {p["id"] for found in (seen, last) for _, answer in found.answers for p in answer["predictions"]}
    kept = {line["id"] for path in log_files(project) for line in jsonl.read(path) if "id" in line}
    print(f"answered {len(said)} predictions, not on record {len(said - kept)}", flush=True)


def bad(project: Project, many: int, environments: Path) -> None:
    """Bad requests to two workers."""
    with serving(project, 2) as (address, headers, process):
        print(bad_requests.send(address, headers, process.pid, many, environments), flush=True)


def shares(project: Project, asked: list[bytes]) -> None:
    """What share of a computed request is the model and the features, in this process, one event at a time."""
    from homeostat.serving.precomputed import answers
    from homeostat.serving.requests import shapes

    context = Context(project, clock_now(project))
    found = Registry.open(project).load_champion()
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
        rows = context.events_of_request(columns)
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
    found = Registry.open(project).load_champion()
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
    parser.add_argument("figure", choices=["all", "requests", "batch", "rollback", "bad", "ends"])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--environments", type=Path)
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    print(f"machine at the start: {' '.join(f'{load:.1f}' for load in os.getloadavg())} of load", flush=True)
    project = copied(given.project.resolve())
    environments = (given.environments or project.home.parent / "environments").resolve()
    figures: dict[str, Callable[[], Any]] = {
        "requests": lambda: asyncio.run(requests(project, environments)),
        "batch": lambda: batch(project),
        "rollback": lambda: asyncio.run(rollback(project, given.times, given.rate, given.workers)),
        "ends": lambda: asyncio.run(ends(project, given.rate)),
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
