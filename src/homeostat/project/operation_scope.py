"""Sections of the scope about service: what a release must pass, rollout, monitoring, alarms, rhythm."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from homeostat.project.part import Part, require
from homeostat.project.value_types import (
    Count,
    Duration,
    Length,
    Moment,
    Name,
    Number,
    Positive,
    Share,
    Text,
    Variable,
    Whole,
    format_duration,
)


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
