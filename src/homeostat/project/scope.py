"""The scope of a project: ``params.yaml`` read into frozen, strict types."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from homeostat.core.errors import ScopeError
from homeostat.project.file_form import FileForm
from homeostat.project.learning_scope import Learn
from homeostat.project.part import Part, require
from homeostat.project.questions import Answer, Question, check_answers
from homeostat.project.scale_scope import Scale
from homeostat.project.scope_errors import Contradiction
from homeostat.project.sql_columns import columns_in
from homeostat.project.training_scope import Training
from homeostat.project.typed_yaml import parse_yaml
from homeostat.project.value_types import (
    Count,
    Duration,
    Kind,
    Length,
    LengthOrAll,
    LengthOrOnce,
    Moment,
    Name,
    Names,
    Number,
    Positive,
    Share,
    Text,
    Variable,
    Whole,
    format_duration,
)
from homeostat.project.writing import Writing

LOSSES = {"binary": ("log_loss", "brier"), "regression": ("rmse", "mae"), "ranking": ("ndcg_loss",)}
RESERVED = ("event_time", "predict_at", "reason")  # what Homeostat itself adds to the tables of a source
ONCE: Literal["once"] = "once"  # the period of a source without time, and the label of its one batch


class Clock(Part):
    """Project time: the wall clock, or a start and a speed (project seconds a second)."""

    start: Moment | None = None
    speed: Positive = 1

    @model_validator(mode="after")
    def consistent(self) -> Clock:
        require(self.start or self.speed == 1, ("speed",), "the wall clock has no speed; add start or remove speed")
        return self


class Remote(Part):
    """Where several hosts agree on the release in service: a git remote, and how often a serving host polls it."""

    git: Text
    every: Length


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


class FeatureGroup(Part):
    """Features that are had, or not, together; ``cost`` of having them for 1,000 events, in the unit of costs."""

    of: Names
    cost: Annotated[Number, Field(ge=0)] = 0.0


class Features(Part):
    history: Length
    groups: dict[Name, FeatureGroup] = {}
    allowed: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()


class Objective(Part):
    task: Literal["binary", "regression", "ranking"]
    label: Text
    where: Text = "true"
    known: str
    weight: Annotated[Number, Field(ge=0)]
    features: tuple[str, ...]
    group: str | None = None
    train: LengthOrAll | None = None  # without it as windows.train
    retrain: Length | None = None  # without it as rhythm.retrain


class Abstain(Part):
    """Events that the scores do not decide, and what is done about them; name ``margin`` or ``scores``, or both."""

    margin: Positive | None = None  # expected costs of acting and of not acting that differ by less
    scores: dict[Name, tuple[Number, Number]] = {}  # by objective, the scores from and to which it abstains
    then: Literal["drop", "ask for more", "person"] = "person"
    most: Annotated[Number, Field(gt=0, le=1)] = 1.0  # share of events that a release may leave undecided

    @model_validator(mode="after")
    def consistent(self) -> Abstain:
        require(self.margin is not None or self.scores, (), "says for which events; add margin or scores")
        for name, (low, high) in self.scores.items():
            crossed = f"begins at {low:g} and ends at {high:g}, below that; exchange them"
            require(low < high, ("scores", name), crossed)
        return self


class Costs(Part):
    alert: Positive
    capacity: Count
    abstain: Abstain | None = None  # without it every event is decided


class Windows(Part):
    warm_up: Length
    train: LengthOrAll
    holdout: Length

    @model_validator(mode="after")
    def consistent(self) -> Windows:
        for name, longer in (("train", self.train), ("warm_up", self.warm_up)):
            problem = (
                f"must be longer than windows.holdout ({format_duration(self.holdout)}); nothing is left to train on"
            )
            require(isinstance(longer, str) or longer > self.holdout, (name,), problem, ("windows", "holdout"))
        return self


class Metrics(Part):
    """What is measured, by task; the first is the loss that gates and monitoring compare: lower is better."""

    binary: tuple[Literal["log_loss", "auc", "average_precision", "brier", "calibration"], ...] = ("log_loss",)
    regression: tuple[Literal["rmse", "mae", "r2", "calibration"], ...] = ("rmse",)
    ranking: tuple[Literal["ndcg_loss", "ndcg", "average_precision"], ...] = ("ndcg_loss",)

    @model_validator(mode="after")
    def loss_first(self) -> Metrics:
        for task, losses in LOSSES.items():
            if (first := getattr(self, task)[:1]) and first[0] not in losses:
                problem = f"must start with its loss, one of {', '.join(losses)}, not {first[0]}; put it first"
                raise Contradiction((task,), problem)
        return self


class Evaluation(Part):
    metrics: Metrics = Metrics()
    slices: tuple[str, ...]
    fairness: tuple[str, ...] = ()  # slices that concern people: who is given alerts is measured by them
    min_slice: Count
    resamples: Annotated[Whole, Field(ge=20)]
    block: Length
    runs: Count = 1  # parts of a block by key, each a block of its own, where events share too few times
    confidence: Annotated[Number, Field(gt=0.5, lt=1)]


class Budget(Part):
    """What a release may take: size; time to score one event in 95 % of cases, and memory of a process that scores;
    time and memory to be made, from data to bundle; and money for both, at the price of an ``hour`` of computing.
    """

    megabytes: Positive | None = None
    score_seconds: Positive | None = None
    score_memory: Positive | None = None  # megabytes
    score_cost: Positive | None = None  # of 1,000 events
    make_seconds: Positive | None = None
    make_memory: Positive | None = None  # megabytes
    make_cost: Positive | None = None  # of one candidate
    hour: Positive | None = None

    @property
    def limits(self) -> dict[str, float]:
        return self.model_dump(exclude_none=True, exclude={"hour"})

    @model_validator(mode="after")
    def consistent(self) -> Budget:
        every = ", ".join(name for name in type(self).model_fields if name != "hour")
        require(self.limits, (), f"names no limit; add one of {every}, or remove it")
        for name in ("score_cost", "make_cost"):
            priced = getattr(self, name) is None or self.hour is not None
            require(priced, (name,), "needs the price of an hour of computing; add hour", ("release", "budget"))
        return self


class Fairness(Part):
    """By how much groups of ``evaluation.fairness`` may differ: in the share that is given an alert, and in that share
    of the events that happened, or did not.
    """

    parity: Positive | None = None
    odds: Positive | None = None

    @model_validator(mode="after")
    def consistent(self) -> Fairness:
        require(self.parity or self.odds, (), "names no limit; add parity or odds, or remove it")
        return self


class Release(Part):
    """What a candidate must pass; ``not_worse`` is the least ``margin`` of an objective for which none is given."""

    beats_baseline: Annotated[Number, Field(lt=1)]
    not_worse: Positive
    margin: dict[Name, Positive] = {}
    slice_not_worse: Positive
    calibration: Positive
    ask_after: Count = 3  # candidates in a row that could not be judged
    slice_floor: Annotated[Number, Field(lt=1)] | None = None  # share below the baseline's loss, in every slice
    slice_gap: Positive | None = None  # that this may differ by between two slices of a column
    budget: Budget | None = None
    fairness: Fairness | None = None

    @model_validator(mode="after")
    def consistent(self) -> Release:
        above = f"is above what all events together must reach, {self.beats_baseline:g}; lower it"
        floor = self.beats_baseline if self.slice_floor is None else self.slice_floor
        require(floor <= self.beats_baseline, ("slice_floor",), above, ("release", "beats_baseline"))
        return self


class Rollout(Part):
    """How a release that passed the gate is put in service, and the conditions of each step."""

    strategy: Literal["at once", "shadow", "canary"]
    steps: Annotated[tuple[Annotated[Number, Field(gt=0, lt=1)], ...], Field(min_length=1)]
    hold: Length
    patience: Length
    events: Count
    errors: Annotated[Number, Field(ge=0, lt=1)]
    latency: Positive
    score_drift: Positive

    @model_validator(mode="after")
    def consistent(self) -> Rollout:
        rising = all(one < other for one, other in zip(self.steps, self.steps[1:], strict=False))
        require(rising, ("steps",), "must rise from step to step; 1 is no step, it follows the last")
        problem = f"must be longer than hold ({format_duration(self.hold)}); correct one of them"
        require(self.patience > self.hold, ("patience",), problem, ("rollout", "hold"))
        return self


class Monitoring(Part):
    window: Length
    quality_drop: Positive
    calibration: Positive
    roll_back: Share
    drift_method: Literal["psi", "ks", "wasserstein", "jensenshannon"]
    drift_limit: Positive
    drift_share: Share
    score_drift: Positive
    missing_rise: Share = 1.0
    reference_rows: Annotated[Count, Field(le=30_000)]
    cool_down: Duration
    retrain_budget: Count = 4  # candidates that findings may ask for until something changes in service


class Alarms(Part):
    """The alarm budget: at most so many false pages in that time."""

    false_pages: Count
    within: Length = Field(alias="in")


class Business(Part):
    """The business's own figure: the mean of ``value``, SQL over a row of ``source``, over a stretch of time."""

    source: str
    value: Text
    better: Literal["higher", "lower"]


