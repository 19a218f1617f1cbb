"""A further table, joined to the events by columns of the same name."""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.core.errors import UsageError
from homeostat.scaffold.profile.identifiers import ascii_name
from homeostat.scaffold.profile.key import is_unique
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.table import Table, find_column, read_table
from homeostat.scaffold.profile.workspace import Workspace

ContextRequest = tuple[str, "Address", tuple[str, ...]]  # a name, where the table is, and the columns to join by


def context_text(request: ContextRequest) -> str:
    """A request as a person types it after ``--context``."""
    name, address, columns = request
    return f"{name}={address}:{','.join(columns)}"


@dataclass(frozen=True)
class Context:
    """``join`` are columns of the events, ``key`` the context's own; ``time``, SQL over a row, where it has one."""

    table: Table
    join: tuple[str, ...]
    key: tuple[str, ...]
    time: str | None


def read_context(work: Workspace, events: Table, request: ContextRequest) -> Context:
    """Read and key a further table.

    Raises:
        UsageError: the columns are not there, or several rows share them.
    """
    name, address, columns = request
    table = read_table(work, ascii_name(name, "context"), address)
    join = tuple(find_column(events, c, f"--context {name}").name for c in columns)
    own = tuple(find_column(table, c, f"--context {name}").name for c in columns)
    if is_unique(work, table, own):
        return Context(table, join, own, None)
    times = [c for c in table.columns if c.kind == "time" and c.name not in own]
    if times and is_unique(work, table, (*own, times[0].name)):
        return Context(table, join, (*own, times[0].name), times[0].sql)
    raise UsageError(
        f"--context {name}: several rows share their {', '.join(columns)}; name further join columns, or leave one row "
        "for each"
    )
