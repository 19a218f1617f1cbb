"""Sections of the scope about models: features, objectives, costs, windows and how they are judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from homeostat.project.part import Part, require
from homeostat.project.scope_errors import Contradiction
from homeostat.project.value_types import (
    Count,
    Length,
    LengthOrAll,
    Name,
    Names,
    Number,
    Positive,
    Text,
    Whole,
    format_duration,
)

LOSSES = {"binary": ("log_loss", "brier"), "regression": ("rmse", "mae"), "ranking": ("ndcg_loss",)}


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
