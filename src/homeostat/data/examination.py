"""What follows from one batch by itself: how its rows fail the contract, and their profile.

It waits for none of the batches before, so workers do it ahead of the verdicts, which are given in order of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.gx import Contracts, Failure
from homeostat.adapters.parquet import digest
from homeostat.data.casts import TYPES
from homeostat.data.history import profile_key
from homeostat.data.profile import profile_of
from homeostat.data.selection import event_times
from homeostat.project.executor import shared

if TYPE_CHECKING:
    from homeostat.core.periods import Period
    from homeostat.core.profiles import Profile
    from homeostat.data.case import Case
    from homeostat.data.workspace import Workspace
    from homeostat.project.scope import Source


@dataclass(frozen=True)
class Examination:
    """Of the landed file with the hash ``content``; ``profile`` is None where the source keeps no history."""

    content: str
    failures: tuple[Failure, ...]
    profile: Profile | None


def examine(name: str, source: Source, contract: bytes, landed: bytes, period: Period) -> Examination | None:
    """None for rows that are not as declared: the verdict on them needs no more.

    Raises:
        ScopeError: the contract or the expression of the event time cannot be used.
    """
    rows = pl.read_parquet(landed)
    if any(rows.schema.get(column) != TYPES[kind] for column, kind in source.columns.items()):
        return None
    rows = rows.select(list(source.columns))
    failures = _contracts().check(rows, contract, contract_name(name))
    profile = None
    if source.timed and source.history != "off":
        profile = profile_of(rows, event_times(name, source, rows), (period.start, period.end))
    return Examination(digest(landed), tuple(failures), profile)


def examine_landed(
    folder: Path, name: str, source: Source, contract: bytes, periods: Sequence[Period]
) -> list[Examination | None]:
    """``examine`` of batches that have landed in ``folder``; None for one that has not.

    Raises:
        EnvironmentFault: this worker does not see the folder.
        ScopeError: as ``examine``.
    """
    paths = [shared(folder) / f"{period.label}.parquet" for period in periods]
    return [
        examine(name, source, contract, path.read_bytes(), period) if path.is_file() else None
        for path, period in zip(paths, periods, strict=True)
    ]


@cache
def _contracts() -> Contracts:
    """Great Expectations' handles, of a process that works for others: they cost more than the batches of one run."""
    return Contracts()


# ---- in the run that judges


def note(workspace: Workspace, name: str, contract: bytes, examination: Examination | None) -> None:
    """Have the verdict on a batch find what was worked out of it."""
    if examination is None:
        return
    content = examination.content
    workspace.examined[name, contract, content] = examination.failures
    if (profile := examination.profile) is not None:
        workspace.profiles.get(profile_key(name, workspace.scope.sources[name], content), lambda: profile)


def contract_failures(workspace: Workspace, case: Case, rows: pl.DataFrame) -> Sequence[Failure]:
    """How the rows of a batch fail its contract.

    Raises:
        ScopeError: the contract cannot be used.
    """
    failures = workspace.examined.pop((case.name, case.contract, case.content), None)
    if failures is None:
        return workspace.contracts.check(rows, case.contract, contract_name(case.name))
    return failures


def contract_name(source: str) -> str:
    return f"expectations/{source}.json"
