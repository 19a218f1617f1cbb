"""Taking data in, up to the features: what a tick does first.

In a replay the ticks before the next decision are prepared together, because one run of ``features.sql`` over a week
costs little more than over a day. What is prepared of a tick follows from its own batches, those before, and the
amendments known by then; it is written and reported at that tick, and is dropped when anything that it follows from has
changed by then. So nothing tells a prepared tick from one that was taken in by itself. The ticks after that decision
and the next ones are prepared in a thread beside what the loop does meanwhile: it seldom changes what they follow from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from homeostat.adapters.parquet import digest
from homeostat.core.errors import HomeostatError
from homeostat.data.intake import DataOutcome, judge_due
from homeostat.data.staged_files import Writes, make
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.point_in_time import AcceptedRows, PointInTime
from homeostat.features.together import Together
from homeostat.project.executor import IN_PROCESS, Executor

if TYPE_CHECKING:
    from homeostat.features.lookback import LookBack
    from homeostat.project.layout import Project


@dataclass
class Prepared:
    """What one tick takes in: ``writes`` make it so. ``last`` is the tick that has to be completed before."""

    now: datetime
    last: datetime
    outcome: DataOutcome
    writes: list[Writes] = field(default_factory=list)
    looks: list[LookBack] = field(default_factory=list)  # of the feature tables that are to be made


class Intake:
    """Takes in the data of one tree, tick by tick; what it has read and prepared is kept from one to the next."""

    def __init__(self, tree: Project, executor: Executor = IN_PROCESS) -> None:
        self._workspace = Workspace(tree, executor=executor)
        self._rows = AcceptedRows()
        self._together = Together()
        self._prepared: dict[datetime, Prepared] = {}
        self._cause = ""  # of what is prepared
        self._thread = ThreadPoolExecutor(1, "intake")
        self._beside: dict[datetime, Future[list[Prepared]]] = {}  # by its end, each span after what is prepared

    def take(
        self, now: datetime, last: datetime, horizon: datetime | None = None, beyond: Sequence[datetime] = ()
    ) -> DataOutcome:
        """Land, judge and featurize every batch that is due at ``now``, the last completed tick being ``last``.

        Ticks up to ``horizon``, none of which may decide before the last of them, are prepared with it; the spans after
        it that end at ``beyond`` while the caller goes on.

        Raises:
            DataError: a source cannot be read; nothing is lost, and the next run carries on.
            ScopeError: the scope, a contract or features.sql cannot be used.
        """
        workspace = self._workspace = self._workspace.again()
        horizon = horizon or now
        cause = _cause(workspace) if self._prepared or self._beside or max([horizon, *beyond]) > now else ""
        if now not in self._prepared:
            self._prepared |= self._next_span()
        ready = self._prepared.pop(now, None)
        if ready is None or ready.last != last or cause != self._cause:
            self._drop_beside()
            ready, *ahead = self._prepare(workspace, now, last, horizon)
            self._prepared, self._cause = {tick.now: tick for tick in ahead}, cause
        for writes in ready.writes:
            make(writes)
        for end in beyond:
            self._go_on(workspace, max([now, *self._prepared, *self._beside]), end)
        return ready.outcome

    def _go_on(self, workspace: Workspace, last: datetime, end: datetime) -> None:
        """Have the span after ``last`` prepared beside, once those before it are."""
        if last < end:
            before = [*self._prepared.values()], [*self._beside.values()]
            self._beside[end] = self._thread.submit(self._prepare_beyond, workspace, *before, last, end)

    def _prepare_beyond(
        self, workspace: Workspace, prepared: Sequence[Prepared], beside: Sequence[Future[list[Prepared]]],
        last: datetime, end: datetime,
    ) -> list[Prepared]:  # fmt: skip
        """The ticks of a span as they will find the files once all before them are taken in; none where some lack."""
        workspace, before = workspace.again(), [*prepared, *(tick for span in beside for tick in span.result())]
        if before and before[-1].now != last:
            return []
        for tick in before:
            for writes in tick.writes:
                workspace.files.assume(writes)
        tables = FeatureTables(workspace, PointInTime(workspace, self._rows))
        return self._with_features(tables, list(_ahead(tables, last, end)))

    def _next_span(self) -> dict[datetime, Prepared]:
        """The first span beside by tick, once it is prepared; nothing where that failed.

        It reads what the loop writes to meanwhile, so any error may be of that moment alone: a tick meets one that is
        not in its own time.
        """
        end = next(iter(self._beside), None)
        span = None if end is None else self._beside.pop(end)
        return {} if span is None or span.exception() is not None else {tick.now: tick for tick in span.result()}

    def close(self) -> None:
        """Prepare no further span beside, and wait for the one that is under way: after this nobody uses the tree."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _drop_beside(self) -> None:
        """Forget the spans beside, once none of them is worked on any more: they share what is kept."""
        for span in self._beside.values():
            span.cancel()
        wait(self._beside.values())
        self._beside.clear()

    def _prepare(self, workspace: Workspace, now: datetime, last: datetime, horizon: datetime) -> list[Prepared]:
        """What ``now`` takes in, its batches landed and judged already, and what the ticks after it will."""
        tables = FeatureTables(workspace, PointInTime(workspace, self._rows))
        outcome = judge_due(workspace, now, last, workspace.files.commit)
        first = Prepared(now, last, outcome, [], _to_make(tables, outcome))
        try:
            return self._with_features(tables, [first, *_ahead(tables, now, horizon)])
        except HomeostatError:  # a tick ahead meets it in its own time
            return self._with_features(tables, [first])

    def _with_features(self, tables: FeatureTables, ticks: list[Prepared]) -> list[Prepared]:
        """The ticks with the feature tables that they want."""
        made: dict[str, bytes] = {}
        remark = ""
        for part in self._together.make(tables, [look for tick in ticks for look in tick.looks]):
            made |= part.tables
            remark = remark or part.remark
        for tick in ticks:
            for look in tick.looks:
                tables.stage(look, made[look.period.label])
            tick.writes.append(tables.workspace.files.cut())
        if remark:
            ticks[0].outcome = replace(ticks[0].outcome, remarks=(*ticks[0].outcome.remarks, remark))
        if ticks and ticks[-1].looks:
            self._rows.keep(2 * len(ticks[-1].looks[-1].batches))
        return ticks


