"""What Prefect is told of a decision, what is tried again, and what the console shows."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hourly
import numpy as np
import pytest
from prefect import flow
from prefect.states import Failed

from homeostat.adapters.log_lines import LineFormatter, NoBookkeeping
from homeostat.adapters.prefect import ScheduledFlow, _deployment, page_of, payload_of, retried_task, run_name
from homeostat.adapters.prefect_server import port_of
from homeostat.core.errors import DataError, EnvironmentFault, ScopeError
from homeostat.core.findings import Decision, Finding, Interval, Trigger, Versions, Versus
from homeostat.core.headlines import headline
from homeostat.core.rules import Reason, Rule
from homeostat.project.layout import Project

NOW = datetime(2024, 3, 1, 6)
DECISION = Decision(
    "roll back",
    Reason.PREVIOUS_BETTER,
    Versions("v0.2.0", "v0.1.0"),
    (
        Finding(Rule.QUALITY, "high", "fail", np.float32(0.5), 0.4),  # type: ignore[arg-type]
        Finding(Rule.SCORE_DRIFT, "high|low", "too few to say", None, 0.2),
        Finding(Rule.CALIBRATION, "high", "pass", float("inf"), 1.0),
    ),
    comparisons=(Versus("high", "v0.1.0", "v0.2.0", 0.3, 0.4, -0.25, 80, Interval(-0.4, -0.1, 0.95)),),
    trigger=Trigger(("high: quality",)),
    evidence=("reports/drift/2024-03-01T060000.json",),
)


def test_a_decision_as_a_page() -> None:
    page = page_of("meters", DECISION, NOW)
    assert page.splitlines()[0] == "# Roll back: v0.1.0 replaces v0.2.0 (loss: high -25 %). Trigger: `high: quality`."
    assert page.splitlines()[2] == "meters, 2024-03-01 06:00 project time"
    assert "reports/drift/2024-03-01T060000.json" in page
    assert "| what | value | limit | 95 % CI | outcome |" in page
    rows = [line for line in page.splitlines() if line.startswith("| high")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [6, 6, 6, 6]
    assert "| high: quality | +50 % | +40 % |  | fail |" in rows


def test_a_decision_as_an_event_is_plain_json_with_numbers() -> None:
    payload = json.loads(json.dumps(payload_of(DECISION, NOW), allow_nan=False))
    assert payload["headline"] == headline(DECISION)
    assert payload["measured"] == {"high: quality": 0.5, "high|low: score drift": None, "high: calibration": None}
    assert payload["limits"] == {"high: quality": 0.4, "high|low: score drift": 0.2, "high: calibration": 1.0}
    assert payload["failed"] == ["high: quality"]
    assert payload["at"] == "2024-03-01T06:00:00"


@pytest.mark.parametrize(
    ("rhythm", "name"),
    [
        ("offset: 0s, tick: 1h, decide: 2h", "meters 2024-03-01 07:00"),
        ("offset: 5h, tick: 1d, decide: 7d", "meters 2024-03-01"),
        ("offset: 8h, tick: 1d, decide: 7d", "meters 2024-02-29"),
    ],
)
def test_a_run_is_named_after_project_and_tick(tmp_path: Path, rhythm: str, name: str) -> None:
    params = hourly.PARAMS.replace("offset: 0s, tick: 1h, decide: 2h, retrain: 4h", f"{rhythm}, retrain: 28d")
    (tmp_path / "params.yaml").write_text(params)
    assert run_name(Project(tmp_path, tmp_path), datetime(2024, 3, 1, 7, 40)) == name


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (DataError("a source cannot be reached"), True),
        (ConnectionResetError("by peer"), True),
        (ScopeError("an expression is wrong"), False),
        (EnvironmentFault("the disk is full"), False),
        (ZeroDivisionError("a bug"), False),
    ],
)
def test_an_error_of_the_outside_is_retried(error: Exception, again: bool) -> None:
    read: Any = retried_task(lambda: None, name="read")
    assert read.retries == 3
    assert read.retry_delay_seconds == [2, 4, 8]
    assert read.retry_condition_fn(read, None, Failed(data=error)) is again


def record(error: BaseException | None, message: str = "it", level: int = logging.ERROR, **more: Any) -> Any:
    info = None
    if error is not None:
        try:
            raise error
        except BaseException:
            info = sys.exc_info()
    made = logging.LogRecord("prefect.flow_runs", level, __file__, 1, message, (), info)
    made.__dict__.update(more)
    return made


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (record(None, "3 batches", flow_name="data"), "data: 3 batches"),
        (record(DataError("a.csv: is broken; fix it"), flow_name="data"), "data: a.csv: is broken; fix it"),
        (record(ValueError("bug"), flow_name="data", flow_run_id="1"), "ValueError: bug"),
        (record(OSError("gone")), "prefect.flow_runs: it (OSError('gone'))"),
        (record(KeyboardInterrupt(), flow_name="data"), "data: it"),
    ],
)
def test_a_line_of_the_console(shown: logging.LogRecord, expected: str) -> None:
    line = LineFormatter().format(shown)
    assert line.endswith(expected)
    assert ("Traceback" in line) == ("bug" in expected)


def test_the_console_leaves_bookkeeping_out() -> None:
    words = {"batches: 3 accepted": True, "Beginning flow run 'x'": False, "Finished in state Completed()": False}
    words |= {"Running hook '_over' in response to entering state 'Completed'": False}
    assert {m: NoBookkeeping().filter(record(None, m, logging.INFO)) for m in words} == words


def test_a_project_keeps_its_port() -> None:
    ports = {port_of(Path(f"/somewhere/{n}")) for n in range(20)}
    assert len(ports) == 20
    assert all(10_000 <= port < 30_000 for port in ports)


def test_a_run_begins_when_its_period_is_over_though_prefect_rounds_to_whole_seconds(tmp_path: Path) -> None:
    @flow
    def tick(project: str) -> None:
        """Nothing."""

    first = datetime(2024, 3, 1, 13, tzinfo=UTC)
    (schedule,) = _deployment("meters", tmp_path, ScheduledFlow(tick, timedelta(hours=1), first)).schedules
    half = timedelta(seconds=0.5)  # what is left to wait is rounded down below it
    assert first + half <= schedule.schedule.anchor_date < first + 4 * half
