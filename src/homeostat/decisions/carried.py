"""Which objectives a scheduled candidate takes over from the release in service: those that are not due yet."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from homeostat.adapters import dvc
from homeostat.core.findings import Due, Finding
from homeostat.decisions.history import last_fit
from homeostat.decisions.pairing import RECIPE
from homeostat.decisions.session import Session
from homeostat.features.sql import read_features_sql

if TYPE_CHECKING:
    from homeostat.project.scope import Scope
    from homeostat.training.bundle import Bundle

log = logging.getLogger("homeostat.carried")


def not_due(session: Session, now: datetime, due: Due | None, signs: Sequence[Finding]) -> tuple[str, ...]:
    """The objectives that a candidate leaves as they are: it is made by schedule, which is others', and nothing is
    wrong with them that a fresh fit might change.
    """
    if due is None or not due.objectives:
        return ()
    scope, failing = session.tree.scope, {finding.subject for finding in signs}
    rested = now - scope.monitoring.cool_down

    def fails(name: str) -> bool:
        last = last_fit(session.decisions, name)
        return name in failing and (last is None or last <= rested)

    return tuple(name for name in scope.objectives if name not in due.objectives and not fails(name))


def carried_over(session: Session, names: Collection[str], rung: str) -> dict[str, str]:
    """By objective of ``names`` the candidate that has its models, by content as DVC names it: the champion's.

    One whose recipe, window or features.sql changed, or that was recalibrated, is fitted afresh.
    """
    serving = session.registry.load_champion() if names else None
    if serving is None or serving.bundle.rung != rung:
        return {}
    bundle, scope = serving.bundle, session.tree.scope.on_rung(rung)
    if scope.training.model == "combined":  # one model, of all objectives
        return {}
    if bundle.sql != read_features_sql(session.tree) or _common(bundle.recipe) != _common(scope):
        return {}
    same = [name for name in names if _is_made_alike(bundle, scope, name)]
    if not same:
        return {}
    candidate = session.tree.candidate.relative_to(session.tree.root).as_posix()
    content = dvc.content_of(session.project.home, serving.event.commit, candidate)
    if not content:
        lacks = "the DVC cache lacks %s of %s (dvc fetch --all-commits brings it): all objectives are fitted afresh"
        log.warning(lacks, candidate, serving.event.version)
        return {}
    return dict.fromkeys(same, content)


def _is_made_alike(bundle: Bundle, scope: Scope, name: str) -> bool:
    """Whether the release has a model of the objective that follows from what the scope says now."""
    before = bundle.recipe
    if name not in before.objectives or name in bundle.calibrators:
        return False
    ours, theirs = (of.objectives[name].model_dump(include=RECIPE) for of in (scope, before))
    kind = bundle.training["objectives"][name]["kind"]
    windows = (scope.train_window(name), before.train_window(name))
    return ours == theirs and kind == scope.training.model and windows[0] == windows[1]


def _common(scope: Scope) -> str:
    """What the models of every objective follow from."""
    parts: dict[str, Any] = {
        "sources": {name: source.meaning() for name, source in scope.sources.items()},
        "events": scope.events.model_dump(mode="json"),
        "training": scope.training.model_dump(mode="json", exclude={"calibrate", "ladder"}),
        "others": [scope.seed, str(scope.windows.holdout), str(scope.features.history), str(scope.rhythm.offset)],
    }
    return json.dumps(parts, sort_keys=True)
