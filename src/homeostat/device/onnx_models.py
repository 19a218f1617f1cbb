"""Models as ONNX in double precision: raw scores equal those of the release to the last bit.

Trees become one ``TreeEnsemble`` of ai.onnx.ml 5, a linear model a chain of sums in the order of its terms. The usual
converters go through float32, and every twentieth row comes out otherwise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from homeostat.core.errors import UsageError
from homeostat.device.flat_trees import FlatTree, flat_trees
from homeostat.models.encoding import Feature
from homeostat.models.lightgbm import Trees
from homeostat.models.linear import FAR, Linear, Number

if TYPE_CHECKING:
    from homeostat.models import Model

AT_MOST, ONE_OF = 0, 6  # BRANCH_LEQ and BRANCH_MEMBER of TreeEnsemble
ROWS, RAW = "rows", "raw"  # names of the graph's input, (n, p) codes as ``encoding.matrix`` has them, and output (n, 1)
OPSETS = (("", 21), ("ai.onnx.ml", 5))


def as_onnx(model: Model, name: str) -> bytes:
    """A model's raw score: of trees and of a linear model the number before any sigmoid.

    Raises:
        UsageError: it is of a kind that is no model of features, such as a table of rates.
    """
    import onnx
    from onnx import TensorProto, helper

    constants: list[Any] = []
    match runnable(model, name):
        case Trees() as trees:
            nodes = [_ensemble(list(flat_trees(trees)))]
        case Linear() as linear:
            nodes, constants = _chain(linear)
    width = len(model.features)
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(ROWS, TensorProto.DOUBLE, [None, width])],
        [helper.make_tensor_value_info(RAW, TensorProto.DOUBLE, [None, 1])],
        constants,
    )  # fmt: skip
    opsets = [helper.make_opsetid(*of_tool) for of_tool in OPSETS]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="homeostat")
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString(deterministic=True))


def runnable(model: Model, name: str) -> Trees | Linear:
    """The model of objective ``name``, of a kind that a device runs.

    Raises:
        UsageError: it is none.
    """
    if isinstance(model, Trees | Linear):
        return model
    fix = "promote a learned release, or set training.model to lightgbm or linear"
    raise UsageError(f"objective {name}: its model is a {model.kind}, which a device cannot run; {fix}")


# ---- trees


def _ensemble(trees: list[FlatTree]) -> Any:
    from onnx import TensorProto, helper

    def tensor(name: str, kind: int, values: list[Any]) -> Any:
        return helper.make_tensor(name, kind, [len(values)], values)

    body = _Ensemble(trees)
    members = {"membership_values": tensor("members", TensorProto.DOUBLE, body.members)} if body.members else {}
    return helper.make_node(
        "TreeEnsemble", [ROWS], [RAW], domain="ai.onnx.ml", n_targets=1, aggregate_function=1, post_transform=0,
        tree_roots=body.roots,
        nodes_featureids=body.feature,
        nodes_modes=tensor("modes", TensorProto.UINT8, body.modes),
        nodes_splits=tensor("splits", TensorProto.DOUBLE, body.splits),
        nodes_missing_value_tracks_true=body.missing_yes,
        nodes_truenodeids=[place for place, _ in body.yes],
        nodes_trueleafs=[int(leaf) for _, leaf in body.yes],
        nodes_falsenodeids=[place for place, _ in body.no],
        nodes_falseleafs=[int(leaf) for _, leaf in body.no],
        leaf_targetids=[0] * len(body.weights),
        leaf_weights=tensor("weights", TensorProto.DOUBLE, body.weights),
        **members,
    )  # fmt: skip


class _Ensemble:
    """The arrays of all trees behind one another; a place is in all of them."""

    def __init__(self, trees: list[FlatTree]) -> None:
        self.roots: list[int] = []
        self.feature: list[int] = []
        self.modes: list[int] = []
        self.splits: list[float] = []
        self.missing_yes: list[int] = []
        self.yes: list[tuple[int, bool]] = []  # a place, and whether it is a leaf's
        self.no: list[tuple[int, bool]] = []
        self.members: list[float] = []  # the categories of each node that looks for them, and a NaN behind each
        self.weights: list[float] = []
        for tree in trees:
            self._add(tree if tree.feature else _with_node(tree))

    def _add(self, tree: FlatTree) -> None:
        nodes, leaves = len(self.feature), len(self.weights)

        def place(at: int) -> tuple[int, bool]:
            return (leaves - at - 1, True) if at < 0 else (nodes + at, False)

        self.roots.append(nodes)
        self.feature += tree.feature
        self.modes += [AT_MOST if codes is None else ONE_OF for codes in tree.categories]
        self.splits += tree.threshold
        self.missing_yes += [int(yes) for yes in tree.missing_yes]
        self.yes += [place(at) for at in tree.yes]
        self.no += [place(at) for at in tree.no]
        for codes in tree.categories:
            self.members += [] if codes is None else [*map(float, codes), math.nan]
        self.weights += tree.leaf


def _with_node(tree: FlatTree) -> FlatTree:
    """A tree of one leaf under a node that leads there either way: an ensemble's root has to be a node."""
    return FlatTree([0], [0.0], [None], [False], [-1], [-2], tree.leaf * 2)


# ---- linear models


def _chain(model: Linear) -> tuple[list[Any], list[Any]]:
    """The nodes of intercept + first term + second term + ..., and the numbers they need."""
    from onnx import helper, numpy_helper

    chain = _Chain()
    total = chain.number(model.intercept)
    for place, (feature, term) in enumerate(zip(model.encoded, model.terms, strict=True)):
        values = chain.node("Gather", ROWS, chain.number(place, np.int64), axis=1)
        total = chain.node("Add", total, _term(chain, feature, term, values))
    chain.node("Unsqueeze", total, chain.number([1], np.int64), to=RAW)
    made = [helper.make_node(kind, list(given), [to], **settings) for kind, given, to, settings in chain.nodes]
    return made, [numpy_helper.from_array(value, name) for name, value in chain.numbers.items()]


def _term(chain: _Chain, feature: Feature, term: Number | tuple[float, ...], values: str) -> str:
    absent = chain.node("IsNaN", values)
    if isinstance(term, Number):
        filled = chain.node("Where", absent, chain.number(term.median), values)
        centred = chain.node("Sub", filled, chain.number(term.mean))
        scaled = chain.node("Div", centred, chain.number(term.scale))
        standard = chain.node("Clip", scaled, chain.number(-FAR), chain.number(FAR))
        present = chain.node("Mul", chain.number(term.weight), standard)
        flag = chain.node("Where", absent, chain.number(term.missing), chain.number(0.0))
        return chain.node("Add", present, flag)
    code = chain.node("Where", absent, chain.number(float(len(term))), values)
    return chain.node("Gather", chain.number([*term, 0.0]), chain.node("Cast", code, to_type=7))


class _Chain:
    """Nodes of a graph in their order; each gives one value, which has a name."""

    def __init__(self) -> None:
        self.nodes: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = []
        self.numbers: dict[str, np.ndarray] = {}

    def node(self, kind: str, *given: str, to: str = "", to_type: int | None = None, **settings: Any) -> str:
        name = to or f"value_{len(self.nodes)}"
        self.nodes.append((kind, given, name, settings | ({} if to_type is None else {"to": to_type})))
        return name

    def number(self, value: Any, kind: Any = np.float64) -> str:
        name = f"number_{len(self.numbers)}"
        self.numbers[name] = np.asarray(value, dtype=kind)
        return name
