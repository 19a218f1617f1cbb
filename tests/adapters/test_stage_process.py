"""The warm stage worker: what it runs comes out as from processes of their own, and it goes when it should."""

from __future__ import annotations

import inspect
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import hourly
import psutil
import pytest
from tiny_dag import SRC, make, square, write_stage

from homeostat.adapters import dvc, stage_process
from homeostat.adapters.stage_process import StageProcess
from homeostat.adapters.telemetry import quiet_environment
from homeostat.core.errors import EnvironmentFault
from homeostat.project.layout import Project
from homeostat.project.window import write_window

STAGES = ["ingest", "validate", "featurize", "train", "evaluate", "reference", "pack"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make(tmp_path / "home")


@pytest.fixture
def worker() -> Iterator[StageProcess]:
    process = StageProcess()
    yield process
    process.close()


def ran_in(home: Path) -> list[int]:
    """The processes that the two stages ran in."""
    return [int((home / f"{name}-python.txt").read_text().split("\n")[2]) for name in ("double", "square")]


def is_gone(process_id: int, within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not psutil.pid_exists(process_id) or psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def waited_for(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---- DVC's own functions that stand aside meanwhile


def test_dvc_starts_commands_and_writes_its_lock_as_the_adapter_takes_it_to() -> None:
    """Where this fails, DVC has changed below its documented interface: read what ``dvc._commands`` replaces again."""
    from dvc import dvcfile
    from dvc.dependency import param
    from dvc.dependency.base import Dependency
    from dvc.output import Output
    from dvc.stage import run

    assert str(inspect.signature(run._run)) == "(executable, cmd, **kwargs)"
    assert "_run(executable, cmd, **kwargs)" in inspect.getsource(run.cmd_run)
    assert str(inspect.signature(dvcfile.modify_yaml)) == "(path, fs=None)"
    assert "with modify_yaml(self.path, fs=self.repo.fs) as data" in inspect.getsource(dvcfile.Lockfile.dump_stages)
    assert "_build" in vars(Output) and "_build" not in vars(Dependency)
    assert list(inspect.signature(Output._build).parameters) == ["self", "args", "no_progress_bar", "kwargs"]
    assert str(inspect.signature(run.cmd_run)) == "(stage, dry=False, run_env=None)"
    assert "unlocked_repo(cmd_run)" in inspect.getsource(run.run_stage)
    assert list(inspect.signature(param.read_param_file).parameters) == [
        "fs", "path", "key_paths", "flatten", "load_kwargs",
    ]  # fmt: skip
    assert "return read_param_file(" in inspect.getsource(param.ParamsDependency.read_params)


def test_dvc_is_itself_again_after_a_reproduce(home: Path) -> None:
    from dvc import dvcfile
    from dvc.dependency import param
    from dvc.dependency.base import Dependency
    from dvc.stage import run

    def replaced() -> tuple[object, ...]:
        return run._run, run.cmd_run, dvcfile.modify_yaml, Dependency._build, param.read_param_file

    before = replaced()
    dvc.reproduce(home)
    write_stage(home, "double", "number.txt", "2 * value", "raise ValueError")
    (home / "number.txt").write_text("5")
    with pytest.raises(EnvironmentFault):
        dvc.reproduce(home)
    assert replaced() == before


def test_inputs_are_hashed_before_a_command_and_after_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc import output

    hashed: list[str] = []
    build = output.build

    def counted(odb: object, path: str, *given: Any, **settings: Any) -> Any:
        hashed.append(Path(path).name)
        return build(odb, path, *given, **settings)

    monkeypatch.setattr(output, "build", counted)
    write_stage(home, "double", "number.txt", "2 * value", "Path('number.txt').write_text('7')")
    assert dvc.reproduce(home, ["double"]) == ["double"]
    assert hashed.count("number.txt") == 2
    assert dvc.pending(home) == ["square"]  # what the command changed of its input is in the lock, as by DVC itself


# ---- the same as from processes of their own


def everything(root: Path) -> dict[str, bytes]:
    """The lock file and every file of every out, by path."""
    files = [p for folder in ("data", "models", "reports") for p in (root / folder).rglob("*") if p.is_file()]
    return {str(p.relative_to(root)): p.read_bytes() for p in [root / "dvc.lock", *sorted(files)]}


@pytest.mark.slow
@pytest.mark.timeout(900)  # twenty stages, half of them in processes of their own
def test_a_growing_window_comes_out_as_by_dvc_repro_from_the_shell(tmp_path: Path, worker: StageProcess) -> None:
    warm, shell = (hourly.make(tmp_path / name, own_code=True) for name in ("warm", "shell"))
    processes = set()
    for hours in (24, 37, 48):
        for project in (warm, shell):
            write_window(project, hourly.START, hourly.START + timedelta(hours=hours))
            if hours == 48:
                edit(project)
        assert dvc.reproduce(warm.root, worker=worker) == STAGES
        processes.add(worker.process_id)
        repro(shell)
        assert everything(warm.root) == everything(shell.root)
    assert len(processes) == 1 and None not in processes
    assert (warm.root / "models" / "bundle" / "manifest.json").is_file()
    assert "Data and pipelines are up to date" in repro(warm)
    assert everything(warm.root) == everything(shell.root)


def repro(project: Project) -> str:
    """``dvc repro`` as a person types it; what it says."""
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    command = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def edit(project: Project) -> None:
    """Other features and another contract, so that hardly anything of what a worker has met still holds."""
    project.features_sql.write_text(project.features_sql.read_text().replace("min(e.phase)", "max(e.phase) + 1"))
    path = project.contracts / "readings.json"
    path.write_text(path.read_text().replace('"max_value": 100', '"max_value": 9'))


def test_a_stage_finds_its_process_as_it_is_at_its_start(home: Path, worker: StageProcess) -> None:
    changes = """
import logging
assert sys.stdin.read() == ""
os.chdir("/")
os.environ["LEFT_BEHIND"] = "1"
os.environ.pop("PATH")
sys.path.insert(0, "/nowhere")
sys.argv.append("x")
logging.basicConfig(level=logging.DEBUG)
logging.disable()
sys.stdout = sys.stderr
os.chdir(Path(__file__).parents[3])
"""
    checks = """
import logging
assert sys.stdin.read() == ""
assert os.getcwd() == sys.path[0] == str(Path(__file__).parents[3]), sys.path
assert "LEFT_BEHIND" not in os.environ and "PATH" in os.environ
assert "/nowhere" not in sys.path and sys.argv == [__file__]
assert os.environ["DVC_STAGE"] == "square" and __name__ == "__main__"
assert os.environ["DVC_ROOT"] == os.getcwd()
assert logging.getLogger().level == logging.WARNING and not logging.getLogger().handlers
assert logging.getLogger().isEnabledFor(logging.WARNING)
assert sys.stdout is not sys.stderr
"""
    write_stage(home, "double", "number.txt", "2 * value", changes)
    write_stage(home, "square", "models/double/n.txt", "value ** 2", checks)
    assert dvc.reproduce(home, worker=worker) == ["double", "square"]
    assert ran_in(home) == [worker.process_id] * 2
    dvc.reproduce(home, worker=None, force=True)  # the checks hold in a process of its own
    assert len(set(ran_in(home))) == 2


def test_what_a_stage_prints_is_in_the_log_and_nowhere_else(
    home: Path, worker: StageProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    by_c = "os.system('echo by a child'); os.write(1, b'raw\\n'); print('warned', file=sys.stderr)"
    write_stage(home, "square", "models/double/n.txt", "value ** 2", by_c)
    for process in (worker, None):
        dvc.reproduce(home, worker=process, force=True)
        assert (home / ".dvc" / "tmp" / "stages.log").read_text() == "said\nby a child\nraw\nwarned\n"
    assert capfd.readouterr() == ("", "")


def test_a_command_that_is_not_ours_runs_as_dvc_runs_it(home: Path, worker: StageProcess) -> None:
    dag = (home / "dvc.yaml").read_text()
    (home / "dvc.yaml").write_text(
        dag.replace("homeostat.stages.double", "homeostat.stages.double && echo $0 > shell.txt")
    )
    assert dvc.reproduce(home, worker=worker) == ["double", "square"]
    assert (home / "shell.txt").read_text().strip()
    double, own = ran_in(home)
    assert own == worker.process_id != double


def test_code_without_a_worker_runs_in_processes_of_its_own(home: Path, worker: StageProcess) -> None:
    path = home / "src" / "homeostat" / "stages" / "worker.py"
    path.write_text(path.read_text().replace("protocol 1", "protocol 0"))
    dvc.reproduce(home, worker=worker)
    assert len(set(ran_in(home))) == 2 and worker.process_id is None
    path.unlink()
    dvc.reproduce(home, worker=worker, force=True)
    assert len(set(ran_in(home))) == 2 and worker.process_id is None


# ---- one process, and when it is another one


def test_one_process_runs_every_stage_until_the_code_the_tree_or_the_environment_is_another(
    home: Path, tmp_path: Path, worker: StageProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    dvc.reproduce(home, worker=worker)
    first = worker.process_id
    assert ran_in(home) == [first, first]
    (home / "number.txt").write_text("4")
    dvc.reproduce(home, worker=worker)
    assert ran_in(home) == [first, first] and square(home) == "64"

    # Python tells an edited file by its second and its size: this one is of another size.
    write_stage(home, "square", "models/double/n.txt", "value**3")
    dvc.reproduce(home, worker=worker, force=True)
    second = worker.process_id
    assert ran_in(home) == [second, second] and second != first and square(home) == "512"
    assert first is not None and is_gone(first)

    other = make(tmp_path / "other")
    dvc.reproduce(other, worker=worker)
    assert ran_in(other) == [worker.process_id] * 2 and worker.process_id != second
    assert square(other) == "36"

    third = worker.process_id
    monkeypatch.setenv("POLARS_MAX_THREADS", "1")
    dvc.reproduce(other, worker=worker, force=True)
    assert ran_in(other) == [worker.process_id] * 2 and worker.process_id != third


def test_a_process_that_was_begun_ahead_runs_the_stages_that_it_has_imported(home: Path, worker: StageProcess) -> None:
    quiet_environment()
    with (home / "ahead.log").open("wb") as log:
        worker.begin(home, os.environ | dvc.stage_environment(home), log, ["homeostat.stages.double"])
    begun = worker.process_id
    dvc.reproduce(home, worker=worker)
    assert ran_in(home) == [begun, begun] and not (home / "ahead.log").read_text()


def test_trees_that_run_the_installed_package_share_a_process(tmp_path: Path, worker: StageProcess) -> None:
    processes = set()
    for name in ("one", "other"):
        project = hourly.make(tmp_path / name)
        assert dvc.reproduce(project.root, ["featurize"], worker=worker) == ["ingest", "validate", "featurize"]
        assert list(project.features.glob("*.parquet"))
        processes.add(worker.process_id)
        shutil.rmtree(project.home)  # the one that it was started for goes first
    assert len(processes) == 1


def test_a_process_that_holds_too_much_memory_runs_no_further_stage(
    home: Path, worker: StageProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_process, "LIMIT", 150_000_000)
    write_stage(home, "double", "number.txt", "2 * value", "kept = os.big = bytearray(200_000_000)")
    dvc.reproduce(home, worker=worker)
    double, own = ran_in(home)
    assert double != own == worker.process_id and is_gone(double)


@pytest.mark.parametrize("extra", ["os.kill(os.getpid(), 9)", "os.abort()", "os._exit(7)"])
def test_a_process_that_dies_in_a_stage_fails_that_stage_once(home: Path, worker: StageProcess, extra: str) -> None:
    dies = f"if not Path('died').exists():\n    Path('died').touch()\n    {extra}"
    write_stage(home, "square", "models/double/n.txt", "value ** 2", dies)
    with pytest.raises(EnvironmentFault, match=r"stage square: .*; details in .*stages\.log$") as caught:
        dvc.reproduce(home, worker=worker)
    assert "\n" not in str(caught.value)
    assert worker.process_id is None
    assert dvc.reproduce(home, worker=worker) == ["square"]
    assert square(home) == "36"


def test_a_process_that_was_killed_between_stages_is_replaced(home: Path, worker: StageProcess) -> None:
    dvc.reproduce(home, worker=worker)
    first = worker.process_id
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert is_gone(first)
    assert dvc.reproduce(home, worker=worker, force=True) == ["double", "square"]
    assert worker.process_id not in (None, first)


# ---- with its caller

CALLER = """
import sys, time
from pathlib import Path
from homeostat.adapters import dvc
try:
    dvc.reproduce(Path(sys.argv[1]))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise
Path("done").touch()
time.sleep(60)
"""


def caller(home: Path) -> subprocess.Popen[str]:
    """Another process that reproduces, where Ctrl-C is heard, and then stays."""
    hears = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{CALLER}"
    environment = os.environ | {"PYTHONPATH": str(SRC.parent)}
    return subprocess.Popen(
        [sys.executable, "-c", hears, str(home)], cwd=home, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


# The last holds Python's own lock, so that no other thread of the process gets to run.
@pytest.mark.parametrize("work", [None, "import time; time.sleep(60)", "7 ** 30_000_000"])
def test_no_process_outlives_a_caller_that_was_killed(home: Path, work: str | None) -> None:
    begins = f"Path('began').write_text(str(os.getpid()))\n{work or ''}"
    write_stage(home, "square", "models/double/n.txt", "value ** 2", begins)
    with caller(home) as process:
        waited_for(lambda: bool((home / "began").exists() and (home / "began").read_text()))
        if work is None:
            waited_for(lambda: (home / "done").exists())
        else:
            time.sleep(0.3)
        own = int((home / "began").read_text())
        assert psutil.Process(own).ppid() == process.pid
        process.kill()
        assert is_gone(own, within=2)
    write_stage(home, "square", "models/double/n.txt", "value ** 2")
    dvc.reproduce(home)
    assert square(home) == "36"


def test_ctrl_c_ends_stage_and_caller(home: Path) -> None:
    waits = "Path('began').write_text(str(os.getpid())); import time; time.sleep(60)"
    write_stage(home, "square", "models/double/n.txt", "value ** 2", waits)
    with caller(home) as process:
        waited_for(lambda: bool((home / "began").exists() and (home / "began").read_text()))
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert out == "interrupted\n" and err.endswith("KeyboardInterrupt\n")
        assert is_gone(int((home / "began").read_text()))


def test_ctrl_c_between_stages_is_the_callers_alone(home: Path, worker: StageProcess) -> None:
    dvc.reproduce(home, worker=worker)
    first = worker.process_id
    assert first is not None
    os.kill(first, signal.SIGINT)
    dvc.reproduce(home, worker=worker, force=True)
    assert ran_in(home) == [first, first]
