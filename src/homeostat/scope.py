"""The scope of a project: ``params.yaml`` read into frozen, strict types."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from homeostat.core.errors import ScopeError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LOSSES = {"binary": ("log_loss", "brier"), "regression": ("rmse", "mae"), "ranking": ("ndcg_loss",)}
Kind = Literal["string", "integer", "float", "boolean", "time"]


def parse_duration(text: object) -> timedelta:
    """Read ``45m``, ``2h`` or ``1d``.

    >>> parse_duration("2h")
    datetime.timedelta(seconds=7200)
    """
    match = re.fullmatch(r"(\d+)([smhd])", str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a whole number and a unit, such as 45m, 2h or 1d")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


def format_duration(value: timedelta) -> str:
    """Write a duration in its largest whole unit.

    >>> format_duration(timedelta(hours=48))
    '2d'
    """
    seconds = int(value.total_seconds())
    unit = next(u for u in "dhms" if seconds % UNITS[u] == 0)
    return f"{seconds // UNITS[unit]}{unit}"


def _aware(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is not None:
        raise ValueError("write the time in UTC, without an offset")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration)]
Moment = Annotated[datetime, BeforeValidator(_aware)]
Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Clock(Part):
    """Project time: the wall clock, or a start and a speed (project seconds a second)."""

    start: Moment | None = None
    speed: Positive = 1


class Group(Part):
    """Columns that become known together, at an SQL expression over the row."""

    columns: tuple[str, ...]
    at: str


class Source(Part):
    """Where a table comes from, and what its rows mean."""

    package: str | None = None
    path: str | None = None
    url: str | None = None
    query: str | None = None
    time: str | None = None
    period: Duration | Literal["once"]
    late_after: Duration = timedelta(0)
    key: tuple[str, ...]
    columns: dict[str, Kind]
    known_at: dict[Name, Group] = {}
    volume: Positive | None = None

    @model_validator(mode="after")
    def consistent(self) -> Source:
        if (self.url is None) == (self.path is None):
            raise ValueError("name one: path (with package, or a file or glob of its own), or url with query")
        if (self.url is None) != (self.query is None):
            raise ValueError("url and query go together")
        if (self.time is None) != (self.period == "once"):
            raise ValueError("a source with a time needs a period such as 1d; one without has period: once")
        if self.period == timedelta(0):
            raise ValueError("period must be longer than nothing")
        for column in self.key:
            if column not in self.columns:
                raise ValueError(f"key names {column!r}, which is not among columns")
        if self.time is not None:
            grouped = [c for g in self.known_at.values() for c in g.columns]
            for column in grouped:
                if column not in self.columns:
                    raise ValueError(f"known_at names {column!r}, which is not among columns")
                if grouped.count(column) > 1:
                    raise ValueError(f"known_at names {column!r} twice")
            for column in self.columns:
                if column not in grouped:
                    raise ValueError(f"column {column!r} has no known_at; put it in the group that makes it known")
        return self

    @property
    def timed(self) -> bool:
        return self.time is not None


class Events(Part):
    """What is predicted, and when."""

    source: str
    predict_at: str
    label_horizon: Duration


class Features(Part):
    history: Duration
    allowed: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()


class Objective(Part):
    task: Literal["binary", "regression", "ranking"]
    label: str
    where: str = "true"
    known: str
    weight: float
    features: tuple[str, ...]
    group: str | None = None


class Costs(Part):
    alert: Positive
    capacity: Annotated[int, Field(gt=0)]


class Windows(Part):
    warm_up: Duration
    train: Duration | Literal["all"]
    holdout: Duration


class LightGBM(Part):
    trees: Annotated[int, Field(gt=0)]
    leaves: Annotated[int, Field(gt=1)]
    learning_rate: Positive
    min_leaf: Annotated[int, Field(gt=0)]
    feature_share: Share = 1.0
    row_share: Share = 1.0
    l2: Annotated[float, Field(ge=0)] = 0.0


class Baseline(Part):
    """Version 0: the label's rate by columns of the events, or a score that is already there."""

    by: tuple[str, ...] = ()
    column: str | None = None
    sql: str | None = None

    @model_validator(mode="after")
    def one(self) -> Baseline:
        if sum([bool(self.by), self.column is not None, self.sql is not None]) > 1:
            raise ValueError("name one of by, column and sql")
        return self


class Training(Part):
    model: Literal["heuristic", "linear", "lightgbm"]
    refit: bool
    lightgbm: LightGBM
    baseline: Baseline


class Metrics(Part):
    """What is measured, by task; the first is the loss that gates and monitoring compare: lower is better."""

    binary: tuple[Literal["log_loss", "auc", "average_precision", "brier", "calibration"], ...] = ("log_loss",)
    regression: tuple[Literal["rmse", "mae", "r2", "calibration"], ...] = ("rmse",)
    ranking: tuple[Literal["ndcg_loss", "ndcg", "average_precision"], ...] = ("ndcg_loss",)

    @model_validator(mode="after")
    def loss_first(self) -> Metrics:
        for task, losses in LOSSES.items():
            if (first := getattr(self, task)[:1]) and first[0] not in losses:
                raise ValueError(f"{task} must start with its loss, one of {', '.join(losses)}, not {first[0]}")
        return self


