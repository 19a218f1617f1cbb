"""A page gone through as a reader would: its commands are typed, and their answers compared with those it shows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
ANN = {f"GIT_{role}_{what}": "ann@x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # who commits
BLOCK = re.compile(r"(?ms)^```(\w+)\n(.*?)^```$")
UNTIL_CTRL_C = "homeostat up"
PATIENCE = 400  # seconds for what runs until Ctrl-C to say what the page says


@dataclass(frozen=True)
class Step:
    """What is typed, and what should come of it: `...` stands for anything in a line, alone for any lines."""

    typed: str
    answer: str = ""

    def answered_by(self, said: str) -> bool:
        lines = [r"(?:.*\n)*?" if line == "..." else _line(line) for line in self.answer.splitlines()]
        return re.fullmatch("".join(lines), said) is not None


def pattern(shown: str) -> str:
    """A regular expression for a line as a page shows it: `...` stands for anything in it."""
    return re.escape(shown).replace(re.escape("..."), ".*?")


def _line(shown: str) -> str:
    return pattern(shown) + r"\n"


def _processors() -> float:
    """Seconds that the processes that were started from here, and have ended, took."""
    times = os.times()
    return times.children_user + times.children_system


def blocks(page: Path) -> list[tuple[str, str]]:
    """The kind and the text of each fenced block."""
    return BLOCK.findall(page.read_text())


def steps(page: Path) -> Iterator[Step]:
    """Each block that is typed, with the answer that follows it, if there is one."""
    found = [*blocks(page), ("", "")]
    for (kind, text), (next_kind, next_text) in zip(found, found[1:], strict=False):
        if kind == "sh":
            yield Step(text, next_text if next_kind == "text" else "")


@dataclass
class Reader:
    """Somebody at a shell: the folder they stand in moves on with what they type."""

    folder: Path
    spent: dict[str, tuple[float, float]] = field(default_factory=dict)  # seconds: of the wall, of the processors

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**os.environ, **ANN, "PATH": path, "HOMEOSTAT": str(ROOT), "COLUMNS": "100"}

    def types(self, step: Step) -> str:
        """What is said on standard output; who types it sees that all is well.

        Raises:
            AssertionError: it fails, or says something else than the page.
        """
        began, used = time.monotonic(), _processors()
        said = self._until_ctrl_c(step) if step.typed.strip() == UNTIL_CTRL_C else self._run(step)
        self.spent[step.typed.strip().splitlines()[0]] = (time.monotonic() - began, _processors() - used)
        if step.answer:
            assert step.answered_by(said), f"$ {step.typed}{said}\n--- but the page says ---\n{step.answer}"
        return said

    def _run(self, step: Step) -> str:
        script = f'set -e\n{step.typed}\npwd > "$STANDS"\n'
        stands = self.folder / ".stands"
        environment = {**self.environment, "STANDS": str(stands)}
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"$ {step.typed}{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        self.folder = Path(stands.read_text().strip())
        stands.unlink()
        return done.stdout

    def _until_ctrl_c(self, step: Step) -> str:
        log = self.folder.parent / "until.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                step.typed.split(), cwd=self.folder, env=self.environment, stdout=out, stderr=subprocess.STDOUT
            )
        try:
            end = time.monotonic() + PATIENCE
            while not step.answered_by(log.read_text()):
                assert process.poll() is None and time.monotonic() < end, f"{log.read_text()}\n--- not\n{step.answer}"
                time.sleep(0.5)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(90)
        assert "Traceback" not in log.read_text()
        return log.read_text()
