"""What becomes of a run when its workers are killed, its scheduler starts again, or they are not as they should be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import cluster
import hourly
import pytest
import spread
from cluster import Cluster

import homeostat
from homeostat.adapters.dask import Workers, executor_of
from homeostat.core.errors import EnvironmentFault
from homeostat.core.periods import Period
from homeostat.core.text import count
from homeostat.data.examination import examine_landed
from homeostat.project.executor import IN_PROCESS
from homeostat.project.process import alive
from homeostat.project.scale_scope import Scale
from homeostat.project.scope import parse

SQUARES = [n * n for n in range(12)]
DATA = ("data/landed", "data/accepted", "data/quarantine", "data/features")

pytestmark = pytest.mark.slow


def line(caught: pytest.ExceptionInfo[EnvironmentFault]) -> str:
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_the_work_of_a_killed_worker_is_done_by_another(tmp_path: Path) -> None:
    with executor_of(Scale(workers=2)) as executor:
        assert executor.map(partial(cluster.square_killing_once, tmp_path), range(12)) == SQUARES
    assert (tmp_path / "killed").exists()


def test_work_that_kills_every_worker_ends_in_one_line() -> None:
    with executor_of(Scale(workers=2)) as executor, pytest.raises(EnvironmentFault) as caught:
        executor.map(cluster.kills, range(2))
    assert "workers ended again and again at kills" in line(caught)
    assert "name fewer workers in scale" in line(caught)


def killed_after(seconds: float, process: int) -> threading.Thread:
    def kill() -> None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_worker_killed_in_the_middle_changes_no_byte(tmp_path: Path) -> None:
    alone, killed = spread.make(tmp_path / "alone"), spread.make(tmp_path / "killed")
    said = spread.run_data_stages(alone, IN_PROCESS)
    with executor_of(Scale(workers=2)) as executor:
        one = executor.map(cluster.who, range(4))[0]
        thread = killed_after(1.5, one)
        assert spread.run_data_stages(killed, executor) == said
        thread.join()
    assert spread.files(alone.root, *DATA) == spread.files(killed.root, *DATA)


def test_workers_come_as_work_waits() -> None:
    before = dict(os.environ)
    with executor_of(Scale(adaptive=(1, 2))) as executor:
        assert executor.at_once == 2
        assert len(set(executor.map(cluster.who, range(30)))) == 2
    assert dict(os.environ) == before  # which Dask would change for whatever is started afterwards


def test_a_dashboard_is_there_when_it_is_wanted_and_loads_nothing_from_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = cluster.free_port()
    with executor_of(Scale(workers=2, dashboard=port)) as executor:
        assert executor.map(cluster.square, range(2)) == [0, 1]
        address = capsys.readouterr().out.split()[-1]
        assert address == f"http://127.0.0.1:{port}/status"
        with urllib.request.urlopen(address) as page:
            text = page.read().decode()
    assert "Bokeh" in text
    assert 'src="http' not in text
    with executor_of(Scale(workers=2)) as executor:
        executor.map(cluster.square, range(2))
    assert capsys.readouterr().out == ""


# ---- a cluster


def fails_with(scale: Scale, work: Callable[[int], object] = cluster.square) -> str:
    with pytest.raises(EnvironmentFault) as caught, executor_of(scale) as executor:
        executor.map(work, range(2))
    return line(caught)


def test_a_scheduler_that_starts_again_gets_the_work_again(tmp_path: Path) -> None:
    with Cluster() as one:
        one.start(workers=1)

        def restart() -> None:
            while not list(tmp_path.iterdir()):
                time.sleep(0.05)
            one.kill()
            one.start(workers=1)

        with executor_of(Scale(scheduler=one.address)) as executor:
            thread = threading.Thread(target=restart)
            thread.start()
            assert executor.map(partial(cluster.noting, tmp_path), range(12)) == SQUARES
            thread.join()


def test_a_scheduler_that_started_again_between_two_works_is_found_again() -> None:
    with Cluster() as one:
        one.start(workers=1)
        with executor_of(Scale(scheduler=one.address)) as executor:
            assert executor.map(cluster.square, range(2)) == [0, 1]
            one.kill()
            time.sleep(1)
            one.start(workers=1)
            assert executor.map(cluster.square, range(2)) == [0, 1]


def test_nobody_else_on_the_machine_can_send_work() -> None:
    with executor_of(Scale(workers=2)) as executor:
        executor.map(cluster.square, range(2))
        assert isinstance(executor, Workers)
        address = executor.connect(1).scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        assert "no Dask scheduler answers" in fails_with(Scale(scheduler=address.replace("tls", "tcp")))


KEEPS_WORKING = """
import cluster
from homeostat.adapters.dask import executor_of
from homeostat.project.scale_scope import Scale