def _ahead(tables: FeatureTables, now: datetime, horizon: datetime) -> Iterator[Prepared]:
    """What each tick after ``now`` lands and judges, staged; no further than the history reaches back."""
    workspace, scope = tables.workspace, tables.workspace.scope
    last = now
    while last + scope.rhythm.tick <= min(horizon, now + scope.features.history):
        at = last + scope.rhythm.tick
        try:
            outcome = judge_due(workspace, at, last, lambda: None)
            looks = _to_make(tables, outcome)
        except HomeostatError:  # that tick meets it in its own time
            workspace.files.cut()
            return
        yield Prepared(at, last, outcome, [workspace.files.cut()], looks)
        last = at


def _to_make(tables: FeatureTables, outcome: DataOutcome) -> list[LookBack]:
    """Of the batches that want features those whose table is not there yet, as they see the others now."""
    looks = [look for label in outcome.featurized if not tables.holds(look := tables.point.look_back(label))]
    for look in looks:
        tables.point.load(look)  # what a later tick accepts may stand in its place when the table is made
    return looks


def _cause(workspace: Workspace) -> str:
    """A hash of what taking in follows from beside the batches before: the scope, the sources and the amendments."""
    project = workspace.project
    texts = [project.root / "params.yaml", project.features_sql]
    texts += [path for folder in (project.contracts, project.amendments) for path in sorted(folder.glob("*"))]
    texts = [path for path in texts if not path.is_dir()]
    parts = [f"{path.name} {digest(workspace.files.read(path) or b'')}" for path in texts]
    parts += [str(workspace.sources.content_key(name, source)) for name, source in workspace.scope.sources.items()]
    return digest("\n".join([*parts, str(workspace.start)]).encode())
