"""``homeostat serve`` killed in the midst of its writes; a client sends events and labels until each is answered."""

from __future__ import annotations

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asked
import httpx
import killing

from homeostat.project.layout import Project
from homeostat.serving import jsonl, paths
from homeostat.serving.auth import read_or_make_token

EVENTS, LABELS = 12, 12


@dataclass
class Client:
    """Requests in their order, and the answers to those that were answered; every other is sent again."""

    project: Project
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def todo(self) -> list[tuple[str, dict[str, Any]]]:
        events = [("/predict", {"events": [asked.event(50 + n // 6, n % 6)]}) for n in range(EVENTS)]
        labels = [("/labels", {"labels": [_label(n)]}) for n in range(LABELS)]
        return [one for pair in zip(events, labels, strict=True) for one in pair][len(self.answers) :]

    def ask(self, address: str) -> bool:
        """Send what has no answer yet; whether all have one now."""
        headers = {"authorization": f"Bearer {read_or_make_token(self.project)}"}
        for path, body in self.todo:
            try:
                answer = httpx.post(address + path, json=body, headers=headers, timeout=60, trust_env=False)
            except httpx.HTTPError:
                return False
            assert answer.status_code == 200, answer.text
            self.answers.append(answer.json())
        return True

    @property
    def predictions(self) -> list[str]:
        """The ids of the predictions that were answered."""
        return [p["id"] for answer in self.answers for p in answer.get("predictions", [])]


@dataclass(frozen=True)
class Written:
    """What the service has on record: the ids of its predictions, and each label with how often it stands there."""

    predictions: frozenset[str]
    labels: dict[str, int]


@dataclass(frozen=True)
class Service:
    """``homeostat serve`` in a copy of a project."""

    name: str
    original: Path

    def undisturbed(self, place: Path) -> tuple[Written, int]:
        """What it writes when nothing disturbs it, and how many writes it begins."""
        project = self._project(place / "undisturbed")
        client = Client(project)
        assert not _served(client, 0, False)
        return written(project), killing.writes(project.home.parent)

    def kill(self, place: Path, kills: int, chance: random.Random, plain: tuple[Written, int]) -> int:
        """Kill it so often, start it again each time, and compare."""
        project, killed, (expected, most) = self._project(place), 0, plain
        client = Client(project)
        while client.todo:
            at = chance.randint(1, most) if killed < kills else 0
            killed += _served(client, at, chance.random() < 0.5)
        assert set(client.predictions) == written(project).predictions
        assert written(project) == expected
        return killed

    def _project(self, place: Path) -> Project:
        folder = killing.copied(self.original, place / "meters")
        return Project(folder, folder)


def written(project: Project) -> Written:
    ids = frozenset(line["id"] for line in asked.logged(project))
    labels = Counter(str((e["objective"], e["key"], e["value"])) for e in jsonl.read(paths.labels(project)))
    return Written(ids, dict(labels))


def _served(client: Client, at: int, torn: bool) -> bool:
    """Run the service, killed at a write if it comes to that, and ask it; whether it was killed."""
    with _running(client.project, at, torn) as (process, address):
        done = address is not None and client.ask(address)
    killed = process.returncode == -signal.SIGKILL
    assert killed or done, process.returncode
    return killed


@contextmanager
def _running(project: Project, at: int, torn: bool) -> Iterator[tuple[subprocess.Popen[str], str | None]]:
    """The service as a process, and its address; None where it is killed before it has one."""
    home = project.home
    process = killing.start(["-C", str(home), "serve", "--port", "0"], home.parent, at, torn)
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        address = next((word for line in lines for word in line.split() if word.startswith("http://")), None)
        any("Ctrl-C" in line for line in lines)
        yield process, address
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _label(number: int) -> dict[str, Any]:
    hour, meter = divmod(number, 6)
    event = {name: value for name, value in asked.event(hour + 20, meter).items() if name in ("meter", "at")}
    return {"objective": "high", "event": event, "value": number % 2}
