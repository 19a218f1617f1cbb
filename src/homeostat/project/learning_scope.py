"""The section ``learn`` of a scope: between two full retrains the champion's models are continued on newer events."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from homeostat.project.part import Part, require
from homeostat.project.value_types import Count, Length, Number, Positive, format_duration


class Learn(Part):
    """A continuation is made ``every`` so often, or as soon as a ``batch`` of labels has matured; full retrains stay.

    An online model learns what has matured since, each event once. Of trees ``how`` says: ``continue`` adds ``trees``
    to each model, which bounds how far a model grows between two full retrains;
    ``refit`` keeps the trees, and ``decay`` of the value of each leaf. Both learn from the last ``rows`` mature events.
    ``max_move``: how far one continuation may move the scores in service, on average over the held-out events: a
    probability, or standard deviations of scores that are none.
    """

    every: Length | None = None
    batch: Count | None = None
    how: Literal["continue", "refit"] = "continue"
    rows: Count = 10_000
    trees: Count = 2
    decay: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    max_move: Positive = 0.02

    @model_validator(mode="after")
    def consistent(self) -> Learn:
        one = (self.every is None) != (self.batch is None)
        require(one, (), "needs one of every (a duration) and batch (a number of labels); write one of them")
        return self

    @property
    def of_trees(self) -> set[str]:
        """What is written here that bears on trees alone."""
        return self.model_fields_set & {"how", "rows", "trees", "decay"}

    def recipe(self, kind: str) -> dict[str, Any]:
        """The part that models of a kind follow from."""
        if kind == "online":
            return {"how": "each event once"}
        return self.model_dump(include={"how", "rows", "trees" if self.how == "continue" else "decay"})

    def check_rhythm(self, horizon: timedelta, tick: timedelta, retrain: timedelta) -> None:
        """Check that it is no oftener than labels come and than ticks, and oftener than full retrains."""
        if self.every is None:
            return
        path, every = ("learn", "every"), format_duration(self.every)
        early = (
            f"{every} is shorter than events.label_horizon ({format_duration(horizon)}), which labels take to mature; "
            "lengthen it"
        )
        require(self.every >= horizon, path, early, ("events", "label_horizon"))
        ticks = f"{every} is no whole number of ticks (rhythm.tick, {format_duration(tick)}); correct one of them"
        require(self.every % tick == timedelta(0), path, ticks, ("rhythm", "tick"))
        late = f"{every} is not shorter than rhythm.retrain ({format_duration(retrain)}), the full retrain; shorten it"
        require(self.every < retrain, path, late, ("rhythm", "retrain"))
