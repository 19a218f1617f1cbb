"""What a person asks of ``homeostat new``: where the table is, and which of its columns mean what."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

from homeostat.core.errors import UsageError
from homeostat.project.value_types import format_duration

DATABASES = (
    "sqlite", "postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "duckdb", "snowflake",
)  # fmt: skip


@dataclass(frozen=True)
class Address:
    """Where a table is: a path (local, any fsspec address, or a glob), or a database and a query."""

    path: str | None = None
    url: str | None = None
    query: str | None = None

    @classmethod
    def of(cls, source: str, query: str | None = None) -> Address:
        """An address as typed; local paths become absolute, so that the project can be anywhere.

        Raises:
            UsageError: a database without a query.
        """
        if query is not None:
            return cls(url=_absolute_url(source), query=query)
        scheme = source.split("://")[0].split("+")[0] if "://" in source else ""
        if scheme in DATABASES:
            raise UsageError(f"--from {source}: is a database; say what to read with --query 'SELECT ...'")
        return cls(path=source if scheme else os.path.abspath(os.path.expanduser(source)))

    def __str__(self) -> str:
        return self.path or self.url or ""

    @property
    def stem(self) -> str:
        """A name for the table, from that of the file."""
        if self.path is None:
            return "records"
        name = self.path.rstrip("/").rsplit("/", 1)[-1]
        return name.split(".")[0].replace("*", "").replace("?", "") or "records"


def _absolute_url(url: str) -> str:
    """The same with the absolute path of a database in a file: the project opens it from another folder."""
    start, slashes, path = url.partition(":///")
    if not start.startswith(("sqlite", "duckdb")) or not path or path.startswith(("/", ":memory:")):
        return url
    return f"{start}{slashes}{os.path.abspath(path)}"


@dataclass(frozen=True)
class Request:
    """The options of ``homeostat new``; None or empty: find it in the table."""

    source: Address
    time: str | None = None
    label: str | None = None
    known_at: str | None = None
    key: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    positive: str | None = None
    task: str | None = None
    group: str | None = None
    predict_before: timedelta = timedelta(0)
    period: timedelta | None = None

    @property
    def options(self) -> list[str]:
        """What a person types after ``homeostat new DIR`` to ask for the same."""
        source = self.source
        typed = ["--from", str(source), *(["--query", source.query] if source.query else [])]
        for name in ("time", "label", "known_at", "positive", "task", "group"):
            value = getattr(self, name)
            typed += [f"--{name.replace('_', '-')}", value] if value is not None else []
        for name in ("key", "drop"):
            typed += [part for value in getattr(self, name) for part in (f"--{name}", value)]
        if self.predict_before:
            typed += ["--predict-before", format_duration(self.predict_before)]
        return typed + (["--period", format_duration(self.period)] if self.period else [])

    @property
    def known_before(self) -> timedelta:
        """How long before the event its given columns are known: just before the prediction."""
        return self.predict_before + timedelta(seconds=1)
