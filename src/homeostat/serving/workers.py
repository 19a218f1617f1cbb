"""The parent of several workers: it starts them, replaces those that die, and has as many as the requests need.

All accept from one socket, so a connection that waits when a worker leaves is accepted by another.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from homeostat.core import elasticity
from homeostat.core.elasticity import Reading
from homeostat.core.errors import EnvironmentFault
from homeostat.core.text import count
from homeostat.serving.leaving import LEAVE, LOOK, RENEW, WorkerProcess
from homeostat.serving.settings import ANSWER_SECONDS, IN_PROGRESS, SHARED, SLOT

if TYPE_CHECKING:
    from uvicorn import Config

PAUSE = 0.25  # seconds between two looks at the workers
RETRY = 5.0  # seconds until another is started in the place of one that did not come up
LEAVES_WITHIN = 180.0  # seconds: a connection that was idle for long, and one request more
log = logging.getLogger("homeostat.serving")


class Member:
    """One worker as its parent sees it. ``slot`` is the number of its files of metrics."""

    def __init__(self, config: Config, listening: socket.socket, slot: int) -> None:
        self.slot = slot
        self.ready = False
        self.last_word: float | None = None  # when it was told to leave
        self._process = WorkerProcess(config, [listening])
        self._patience = config.timeout_worker_healthcheck
        self._owed: list[float] = []  # when each message was sent that is not answered yet
        os.environ[SLOT] = str(slot)
        self._process.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.process.is_alive()

    def look(self, now: float) -> None:
        """Read its answers, and have it answer again; one that has not for long is killed, and so is a late leaver."""
        try:
            while self._process.parent_conn.poll():
                self.ready = bool(self._process.parent_conn.recv())
                self._owed.pop(0)
        except (OSError, EOFError):
            return  # it has ended, or is about to
        if not self._owed:
            self.tell(LOOK, now)
        if now - self._owed[0] > self._patience or now - (self.last_word or now) > LEAVES_WITHIN:
            log.error("worker %s does not answer and is killed", self.pid)
            self._process.process.kill()

    def tell(self, word: bytes, now: float) -> None:
        self._owed.append(now)
        if word == LEAVE:
            self.last_word = now
        try:
            self._process.parent_conn.send(word)
        except OSError:
            log.debug("worker %s has ended", self.pid)

    def terminate(self) -> None:
        self._process.terminate()

    def bury(self) -> None:
        """Wait for its end; of its metrics the sums stay."""
        self._process.process.join()
        mark_process_dead(self.slot)


class Workers:
    """From ``least`` to ``most`` workers of one application on one socket."""

    def __init__(self, config: Config, listening: socket.socket, least: int, most: int) -> None:
        self._config, self._listening = config, listening
        self._least, self._most = least, most
        self._wanted = least
        self._members: list[Member] = []
        self._leaving: list[Member] = []
        self._readings: list[Reading] = []
        self._not_before = 0.0
        self._begun = False  # whether any worker has been ready
        self._end = threading.Event()

    def run(self) -> None:
        """Have requests answered until SIGINT or SIGTERM.

        Raises:
            EnvironmentFault: no worker comes up at all.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._end.set())
        try:
            while not self._end.is_set():
                self._look(time.monotonic())
                self._end.wait(PAUSE)
        finally:
            for member in (*self._members, *self._leaving):
                member.terminate()
            for member in (*self._members, *self._leaving):
                member.bury()

    def _look(self, now: float) -> None:
        for member in (*self._members, *self._leaving):
            was_ready = member.ready
            member.look(now)
            if member.ready and not was_ready:
                self._welcome(member, now)
        self._remove_ended(now)
        settled = len(self._members) == self._wanted and all(member.ready for member in self._members)
        if settled and self._least < self._most:
            self._adjust(now)
        while len(self._members) < self._wanted and now >= self._not_before:
            self._add()

    def _add(self) -> None:
        taken = {member.slot for member in (*self._members, *self._leaving)}
        slot = next(n for n in itertools.count(1) if n not in taken)
        self._members.append(Member(self._config, self._listening, slot))

    def _welcome(self, member: Member, now: float) -> None:
        """A worker has come: it gets its share, and what was read before says nothing any more."""
        self._begun = True
        self._readings = []
        for other in self._members:
            if other is not member and other.ready:
                other.tell(RENEW, now)

    def _remove_ended(self, now: float) -> None:
        for member in [m for m in self._leaving if not m.runs]:
            member.bury()
            self._leaving.remove(member)
        for member in [m for m in self._members if not m.runs]:
            member.bury()
            self._members.remove(member)
            if member.ready:
                log.error("worker %s has died; another comes in its place", member.pid)
                continue
            if not self._begun:
                raise EnvironmentFault("no worker comes up; the lines above say why")
            log.error("worker %s did not come up; tried again in %.0f s", member.pid, RETRY)
            self._wanted = max(self._least, len(self._members))
            self._not_before = now + RETRY

    def _adjust(self, now: float) -> None:
        """Have one worker more or less, where the figures since the last change call for it."""
        self._readings.append(read(Path(os.environ[SHARED]), now))
        self._readings = [one for one in self._readings if one.at >= now - elasticity.CALM - 1]
        wanted = elasticity.advised(self._readings, len(self._members), self._least, self._most)
        if wanted == self._wanted:
            return
        log.info("%s: %.0f requests in progress", count(wanted, "worker"), self._readings[-1].in_progress)
        self._wanted, self._readings = wanted, []
        while len(self._members) > wanted:
            member = self._members.pop()
            member.tell(LEAVE, now)
            self._leaving.append(member)


def read(folder: Path, at: float) -> Reading:
    """What the workers' shared metrics say at a moment, of all workers together."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    in_progress = answers = fast = 0.0
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == IN_PROGRESS:
                in_progress += sample.value
            elif sample.name == f"{ANSWER_SECONDS}_count":
                answers += sample.value
            elif sample.name == f"{ANSWER_SECONDS}_bucket" and float(sample.labels["le"]) == elasticity.SLOW:
                fast += sample.value
    return Reading(at, in_progress, answers, answers - fast)
