"""Rollouts under requests, with the service as processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import asked
import pytest
from asked import NOW, logged
from at_work import COMMAND, ROOT, until
from under_load import Load, load, served, workers_at

from homeostat import loop
from homeostat.core.headlines import headline
from homeostat.core.rollout import in_canary
from homeostat.core.rules import Rule
from homeostat.decisions.session import Session
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
BATCHES = [[asked.event(hour, meter)] for hour in range(50, 60) for meter in range(6)]
SHARE = 0.4


def whole_round(traffic: Load, event: int) -> bool:
    """Whether every key has been asked for since the service's answers by that event began."""
    begun = next((n for n, answer in enumerate(traffic.answers) if answer["event"] == event), None)
    return begun is not None and len(traffic.answers) - begun > 2 * len(BATCHES)


def is_in(answer: dict[str, Any], bundle: str) -> bool:
    (one,) = answer["predictions"]
    return in_canary((one["key"]["meter"], datetime.fromisoformat(one["key"]["at"])), bundle, SHARE)


@pytest.mark.parametrize(("spoil", "rule"), [(asked.turned, Rule.SCORES), (asked.failing, Rule.ERRORS)])
def test_a_canary_that_is_broken_is_taken_back_and_no_request_fails(
    project: Project, spoil: Callable[[Path], None], rule: Rule
) -> None:
    made = asked.spoilt(project, spoil)
    with served(project, "--workers", "2") as service, load(service, *BATCHES) as traffic:
        until(lambda: len(workers_at(traffic, 1)) == 2, 60, "answers of both workers")
        asked.beside(project, made, SHARE)
        until(lambda: len(workers_at(traffic, 2)) == 2 and whole_round(traffic, 2), 90, "answers of the canary")
        decision = loop.advance_rollout(Session.open(project), NOW)
        assert decision is not None and decision.action == "roll back", decision
        assert rule in {f.rule for f in decision.findings if f.failed}
        before = len(traffic.answers)
        until(lambda: len(workers_at(traffic, 3)) == 2 and len(traffic.answers) > before + len(BATCHES), 60, "v0.1.0")
    assert traffic.failures == []
    last = Registry.open(project).ledger.events[-1]
    assert (last.action, last.version, last.who, last.why) == ("rollback", "v0.1.0", "homeostat", headline(decision))
    for worker in workers_at(traffic, 3):
        mine = [a for a in traffic.answers if a["worker"] == worker]
        begun = next(n for n, a in enumerate(mine) if a["event"] == 3)
        assert {a["release"] for a in mine[begun:]} == {"v0.1.0"}
    by_canary = [a for a in traffic.answers if a["event"] == 2]
    assert by_canary and all(a["bundle"] == made and is_in(a, made) for a in by_canary)
    ids = {p["id"]: answer["release"] for answer in traffic.answers for p in answer["predictions"]}
    assert {e["id"]: e["release"] for e in logged(project)} == ids
    assert loop.advance_rollout(Session.open(project), NOW) is None  # it is over


def test_a_worker_that_is_killed_comes_back_into_the_same_step(project: Project) -> None:
    _, second = asked.sealed(project)
    asked.beside(project, second, SHARE)
    with served(project, "--workers", "2") as service, load(service, *BATCHES) as traffic:
        until(lambda: len(workers_at(traffic, 2)) == 2, 60, "answers of both workers")
        before = workers_at(traffic, 2)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        until(lambda: workers_at(traffic, 2) - before and whole_round(traffic, 2), 90, "a worker in its place")
        (fresh,) = workers_at(traffic, 2) - before
        until(lambda: sum(a["worker"] == fresh for a in traffic.answers) > 20, 60, "answers of it")
        assert all((a["bundle"] == second) == is_in(a, second) for a in traffic.answers)
    assert all("Connect" in failure or "Read" in failure or "Remote" in failure for failure in traffic.failures)


def test_a_ramp_by_hand_ends_as_the_champion(project: Project) -> None:
    """By the command line, while requests come; each step is there for every worker, and none is skipped."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

    def say(*words: str) -> str:
        command = [*COMMAND, "-C", str(project.home), *words, "--why", "by hand", "--who", "ann"]
        return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout

    _, second = asked.sealed(project)
    asked.beside(project, second, None)
    with served(project, "--workers", "2") as service, load(service, *BATCHES) as traffic:
        until(lambda: service.get("/release").json().get("tried"), 60, "the shadow")
        assert "v0.2.0 is tried beside v0.1.0 (canary 40%): by hand" in say("promote", "v0.2.0", "--canary", "40%")
        until(lambda: len(workers_at(traffic, 3)) == 2, 60, "the canary")
        assert "promoted v0.2.0, v0.1.0 before it: by hand" in say("promote", "v0.2.0")
        until(lambda: len(workers_at(traffic, 4)) == 2, 60, "the champion")
        before = len(traffic.answers)
        until(lambda: len(traffic.answers) > before + len(BATCHES), 60, "more answers")
    assert traffic.failures == []
    assert {a["release"] for a in traffic.answers[before:]} == {"v0.2.0"}
    assert Registry.open(project).load_champion(NOW)[1].hash == second  # type: ignore[index]
