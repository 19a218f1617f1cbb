"""Sections of the scope about data: sources, when their columns become known, and the events."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from homeostat.project.file_form import FileForm
from homeostat.project.part import Part, require
from homeostat.project.value_types import Duration, Kind, LengthOrOnce, Moment, Name, Names, Positive, Text
from homeostat.project.writing import Writing

RESERVED = ("event_time", "predict_at", "reason")  # what Homeostat itself adds to the tables of a source
ONCE: Literal["once"] = "once"  # the period of a source without time, and the label of its one batch


class Group(Part):
    """Columns that become known together, at an SQL expression over the row."""

    columns: Names
    at: Text


class Source(Part):
    """Where a table comes from, and what its rows mean."""

    package: Text | None = None
    path: Text | None = None
    url: Text | None = None
    query: Text | None = None
    file: FileForm = FileForm()
    time: Text | None = None
    period: LengthOrOnce
    late_after: Duration = timedelta(0)
    key: Names
    columns: Annotated[dict[str, Kind], Field(min_length=1)]
    read: dict[str, Text] = {}  # by column, SQL that makes it of what is written, where it is not a column there
    written: dict[str, Writing] = {}  # by column, how its values are written where it is not the plain way
    optional: tuple[str, ...] = ()  # columns that a batch may lack; null there
    known_at: dict[Name, Group] = {}
    volume: Positive | None = None
    history: Literal["warn", "quarantine", "off"] = "warn"  # what a batch unlike those before it leads to

    @property
    def place(self) -> str:
        """Where its rows lie, as it can be shown: without the name and password in an address."""
        place = self.path or self.url or ""
        return re.sub(r"(?<=//)[^/@]*@", "", place if self.package is None else f"{self.package}:{place}")

    def meaning(self) -> str:
        """All that is declared of its rows, wherever they lie: JSON."""
        return self.model_dump_json(exclude={"package", "path", "url"})

    @model_validator(mode="after")
    def consistent(self) -> Source:
        place = "name one: path (with package, or a file or glob of its own), or url with query"
        require((self.url is None) != (self.path is None), (), place)
        require(self.package is None or self.path is not None, ("package",), "goes with path; add path")
        require((self.url is None) == (self.query is None), (), "url and query go together; add the other")
        grid = "a source with a time needs a period such as 1d; one without has period: once"
        require((self.time is None) == (self.period == "once"), ("period",), grid)
        for column in RESERVED:
            require(column not in self.columns, ("columns", column), "is a name that Homeostat adds; rename it")
        for number, column in enumerate(self.key):
            self._check_declared(column, ("key", number))
        for column in self.read:
            self._check_declared(column, ("read", column))
        for column in self.written:
            self._check_declared(column, ("written", column))
        for number, column in enumerate(self.optional):
            self._check_declared(column, ("optional", number))
            key = f"{column!r} is part of the key, which every row needs; remove it"
            require(column not in self.key, ("optional", number), key)
        self._check_known_at()
        return self

    def _check_declared(self, column: str, path: tuple[int | str, ...]) -> None:
        require(column in self.columns, path, f"names {column!r}, which is not among columns; correct it")

    def _check_known_at(self) -> None:
        """Every column of a source with a time is in one group; the first group makes the row visible."""
        if not self.timed:
            require(not self.known_at, ("known_at",), "a source with period: once is known from the start; remove it")
            return
        grouped: set[str] = set()
        for name, group in self.known_at.items():
            for number, column in enumerate(group.columns):
                path = ("known_at", name, "columns", number)
                self._check_declared(column, path)
                require(column not in grouped, path, f"names {column!r} twice; a column becomes known once")
                grouped.add(column)
        for column in self.columns:
            lacks = f"column {column!r} has no known_at; put it in the group that makes it known"
            require(column in grouped, ("columns", column), lacks)
        first = next(iter(self.known_at))
        for column in self.key:
            early = f"is the first group, so it makes a row visible: {column!r}, a column of the key, belongs in it"
            require(column in self.known_at[first].columns, ("known_at", first), early)

    @property
    def timed(self) -> bool:
        return self.time is not None

    @property
    def length(self) -> timedelta:
        """The length of one batch of a source with a time, which has a period."""
        assert self.period != ONCE, "a source without time has one batch"
        return self.period


class Events(Part):
    """What is predicted, and when."""

    source: str
    predict_at: Text
    label_horizon: Duration
    labels_until: Moment | None = None  # events from then on teach and judge nothing
    acted_on: bool = False  # what is done about a prediction changes what happens, and so the label
    filters: dict[Name, Text] = {}  # by name, SQL that holds for events that are neither ranked nor acted on