if __name__ == "__main__":
    with executor_of(Scale(workers=2)) as executor:
        print(*set(executor.map(cluster.who, range(6))), flush=True)
        input()
"""


def test_workers_of_a_run_that_is_killed_end_too(tmp_path: Path) -> None:
    script = tmp_path / "keeps_working.py"
    script.write_text(KEEPS_WORKING)
    path = str(Path(cluster.__file__).parent)
    run = subprocess.Popen([sys.executable, script], env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert run.stdout is not None and run.stdin is not None
    workers = [int(pid) for pid in run.stdout.readline().split()]
    assert len(workers) == 2 and all(map(alive, workers))
    run.kill()
    run.wait()
    end = time.monotonic() + 30
    while any(map(alive, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(alive, workers))


def test_a_cluster_that_is_not_there_is_one_line_before_anything_runs() -> None:
    address = f"tcp://127.0.0.1:{cluster.free_port()}"
    with pytest.raises(EnvironmentFault) as caught, executor_of(Scale(scheduler=address)):
        pytest.fail("it ran")
    assert line(caught) == (
        f"scale.scheduler: no Dask scheduler answers at {address}; start one there (dask scheduler), or correct "
        "params.yaml"
    )


def test_a_cluster_without_workers_is_one_line() -> None:
    with Cluster() as one:
        one.start(workers=0)
        assert f"has no worker; start some (dask worker {one.address})" in fails_with(Scale(scheduler=one.address))


def test_a_worker_with_another_version_of_a_package_is_refused(tmp_path: Path) -> None:
    about = tmp_path / "cloudpickle-0.0.1.dist-info" / "METADATA"  # what says which version is installed there
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: cloudpickle\nVersion: 0.0.1\n")
    with Cluster() as one:
        one.start(workers=1, path=tmp_path)
        said = fails_with(Scale(scheduler=one.address))
    assert f"has cloudpickle 0.0.1, and this run {metadata.version('cloudpickle')}; start it again" in said


def test_a_worker_with_other_code_is_refused(tmp_path: Path) -> None:
    package = Path(homeostat.__file__).parent
    shutil.copytree(package, tmp_path / "homeostat", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "homeostat" / "core" / "text.py").open("a") as text:
        text.write("\n# edited\n")
    with Cluster() as one:
        one.start(workers=1, path=tmp_path)
        said = fails_with(Scale(scheduler=one.address), partial(count, noun="batch"))
    assert "start it again from the environment of this run" in said
    assert "with code " in said


def test_a_worker_that_does_not_see_the_folder_is_one_line(tmp_path: Path) -> None:
    gone, readings = tmp_path / "elsewhere", parse(hourly.PARAMS).sources["readings"]
    with executor_of(Scale(workers=2)) as executor, pytest.raises(EnvironmentFault) as caught:
        periods = [[Period(hourly.START, hourly.START, "2024-03-01T00")]] * 2
        executor.map(partial(examine_landed, gone, "readings", readings, b""), periods)
    assert line(caught) == f"{gone}: a worker does not find it; give each worker this folder at the same path"
