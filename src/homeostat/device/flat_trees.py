"""LightGBM's trees as flat arrays, by which any language can walk them.

At a node, a row goes to ``yes`` where its value is at most the threshold, or is one of the categories; a missing value
goes where ``missing_yes`` says. A negative place is a leaf: -1 is leaf 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from homeostat.models.lightgbm import Trees


@dataclass
class FlatTree:
    """The nodes of one tree, the root first, and its leaves; a tree of one leaf has no node."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)  # of a node that compares numbers; else 0
    categories: list[tuple[int, ...] | None] = field(default_factory=list)  # of a node that looks for codes; else None
    missing_yes: list[bool] = field(default_factory=list)
    yes: list[int] = field(default_factory=list)
    no: list[int] = field(default_factory=list)
    leaf: list[float] = field(default_factory=list)


def flat_trees(trees: Trees) -> Iterator[FlatTree]:
    """Each tree of a model in the order in which LightGBM adds them up."""
    for tree in trees.booster.dump_model()["tree_info"]:
        flat = FlatTree()
        _add(flat, tree["tree_structure"])
        yield flat


def _add(flat: FlatTree, node: dict[str, Any]) -> int:
    """The place of ``node``, which is added with all below it."""
    if "leaf_value" in node:
        flat.leaf.append(float(node["leaf_value"]))
        return -len(flat.leaf)
    place = len(flat.feature)
    looked_for = node["decision_type"] == "=="
    flat.feature.append(int(node["split_feature"]))
    flat.categories.append(tuple(int(c) for c in node["threshold"].split("||")) if looked_for else None)
    flat.threshold.append(0.0 if looked_for else float(node["threshold"]))
    flat.missing_yes.append(not looked_for and _missing_yes(node))
    flat.yes.append(0)
    flat.no.append(0)
    flat.yes[place] = _add(flat, node["left_child"])
    flat.no[place] = _add(flat, node["right_child"])
    return place


def _missing_yes(node: dict[str, Any]) -> bool:
    """LightGBM sends a missing number to its default side, or treats it as 0 where training saw none missing."""
    return bool(node["default_left"]) if node["missing_type"] == "NaN" else float(node["threshold"]) >= 0
