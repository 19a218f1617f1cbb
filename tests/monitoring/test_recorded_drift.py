"""The pages of a record of drift, on a real replay: of the rows and the release of that time."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import hourly
import httpx
import pytest
import replayed
from click.testing import CliRunner

from homeostat.cli import main
from homeostat.core.errors import UsageError
from homeostat.monitoring.recorded_drift import draw_evidently, read_drift
from homeostat.project.layout import Project, stamp
from homeostat.releases.registry import Registry
from homeostat.reports.drift import write_page

pytestmark = pytest.mark.slow
LAST, EARLIER = replayed.END, datetime(2024, 3, 1, 18)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A day replayed, with a record of drift at its end, and one that is dated earlier."""
    folder = tmp_path_factory.mktemp("drift") / "meters"
    of = hourly.make(folder, params=replayed.PARAMS, table=hourly.steady_readings())
    project = replayed.whole(of, "day")
    (last,) = project.drift.glob("*.json")
    assert last.stem == stamp(LAST)
    earlier = json.loads(last.read_text()) | {"at": EARLIER.isoformat()}
    (project.drift / f"{stamp(EARLIER)}.json").write_text(json.dumps(earlier))
    return project


def draw(project: Project, at: datetime | None = None) -> Path:
    """Evidently's own page."""
    return draw_evidently(read_drift(project.worktree, Registry.open(project), at))


def scores(page: Path) -> list[str]:
    return re.findall(r"Drift score: (\d+\.\d+)", page.read_text())


def test_it_draws_the_last_record_with_the_scores_that_are_on_record(project: Project) -> None:
    """By then another release is in service: the rows are those that the release of that time predicted."""
    record = json.loads((project.drift / f"{stamp(LAST)}.json").read_text())
    ledger = Registry.open(project).ledger
    assert ledger.champion is not None and ledger.champion.version == "v0.2.0" and record["release"] == "v0.1.0"
    page = draw(project)
    assert page == project.drift / f"{stamp(LAST)}-evidently.html"
    assert scores(page) == [f"{column['score']:.3f}" for column in record["columns"].values()]
    assert all(name in page.read_text() for name in record["columns"])


def test_it_draws_an_earlier_record_from_the_rows_of_then(project: Project) -> None:
    page = draw(project, EARLIER)
    assert page == project.drift / f"{stamp(EARLIER)}-evidently.html"
    assert scores(page) != scores(draw(project, LAST))


def test_a_day_names_its_last_record(project: Project) -> None:
    assert read_drift(project.worktree, Registry.open(project), datetime(2024, 3, 1)).at == EARLIER


def test_a_time_without_a_record_names_the_nearest(project: Project) -> None:
    line = "2024-03-01 19:00: no drift is on record for this time; the nearest is of 2024-03-01T18:00"
    with pytest.raises(UsageError, match=line):
        read_drift(project.worktree, Registry.open(project), datetime(2024, 3, 1, 19))


def test_a_project_that_has_decided_nothing_has_no_record(tmp_path: Path) -> None:
    new = hourly.make(tmp_path / "new")
    with pytest.raises(
        UsageError, match="no drift is on record yet; each decision on a release that serves records it"
    ):
        read_drift(new, Registry.open(new), None)


@pytest.mark.parametrize(("given", "drawn"), [((), LAST), (("2024-03-01T18:00",), EARLIER), (("2024-03-01",), EARLIER)])
def test_the_command_prints_where_it_is(project: Project, given: tuple[str, ...], drawn: datetime) -> None:
    run = CliRunner().invoke(main, ["-C", str(project.home), "status", "--drift", *given])
    assert run.exit_code == 0
    assert run.stdout.splitlines()[-1] == f"drift      {project.drift / stamp(drawn)}.html"


def test_the_page_shows_each_column_and_needs_nothing_else(project: Project) -> None:
    drift = read_drift(project.worktree, Registry.open(project), None)
    page = write_page(drift, "meters")
    text = page.read_text()
    assert page == project.drift / f"{stamp(LAST)}.html"
    for name, column in drift.record["columns"].items():
        assert f"<td>{name}</td>" in text and f"{column['score']:.3g}" in text
    assert text.count("<svg") == len(drift.record["columns"])
    assert "drift share: " in text and "http" not in text and len(text) < 1_500_000


def test_the_command_draws_evidently_s_too(project: Project) -> None:
    run = CliRunner().invoke(main, ["-C", str(project.home), "status", "--evidently"])
    assert run.exit_code == 0, run.output
    assert run.stdout.splitlines()[-2] == f"evidently  {project.drift / stamp(LAST)}-evidently.html"


def answer(url: str, within: float = 10) -> Any:
    """What a service on loopback answers, once it is up."""
    end = time.monotonic() + within
    while True:
        try:
            return httpx.get(url, timeout=10, trust_env=False).raise_for_status().json()
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def test_the_command_fills_a_workspace_that_evidently_s_page_reads(project: Project, tmp_path: Path) -> None:
    """The command that it prints is run: loopback alone answers, with every record at its own time, once."""
    command = ["-C", str(project.home), "status", "--drift", "--workspace", str(tmp_path / "w")]
    for _ in range(2):
        run = CliRunner().invoke(main, command)
        assert run.exit_code == 0, run.output
    line = run.stdout.splitlines()[-2]
    shows = re.fullmatch(r"workspace  \S+; DO_NOT_TRACK=1 evidently (ui .*) shows it on http://127.0.0.1:8000", line)
    assert shows is not None, line
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ui = subprocess.Popen(
        [Path(sys.executable).with_name("evidently"), *shows[1].split(), "--port", str(port)],
        env=os.environ | {"DO_NOT_TRACK": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        of = f"http://127.0.0.1:{port}/api/projects"
        (made,) = answer(of, within=60)
        assert made["name"] == "meters"
        runs = answer(f"{of}/{made['id']}/reports")
    finally:
        ui.terminate()
        ui.wait(30)
    assert sorted(datetime.fromisoformat(r["timestamp"]) for r in runs) == [EARLIER, LAST]


def test_the_command_refuses_what_is_no_time(project: Project) -> None:
    run = CliRunner().invoke(main, ["-C", str(project.home), "status", "--drift", "soon"])
    assert run.exit_code == 2
    assert "'soon' is no time; write 2013-05-01" in run.stderr


def test_status_and_decision_name_the_command(project: Project) -> None:
    command = "homeostat status --drift 2024-03-02T00:00"
    for verb in (("status",), ("releases", "decision", "2024-03-02")):
        run = CliRunner().invoke(main, ["-C", str(project.home), *verb])
        assert command in " ".join(run.stdout.split())