class Device(Part):
    """What an export for a device may come to; no limit where none is named.

    It answers until ``expires`` after it was made, its stored answers until ``fresh``.
    """

    megabytes: Positive | None = None
    milliseconds: Positive | None = None
    memory: Positive | None = None
    expires: Length = timedelta(days=90)
    fresh: Length = timedelta(days=7)
    answers: Whole = 1000


class Alerts(Part):
    """Who hears of an incident, and when it is escalated.

    ``notify`` names the environment variable that holds the addresses, so that no secret lies in a file.
    """

    escalate_after: Length = timedelta(days=3)
    notify: Variable | None = None


class Approval(Part):
    """The actions that wait for a person, and how long; ``above`` is the risk from which on, ``by`` who may answer."""

    actions: Annotated[
        tuple[Literal["retrain", "recalibrate", "roll back", "fall back"], ...], Field(min_length=1)
    ]  # fmt: skip
    above: Annotated[Number, Field(ge=0)] | None = None
    within: Length
    by: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def consistent(self) -> Approval:
        for number, action in enumerate(self.actions):
            require(self.actions.index(action) == number, ("actions", number), f"names {action!r} twice; remove one")
        return self


class Rhythm(Part):
    offset: Duration
    tick: Length
    decide: Length
    retrain: Length

    @model_validator(mode="after")
    def consistent(self) -> Rhythm:
        for name, longer in (("decide", self.decide), ("retrain", self.retrain)):
            problem = f"must be a whole number of ticks of {format_duration(self.tick)}; correct it or rhythm.tick"
            require(longer % self.tick == timedelta(0), (name,), problem, ("rhythm", "tick"))
        self.check_retrain(self.retrain, ("retrain",))
        return self

    def check_retrain(self, retrain: timedelta, path: tuple[int | str, ...]) -> None:
        """Check that a fresh candidate is not wanted more often than decisions are taken."""
        often = f"is shorter than rhythm.decide ({format_duration(self.decide)}), when decisions are taken; lengthen it"
        require(retrain >= self.decide, path, often, ("rhythm", "decide"))


