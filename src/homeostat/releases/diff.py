"""Two releases side by side: what each promised, with intervals, and how training, features and scope differ.

Each promise is over the release's own holdout, so intervals that overlap say nothing; judged on the same rows they are
by the loop, whose decisions cite it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from homeostat.core.text import metric_name, metric_value

if TYPE_CHECKING:
    from homeostat.training.bundle import Bundle

Measured = Mapping[str, Any]


def lines(one: Bundle, other: Bundle, names: tuple[str, str]) -> Iterator[str]:
    """The comparison, for a person; ``names`` are the versions."""
    first, second = names
    for name in dict.fromkeys([*one.scope.objectives, *other.scope.objectives]):
        found = [bundle.evaluation["objectives"].get(name) for bundle in (one, other)]
        if None in found:
            yield f"{name}: of {first if found[0] else second} alone"
            continue
        yield f"{name}:"
        yield from _trained(one, other, name, names)
        yield from _measures(found[0]["candidate"], found[1]["candidate"])
        yield from _listed(one.scope.objectives[name].features, other.scope.objectives[name].features, names)
    yield from _differing("features.sql", one.sql, other.sql, names)
    yield from _differing("scope", _scope(one), _scope(other), names)
    for contract in sorted(one.contracts.keys() | other.contracts.keys()):
        if one.contracts.get(contract) != other.contracts.get(contract):
            yield f"contract {contract}: differs"


def _trained(one: Bundle, other: Bundle, name: str, names: tuple[str, str]) -> Iterator[str]:
    for version, bundle in zip(names, (one, other), strict=True):
        told = bundle.training["objectives"][name]
        yield f"  {version}  {told['kind']} on {told['rows']:,} events, {told['from']} to {told['to']}"


def _measures(one: Measured, other: Measured) -> Iterator[str]:
    theirs = [trial["overall"]["metrics"] for trial in (one, other)]
    for metric in dict.fromkeys([*theirs[0], *theirs[1]]):
        told = [metric_value(found[metric]) if metric in found else "not measured" for found in theirs]
        yield f"  {metric_name(metric):18} {told[0]:26} {told[1]}{_verdict(metric, theirs)}"
    loss = one["loss"]
    for column in one["slices"].keys() & other["slices"].keys():
        pairs = [trial["slices"][column] for trial in (one, other)]
        for value in sorted(pairs[0].keys() & pairs[1].keys()):
            found = [pair[value]["metrics"] for pair in pairs]
            if loss in found[0] and loss in found[1] and (said := _verdict(loss, found)):
                told = [metric_value(f[loss]) for f in found]
                yield f"  {metric_name(loss)} of {column} {value}: {told[0]}, {told[1]}{said}"


def _verdict(metric: str, found: list[Measured]) -> str:
    """A word where chance does not explain the difference."""
    if any(metric not in f or f[metric]["low"] is None for f in found):
        return ""
    one, other = (f[metric] for f in found)
    return "" if one["low"] <= other["high"] and other["low"] <= one["high"] else "  <- beyond chance"


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
