"""The section ``training`` of a scope: the recipe that models are made by, and a ladder of others."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Strict, model_validator

from homeostat.project.part import Part, require
from homeostat.project.value_types import Count, Length, Name, Names, Number, Positive, Share, Whole, format_duration

ModelKind = Literal["heuristic", "linear", "online", "lightgbm", "combined"]
Path = tuple[int | str, ...]


class LightGBM(Part):
    trees: Count
    leaves: Annotated[Whole, Field(gt=1)]
    learning_rate: Positive
    min_leaf: Count
    feature_share: Share = 1.0
    row_share: Share = 1.0
    l2: Annotated[Number, Field(ge=0)] = 0.0


class Online(Part):
    """A linear model that goes on with each event once; ``rate``: how far, more where the world turns fast."""

    rate: Positive = 0.03


class Baseline(Part):
    """Version 0: the label's rate by columns of the events, or a score that exists already."""

    by: tuple[str, ...] = ()
    column: str | None = None
    sql: str | None = None

    @model_validator(mode="after")
    def one(self) -> Baseline:
        named = [bool(self.by), self.column is not None, self.sql is not None]
        require(sum(named) <= 1, (), "name one of by, column and sql; remove the others")
        return self


class Rung(Part):
    """One recipe of a ladder; what it leaves out is as ``training`` and the objectives have it.

    ``rule``: the label's rate, or the score of a system that exists already, for a heuristic.
    """

    model: ModelKind
    rule: Baseline | None = None
    features: dict[Name, Names] = {}  # by objective
    lightgbm: LightGBM | None = None
    weights: dict[Name, Positive] = {}  # by objective, of its loss in that of a combined model

    @model_validator(mode="after")
    def consistent(self) -> Rung:
        for name, part, kinds in (
            ("rule", self.rule, ("heuristic",)),
            ("features", self.features, ("linear", "online", "lightgbm", "combined")),
            ("lightgbm", self.lightgbm, ("lightgbm", "combined")),
            ("weights", self.weights, ("combined",)),
        ):
            require(not part or self.model in kinds, (name,), f"goes with model: {' or '.join(kinds)}; remove it")
        return self


class Ladder(Part):
    """Recipes, the simplest first, all judged on the same held-out events ``every`` so often.

    Candidates are made by the simplest whose loss is not above the best's by ``margin``, or by ``release.not_worse``.
    """

    every: Length
    margin: Positive | None = None
    rungs: Annotated[dict[Name, Rung], Field(min_length=2)]

    @model_validator(mode="after")
    def consistent(self) -> Ladder:
        names = list(self.rungs)
        for number, name in enumerate(names):
            twin = next((one for one in names[:number] if self.rungs[one] == self.rungs[name]), "")
            other = ("training", "ladder", "rungs", twin)
            require(not twin, ("rungs", name), f"is the same recipe as {twin}; remove one", other)
        return self


class Distribute(Part):
    """A model fitted to more than ``above`` events is fitted by so many ``ranks`` of workers, each with its rows.

    The trees follow from how many ranks there are, so that is part of the recipe.
    """

    above: Annotated[Count, Field(ge=1000)]
    ranks: Annotated[Count, Field(ge=2)]


def _kinds(written: Any) -> Any:
    """One kind of calibrator, several, or the word none."""
    return () if written == "none" else (written,) if isinstance(written, str) else written


class Training(Part):
    model: ModelKind
    refit: Annotated[bool, Strict()]
    lightgbm: LightGBM
    online: Online = Online()
    weights: dict[Name, Positive] = {}  # by objective, of its loss in that of a combined model
    baseline: Baseline
    # calibrators that may be fitted where the level of a label moved and nothing else
    calibrate: Annotated[tuple[Literal["platt", "beta", "isotonic"], ...], BeforeValidator(_kinds)] = ("platt",)
    ladder: Ladder | None = None  # without it every candidate is made by the recipe above
    distribute: Distribute | None = None  # without it every model is fitted by one process

    @model_validator(mode="after")
    def consistent(self) -> Training:
        kinds = {self.model, *(rung.model for rung in (self.ladder.rungs if self.ladder else {}).values())}
        other = "spreads what lightgbm learns, and no recipe is lightgbm; remove it"
        require(self.distribute is None or "lightgbm" in kinds, ("distribute",), other, ("training", "model"))
        return self

    def ranks(self, kind: str, events: int) -> int:
        """How many workers fit a model of a kind to so many events; one: no worker does."""
        spread = self.distribute
        return spread.ranks if spread is not None and kind == "lightgbm" and events > spread.above else 1

    @property
    def rules(self) -> dict[str, tuple[Path, Baseline]]:
        """By the column that an SQL expression would fill: the baseline, and what heuristic rungs go by, with where."""
        rungs = self.ladder.rungs if self.ladder else {}
        of_rungs = {
            f"sql__{name}": (("training", "ladder", "rungs", name, "rule"), rung.rule)
            for name, rung in rungs.items()
            if rung.rule is not None
        }
        return {"sql": (("training", "baseline"), self.baseline), **of_rungs}

    @property
    def recipes(self) -> dict[Path, Training | Rung]:
        """Each recipe by where it is written."""
        rungs = self.ladder.rungs if self.ladder else {}
        return {("training",): self, **{("training", "ladder", "rungs", name): rung for name, rung in rungs.items()}}

    def on_rung(self, name: str) -> Training:
        """With the recipe of a rung in the place of its own."""
        assert self.ladder is not None, "a rung is one of a ladder"
        rung, rule = self.ladder.rungs[name], self.ladder.rungs[name].rule
        if rule is not None and rule.sql is not None:
            rule = Baseline(column=f"sql__{name}")  # the rows of features have it so
        changed = {"model": rung.model, "lightgbm": rung.lightgbm, "baseline": rule, "weights": rung.weights or None}
        return self.model_copy(update={key: value for key, value in changed.items() if value is not None})

    def is_simpler(self, rung: str, other: str) -> bool:
        """Whether a rung lies below ``other``, or that is none of the ladder."""
        names = list(self.ladder.rungs) if self.ladder else []
        return rung in names and (other not in names or names.index(rung) < names.index(other))

    def check_rhythm(self, decide: timedelta) -> None:
        """Check that the ladder is judged when decisions are taken, at the most."""
        often = f"is shorter than rhythm.decide ({format_duration(decide)}), when decisions are taken; lengthen it"
        holds = self.ladder is None or self.ladder.every >= decide
        require(holds, ("training", "ladder", "every"), often, ("rhythm", "decide"))
