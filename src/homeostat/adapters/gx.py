"""Great Expectations behind one door: a contract as data in, failing expectations and their rows out."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.adapters.metric_graph import MetricGraph
from homeostat.core.errors import ScopeError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from homeostat.project.scope import Scope

SEVERITIES = ("critical", "warning", "info")
COLUMN_KEYS = ("column", "column_A", "column_B")
COLUMN_LISTS = ("column_list", "column_set")


@dataclass(frozen=True)
class Failure:
    """One expectation that a batch does not meet. ``rows`` are positions in the batch, empty for an aggregate."""

    expectation: str
    severity: str
    reason: str
    rows: tuple[int, ...]
    observed: str


class Contracts:
    """Great Expectations' handles, kept from batch to batch: one context, and each contract read into it once.

    The owner passes it down to whatever checks batches. `check` fails the same expectations and keeps nothing.
    """

    def __init__(self) -> None:
        self._ready: dict[tuple[bytes, str], tuple[Any, MetricGraph | None]] = {}

    @cached_property
    def _context(self) -> tuple[Any, Any]:
        """GX's context, and the definition of a batch in it: a whole frame."""
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        import great_expectations as gx

        context: Any = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("batches").add_dataframe_asset("batch")
        return context, asset.add_batch_definition_whole_dataframe("whole")

    def check(self, rows: pl.DataFrame, contract: bytes, where: str) -> list[Failure]:
        """Check ``rows`` against the contract's text; ``where`` names its file.

        Raises:
            ScopeError: the contract cannot be used, or an expectation of it could not be computed.
        """
        if not rules_of(contract, where):
            return []
        if (contract, where) not in self._ready:
            definition = self.definition(contract, where)
            self._ready[contract, where] = definition, _metric_graph(definition)
        definition, graph = self._ready[contract, where]
        frame = rows.to_pandas()
        return [] if graph is not None and _passes(graph, frame) else _run(definition, frame, where)

    def definition(self, contract: bytes, where: str) -> Any:
        """A contract as a validation of GX's.

        Raises:
            ScopeError: GX cannot read one of its expectations.
        """
        context, data = self._context
        import great_expectations as gx

        name = f"{where}-{len(context.suites.all())}"
        try:
            rules = [{"meta": {}, **rule} for rule in rules_of(contract, where)]
            suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=rules))
        except Exception as error:  # GX raises many kinds for a rule that it cannot read
            line = str(error).strip().split("\n")[0]
            raise ScopeError(f"{where}: an expectation cannot be read: {line}; correct it") from error
        return context.validation_definitions.add(gx.ValidationDefinition(name=name, data=data, suite=suite))


def check(rows: pl.DataFrame, contract: bytes, where: str) -> list[Failure]:
    """Check one batch by GX's own run from end to end; `Contracts.check` gives the same for many at less cost.

    Raises:
        ScopeError: the contract cannot be used, or an expectation of it could not be computed.
    """
    if not rules_of(contract, where):
        return []
    return _run(Contracts().definition(contract, where), rows.to_pandas(), where)


def _metric_graph(definition: Any) -> MetricGraph | None:
    """None where every batch needs GX's own run."""
    try:
        return MetricGraph(definition.suite.expectations)
    except Exception:  # the run works without it, and says what is wrong where something is
        return None


def _passes(graph: MetricGraph, frame: pd.DataFrame) -> bool:
    """Whether the graph alone shows that ``frame`` meets the contract."""
    try:
        return graph.passes(frame)
    except Exception:  # the run tells bad data from an expectation that cannot be computed
        return False


def _run(definition: Any, frame: pd.DataFrame, where: str) -> list[Failure]:
    """The failures of GX's documented run.

    Raises:
        ScopeError: an expectation could not be computed.
    """
    result = definition.run(batch_parameters={"dataframe": frame}, result_format="BOOLEAN_ONLY")
    _read_exceptions(result, where)
    if result.success:
        return []
    # The rows are asked for only now: they cost more than the answer, and most batches have none.
    result = definition.run(batch_parameters={"dataframe": frame}, result_format="COMPLETE")
    _read_exceptions(result, where)
    return [_failure(r) for r in result.results if not r.success]


