"""``homeostat run`` without a server, and several projects on one machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from at_work import ask, output, start, toyed, until, up

from homeostat.scheduling.up import where

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


def test_a_flow_runs_without_a_server_and_answers(tmp_path: Path) -> None:
    project = toyed(tmp_path / "toys")
    (project.home / "go").touch()
    process = start(project, "run", "wait")
    assert output(process).splitlines() == ["waited at 2024-03-01 13:00:00"]
    assert process.returncode == 0
    assert where(project) is None
    assert (project.home / ".prefect" / "prefect.db").is_file()


def test_a_flow_that_fails_says_one_line(tmp_path: Path) -> None:
    project = toyed(tmp_path / "toys")
    process = start(project, "run", "fail")
    assert output(process).splitlines() == ["homeostat: readings.csv: is broken; deliver it again"]
    assert process.returncode != 0
    unknown = start(project, "run", "nothing")
    assert "nothing: no such flow" in output(unknown)
    assert unknown.returncode != 0


def test_several_projects_do_not_collide(tmp_path: Path) -> None:
    one, two = toyed(tmp_path / "one", "ones"), toyed(tmp_path / "two", "twos")
    for project in (one, two):
        (project.home / "go").touch()
    with up(one) as first, up(two) as second:
        assert first.api != second.api
        for project, running in ((one, first), (two, second)):
            name = project.scope.project
            deployed = {d["name"] for d in ask(running.api, "deployments")}
            assert deployed == {f"{name}-wait", f"{name}-fail"}
            assert where(project) == running.api
            log = until(lambda r=running: "wait" in r.log and r.log, 60, f"a run of {name}")
            assert "Traceback" not in log
