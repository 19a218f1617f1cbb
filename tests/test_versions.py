"""The locked versions work together: behaviour, because what resolves and imports may still be broken.

Each test stands for a combination that failed without a word: SQLAlchemy 2.1 (no scheduled run is ever created),
FastAPI 0.151 (the list of runs answers 422), pandas 3.1 (Evidently does not import).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

Answer = TypeVar("Answer")


def until(ask: Callable[[], Answer | None], seconds: float, what: str) -> Answer:
    """Ask again until there is an answer that is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"{what}: nothing after {seconds:.0f} s")


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a new Prefect server with its own home."""
    import httpx

    url = f"http://127.0.0.1:{free_port()}/api"
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui"]
    command += ["--host", "127.0.0.1", "--port", url.rsplit(":", 1)[1].removesuffix("/api")]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")}
        )

    def healthy() -> bool:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            return httpx.get(f"{url}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(healthy, 120, "the server")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_server_creates_scheduled_runs_and_lists_them(server: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
    from prefect.settings import PREFECT_API_URL, temporary_settings

    schedules = {"cron": CronSchedule(cron="0 * * * *"), "interval": IntervalSchedule(interval=timedelta(hours=1))}
    with temporary_settings({PREFECT_API_URL: server}), get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("smoke")
        made = {
            name: client.create_deployment(flow, name, schedules=[DeploymentScheduleCreate(schedule=schedule)])
            for name, schedule in schedules.items()
        }
        for name, deployment in made.items():
            chosen = FlowRunFilter.model_validate({"deployment_id": {"any_": [deployment]}})
            runs = until(lambda chosen=chosen: client.read_flow_runs(flow_run_filter=chosen), 90, f"{name} run")
            assert runs[0].state is not None
            assert runs[0].state.is_scheduled()
        assert {run.flow_id for run in client.read_flow_runs(limit=50)} == {flow}


def batches() -> tuple[Any, Any]:
    """Two frames of 400 rows: a number that has moved by three deviations and a category that has not."""
    import pandas as pd

    rng = np.random.default_rng(1)
    kinds = np.tile(["a", "b"], 200)
    return (
        pd.DataFrame({"level": rng.normal(3, 1, 400), "kind": kinds}),
        pd.DataFrame({"level": rng.normal(0, 1, 400), "kind": kinds}),
    )


@pytest.mark.slow
def test_evidently_reports_drift_where_there_is_some() -> None:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    definition = DataDefinition(numerical_columns=["level"], categorical_columns=["kind"])
    current, reference = (Dataset.from_pandas(frame, data_definition=definition) for frame in batches())
    metrics = [ValueDrift(column=name, method="psi", threshold=0.25) for name in ("level", "kind")]
    answer = Report(metrics).run(current, reference).dict()["metrics"]
    drift = {metric["config"]["column"]: float(metric["value"]) for metric in answer}
    assert drift["level"] > 1
    assert drift["kind"] < 0.01


def test_great_expectations_tells_a_failed_rule_from_one_that_could_not_run() -> None:
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    rules = [("level", 100), ("level", 2), ("missing", 1)]
    suite = gx.ExpectationSuite(
        name="levels",
        expectations=[
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": column, "max_value": limit}}
            for column, limit in rules
        ],
    )
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    whole = asset.add_batch_definition_whole_dataframe("whole")
    check = context.validation_definitions.add(
        gx.ValidationDefinition(name="check", data=whole, suite=context.suites.add(suite))
    )
    results = check.run(batch_parameters={"dataframe": batches()[0]}).results

    def raised(result: Any) -> bool:
        info = result.exception_info
        return any(i["raised_exception"] for i in ([info] if "raised_exception" in info else info.values()))

    found = {
        (r.expectation_config.kwargs["column"], r.expectation_config.kwargs["max_value"]): (r.success, raised(r))
        for r in results
    }
    assert found == {("level", 100): (True, False), ("level", 2): (False, False), ("missing", 1): (False, True)}


def test_lightgbm_trains_the_same_text_at_one_thread_and_two() -> None:
    import lightgbm as lgb

    rng = np.random.default_rng(2)
    table = rng.normal(size=(2000, 4))
    label = (table[:, 0] + rng.normal(size=2000) > 0).astype(float)

    def trees(threads: int) -> str:
        settings = {"objective": "binary", "num_threads": threads, "seed": 1, "verbosity": -1}
        settings |= {"deterministic": True, "force_row_wise": True}
        text = lgb.train(settings, lgb.Dataset(table, label), 20).model_to_string()
        return text.split("end of trees")[0]

    assert trees(1) == trees(2)
    scores = lgb.Booster(model_str=trees(1) + "end of trees\n").predict(table)
    assert np.mean(scores[label == 1]) > np.mean(scores[label == 0]) + 0.2


def test_duckdb_polars_and_arrow_hand_over_a_table() -> None:
    import duckdb
    import polars as pl

    frame = pl.DataFrame({"key": ["b", "a", "b"], "amount": [1, 2, 3]})
    with duckdb.connect() as connection:
        connection.register("frame", frame.to_arrow())
        answer = connection.sql("SELECT key, sum(amount)::BIGINT AS total FROM frame GROUP BY key ORDER BY key").pl()
    assert answer.rows() == [("a", 2), ("b", 4)]
