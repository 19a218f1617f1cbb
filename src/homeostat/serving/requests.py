"""Requests: their types follow from the scope, and one that does not fit is refused with the fix.

An event has the columns of the event source's first ``known_at`` group, which make a row visible. Columns of later
groups may be sent too; each is used only where it is known by the time that the answer is as of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from homeostat.project.objective_scope import Objective
from homeostat.project.scope import Scope
from homeostat.serving.repeated_keys import repeated_key

MAX_ITEMS = 1000  # events or labels in one request
EARLIEST, LATEST = datetime(1900, 1, 1), datetime(2200, 1, 1)  # in which arithmetic with times stays in range
YEARS = f"{EARLIEST.year} to {LATEST.year - 1}"
FIXES = {
    "missing": "add it, or send null where the value is missing",
    "extra_forbidden": "leave it out: {field} is no column of the events",
    "int_type": "send a whole number",
    "int_from_float": "send a whole number, without a fraction",
    "float_type": "send a number",
    "finite_number": "send a finite number, or null where the value is missing",
    "string_type": "send a string",
    "bool_type": "send true or false",
    "json_invalid": "send JSON",
    "model_type": "send an object with the columns of one event",
    "list_type": "send a list",
    "too_long": f"send {MAX_ITEMS} at most, and the rest in another request",
    "too_short": "send at least one",
}


class Refused(Exception):
    """A request that cannot be answered; each problem names its field and the fix."""

    def __init__(self, problems: Iterable[Mapping[str, str]], status: int = 422) -> None:
        self.problems = list(problems)
        self.status = status
        super().__init__("; ".join(p["problem"] for p in self.problems))


def refusal(field: str, problem: str, fix: str, status: int = 422) -> Refused:
    return Refused([{"field": field, "problem": problem, "fix": fix}], status)


def _utc(time: datetime) -> datetime:
    if not EARLIEST <= time.replace(tzinfo=None) < LATEST:
        raise ValueError(f"lies outside {YEARS}")
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def in_range(column: str) -> pl.Expr:
    """Whether a time that was computed from a request can be computed with; null where there is none."""
    return pl.col(column).is_between(EARLIEST, LATEST, closed="left")


Moment = Annotated[datetime, Field(strict=True), AfterValidator(_utc)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
KINDS: dict[str, Any] = {
    "string": Annotated[str, Field(strict=True, max_length=10_000)],
    "integer": Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)],
    "float": Finite,
    "boolean": Annotated[bool, Field(strict=True)],
    "time": Moment,
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Shapes:
    """The types of the bodies, for one scope; ``columns`` are the event's in the order of the source."""

    scope: Scope
    predict: TypeAdapter[Any]
    labels: TypeAdapter[Any]
    columns: tuple[str, ...]
    key_at: tuple[int, ...]  # positions of the key in ``columns``
    visible_at: tuple[int, ...]  # positions of the columns that make an event visible

    def events(self, body: bytes) -> list[tuple[Any, ...]]:
        """The events of a request: for each the values of ``columns``.

        Raises:
            Refused: the body does not fit.
        """
        return [tuple(event.__dict__.values()) for event in self._read(self.predict, body).events]

    def received(self, body: bytes) -> list[Label]:
        """The labels of a request.

        Raises:
            Refused: the body does not fit.
        """
        return [self._label(n, label) for n, label in enumerate(self._read(self.labels, body).labels)]

    def _label(self, number: int, label: Any) -> Label:
        task = self.scope.objectives[label.objective].task
        if task == "binary" and label.value not in (0, 1):
            raise refusal(f"labels.{number}.value", f"{label.objective} is binary", "send 0 or 1")
        return Label(tuple(label.event.__dict__.values()), label.objective, label.value, label.known_at)

    def _read(self, shape: TypeAdapter[Any], body: bytes) -> Any:
        try:
            read = shape.validate_json(body)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            raise Refused([_problem(one) for one in problems[:10]]) from None
        field = repeated_key(body)
        if field is not None:
            raise refusal(field, f"{field}: is given more than once", "send it once")
        return read


@dataclass(frozen=True)
class Label:
    """The label of an event for one objective; ``known`` is when it became known, if the request says so."""

    key: tuple[Any, ...]
    objective: str
    value: float
    known: datetime | None


def shapes(scope: Scope) -> Shapes:
    """The types of requests that the scope's events call for."""
    source = scope.event_source
    first, *_ = source.known_at
    fields = {name: _field(scope, name, first) for name in source.columns}
    event = _model("Event", fields)
    key = _model("Key", {name: _key_field(scope, name) for name in source.key})
    kinds: Any = Literal[tuple(scope.objectives)]
    label = create_model(
        "Label",
        __base__=_Body,
        event=(key, Field(description="The key of the event.")),
        objective=(kinds, Field(description=_listed(scope.objectives))),
        value=(Finite, Field(description="The value of the label; for a binary objective 1 or 0.")),
        known_at=(Moment | None, Field(default=None, description="When it became known, UTC; now if not given.")),
    )
    bounds = Field(min_length=1, max_length=MAX_ITEMS)
    predict = create_model("Events", __base__=_Body, events=(list[event], bounds))  # type: ignore[valid-type]
    labels = create_model("Labels", __base__=_Body, labels=(list[label], bounds))  # type: ignore[valid-type]
    columns = tuple(source.columns)
    visible = tuple(n for n, name in enumerate(columns) if name in source.known_at[first].columns)
    key_at = tuple(columns.index(name) for name in source.key)
    return Shapes(scope, TypeAdapter(predict), TypeAdapter(labels), columns, key_at, visible)


def _model(name: str, fields: Mapping[str, tuple[Any, Any]]) -> Any:
    """A type with one field a column; columns may have any name, so fields go by number."""
    numbered: dict[str, Any] = {f"c{n}": field for n, field in enumerate(fields.values())}
    return create_model(name, __base__=_Body, **numbered)


def _field(scope: Scope, name: str, first: str) -> tuple[Any, Any]:
    source = scope.event_source
    if name in source.key:
        return _key_field(scope, name)
    group = next(g for g, declared in source.known_at.items() if name in declared.columns)
    kind = KINDS[source.columns[name]] | None
    if group == first:
        return kind, Field(alias=name, description=f"Known with {group}; null where it is missing.")
    late = f"Known with {group}, at {source.known_at[group].at}; used only where that is before the answer's as_of."
    return kind, Field(default=None, alias=name, description=late)


def _key_field(scope: Scope, name: str) -> tuple[Any, Any]:
    return KINDS[scope.event_source.columns[name]], Field(alias=name, description="Of the event's key.")


def _listed(objectives: Mapping[str, Objective]) -> str:
    return "; ".join(f"{name}: {o.label} ({o.task})" for name, o in objectives.items())


def _problem(error: Mapping[str, Any]) -> dict[str, str]:
    field = ".".join(str(part) for part in error["loc"]) or "body"
    words = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    name = field.rpartition(".")[2]
    fix = FIXES.get(str(error["type"]), f"correct {name}").replace("{field}", name)
    if str(error["type"]).startswith("datetime"):
        fix = "send a time such as 2024-03-01T12:00:00, in UTC or with its offset"
    return {"field": field, "problem": f"{field}: {words[:1].lower()}{words[1:]}", "fix": fix}
