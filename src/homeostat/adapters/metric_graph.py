"""The metric graph of a Great Expectations suite, built once and resolved for batch after batch.

Each run of GX works out which metrics the expectations need and how these depend on each other; for a batch of a few
thousand rows that costs more than the metrics themselves. Here GX does it once, without any data. This uses parts of GX
below its documented interface, so the graph decides only that a batch passes; everything else is left to GX's own run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

BOOLEAN_ONLY = {"result_format": "BOOLEAN_ONLY"}  # whether each expectation is met, without examples
PARAMETER = "$PARAMETER"  # GX replaces it when it runs, by a value that may depend on the clock


class MetricGraph:
    """The metrics that the expectations of one suite need, and the metrics which these in turn need."""

    def __init__(self, expectations: Sequence[Any]) -> None:
        """Ask each of GX's ``expectations`` for its metrics.

        Raises:
            Exception: an expectation looks at the data, of which there is none yet, to say which metrics it needs,
                or GX is not the version that this was written for.
        """
        from great_expectations.execution_engine import PandasExecutionEngine
        from great_expectations.validator.validation_graph import ValidationGraph

        engine = PandasExecutionEngine()
        graph = ValidationGraph(execution_engine=engine)
        self._needs: list[tuple[Any, Any]] = []
        for expectation in expectations:
            if PARAMETER in str(expectation.configuration.kwargs):
                raise ValueError(f"{PARAMETER} has its value only in a run")
            needs = expectation.get_validation_dependencies(
                execution_engine=engine, runtime_configuration=dict(BOOLEAN_ONLY)
            )
            self._needs.append((expectation, needs))
            for metric in needs.get_metric_configurations():
                graph.build_metric_dependency_graph(
                    metric_configuration=metric, runtime_configuration=dict(BOOLEAN_ONLY)
                )
        self._edges = graph.edges

    def passes(self, frame: pd.DataFrame) -> bool:
        """Whether every expectation is met by ``frame``; False also where a metric could not be computed.

        Raises:
            Exception: whatever an expectation raises on metrics that it cannot judge.
        """
        from great_expectations.execution_engine import PandasExecutionEngine
        from great_expectations.validator.validation_graph import ValidationGraph

        engine = PandasExecutionEngine()  # a new one: it keeps the metrics that it has computed
        engine.load_batch_data(batch_id="batch", batch_data=frame)
        graph = ValidationGraph(execution_engine=engine, edges=self._edges)
        metrics, aborted = graph.resolve(runtime_configuration=dict(BOOLEAN_ONLY), show_progress_bars=False)
        return not aborted and all(
            expectation._validate(
                metrics={name: metrics[metric.id] for name, metric in needs.metric_configurations.items()},
                runtime_configuration={"result_format": needs.result_format},
                execution_engine=engine,
            )["success"]
            for expectation, needs in self._needs
        )
