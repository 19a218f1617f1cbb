"""A bad release: the champion with its models' scores turned around, sealed, registered and put in service.

It passes its rehearsal, as a model trained on a column with the wrong sign would: it answers what it was sealed to
answer. Only outcomes, or scores that move away from the reference, tell that it is bad.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.adapters import git
from homeostat.core.authorship import Authorship
from homeostat.core.errors import UsageError
from homeostat.models import Model
from homeostat.models.combined import Combined
from homeostat.models.heuristic import Given, Rates
from homeostat.models.lightgbm import Trees
from homeostat.models.linear import Linear, Number
from homeostat.models.online import Online, weighted
from homeostat.releases.registry import Registry

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger
    from homeostat.project.layout import Project
    from homeostat.training.bundle import Bundle


def inject(project: Project, who: str, now: datetime) -> str:
    """Release the champion with its scores turned around, once; a sentence where it was, else nothing.

    Raises:
        UsageError: the champion's score is a column of the table, which no model file can turn around.
    """
    return release_changed(project, who, now, turn_models_around, "with its scores turned around")


def release_changed(project: Project, who: str, now: datetime, change: Callable[[Path], None], how: str) -> str:
    """Release a changed copy of the champion, once; a sentence where it was, else nothing.

    ``change`` gets the unsealed copy's folder, ``how`` says what it did. Before the first release there is nothing to
    change: it waits.
    """
    registry = Registry.open(project)
    champion = registry.ledger.champion
    if champion is None or any(event.who == who for event in registry.ledger.events):
        return ""
    bundle = reseal(project, registry.load(champion.version), change, fault=who)
    why = f"{champion.version} {how}"
    event = registry.release(git.head(project.worktree.root), bundle, Authorship(who, why, now)).event
    return f"{event.version} is put in service: {why}"


def outcome(ledger: Ledger, who: str) -> str:
    """How long the bad release served, and what ended that."""
    terms = ledger.terms
    place = next((n for n, event in enumerate(terms) if event.who == who), None)
    if place is None:
        return "nothing was in service to make a bad release from"
    bad = terms[place]
    since = f"{bad.version} ({bad.why}) served from {bad.at:%Y-%m-%d %H:%M}"
    if place + 1 == len(terms):
        return f"{since} and still does: the loop did not roll it back in this time"
    end = terms[place + 1]
    did = "rolled it back to" if end.action == "rollback" else "replaced it by"
    return f"{since} to {end.at:%Y-%m-%d %H:%M}, when {end.who} {did} {end.version}"


def reseal(project: Project, bundle: Bundle, change: Callable[[Path], None], **inputs: str) -> str:
    """Seal a changed copy of a bundle, with the answers that the changed one gives; its hash.

    ``change`` gets the copy's folder; ``inputs`` are added to what the manifest says it was made from.
    """
    import polars as pl

    from homeostat.adapters.parquet import write_table
    from homeostat.training import bundle as bundles
    from homeostat.training import golden

    folder = project.releases / ".changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bundle.folder, folder)
    change(folder)
    unsealed = bundles.Bundle(folder, "", {})
    requests = unsealed.golden.select(pl.exclude("^(score|baseline)__.*$", "risk", "alert"))
    write_table(golden.answered(unsealed, requests), folder / "golden.parquet")
    made = bundles.seal(folder, bundle.manifest["project"], bundle.manifest["inputs"] | inputs)
    shutil.rmtree(project.releases / made, ignore_errors=True)
    folder.rename(project.releases / made)
    return made


def turn_models_around(folder: Path) -> None:
    """Write each model in an unsealed bundle's folder again, with its scores turned around."""
    from homeostat import models

    for path in sorted((folder / "models").iterdir()):
        turned_around(models.load(path)).save(path)


@singledispatch
def turned_around(model: Model) -> Model:
    """The model that ranks the other way round: 1 - p for a probability, the opposite sign for any other score.

    Raises:
        UsageError: its score is a column of the table.
    """
    raise TypeError(f"no way to turn a model of kind {model.kind} around")


@turned_around.register
def _(model: Rates) -> Rates:
    def turn(rate: float) -> float:
        return 1 - rate if model.task == "binary" else -rate

    return replace(model, overall=turn(model.overall), rates={key: turn(rate) for key, rate in model.rates.items()})


@turned_around.register
def _(model: Given) -> Given:
    raise UsageError(
        f"bad-release: the champion's score is the column {model.column}, which no model file can turn around; "
        "choose a time at which a trained model is in service"
    )


@turned_around.register
def _(model: Online) -> Online:
    return weighted(replace(model, weights=tuple(-weight for weight in model.weights), level=-model.level))


@turned_around.register
def _(model: Linear) -> Linear:
    terms = tuple(
        replace(term, weight=-term.weight, missing=-term.missing)
        if isinstance(term, Number)
        else tuple(-weight for weight in term)
        for term in model.terms
    )
    return replace(model, intercept=-model.intercept, terms=terms)


@turned_around.register
def _(model: Combined) -> Combined:
    return replace(model, trees=_turned(model.trees))


@turned_around.register
def _turned(model: Trees) -> Trees:
    from homeostat.models.lightgbm import library

    booster = library().Booster(model_str=model.text)
    for tree, leaves in enumerate(t["num_leaves"] for t in booster.dump_model()["tree_info"]):
        for leaf in range(leaves):
            booster.set_leaf_output(tree, leaf, -booster.get_leaf_output(tree, leaf))
    return replace(model, text=booster.model_to_string(), booster=booster)
