"""One worker: what serves now, beside it what is about to, and the thread that looks for either.

Everything an answer depends on is in one frozen ``State``. A request takes it once, so it is answered by one version
whole; a switch is one assignment, made after the new version was loaded, verified and rehearsed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from homeostat.adapters import git
from homeostat.core.errors import DataError, HomeostatError
from homeostat.core.rollout import in_canary
from homeostat.project.clock import clock_now
from homeostat.releases import registry
from homeostat.serving import paths as files
from homeostat.serving import precomputed as ready
from homeostat.serving import requests
from homeostat.serving.context import Context
from homeostat.serving.label_log import LabelLog
from homeostat.serving.precomputed import Ready
from homeostat.serving.prediction_log import PredictionLog

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger, ReleaseEvent
    from homeostat.project.layout import Project
    from homeostat.serving.requests import Shapes
    from homeostat.training.bundle import Bundle

LOOK = 0.02  # seconds between two looks at the ledger, which cost 20 microseconds each
SETTLE = 0.1  # seconds after a change to look once more: two changes may bear the same time
REFRESH = 0.5  # seconds between two looks at the data
SYNC = 1.0  # seconds until the disk has what was answered
AGAIN = 5.0  # seconds until what failed for an outside reason is tried again
HELD = 4  # releases that are kept loaded
log = logging.getLogger("homeostat.serving")


@dataclass(frozen=True)
class Live:
    """A release in service: the event that put it there, and its bundle."""

    event: ReleaseEvent
    bundle: Bundle


@dataclass(frozen=True)
class State:
    """Everything that an answer depends on besides the request and the time."""

    live: Live
    context: Context
    ready: Ready
    shapes: Shapes
    challenger: State | None = None  # the release that is tried beside it

    def answering(self, keys: Sequence[Sequence[Any]]) -> State:
        """What answers for these keys, all of them as one: the challenger for its share of a canary.

        One event goes by its key; several that are asked for together go by all their keys, in whatever order, for no
        answer mixes two versions.
        """
        other = self.challenger
        if other is None or (share := other.live.event.share) is None:
            return self
        unit = keys[0] if len(keys) == 1 else sorted(to_json(key).decode() for key in keys)
        return other if in_canary(unit, other.live.event.bundle, share) else self


@dataclass(frozen=True)
class Failure:
    """A release that should serve and does not, and why."""

    event: ReleaseEvent
    why: str


class Worker:
    """What serves, kept up with the ledger and with the data."""

    def __init__(self, project: Project, fresh: timedelta | None = None) -> None:
        self.project = project
        self.fresh = fresh
        self.state: State | None = None
        self.failure: Failure | None = None
        self.unloaded: Failure | None = None  # a challenger that should be tried and is not
        self.stale = ""  # why the data could not be read again
        self.predictions = PredictionLog(project)
        self.labels = LabelLog(project)
        self._context: Context | None = None
        self._shapes: Shapes | None = None
        self._held: OrderedDict[str, Bundle] = OrderedDict()
        self._eyes = _Eyes(project)
        self._over = threading.Event()
        self._clock = _Clock(project)
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def now(self) -> datetime:
        """Project time."""
        return self._clock.now()

    def start(self) -> None:
        """Load what serves, then go on looking; the first load is over when this returns."""
        self._look_at_ledger()
        self._thread.start()

    def stop(self) -> None:
        """Look no longer, and have everything on the disk."""
        self._over.set()
        self._thread.join()
        self.predictions.close()

    # ---- looking

    def _watch(self) -> None:
        last = dict.fromkeys(("data", "sync"), time.monotonic())
        while not self._over.wait(LOOK):
            at = time.monotonic()
            try:
                if self._eyes.ledger_moved(at):
                    self._look_at_ledger()
                if at - last["data"] >= REFRESH:
                    last["data"] = at
                    self._look_at_data()
                if at - last["sync"] >= SYNC:
                    last["sync"] = at
                    self.predictions.sync()
            except Exception:  # the watch goes on whatever happens; what served goes on serving
                log.exception("the watch met an error; what serves goes on serving")
                self._eyes.look_again(at + AGAIN)

    def _look_at_ledger(self) -> None:
        try:
            known = registry.ledger(self.project)
        except HomeostatError as error:
            log.error("the ledger cannot be read: %s", error)
            self._eyes.look_again(time.monotonic() + AGAIN)
            return
        champion = known.champion
        if champion is not None and (self.state is None or self.state.live.event != champion):
            self._switch(champion)
        self._drop_yanked(known)
        if champion is None:
            return
        if self.state is None:
            self._fall_back(known)
        self._look_beside(known)
        if self.failure is None:
            self._hold_previous(known)

    def _drop_yanked(self, known: Ledger) -> None:
        """What was yanked, wherever that was, serves no longer and is held no longer, whatever that leaves."""
        barred = {yank.version for yank in known.yanks}
        for yank in known.yanks:
            self._held.pop(yank.bundle, None)
            if self._context is not None:
                self._context.prepared.pop(yank.version, None)
        if self.state is not None and self.state.live.event.version in barred:
            log.error("%s was yanked and serves no longer", self.state.live.event.version)
            self.state = None

    def _look_beside(self, known: Ledger) -> None:
        """Have the challenger beside what serves as the ledger says, once that serves itself."""
        state, wanted = self.state, known.rollout
        if state is None or state.live.event != known.champion:
            return
        have = state.challenger.live.event if state.challenger else None
        if wanted is None or wanted != (self.unloaded.event if self.unloaded else None):
            self.unloaded = None
        if wanted == have or self.unloaded is not None:
            return
        try:
            beside = None if wanted is None else Live(wanted, self._rehearsed(wanted.version, wanted.bundle))
            self._publish(state.live, state.context, beside)
        except Exception as error:
            assert wanted is not None
            log.error("%s cannot be tried: %s", wanted.version, error)
            if have is not None:
                self._publish(state.live, state.context)
            if not isinstance(error, DataError):
                self._eyes.look_again(time.monotonic() + AGAIN)
                return
            self.unloaded = Failure(wanted, str(error))
            self.predictions.note_unloaded(wanted, self.unloaded.why, self.now())

    def _switch(self, event: ReleaseEvent) -> None:
        """Put a release in the place of what serves; where it fails what serves stays."""
        why = self._tried(event)
        self.failure = None if why is None else Failure(event, str(why) or type(why).__name__)
        if why is not None and not isinstance(why, DataError):  # which stays until another version is to serve
            self._eyes.look_again(time.monotonic() + AGAIN)

    def _fall_back(self, known: Ledger) -> None:
        """In a worker that has just begun: the last release that is healthy here, as the other workers have it."""
        tried = {known.terms[-1].version} | {y.version for y in known.yanks}
        for event in reversed(known.terms):
            if event.version not in tried and self._tried(event) is None:
                return
            tried.add(event.version)

    def _tried(self, event: ReleaseEvent) -> Exception | None:
        """Load and rehearse a release beside what serves, then switch; why it could not be done."""
        began = time.perf_counter()
        try:
            self._publish(Live(event, self._rehearsed(event.version, event.bundle)), self._current())
        except Exception as error:
            log.error("%s does not serve: %s", event.version, error)
            return error
        log.info("%s serves after %.0f ms", event.version, 1000 * (time.perf_counter() - began))
        return None

    def _publish(self, live: Live, context: Context, beside: Live | None = None) -> None:
        found = self._prepared(live.bundle, live.event.version, context)
        if self._shapes is None or self._shapes.scope != context.scope:
            self._shapes = requests.shapes(context.scope)
        self._context = context
        other = None
        if beside is not None:
            theirs = self._prepared(beside.bundle, beside.event.version, context)
            other = State(beside, context, theirs, self._shapes)
        self.state = State(live, context, found, self._shapes, other)

    def _prepared(self, bundle: Bundle, version: str, context: Context) -> Ready:
        """What a release needs to answer at once in a context: its SQL asked once, and the answers that are there."""
        made = context.prepared
        if version not in made:
            context.warm(bundle.sql)
            fresh = context.scope.rhythm.tick if self.fresh is None else self.fresh
            made[version] = ready.ready(context, bundle, version, fresh)
        return made[version]

    def _current(self) -> Context:
        """The context at hand; the first is made here."""
        if self._context is not None:
            return self._context
        self._eyes.data_settled(self.now(), at_once=True)
        return Context(self.project, self.now())

    def _next_context(self) -> Context:
        """A context of the data as they are now; batches that the one at hand has read are not read again."""
        return Context(self.project, self.now(), None if self._context is None else self._context.point.rows)

    def _rehearsed(self, version: str, bundle_hash: str) -> Bundle:
        found = self._held.get(bundle_hash)
        if found is None:
            found = registry.restore(self.project, version)
            registry.rehearse(self.project, found, version)
            self._held[bundle_hash] = found
        self._held.move_to_end(bundle_hash)
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        return found

    def _hold_previous(self, known: Ledger) -> None:
        """Have the version that a rollback would go back to loaded and at hand, so that it takes no time."""
        previous = known.previous_healthy()
        release = known.release(previous) if previous else None
        if release is None or self._context is None:
            return
        try:
            self._prepared(self._rehearsed(release.version, release.bundle), release.version, self._context)
        except Exception as error:
            log.warning("%s cannot be held ready for a rollback: %s", release.version, error)

    def _look_at_data(self) -> None:
        """Where batches were accepted, predictions written or a period has begun: a new context beside the old."""
        state = self.state
        if state is None or not self._eyes.data_settled(self.now()):
            return
        try:
            beside = state.challenger.live if state.challenger else None
            self._publish(state.live, self._next_context(), beside)
            self._hold_previous(registry.ledger(self.project))
            self.stale = ""
        except Exception as error:
            self.stale = str(error) or type(error).__name__
            log.error("the data cannot be read again, the last state of them goes on: %s", error)


class _Clock:
    """Project time, read from its files ten times a second at most."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._read = -1.0
        self._now = datetime.min

    def now(self) -> datetime:
        at = time.monotonic()
        if at - self._read >= 0.1:
            self._now = clock_now(self._project)
            self._read = at
        return self._now