class Scope(Part):
    """The contents of ``params.yaml``. Durations are timedeltas, times are naive UTC datetimes."""

    project: Name
    goal: Text
    branch: Text
    seed: Annotated[Whole, Field(ge=0)]
    threads: Count
    scale: Scale | None = None  # without it a run works in one process
    clock: Clock = Clock()
    remote: Remote | None = None
    sources: Annotated[dict[Name, Source], Field(min_length=1)]
    events: Events
    features: Features
    objectives: Annotated[dict[Name, Objective], Field(min_length=1)]
    costs: Costs
    windows: Windows
    training: Training
    evaluation: Evaluation
    release: Release
    rollout: Rollout | None = None
    monitoring: Monitoring
    alarms: Alarms | None = None  # without it every incident pages
    alerts: Alerts = Alerts()
    approval: Approval | None = None  # without it no decision waits for a person
    business: Business | None = None
    learn: Learn | None = None  # without it models learn in full retrains alone
    device: Device = Device()
    questions: dict[Question, Answer] = {}
    rhythm: Rhythm

    @model_validator(mode="after")
    def consistent(self) -> Scope:
        require("events" not in self.sources, ("sources", "events"), "features.sql calls the events so; rename it")
        named = f"names {self.events.source!r}, which is not among sources; correct it"
        require(self.events.source in self.sources, ("events", "source"), named)
        timeless = f"names {self.events.source!r}, which has no time; events need one"
        require(self.event_source.timed, ("events", "source"), timeless)
        waiting = format_duration(self.events.label_horizon)
        blind = f"must be longer than events.label_horizon ({waiting}); no event in it would be mature"
        horizon = ("events", "label_horizon")
        require(self.monitoring.window > self.events.label_horizon, ("monitoring", "window"), blind, horizon)
        if self.alarms is not None:
            every = max(self.rhythm.decide, self.events_period)
            looks = f"allows a page at every check, one every {format_duration(every)}; lower it or lengthen alarms.in"
            path = ("alarms", "false_pages")
            require(self.alarms.false_pages * every < self.alarms.within, path, looks, ("alarms", "in"))
        if self.business is not None:
            named = f"names {self.business.source!r}, which is no source with a time; correct it"
            timed = self.business.source in self.sources and self.sources[self.business.source].timed
            require(timed, ("business", "source"), named)
        self._check_objectives()
        self._check_schedules()
        self._check_features()
        self._check_columns()
        self._check_abstain()
        self._check_filters()
        self._check_ladder()
        self._check_learn()
        self._check_scale()
        self._check_combined()
        abstain, ladder = self.costs.abstain, self.training.ladder
        asks = self.approval is not None or (abstain is not None and abstain.then == "person")
        check_answers(self.questions, self.training.model != "heuristic", ladder is not None, asks)
        return self

    def _check_objectives(self) -> None:
        for name, objective in self.objectives.items():
            path = ("objectives", name)
            groups = ", ".join(self.event_source.known_at)
            stray = f"names {objective.known!r}, which is no known_at group of {self.events.source}; use {groups}"
            require(objective.known in self.event_source.known_at, (*path, "known"), stray)
            ranked = (objective.task == "ranking") == (objective.group is not None)
            require(ranked, path, "group goes with task ranking, and ranking needs it; add or remove group")
            measured = getattr(self.evaluation.metrics, objective.task)
            none = f"is empty, but objective {name} is judged by it; name the loss"
            require(measured, ("evaluation", "metrics", objective.task), none)
        for name in self.release.margin:
            stray = f"names {name!r}; use one of {', '.join(self.objectives)}"
            require(name in self.objectives, ("release", "margin", name), stray)
        weightless = "every objective weighs 0, so no risk is ever above another; give one a weight"
        last = ("objectives", list(self.objectives)[-1], "weight")
        require(any(o.weight for o in self.objectives.values()), ("objectives",), weightless, last)

    def _check_schedules(self) -> None:
        """Check each objective's own window and schedule as the scope's are."""
        for name, objective in self.objectives.items():
            path, held = ("objectives", name), format_duration(self.windows.holdout)
            short = f"must be longer than windows.holdout ({held}); nothing is left to train on"
            longer = not isinstance(objective.train, timedelta) or objective.train > self.windows.holdout
            require(longer, (*path, "train"), short, ("windows", "holdout"))
            if objective.retrain is not None:
                self.rhythm.check_retrain(objective.retrain, (*path, "retrain"))

    def _check_features(self) -> None:
        for list_name in ("allowed", "barred"):
            for number, name in enumerate(getattr(self.features, list_name)):
                objective, dot, _ = name.partition(".")
                stray = f"names {name!r}; write objective.column, the objective one of {', '.join(self.objectives)}"
                require(dot and objective in self.objectives, ("features", list_name, number), stray)
        for number, name in enumerate(self.features.barred):
            both = f"{name} is both barred and allowed; remove it from one"
            place = self.features.allowed.index(name) if name in self.features.allowed else None
            require(place is None, ("features", "barred", number), both, ("features", "allowed", place or 0))
        for name, objective in self.objectives.items():
            self._check_list(name, objective.features, ("objectives", name, "features"))
        self._check_groups()

    def _check_groups(self) -> None:
        """Check that each group holds features, and that a feature is in one group."""
        every = {feature for name in self.objectives for feature in self.features_of(name)}
        places: dict[str, tuple[int | str, ...]] = {}
        for name, group in self.features.groups.items():
            for number, feature in enumerate(group.of):
                path = ("features", "groups", name, "of", number)
                require(feature in every, path, f"names {feature!r}, which no objective lists as a feature; correct it")
                twice = f"names {feature!r}, which is in a group already; remove it from one"
                require(feature not in places, path, twice, places.get(feature, ()))
                places[feature] = path

    def _check_list(self, objective: str, features: tuple[str, ...], path: tuple[int | str, ...]) -> None:
        """Check the features that the models of an objective are made from."""
        for number, feature in enumerate(features):
            place = (*path, number)
            require(features.index(feature) == number, place, f"names {feature!r} twice; remove one")
            barred, name = f"uses {feature!r}, which features.barred bars; remove it from one", f"{objective}.{feature}"
            bar = self.features.barred.index(name) if name in self.features.barred else None
            require(bar is None, place, barred, ("features", "barred", bar or 0))

    def _check_ladder(self) -> None:
        """Check that each rung has features to learn from, and that it is judged when decisions are taken."""
        self.training.check_rhythm(self.rhythm.decide)
        ladder, path = self.training.ladder, ("training", "ladder", "rungs")
        for rung, recipe in ladder.rungs.items() if ladder else ():
            for name, features in recipe.features.items():
                stray = f"names {name!r}; use one of {', '.join(self.objectives)}"
                require(name in self.objectives, (*path, rung, "features", name), stray)
                self._check_list(name, features, (*path, rung, "features", name))
            for name, objective in self.objectives.items():
                none = f"learns, and objective {name} has no features; name some"
                learns = recipe.model != "heuristic"
                has = objective.features or name in recipe.features or not learns
                require(has, (*path, rung), none, ("objectives", name, "features"))

    def _check_learn(self) -> None:
        """Check that there are trees to continue, that labels have come by then, and that nobody has to be asked."""
        learn, approval = self.learn, self.approval
        if learn is None:
            return
        learn.check_rhythm(self.events.label_horizon, self.rhythm.tick, self.rhythm.retrain)
        rungs = self.training.ladder.rungs.values() if self.training.ladder else ()
        trees = "lightgbm" in (self.training.model, *(rung.model for rung in rungs))
        none = f"continues trees, and training.model is {self.training.model}; use lightgbm, or remove learn"
        require(trees, ("learn",), none, ("training", "model"))
        asks = "releases each step by itself, and approval.actions lists retrain, which waits; remove one of them"
        require(approval is None or "retrain" not in approval.actions, ("learn",), asks, ("approval", "actions"))

    def _check_scale(self) -> None:
        """Check that there are workers for the ranks of a model that is fitted by several."""
        spread, path = self.training.distribute, ("training", "distribute")
        if spread is None:
            return
        needs = f"needs {spread.ranks} workers, and scale names none; add scale: {{workers: {spread.ranks}}}"
        require(self.scale is not None, path, needs)
        assert self.scale is not None
        most, place = self.scale.most
        fewer = f"is more than the {most} workers that there are at most; correct one of them"
        require(most is None or spread.ranks <= most, (*path, "ranks"), fewer, ("scale", place))

    def _check_combined(self) -> None:
        """Check that a model of all objectives together has several of one task, and a weight of each in its loss."""
        first = next(iter(self.objectives.values()))
        for path, recipe in self.training.recipes.items():
            for name in recipe.weights:
                stray = f"names {name!r}; use one of {', '.join(self.objectives)}"
                require(name in self.objectives, (*path, "weights", name), stray)
            if recipe.model != "combined":
                idle = "goes with model: combined; remove it"
                require(not recipe.weights, (*path, "weights"), idle, (*path, "model"))
                continue
            alone = "adds up the losses of several objectives, and there is one; use lightgbm"
            require(len(self.objectives) > 1, (*path, "model"), alone, ("objectives",))
            for name, objective in self.objectives.items():
                task = f"adds up losses of one task, and {name} is another, or a ranking; use another kind"
                alike = objective.task == first.task != "ranking"
                require(alike, (*path, "model"), task, ("objectives", name, "task"))
                lacks = f"needs a weight of each objective's loss, and {name} has none; write weights: {{{name}: 1}}"
                weights = recipe.weights or self.training.weights
                require(name in weights, (*path, "model"), lacks, ("objectives", name))

    def _check_columns(self) -> None:
        """Check that slices, the baseline and rules of the ladder use columns of the events."""
        features = {feature for name in self.objectives for feature in self.features_of(name)}
        for number, column in enumerate(self.evaluation.slices):
            stray = f"names {column!r}, which is no column of {self.events.source}; correct it"
            path = ("evaluation", "slices", number)
            require(column in self.event_source.columns, path, stray)
            twice = f"names {column!r} twice; remove one"
            require(self.evaluation.slices.index(column) == number, path, twice)
            self._check_known_before(column, path)
        for where, rule in self.training.rules.values():
            columns: list[tuple[tuple[int | str, ...], str | None]] = [(("column",), rule.column)]
            columns += [(("by", n), c) for n, c in enumerate(rule.by)]
            for entry, used in columns:
                stray = f"names {used!r}, which is no column of {self.events.source} and no feature; correct it"
                there = used is None or used in self.event_source.columns or used in features
                require(there, (*where, *entry), stray)
                self._check_known_before(used or "", (*where, *entry))
        barred = [name.partition(".")[2] for name in self.features.barred]
        for number, column in enumerate(self.evaluation.slices):
            place = barred.index(column) if column in barred else 0
            away = f"names {column!r}, which is barred: its slices would tell the label; remove one of them"
            path = ("evaluation", "slices", number)
            require(column not in barred, path, away, ("features", "barred", place))
        for number, column in enumerate(self.evaluation.fairness):
            path, no_slice = ("evaluation", "fairness", number), f"names {column!r}, which is no slice; add it there"
            require(column in self.evaluation.slices, path, no_slice, ("evaluation", "slices"))
        unmeasured = "needs columns to compare groups by, and there are none; name them there"
        measured = self.release.fairness is None or self.evaluation.fairness
        require(measured, ("release", "fairness"), unmeasured, ("evaluation", "fairness"))
        floor, gap = self.release.slice_floor, self.release.slice_gap
        for name, value in (("slice_floor", floor), ("slice_gap", gap)):
            none = "needs slices, and there are none; name columns there"
            require(value is None or self.evaluation.slices, ("release", name), none, ("evaluation", "slices"))

    def _check_known_before(self, column: str, path: tuple[int | str, ...]) -> None:
        """Check that a column of the events does not become known with a label: it would tell it."""
        source = self.event_source
        first = next(iter(source.known_at))  # it makes an event visible, so it is known whenever one is predicted
        for name, objective in self.objectives.items():
            group = source.known_at[objective.known]
            late = f"names {column!r}, which becomes known with the label of {name}, after predict-at; name another"
            where = ("sources", self.events.source, "known_at", objective.known)
            require(objective.known == first or column not in group.columns, path, late, where)

    def _check_abstain(self) -> None:
        """Check that some event can be decided, and that ranges are of scores that measure something."""
        abstain, path = self.costs.abstain, ("costs", "abstain")
        if abstain is None:
            return
        for name, (low, high) in abstain.scores.items():
            place = (*path, "scores", name)
            stray = f"names {name!r}; use one of {', '.join(self.objectives)}"
            require(name in self.objectives, place, stray)
            task, of_task = self.objectives[name].task, ("objectives", name, "task")
            beyond = f"goes from {low:g} to {high:g}, and scores of a binary objective from 0 to 1; correct it"
            require(task != "binary" or 0 <= low < high <= 1, place, beyond, of_task)
            whole = "covers every score from 0 to 1, so that no event would be decided; narrow it"
            require(task != "binary" or (low, high) != (0, 1), place, whole, of_task)
        for name, objective in self.objectives.items():
            order = f"needs scores that measure; those of {name}, a ranking, only order: remove it"
            require(objective.task != "ranking", path, order, ("objectives", name, "task"))
        wide = "is not below the cost of an alert, so that no event would ever be left alone; lower it"
        require((abstain.margin or 0) < self.costs.alert, (*path, "margin"), wide, ("costs", "alert"))

    def _check_filters(self) -> None:
        """Check that filters use no column that makes a label known: that becomes known after predict-at."""
        source = self.event_source
        first = next(iter(source.known_at))  # it makes an event visible, so it is known whenever one is predicted
        for name, expression in self.events.filters.items():
            used = columns_in(expression, source.columns)
            for objective, target in self.objectives.items():
                for column in source.known_at[target.known].columns if target.known != first else ():
                    late = (
                        f"uses {column!r}, which becomes known with the label of {objective}, after predict-at; use "
                        "columns that are known before"
                    )
                    group = ("sources", self.events.source, "known_at", target.known)
                    require(column not in used, ("events", "filters", name), late, group)

    def on_rung(self, rung: str) -> Scope:
        """The scope with the recipe of a rung of the ladder in the place of its own; itself for none.

        Raises:
            ScopeError: the ladder has no such rung.
        """
        if not rung:
            return self
        ladder = self.training.ladder
        if ladder is None or rung not in ladder.rungs:
            raise ScopeError(f"params.yaml: training.ladder.rungs: has no {rung!r}; put it back")
        own = ladder.rungs[rung].features
        objectives = {
            name: objective.model_copy(update={"features": own.get(name, objective.features)})
            for name, objective in self.objectives.items()
        }
        return self.model_copy(update={"training": self.training.on_rung(rung), "objectives": objectives})

    def features_of(self, objective: str) -> tuple[str, ...]:
        """The features that the models of an objective may use: its own, and those of rungs."""
        ladder = self.training.ladder
        of_rungs = (rung.features.get(objective, ()) for rung in ladder.rungs.values()) if ladder else ()
        return tuple(dict.fromkeys([*self.objectives[objective].features, *(f for own in of_rungs for f in own)]))

    def entries_with(self, feature: str) -> list[str]:
        """The entries that list a feature: of objectives, and of rungs."""
        lists = {f"objectives.{name}.features": one.features for name, one in self.objectives.items()}
        for rung, recipe in (self.training.ladder.rungs if self.training.ladder else {}).items():
            lists |= {f"training.ladder.rungs.{rung}.features.{name}": own for name, own in recipe.features.items()}
        return [entry for entry, features in lists.items() if feature in features]

    def train_window(self, objective: str) -> timedelta | Literal["all"]:
        """The history that the models of an objective are trained on."""
        return self.objectives[objective].train or self.windows.train

    def retrain_every(self, objective: str) -> timedelta:
        """How often the models of an objective are made afresh, at the least."""
        return self.objectives[objective].retrain or self.rhythm.retrain

    @property
    def ladder_margin(self) -> float:
        """The share that the loss of a rung may lie above the best's."""
        ladder = self.training.ladder
        return self.release.not_worse if ladder is None or ladder.margin is None else ladder.margin

    @property
    def event_source(self) -> Source:
        return self.sources[self.events.source]

    @property
    def events_period(self) -> timedelta:
        """The length of one batch of events."""
        return self.event_source.length

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify an event."""
        return self.event_source.key


@lru_cache(maxsize=16)
def parse(text: str, where: str = "params.yaml") -> Scope:
    """Read a scope from YAML text; a pure function, so the last texts are kept.

    Raises:
        ScopeError: one line that names the file, the line, the key and the fix.
    """
    return parse_yaml(text, where, Scope, "a scope starts with `project: NAME`")


def read(path: Path) -> Scope:
    """Read ``params.yaml``.

    Raises:
        ScopeError: it is not there, cannot be read, or is not valid.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), path.name)
    except FileNotFoundError as error:
        raise ScopeError(f"{path}: no scope here; run in a project folder or name one with -C DIR") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ScopeError(f"{path.name}:{line}: not UTF-8 text; save the file as UTF-8") from error
    except IsADirectoryError as error:
        raise ScopeError(f"{path}: a folder; the scope is a file") from error