def _read_exceptions(result: Any, where: str) -> None:
    """GX reports a metric that raised as a failed expectation; that is a bug in the contract, not bad data."""
    for one in result.results:
        info = one.exception_info or {}
        found = [info] if "raised_exception" in info else list(info.values())
        raised = next((i for i in found if i.get("raised_exception")), None)
        if raised is not None:
            message = str(raised.get("exception_message", "")).strip().split("\n")[0]
            raise ScopeError(f"{where}: {_name(one.expectation_config)} could not be computed: {message}; correct it")


def _name(config: Any) -> str:
    return _title({"type": config.type, "kwargs": config.kwargs})


def _title(rule: dict[str, Any]) -> str:
    """A rule's type and the columns it is about."""
    kwargs = rule.get("kwargs", {})
    columns = [kwargs[k] for k in COLUMN_KEYS if k in kwargs] + [c for k in COLUMN_LISTS for c in kwargs.get(k, ())]
    return " ".join([rule["type"].removeprefix("expect_"), *columns])


def _failure(one: Any) -> Failure:
    config, result = one.expectation_config, one.result
    positions = tuple(sorted({int(i) for i in result.get("unexpected_index_list") or ()}))
    seen = result.get("partial_unexpected_list") or [result.get("observed_value")]
    severity = str(getattr(config.severity, "value", config.severity))
    return Failure(_name(config), severity, str(config.meta.get("reason", "")), positions, str(seen[0]))


def rules_of(contract: bytes, where: str) -> list[dict[str, Any]]:
    """The contract's expectations as they are written; none for an empty text.

    Raises:
        ScopeError: it is not the data of a suite.
    """
    if not contract:
        return []
    try:
        rules = json.loads(contract)["expectations"]
    except (ValueError, KeyError, TypeError) as error:
        raise ScopeError(f"{where}: not a contract ({error}); write {{'name': ..., 'expectations': [...]}}") from error
    for number, rule in enumerate(rules, 1):
        if not isinstance(rule, dict) or "type" not in rule or "kwargs" not in rule:
            raise ScopeError(f"{where}: expectation {number} needs type and kwargs; add them")
    return rules


def names_rows(kind: str) -> bool:
    """Whether an expectation of this type is about single rows, so that it can say which ones fail.

    Raises:
        KeyError: there is no such expectation.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations.expectations as known
    from great_expectations.expectations import expectation as kinds

    found = getattr(known, "".join(part.capitalize() for part in kind.split("_")), None)
    if found is None:
        raise KeyError(kind)
    rowwise = (kinds.ColumnMapExpectation, kinds.ColumnPairMapExpectation, kinds.MulticolumnMapExpectation)
    return issubclass(found, rowwise)


def contract_problems(path: Path, scope: Scope) -> None:
    """Refuse a contract that could not be held to: ``path`` is ``expectations/<source>.json``.

    Raises:
        ScopeError: it is no suite, names an unknown expectation or column, gives no severity or reason,
            or warns with an aggregate, which names no rows to hold.
    """
    where = f"{path.parent.name}/{path.name}"
    if path.stem not in scope.sources:
        raise ScopeError(f"{where}: no source is called {path.stem}; rename the file or remove it")
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise ScopeError(f"{where}: no such contract; write one") from error
    for rule in rules_of(text, where):
        _refuse(rule, where, list(scope.sources[path.stem].columns))
    Contracts().definition(text, where)


def _refuse(rule: dict[str, Any], where: str, columns: list[str]) -> None:
    title = _title(rule)
    kwargs = rule["kwargs"]
    named = [kwargs[k] for k in COLUMN_KEYS if k in kwargs] + [c for k in COLUMN_LISTS for c in kwargs.get(k, ())]
    try:
        rowwise = names_rows(rule["type"])
    except KeyError:
        raise ScopeError(f"{where}: {title}: Great Expectations has no such expectation; correct its type") from None
    for column in named:
        if column not in columns:
            raise ScopeError(f"{where}: {title}: the source has no column {column!r}; correct it")
    if rule.get("severity") not in SEVERITIES:
        raise ScopeError(f"{where}: {title}: severity must be one of {', '.join(SEVERITIES)}; add it")
    if not rule.get("meta", {}).get("reason"):
        raise ScopeError(f"{where}: {title}: meta.reason is missing; say in a sentence why the data must be so")
    if rule["severity"] == "warning" and not rowwise:
        raise ScopeError(f"{where}: {title}: a warning on an aggregate names no rows; make it critical or info")
