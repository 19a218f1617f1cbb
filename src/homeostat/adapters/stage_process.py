"""The stage worker as its caller holds it: one process, started at the first stage and replaced when it no longer fits.

A stage that starts a process of its own imports its tools again, which costs more than most stages do.
``stages/worker`` is the other side.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import homeostat
from homeostat.adapters import allocators
from homeostat.core.errors import EnvironmentFault

COMMAND = re.compile(r"(?:PYTHONPATH=src:\$PYTHONPATH )?python -m (homeostat\.stages\.\w+)")  # as dvc.yaml has it
READY = "stage worker, protocol 1"
LIMIT = 1_200_000_000  # bytes: a worker that holds more after a stage has served long enough
STAGE = "DVC_STAGE"
PER_RUN = (STAGE, "DVC_ROOT", "PYTEST_CURRENT_TEST")  # variables that name what runs: they go with each request
State = frozenset[tuple[str, int, int, int]]  # of the modules of a package: path, time, size and number of the file


class StageProcess:
    """The process that runs stages, one at a time; for one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._fits: tuple[dict[str, str], State] | None = None
        self._ready = False  # it has said so

    def begin(self, root: Path, environment: Mapping[str, str], log: IO[bytes], modules: Sequence[str] = ()) -> None:
        """Start a process that runs the code of the tree at ``root`` as it is now, and wait for nothing.

        It imports ``modules`` meanwhile. Where the tree's code has no worker, none is started.
        """
        self.close()
        package = package_of(root)
        if not (package / "stages" / "worker.py").is_file():
            return
        # Its standard input closes when this process ends, however it ends, and then it ends too. It stands in a folder
        # that is there as long as its code is: a tree that shares it may be removed.
        stands = root if package.is_relative_to(root) else package.parent
        lasting, command = _lasting(environment), [sys.executable, "-m", "homeostat.stages.worker", *modules]
        self._process = subprocess.Popen(
            command, cwd=stands, env=lasting | allocators.FOR_FRAMES,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8",
        )  # fmt: skip
        self._fits = lasting, _state(package)

    def ready_for(self, root: Path, environment: Mapping[str, str], log: IO[bytes]) -> bool:
        """Have a process that runs the code of the tree at ``root`` as it is now, in an environment like that.

        Trees that run the installed package share one.

        False where the tree's code has no worker, or one that is spoken to in another way, or it does not start; why is
        in the log then.
        """
        fits = _lasting(environment), _state(package_of(root))
        if fits != self._fits or self.process_id is None:
            self.begin(root, environment, log)
        if self._process is not None and not self._ready:
            self._ready = self._answer() == READY
        if not self._ready:
            self.close()
        return self._ready

    def run(self, module: str, folder: Path, environment: Mapping[str, str], log: Path) -> int:
        """Run a stage's module and append what it prints to ``log``; its exit code.

        As in ``subprocess`` the code is negative where a signal ended the process; the next stage has another one.
        """
        assert self._process is not None and self._process.stdin is not None, "ready_for comes first"
        run = {name: environment[name] for name in PER_RUN if name in environment}
        request = {"module": module, "folder": str(folder), "stage": run[STAGE], "run": run, "output": str(log)}
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = self._answer()
        except BrokenPipeError:
            answer = ""
        except BaseException:
            self.close()  # its answer would be taken for that of the next stage
            raise
        if not answer:
            code = self._process.wait()
            self.close()
            return code
        ended: dict[str, Any] = json.loads(answer)
        if ended["memory"] > LIMIT:
            self.close()
        return int(ended["code"])

    @property
    def process_id(self) -> int | None:
        """Of the process while there is one."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def peak_megabytes(self) -> float:
        """The most memory that the process has held since it began, in millions of bytes.

        Raises:
            EnvironmentFault: there is no process, or the system does not say.
        """
        try:
            status = Path(f"/proc/{self.process_id}/status").read_text(encoding="ascii")
        except OSError as error:
            raise EnvironmentFault("the memory of stages cannot be measured here; remove the limit of it") from error
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024 / 1e6

    def close(self) -> None:
        """End the process, whatever it does."""
        process, self._process, self._fits, self._ready = self._process, None, None, False
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _answer(self) -> str:
        """Its next line; nothing where it has ended."""
        assert self._process is not None and self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def stage_of(command: str) -> str | None:
    """The module of the stage that a command of ``dvc.yaml`` runs; None of a command that is not ours.

    >>> stage_of("PYTHONPATH=src:$PYTHONPATH python -m homeostat.stages.train")
    'homeostat.stages.train'
    >>> stage_of("python -m homeostat.stages.train --fast") is None
    True
    """
    match = COMMAND.fullmatch(command)
    return match[1] if match else None


def package_of(root: Path) -> Path:
    """The package whose stages run in a tree: its own, or the installed one."""
    own = root / "src" / "homeostat"
    return own if own.is_dir() else Path(homeostat.__file__).parent


def _lasting(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that one process has for all that it runs."""
    return {name: value for name, value in environment.items() if name not in PER_RUN}


def _state(package: Path) -> State:
    """What is another once the code of a package is."""
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(package) for name in names)
    modules = ((path, os.stat(path)) for path in paths if path.endswith(".py"))
    return frozenset((path, stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in modules)
