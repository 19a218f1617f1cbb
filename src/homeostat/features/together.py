"""Features of neighbouring batches by one run of ``features.sql``, guarded by making one of them alone.

In a run over several batches the tables reach further both ways than each batch's own look-back. SQL that keeps to what
an event may use gives the same bits; one batch of each run, also made alone, shows whether it does. Where it does not,
every batch is made alone, so that a table does not depend on which batches were made with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.parquet import table_bytes
from homeostat.core.errors import DataError, ScopeError
from homeostat.core.text import listed
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.lookback import groups
from homeostat.features.sql import read_features_sql
from homeostat.project.executor import RUN, shared
from homeostat.project.layout import Project

if TYPE_CHECKING:
    from homeostat.features.lookback import LookBack

FEWEST = 4  # batches that are made together: with fewer, the one that is also made alone costs what the run saves
NAMED = 8  # features that a remark lists
EVENTS = 250_000  # of one run of the SQL, at most, unless one batch has more: its rows are all in memory


@dataclass(frozen=True)
class Made:
    """The tables of neighbouring batches, as the bytes of their files, and what each follows from.

    ``remark``: a sentence where they were found to differ by what they are made with, else nothing.
    """

    looks: Sequence[LookBack]
    tables: Mapping[str, bytes]  # by label
    keys: Mapping[str, str]  # by label
    remark: str


class Together:
    """Makes the tables of many batches; remembers of an SQL text that its batches have to be made one by one."""

    def __init__(self, separate: Iterable[str] = ()) -> None:
        self._separate = set(separate)

    def make(self, tables: FeatureTables, looks: Iterable[LookBack]) -> Iterator[Made]:
        """The tables of batches in order of time, as many at a time as one run of the SQL makes.

        Raises:
            ScopeError, DataError: as ``FeatureTables.of``.
        """
        scope, at_once = tables.workspace.scope, tables.workspace.executor.at_once
        parts = [part for group in groups(scope, looks) for part in _of_size(tables, group)]
        if at_once == 1 or len(parts) < 2 or tables.workspace.files.staged:  # which workers do not see
            yield from (self.made(tables, part) for part in parts)
            return
        waves = -(-len(parts) // (RUN * at_once))  # the tables of one are all in memory
        of_each = -(-len(parts) // (waves * at_once))  # a worker's parts are neighbours, which share what they are from
        runs = [parts[start : start + of_each] for start in range(0, len(parts), of_each)]
        for start in range(0, len(runs), at_once):
            yield from self._spread(tables, runs[start : start + at_once])

    def _spread(self, tables: FeatureTables, runs: Sequence[Sequence[Sequence[LookBack]]]) -> Iterator[Made]:
        """The tables of runs of parts by workers; here those that would come out otherwise one after another."""
        workspace = tables.workspace
        make = partial(make_run, workspace.project.root, workspace.project.home, tuple(self._separate))
        try:
            made = [one for run in workspace.executor.map(make, runs) for one in run]
        except (DataError, ScopeError):  # which comes up in its turn
            made = []
        at_hand = {one.looks[0].period.label: one for one in made}
        sql = read_features_sql(workspace.project)
        for part in (part for run in runs for part in run):
            one = at_hand.get(part[0].period.label)
            if one is None or sql in self._separate or one.keys != tables.keys(part):
                one = self.made(tables, part)
            if one.remark:
                self._separate.add(sql)
            yield one

    def made(self, tables: FeatureTables, looks: Sequence[LookBack]) -> Made:
        """The tables of one part."""
        sql, labels = read_features_sql(tables.workspace.project), [look.period.label for look in looks]
        guard = len(looks) // 2  # in the middle: the run adds rows on both sides of what it may use
        together, keys = None, tables.keys(looks)
        if sql not in self._separate and len(looks) >= FEWEST and not _share_keys(tables, looks):
            with ThreadPoolExecutor(1) as beside:
                alone_too = beside.submit(tables.tables, [looks[guard]])
                together = _at_once(tables, looks)
        if together is None:
            return Made(looks, {look.period.label: _alone(tables, look) for look in looks}, keys, "")
        made = dict(zip(labels, map(table_bytes, together), strict=True))
        alone = alone_too.result()[0]
        if table_bytes(alone) == made[labels[guard]]:
            return Made(looks, made, keys, "")
        self._separate.add(sql)
        differ = [c for c in alone.columns if _bits(alone, c) != _bits(together[guard], c)]
        return Made(looks, {look.period.label: _alone(tables, look) for look in looks}, keys, (
            f"features.sql: {listed(differ, NAMED)} of batch {labels[guard]} differ when it is made together with the "
            "batches beside it: they depend on rows outside its look-back, or on other events. Batches are made one by "
            "one, which is slower; `homeostat check leakage` shows an example"
        ))  # fmt: skip


def make_run(root: Path, home: Path, separate: Iterable[str], parts: Sequence[Sequence[LookBack]]) -> list[Made]:
    """What a worker does with neighbouring parts: their tables, from the accepted batches in the project's folder.

    Raises:
        EnvironmentFault: this worker does not see the folder.
        ScopeError, DataError: as ``FeatureTables.of``.
    """
    tables, together, made = FeatureTables(Workspace(Project(shared(root), home))), Together(separate), []
    for looks in parts:
        made.append(together.made(tables, looks))
        tables.point.rows.keep(2 * len(looks[-1].batches))
    return made


def _share_keys(tables: FeatureTables, looks: Sequence[LookBack]) -> bool:
    """Whether an event of one batch has the key of another's."""
    return bool(tables.point.accepted(looks).select(tables.workspace.scope.key).is_duplicated().any())


def _at_once(tables: FeatureTables, looks: Sequence[LookBack]) -> list[pl.DataFrame] | None:
    """The tables by one run; None where the SQL fails on many."""
    try:
        return tables.tables(looks)
    except ScopeError:  # what is wrong with it shows where a batch is made alone
        return None


def _of_size(tables: FeatureTables, looks: Sequence[LookBack]) -> Iterable[Sequence[LookBack]]:
    """Look-backs in runs of so many events as one run of the SQL may have."""
    part: list[LookBack] = []
    events = 0
    for look in looks:
        own = tables.point.size(look)
        if part and events + own > EVENTS:
            yield part
            part, events = [], 0
        part.append(look)
        events += own
    yield part


def _alone(tables: FeatureTables, look: LookBack) -> bytes:
    return table_bytes(tables.tables([look])[0])


def _bits(table: pl.DataFrame, column: str) -> bytes:
    return table_bytes(table.select(column))
