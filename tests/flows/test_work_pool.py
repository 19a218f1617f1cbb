"""``prefect.yaml``: the flows deploy to a process work pool as it says, and a worker runs one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from at_work import ROOT, ask, looped

from flows.schedules import SCHEDULES
from homeostat.adapters.prefect_server import server


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_worker_runs_what_prefect_yaml_deploys(tmp_path: Path) -> None:
    project = looped(tmp_path / "meters")
    shutil.copyfile(ROOT / "prefect.yaml", project.home / "prefect.yaml")
    with server(tmp_path / "elsewhere") as api:
        env = {**os.environ, "PREFECT_API_URL": api, "PWD": str(project.home), "PYTHONPATH": str(ROOT / "src")}

        def prefect(*words: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "prefect", *words], cwd=project.home, env=env, text=True, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout
            return done.stdout

        prefect("work-pool", "create", "--type", "process", "homeostat")
        prefect("--no-prompt", "deploy", "--all")
        deployed = {d["name"]: d for d in ask(api, "deployments")}
        assert set(deployed) == {f"flights-{flow.name}" for flow, _ in SCHEDULES}
        assert [s["schedule"]["interval"] for s in deployed["flights-lifecycle"]["schedules"]] == [60]
        assert [a["name"] for a in ask(api, "automations")] == ["meters: a run without a heartbeat has crashed"]

        asked = httpx.post(
            f"{api}/deployments/{deployed['flights-data']['id']}/create_flow_run", json={}, trust_env=False
        )
        log = prefect("worker", "start", "--pool", "homeostat", "--run-once", "--limit", "1")
        found = {run["id"]: run["state_name"] for run in ask(api, "flow_runs")}
        assert found[asked.json()["id"]] == "Completed", log