class _Eyes:
    """Cheap signs that something moved: the state of a few files and folders."""

    def __init__(self, project: Project) -> None:
        self._project = project
        folder = git.common_folder(project.home)
        self._refs = [folder / "refs" / "tags", folder / "packed-refs", folder / "reftable" / "tables.list"]
        self._seen = _signs(self._refs)
        self._again: float | None = None
        self._data: Any = None  # as it was last seen
        self._done: Any = None  # as it was when it was last read

    def ledger_moved(self, at: float) -> bool:
        """Whether a tag may have come since this was asked last."""
        signs = _signs(self._refs)
        if signs != self._seen:
            self._seen = signs
            self._again = at + SETTLE
            return True
        if self._again is not None and at >= self._again:
            self._again = None
            return True
        return False

    def look_again(self, at: float) -> None:
        self._again = at

    def data_settled(self, now: datetime, at_once: bool = False) -> bool:
        """Whether the data are in another state than when this was last true, and have been so for one look."""
        tree = files.working(self._project)
        scope = tree.scope
        every = scope.event_source.period
        period = None if every == "once" else (now - datetime.min - scope.rhythm.offset) // every
        paths = [tree.accepted / name for name in scope.sources]
        paths += [tree.window_file, tree.root / "params.yaml", tree.features_sql, tree.features, tree.predictions]
        signs = (_signs(paths), period)
        before, self._data = self._data, signs
        if signs == self._done or not (at_once or signs == before):
            return False
        self._done = signs
        return True


def _signs(paths: list[Path]) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(_sign(path) for path in paths)


def _sign(path: Path) -> tuple[int, int, int] | None:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None
