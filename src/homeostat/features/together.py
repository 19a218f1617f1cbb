"""Features of neighbouring batches by one run of ``features.sql``, guarded by making one of them alone.

In a run over several batches the tables reach further both ways than each batch's own look-back. SQL that keeps to what
an event may use gives the same bits; one batch of each run, also made alone, shows whether it does. Where it does not,
every batch is made alone, so that a table does not depend on which batches were made with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.parquet import table_bytes
from homeostat.core.errors import ScopeError
from homeostat.core.text import listed
from homeostat.features.lookback import groups
from homeostat.features.sql import read_features_sql

if TYPE_CHECKING:
    from homeostat.features.build import FeatureTables
    from homeostat.features.lookback import LookBack

FEWEST = 4  # batches that are made together: with fewer, the one that is also made alone costs what the run saves
NAMED = 8  # features that a remark lists
EVENTS = 250_000  # of one run of the SQL, at most, unless one batch has more: its rows are all in memory


class Together:
    """Makes the tables of many batches; remembers of an SQL text that its batches have to be made one by one."""

    def __init__(self) -> None:
        self._separate: set[str] = set()

    def make(self, tables: FeatureTables, looks: Iterable[LookBack]) -> tuple[dict[str, bytes], str]:
        """The tables of batches in order of time, by label, as the bytes of their files.

        With them a remark where they were found to differ by what they are made with, else nothing.

        Raises:
            ScopeError, DataError: as ``FeatureTables.of``.
        """
        made: dict[str, bytes] = {}
        remark = ""
        for group in groups(tables.workspace.scope, looks):
            for part in _of_size(tables, group):
                built, differ = self._made(tables, part)
                made |= built
                remark = remark or differ
        return made, remark

    def _made(self, tables: FeatureTables, looks: Sequence[LookBack]) -> tuple[dict[str, bytes], str]:
        sql, labels = read_features_sql(tables.workspace.project), [look.period.label for look in looks]
        guard = len(looks) // 2  # in the middle: the run adds rows on both sides of what it may use
        together = None
        if sql not in self._separate and len(looks) >= FEWEST and not _share_keys(tables, looks):
            with ThreadPoolExecutor(1) as beside:
                alone_too = beside.submit(tables.tables, [looks[guard]])
                together = _at_once(tables, looks)
        if together is None:
            return {look.period.label: _alone(tables, look) for look in looks}, ""
        made = dict(zip(labels, map(table_bytes, together), strict=True))
        alone = alone_too.result()[0]
        if table_bytes(alone) == made[labels[guard]]:
            return made, ""
        self._separate.add(sql)
        differ = [c for c in alone.columns if _bits(alone, c) != _bits(together[guard], c)]
        return {look.period.label: _alone(tables, look) for look in looks}, (
            f"features.sql: {listed(differ, NAMED)} of batch {labels[guard]} differ when it is made together with the "
            "batches beside it: they depend on rows outside its look-back, or on other events. Batches are made one by "
            "one, which is slower; `homeostat check leakage` shows an example"
        )


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
