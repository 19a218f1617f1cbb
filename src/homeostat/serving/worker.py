"""One worker: the release in service, and the thread that follows the ledger and the data.

A switch is one assignment of a new ``State``, made after the release was loaded, verified and rehearsed; until then
the worker answers by the old one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from homeostat.core.errors import DataError, HomeostatError
from homeostat.releases.registry import Registry
from homeostat.serving import metrics, requests, sync
from homeostat.serving.answer import Precomputed
from homeostat.serving.changes import DataChanges, LedgerChanges, ProjectClock
from homeostat.serving.context import Context
from homeostat.serving.label_log import LabelLog
from homeostat.serving.precomputed import precompute
from homeostat.serving.prediction_log import PredictionLog
from homeostat.serving.state import Failure, Live, State

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger, ReleaseEvent
    from homeostat.project.layout import Project
    from homeostat.serving.requests import Shapes
    from homeostat.training.bundle import Bundle

CHECK_LEDGER = 0.02  # seconds between two checks for a new event
CHECK_DATA = 0.5  # seconds between two checks for new data
SYNC = 1.0  # seconds until an answer's log line is on the disk, and the state of the worker among the metrics
RETRY = 5.0  # seconds until what failed for an outside reason is tried again
LOADED = 4  # bundles that are kept in memory
log = logging.getLogger("homeostat.serving")


class Worker:
    """The state that answers requests, kept up with the ledger and with the data."""

    def __init__(self, project: Project, fresh: timedelta | None = None) -> None:
        self.project = project
        self.fresh = fresh
        self.state: State | None = None
        self.failure: Failure | None = None
        self.unloaded: Failure | None = None  # a challenger that should be tried and is not
        self.stale = ""  # why the data could not be read again
        self.predictions = PredictionLog(project)
        self.labels = LabelLog(project)
        self._registry = Registry(project)
        self._context: Context | None = None
        self._shapes: Shapes | None = None
        self._bundles: OrderedDict[str, Bundle] = OrderedDict()  # by hash, the last used last
        self._ledger_changes = LedgerChanges(project)
        self._data_changes = DataChanges(project)
        self._stop = threading.Event()
        self._clock = ProjectClock(project)
        self._thread = threading.Thread(target=self._follow, name="follow", daemon=True)

    def now(self) -> datetime:
        """Project time."""
        return self._clock.now()

    def start(self) -> None:
        """Load the champion, then follow the ledger and the data; the first load is over when this returns."""
        self._follow_ledger()
        self.report()
        self._thread.start()

    def stop(self) -> None:
        """End following, and put everything on the disk."""
        self._stop.set()
        self._thread.join()
        self.predictions.close()

    def report(self) -> None:
        """Put the state of this worker among the metrics, which any of the workers answers with."""
        state = self.state
        metrics.WORKERS.set(1)
        metrics.SERVING.set(state.live.event.number if state else 0)
        metrics.CHALLENGER.set(state.challenger.live.event.number if state and state.challenger else 0)
        metrics.SWITCH_FAILED.set(self.failure is not None or self.unloaded is not None)
        metrics.DATA_STALE.set(bool(self.stale))
        metrics.REMOTE_FAILED.set(bool(sync.failure(self.project)))

    def _follow(self) -> None:
        last = dict.fromkeys(("data", "sync"), time.monotonic())
        while not self._stop.wait(CHECK_LEDGER):
            at = time.monotonic()
            try:
                if self._ledger_changes.occurred(at):
                    self._follow_ledger()
                if at - last["data"] >= CHECK_DATA:
                    last["data"] = at
                    self._follow_data()
                if at - last["sync"] >= SYNC:
                    last["sync"] = at
                    self.predictions.sync()
                    self.report()
            except Exception:  # the thread goes on whatever happens, and the release stays in service
                log.exception("an error while following ledger and data; the release stays in service")
                self._ledger_changes.report_at(at + RETRY)

    # ---- the ledger

    def _follow_ledger(self) -> None:
        try:
            self._registry.refresh()
            ledger = self._registry.ledger
        except HomeostatError as error:
            log.error("the ledger cannot be read: %s", error)
            self._retry()
            return
        champion = ledger.champion
        if champion is not None and (self.state is None or self.state.live.event != champion):
            self._switch(champion)
        self._drop_yanked(ledger)
        if champion is None:
            return
        if self.state is None:
            self._fall_back(ledger)
        self._follow_challenger(ledger)
        if self.failure is None:
            self._load_previous(ledger)

    def _drop_yanked(self, ledger: Ledger) -> None:
        """Take yanked releases out of service and memory, even where that leaves none in service."""
        barred = {yank.version for yank in ledger.yanks}
        for yank in ledger.yanks:
            self._bundles.pop(yank.bundle, None)
            if self._context is not None:
                self._context.precomputed.pop(yank.version, None)
        if self.state is not None and self.state.live.event.version in barred:
            log.error("%s was yanked and is out of service", self.state.live.event.version)
            self.state = None

    def _follow_challenger(self, ledger: Ledger) -> None:
        """Try the ledger's challenger beside the champion, once the champion is in service here."""
        state, wanted = self.state, ledger.rollout
        if state is None or state.live.event != ledger.champion:
            return
        present = state.challenger.live.event if state.challenger else None
        if wanted is None or wanted != (self.unloaded.event if self.unloaded else None):
            self.unloaded = None
        if wanted == present or self.unloaded is not None:
            return
        try:
            challenger = None if wanted is None else Live(wanted, self._rehearsed(wanted.version, wanted.bundle))
            self._publish(state.live, state.context, challenger)
        except Exception as error:
            assert wanted is not None
            log.error("%s cannot be tried: %s", wanted.version, error)
            if present is not None:
                self._publish(state.live, state.context)
            if not isinstance(error, DataError):
                self._retry()
                return
            self.unloaded = Failure(wanted, str(error))
            self.predictions.note_unloaded(wanted, self.unloaded.why, self.now())

    def _switch(self, event: ReleaseEvent) -> None:
        """Put a release in service; where that fails the one in service stays."""
        error = self._put_in_service(event)
        self.failure = None if error is None else Failure(event, str(error) or type(error).__name__)
        if error is not None and not isinstance(error, DataError):  # a damaged bundle stays damaged
            self._retry()

    def _fall_back(self, ledger: Ledger) -> None:
        """In a worker that has just started: the last release that loads here, as the other workers have it."""
        tried = {ledger.terms[-1].version} | {y.version for y in ledger.yanks}
        for event in reversed(ledger.terms):
            if event.version not in tried and self._put_in_service(event) is None:
                return
            tried.add(event.version)

    def _put_in_service(self, event: ReleaseEvent) -> Exception | None:
        """Load and rehearse a release beside the one in service, then switch; the error that prevented it."""
        began = time.perf_counter()
        try:
            self._publish(Live(event, self._rehearsed(event.version, event.bundle)), self._current_context())
        except Exception as error:
            log.error("%s cannot be put in service: %s", event.version, error)
            return error
        log.info("%s is in service after %.0f ms", event.version, 1000 * (time.perf_counter() - began))
        return None

    def _publish(self, live: Live, context: Context, challenger: Live | None = None) -> None:
        """Answer by this release and these data from now on."""
        precomputed = self._precomputed(live.bundle, live.event.version, context)
        if self._shapes is None or self._shapes.scope != context.scope:
            self._shapes = requests.shapes(context.scope)
        self._context = context
        other = None
        if challenger is not None:
            theirs = self._precomputed(challenger.bundle, challenger.event.version, context)
            other = State(challenger, context, theirs, self._shapes)
        self.state = State(live, context, precomputed, self._shapes, other)

    def _precomputed(self, bundle: Bundle, version: str, context: Context) -> Precomputed:
        """The answers of a release in a context; its SQL is run once, so that the first request is fast too."""
        made = context.precomputed
        if version not in made:
            context.warm(bundle.sql)
            fresh = context.scope.rhythm.tick if self.fresh is None else self.fresh
            made[version] = precompute(context, bundle, version, fresh)
        return made[version]

    def _rehearsed(self, version: str, bundle_hash: str) -> Bundle:
        """The bundle of a version, loaded and rehearsed once."""
        bundle = self._bundles.get(bundle_hash)
        if bundle is None:
            bundle = self._registry.load(version)
            self._registry.rehearse(bundle, version)
            self._bundles[bundle_hash] = bundle
        self._bundles.move_to_end(bundle_hash)
        while len(self._bundles) > LOADED:
            self._bundles.popitem(last=False)
        return bundle

    def _load_previous(self, ledger: Ledger) -> None:
        """Have the version that a rollback would go back to in memory, so that a rollback takes no time."""
        previous = ledger.previous_healthy()
        release = ledger.release(previous) if previous else None
        if release is None or self._context is None:
            return
        try:
            self._precomputed(self._rehearsed(release.version, release.bundle), release.version, self._context)
        except Exception as error:
            log.warning("%s cannot be loaded in advance for a rollback: %s", release.version, error)

    def _retry(self) -> None:
        self._ledger_changes.report_at(time.monotonic() + RETRY)

    # ---- the data

    def _current_context(self) -> Context:
        """The context at hand; the first is made here."""
        if self._context is not None:
            return self._context
        self._data_changes.settled(self.now(), at_once=True)
        return Context(self.project, self.now())

    def _next_context(self) -> Context:
        """A context of the data as they are now; batches that the one at hand has read are not read again."""
        return Context(self.project, self.now(), None if self._context is None else self._context.point.rows)

    def _follow_data(self) -> None:
        """After new batches, new predictions or the begin of a period: switch to a new context."""
        state = self.state
        if state is None or not self._data_changes.settled(self.now()):
            return
        try:
            challenger = state.challenger.live if state.challenger else None
            self._publish(state.live, self._next_context(), challenger)
            self._load_previous(self._registry.ledger)
            self.stale = ""
        except Exception as error:
            self.stale = str(error) or type(error).__name__
            log.error("the data cannot be read again, answers go on from their last state: %s", error)
