"""The scope of a project: ``params.yaml`` read into frozen, strict types."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from homeostat.core.errors import ScopeError
from homeostat.project.learning_scope import Learn
from homeostat.project.objective_scope import Costs, Evaluation, Features, Objective, Windows
from homeostat.project.operation_scope import (
    Alarms,
    Alerts,
    Approval,
    Business,
    Clock,
    Device,
    Monitoring,
    Release,
    Remote,
    Rhythm,
    Rollout,
)
from homeostat.project.part import Part
from homeostat.project.questions import Answer, Question
from homeostat.project.scale_scope import Scale
from homeostat.project.scope_checks import check
from homeostat.project.source_scope import Events, Source
from homeostat.project.training_scope import Training
from homeostat.project.typed_yaml import parse_yaml
from homeostat.project.value_types import Count, Name, Text, Whole


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
        check(self)
        return self

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
