"""``homeostat serve`` as processes: it switches, refuses, and ends, while it is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import asked
import httpx
import pytest
from at_work import COMMAND, ROOT, until
from under_load import load, served, workers_at

from homeostat.project.layout import Project
from homeostat.releases.registry import Registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


def test_every_worker_switches_and_no_answer_fails_or_mixes_versions(project: Project) -> None:
    first, second = asked.sealed(project)
    with served(project, "--workers", "2") as service:
        with load(service) as traffic:
            until(lambda: len(workers_at(traffic, 1)) == 2, 60, "answers of both workers")
            asked.release(project, 1, after=1)
            until(lambda: len(workers_at(traffic, 2)) == 2, 60, "answers by the second version")
            command = [*COMMAND, "-C", str(project.home), "rollback", "--why", "alerts doubled", "--who", "ann"]
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
            until(lambda: len(workers_at(traffic, 3)) == 2, 60, "answers by the first version again")
        assert traffic.failures == []
        by_event = {1: first, 2: second, 3: first}
        weights = {first: 2, second: 3}
        for answer in traffic.answers:
            assert answer["bundle"] == by_event[answer["event"]]
            weight = weights[answer["bundle"]]
            assert all(p["risk"] == weight * p["scores"]["high"] for p in answer["predictions"])
        for worker in workers_at(traffic, 3):  # none goes back
            events = [a["event"] for a in traffic.answers if a["worker"] == worker]
            assert events == sorted(events)
        assert "homeostat_serving_event" in service.get("/metrics").text
        ids = {p["id"] for answer in traffic.answers for p in answer["predictions"]}
        assert {entry["id"] for entry in asked.logged(project)} == ids
        assert service.end() == 0
        assert "is no longer served" in service.log.read_text()
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
    (note,) = (project.state / "rehearsed").glob(Registry.open(project).ledger.events[0].bundle)
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

    from homeostat.adapters import git
    from homeostat.core.ledger import Register, ReleaseEvent, event_tag, release_tag
    from homeostat.training import bundle

    _, second = asked.sealed(project)
    folder = project.releases / second
    golden = pl.read_parquet(folder / "golden.parquet").with_columns(pl.col("score__high") * (1 + 2**-52))
    golden.write_parquet(folder / "golden.parquet")
    spoilt = bundle.seal(folder, "meters", {})
    folder.rename(project.releases / spoilt)
    with served(project) as service:
        until(lambda: service.get("/ready").status_code == 200, 60, "the service")
        commit = git.head(project.root)
        registered = Register("v0.2.0", commit, "ann", "better", asked.NOW, spoilt)
        git.create_tag(project.home, release_tag("meters", "v0.2.0"), commit, registered.message(), asked.NOW)
        made = ReleaseEvent(2, "v0.2.0", "promote", commit, "ann", "better", asked.NOW, spoilt)
        git.create_tag(project.home, event_tag("meters", 2), commit, made.message(), asked.NOW)
        until(lambda: service.get("/release").json()["failed"], 30, "failure")
        state = service.get("/release").json()
        assert (state["serves"]["release"], state["failed"]["release"]) == ("v0.1.0", "v0.2.0")
        assert "rehearsal failed: score__high of golden row 0" in state["failed"]["why"]
        assert 'homeostat_switch_failed{pid="' in service.get("/metrics").text
        assert service.get("/ready").status_code == 200
    with asked.asking(project) as client:  # nor where a worker begins again
        state = client.get("/release").json()
        assert (state["serves"]["release"], state["failed"]["release"]) == ("v0.1.0", "v0.2.0")


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
