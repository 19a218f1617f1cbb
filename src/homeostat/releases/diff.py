"""Two releases side by side: what each promised, with intervals, and how training, features and scope differ.

Each promise is over the release's own holdout, so intervals that overlap say nothing; judged on the same rows they are
by the loop, whose decisions cite it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from homeostat.core.text import metric_name, metric_value
from homeostat.training.bundle import carried_objectives

if TYPE_CHECKING:
    from homeostat.training.bundle import Bundle

Measured = Mapping[str, Any]


def lines(one: Bundle, other: Bundle, names: tuple[str, str]) -> Iterator[str]:
    """The comparison, for a person; ``names`` are the versions."""
    first, second = names
    for name in dict.fromkeys([*one.scope.objectives, *other.scope.objectives]):
        trials = [bundle.evaluation["objectives"].get(name) for bundle in (one, other)]
        if None in trials:
            yield f"{name}: of {first if trials[0] else second} alone"
            continue
        yield f"{name}:"
        yield from _trained(one, other, name, names)
        yield from _measures(trials[0]["candidate"], trials[1]["candidate"])
        yield from _listed(one.recipe.objectives[name].features, other.recipe.objectives[name].features, names)
    yield from _differing("features.sql", one.sql, other.sql, names)
    yield from _differing("scope", _scope(one), _scope(other), names)
    for contract in sorted(one.contracts.keys() | other.contracts.keys()):
        if one.contracts.get(contract) != other.contracts.get(contract):
            yield f"contract {contract}: differs"


def _trained(one: Bundle, other: Bundle, name: str, names: tuple[str, str]) -> Iterator[str]:
    for version, bundle in zip(names, (one, other), strict=True):
        training = bundle.training["objectives"][name]
        kind = f"{training['kind']} (rung {bundle.rung})" if bundle.rung else training["kind"]
        since = carried_objectives(bundle.training).get(name)
        carried = f", made as of {since} and carried over" if since else ""
        yield f"  {version}  {kind} on {training['rows']:,} events, {training['from']} to {training['to']}{carried}"


def _measures(one: Measured, other: Measured) -> Iterator[str]:
    theirs = [trial["overall"]["metrics"] for trial in (one, other)]
    for metric in dict.fromkeys([*theirs[0], *theirs[1]]):
        values = [metric_value(measures[metric]) if metric in measures else "not measured" for measures in theirs]
        yield f"  {metric_name(metric):18} {values[0]:26} {values[1]}{_verdict(metric, theirs)}"
    loss = one["loss"]
    for column in one["slices"].keys() & other["slices"].keys():
        pairs = [trial["slices"][column] for trial in (one, other)]
        for value in sorted(pairs[0].keys() & pairs[1].keys()):
            measured = [pair[value]["metrics"] for pair in pairs]
            if loss in measured[0] and loss in measured[1] and (verdict := _verdict(loss, measured)):
                values = [metric_value(measures[loss]) for measures in measured]
                yield f"  {metric_name(loss)} of {column} {value}: {values[0]}, {values[1]}{verdict}"


def _verdict(metric: str, measured: list[Measured]) -> str:
    """A mark where the intervals do not overlap."""
    if any(metric not in measures or measures[metric]["low"] is None for measures in measured):
        return ""
    one, other = (measures[metric] for measures in measured)
    return "" if one["low"] <= other["high"] and other["low"] <= one["high"] else "  <- significant"


def _listed(one: tuple[str, ...], other: tuple[str, ...], names: tuple[str, str]) -> Iterator[str]:
    for version, ours, theirs in ((names[0], one, other), (names[1], other, one)):
        if alone := [name for name in ours if name not in theirs]:
            yield f"  features of {version} alone: {', '.join(alone)}"


def _differing(what: str, one: str, other: str, names: tuple[str, str]) -> Iterator[str]:
    if one == other:
        yield f"{what}: the same"
        return
    yield f"{what}:"
    for line in list(difflib.unified_diff(one.splitlines(), other.splitlines(), *names, lineterm="", n=0))[2:]:
        if not line.startswith("@@"):
            yield f"  {line}"


def _scope(bundle: Bundle) -> str:
    return (bundle.folder / "params.yaml").read_text()
