"""Prefect's database is broken when a run begins: it goes on with a new one, and status says so for two runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from at_work import looped, output, start

from homeostat.monitoring.alerts import read_incidents
from homeostat.project.layout import Project
from homeostat.reports import status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def lifecycle(project: Project) -> None:
    process = start(project, "run", "lifecycle")
    printed = output(process)
    assert process.returncode == 0, printed


def test_a_broken_database_is_kept_and_told(tmp_path: Path) -> None:
    project = looped(tmp_path / "meters")
    broken = project.home / ".prefect" / "prefect.db"
    broken.parent.mkdir()
    broken.write_bytes(b"no database" * 500)
    lifecycle(project)
    assert broken.with_name("prefect.db.broken").read_bytes() == b"no database" * 500
    assert broken.read_bytes().startswith(b"SQLite")
    (incident,) = read_incidents(project).values()
    assert (incident.problem, incident.closed) == ("run history", None)
    screen = status.text(status.read(project))
    assert "1 open" in screen and "prefect.db.broken" in screen
    lifecycle(project)
    (incident,) = read_incidents(project).values()
    assert incident.closed is not None
