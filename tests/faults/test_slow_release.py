"""A slow release: the champion on its first day; then its features fade, its quality falls, and it is rolled back."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import hourly
import pytest

from homeostat.faults.slow_release import faded
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry

AT = datetime(2024, 3, 2, 11)
SQL = "SELECT e.id, e.at, e.id * 2.0 AS load, 'north' AS \"the depot\" FROM events e;\n"


def test_fewer_and_fewer_events_have_a_value() -> None:
    """The same events at any time: who has lost a value has it no longer later."""
    with duckdb.connect() as engine:
        engine.sql(
            "CREATE TABLE events AS SELECT range AS id, TIMESTAMP '2024-03-01' AS at, "
            "TIMESTAMP '2024-03-01' + INTERVAL 1 HOUR * (range // 100) AS predict_at FROM range(4800)"
        )
        sql = faded(SQL, ("id", "at"), ["load", "the depot"], datetime(2024, 3, 2), timedelta(hours=20))
        answer = engine.sql(f'SELECT e.predict_at, q.* FROM ({sql}) q JOIN events e USING (id) ORDER BY id').pl()
    lost = answer.select("predict_at", gone=answer["load"].is_null()).group_by("predict_at").mean().sort("predict_at")
    shares = lost["gone"].to_list()
    assert shares[:25] == [0.0] * 25 and shares[44:] == [1.0] * 4
    assert 0.3 < shares[34] < 0.7 and shares[28] < shares[36] < shares[42]
    assert answer["load"].is_null().equals(answer["the depot"].is_null(), check_names=False)
    left = answer.drop_nulls("load")
    assert left["load"].equals(left["id"] * 2.0, check_names=False)


@pytest.mark.slow
def test_it_is_the_champion_at_first_and_rolled_back_once_its_quality_has_fallen(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=hourly.STEADY, table=hourly.steady_readings(120))
    command = [sys.executable, "-c", "from homeostat.cli import main; main()", "-C", str(of.home), "replay"]
    span = ["--from", "2024-03-01", "--to", "2024-03-04", "--name", "slow", "--fault", f"slow-release@{AT.isoformat()}"]
    env = os.environ | {"PYTHONPATH": str(hourly.ROOT / "src")}
    run = subprocess.run([*command, *span], env=env, capture_output=True, text=True, check=False, timeout=500)
    assert run.returncode == 0, run.stderr
    events = Registry.open(Project(of.state / "replays" / "slow", of.state / "replays" / "slow")).ledger.events
    assert [(e.action, e.version) for e in events] == [
        ("promote", "v0.1.0"), ("promote", "v0.2.0"), ("rollback", "v0.1.0")
    ]  # fmt: skip
    assert events[1].at + timedelta(hours=6) < events[2].at, "found at the switch already"