class Evaluation(Part):
    metrics: Metrics = Metrics()
    slices: tuple[str, ...]
    min_slice: Annotated[int, Field(gt=0)]
    resamples: Annotated[int, Field(ge=20)]
    block: Duration
    confidence: Annotated[float, Field(gt=0.5, lt=1)]


class Release(Part):
    beats_baseline: float
    not_worse: Positive
    slice_not_worse: Positive
    calibration: Positive


class Monitoring(Part):
    window: Duration
    quality_drop: Positive
    calibration: Positive
    roll_back: Share
    drift_method: Literal["psi", "ks", "wasserstein", "jensenshannon"]
    drift_limit: Positive
    drift_share: Share
    score_drift: Positive
    reference_rows: Annotated[int, Field(gt=0, le=30_000)]
    cool_down: Duration


class Rhythm(Part):
    offset: Duration
    tick: Duration
    decide: Duration
    retrain: Duration


class Scope(Part):
    """Everything ``params.yaml`` says. Durations are timedeltas, times are naive UTC datetimes."""

    project: Name
    goal: str
    branch: str
    seed: int
    threads: Annotated[int, Field(ge=1)]
    clock: Clock = Clock()
    sources: dict[Name, Source]
    events: Events
    features: Features
    objectives: dict[Name, Objective]
    costs: Costs
    windows: Windows
    training: Training
    evaluation: Evaluation
    release: Release
    monitoring: Monitoring
    rhythm: Rhythm

    @model_validator(mode="after")
    def consistent(self) -> Scope:
        if self.events.source not in self.sources:
            raise ValueError(f"events.source names {self.events.source!r}, which is not among sources")
        if not self.event_source.timed:
            raise ValueError(f"events.source names {self.events.source!r}, which has no time")
        if not self.objectives:
            raise ValueError("objectives is empty; name at least one thing to predict")
        for name, objective in self.objectives.items():
            if objective.known not in self.event_source.known_at:
                raise ValueError(
                    f"objectives.{name}.known names {objective.known!r}, which is no known_at group of {self.events.source}"
                )
            if (objective.task == "ranking") != (objective.group is not None):
                raise ValueError(f"objectives.{name}: group goes with task ranking, and ranking needs it")
        for name in (*self.features.allowed, *self.features.barred):
            if name.split(".")[0] not in self.objectives or "." not in name:
                raise ValueError(f"features names {name!r}; write objective.column")
        if self.windows.train != "all" and self.windows.train <= self.windows.holdout:
            raise ValueError("windows.train must be longer than windows.holdout")
        for name, longer in (("decide", self.rhythm.decide), ("retrain", self.rhythm.retrain)):
            if longer % self.rhythm.tick:
                raise ValueError(
                    f"rhythm.{name} must be a whole number of ticks of {format_duration(self.rhythm.tick)}"
                )
        return self

    @property
    def event_source(self) -> Source:
        return self.sources[self.events.source]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name one event."""
        return self.event_source.key


def _line_of(tree: object, path: tuple[int | str, ...]) -> int:
    """The line (from 1) of the deepest part of ``path`` that the file holds."""
    line = 1
    for step in path:
        position = getattr(tree, "lc", None)
        if position is None:
            break
        try:
            line = (position.key(step) if isinstance(step, str) else position.item(step))[0] + 1
            tree = tree[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            continue
    return line


def _mend(kind: str, message: str, context: dict[str, object]) -> str:
    match kind:
        case "extra_forbidden":
            return "unknown key; remove it or correct its name"
        case "missing":
            return "is missing; add it"
        case _:
            return message.removeprefix("Value error, ")


def parse(text: str, where: str = "params.yaml") -> Scope:
    """Read a scope from YAML text.

    Raises:
        ScopeError: one line that names the file, the line, the key and the mend.
    """
    try:
        tree = YAML(typ="rt").load(text)
        plain = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScopeError(f"{where}:{line}: not YAML: {error.problem}; mend the line") from error
    if not isinstance(plain, dict):
        raise ScopeError(f"{where}:1: is empty; a scope starts with `project: NAME`")
    try:
        return Scope.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(p for p in first["loc"] if not (isinstance(p, str) and "[" in p) and p != "once")
        path = tuple(p for p in path if p not in ("function-before", "literal"))
        key = ".".join(str(p) for p in path) or "scope"
        mend = _mend(first["type"], first["msg"], first.get("ctx", {}))
        raise ScopeError(f"{where}:{_line_of(tree, path)}: {key}: {mend}") from error


def read(path: Path) -> Scope:
    """Read ``params.yaml``."""
    try:
        return parse(path.read_text(), path.name)
    except FileNotFoundError as error:
        raise ScopeError(f"{path}: no scope here; run in a project folder or name one with -C DIR") from error
