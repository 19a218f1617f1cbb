"""Evidently behind one door: two tables in, a small record of how far each column has moved out.

Only columns that it can compare reach it: a column that is gone or wholly missing stops its report, and it does not
see values going missing, so both are recorded here and judged by ``core/drift.py``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.adapters.telemetry import quiet_environment
from homeostat.core.drift import chance_score, column_limit
from homeostat.project.whole_files import beside

if TYPE_CHECKING:
    import pandas as pd

ROWS = 30_000  # of the current table: more cost time and change no verdict
STOCK_ROWS = 3_000  # of either table, for the defaults
FOR_CATEGORIES = {"ks": "chisquare", "wasserstein": "jensenshannon"}  # methods that are for numbers only
FEW_VALUES = 20  # Evidently bins a column of numbers with more distinct values than this
NOTHING: Mapping[str, Sequence[float]] = MappingProxyType({})
FOUND = 6  # decimals kept: the order of categories, which differs between processes, shows in later ones


def drift_record(
    current: pl.DataFrame, reference: pl.DataFrame, method: str, limit: float,
    usual: Mapping[str, Sequence[float]] = NOTHING,
) -> dict[str, Any]:  # fmt: skip
    """How far each column of ``current`` lies from ``reference``, for JSON.

    ``{"method", "rows": {"current", "reference"}, "columns": {name: {"state", "method", "score", "chance", "limit",
    "usual", "missing": [current, reference]}}}``. ``usual`` are scores of windows of the reference, which widen the
    limit of a column (``core.drift.column_limit``). ``state`` is ``compared``, ``gone`` (not among the current
    columns), ``empty`` (no current value), ``new`` (not in the reference) or ``was empty``; ``score`` is None but for
    the first. ``chance`` is the score to expect of unchanged data of this size. Strings and booleans are categories,
    numbers, integers too, are numbers; columns of other types are not looked at.
    """
    now, then = _finite(_thinned(current, ROWS)), _finite(reference)
    names = sorted({*now.columns, *then.columns})
    states = {name: _state(name, now, then) for name in names}
    methods = {name: _method(name, now, then, method) for name in names if states[name] == "compared"}
    scores = _scores(now, then, methods)
    columns = {
        name: {
            "state": states[name],
            "method": methods.get(name),
            "score": scores.get(name),
            "chance": _chance(now, then, name, methods[name]) if name in methods else None,
            "limit": column_limit(methods.get(name, method), limit, usual.get(name, ())),
            "usual": list(usual.get(name, ())),
            "missing": [_missing(now, name), _missing(then, name)],
        }
        for name in names
    }
    return {"method": method, "rows": {"current": len(current), "reference": len(reference)}, "columns": columns}


def usual_scores(windows: Sequence[tuple[pl.DataFrame, pl.DataFrame]], method: str) -> dict[str, list[float]]:
    """How far each column of a window lies from the rows before it, for each pair of (window, rows before)."""
    scores: dict[str, list[float]] = {}
    for window, before in windows:
        now, then = _finite(window), _finite(before)
        names = [name for name in sorted(now.columns) if _state(name, now, then) == "compared"]
        for name, score in _scores(now, then, {name: _method(name, now, then, method) for name in names}).items():
            scores.setdefault(name, []).append(score)
    return scores


def stock_drift(current: pl.DataFrame, reference: pl.DataFrame) -> float:
    """The share of columns that drifted by Evidently's defaults: its tests and thresholds, by kind and number of rows.
    """
    _import_tests_alone()
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    now, then = (_finite(_thinned(table, STOCK_ROWS)) for table in (current, reference))
    names = [name for name in sorted(now.columns) if _state(name, now, then) == "compared"]
    drifted = 0
    for name in names:
        category = _categories(name, now, then)
        kind = ColumnType.Categorical if category else ColumnType.Numerical
        here, there = (_series(table[name].drop_nulls(), category) for table in (now, then))
        drifted += bool(get_stattest(there, here, kind, None)(there, here, kind, None).drifted)
    return drifted / len(names) if names else 0.0


def render_page(current: pl.DataFrame, reference: pl.DataFrame, path: Path, method: str, limit: float) -> Path:
    """Write Evidently's page (some MB, self-contained) on the columns that both tables have values of."""
    now, then = _finite(_thinned(current, ROWS)), _finite(reference)
    names = [c for c in sorted(now.columns) if _state(c, now, then) == "compared"]
    report = _report(now, then, {name: _method(name, now, then, method) for name in names}, limit)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = beside(path)
    report.save_html(str(fresh))
    fresh.replace(path)
    return path


def add_to_workspace(
    current: pl.DataFrame, reference: pl.DataFrame, folder: Path, project: str, name: str, at: datetime, method: str,
    limit: float,
) -> None:  # fmt: skip
    """Add the report on two tables, under its name and time, to the workspace of ``evidently ui``; once.

    A project that the workspace does not have yet gets a panel with a line for each column.
    """
    now, then = _finite(_thinned(current, ROWS)), _finite(reference)
    methods = {c: _method(c, now, then, method) for c in sorted(now.columns) if _state(c, now, then) == "compared"}
    quiet_environment()
    from evidently.sdk.models import PanelMetric
    from evidently.sdk.panels import line_plot_panel
    from evidently.ui.workspace import Workspace

    workspace = Workspace.create(str(folder))
    projects = [p for p in workspace.list_projects() if p.name == project]
    chosen = projects[0] if projects else workspace.create_project(project)
    if not projects:
        lines = [PanelMetric(legend=c, metric="ValueDrift", metric_labels={"column": c}) for c in methods]
        chosen.dashboard.add_panel(line_plot_panel("Drift of each column", values=lines))
    runs = (workspace.get_run(chosen.id, run) for run in workspace.list_runs(chosen.id))
    if name not in {run.name for run in runs if run is not None}:
        workspace.add_run(chosen.id, _report(now, then, methods, limit, at), name=name)


def _thinned(table: pl.DataFrame, rows: int) -> pl.DataFrame:
    """At most ``rows`` rows, evenly over the table's own order."""
    if len(table) <= rows:
        return table
    return table[[i * len(table) // rows for i in range(rows)]]


def _finite(table: pl.DataFrame) -> pl.DataFrame:
    """Numbers and categories only; what is not a finite number is missing."""
    chosen = []
    for name, kind in table.schema.items():
        if kind.is_float():
            chosen.append(pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name))
        elif kind.is_numeric():
            chosen.append(pl.col(name))
        elif kind == pl.Boolean or kind == pl.String or isinstance(kind, pl.Categorical | pl.Enum):
            chosen.append(pl.col(name).cast(pl.String))
        elif kind == pl.Null:
            chosen.append(pl.col(name).cast(pl.Float64))
    return table.select(chosen)


def _state(name: str, now: pl.DataFrame, then: pl.DataFrame) -> str:
    if name not in now.columns:
        return "gone"
    if name not in then.columns:
        return "new"
    if then[name].null_count() == len(then):
        return "was empty"
    return "empty" if now[name].null_count() == len(now) else "compared"


def _missing(table: pl.DataFrame, name: str) -> float:
    """The share of missing values; all of them where there is no such column."""
    if name not in table.columns or not len(table):
        return 1.0
    return round(table[name].null_count() / len(table), FOUND)


def _categories(name: str, now: pl.DataFrame, then: pl.DataFrame) -> bool:
    return pl.String in (now.schema[name], then.schema[name])


def _method(name: str, now: pl.DataFrame, then: pl.DataFrame, method: str) -> str:
    return FOR_CATEGORIES.get(method, method) if _categories(name, now, then) else method


def _chance(now: pl.DataFrame, then: pl.DataFrame, name: str, method: str) -> float | None:
    """As ``core.drift.chance_score``, with the bins that Evidently makes of the column."""
    sizes = now[name].count(), then[name].count()
    if _categories(name, now, then) or then[name].n_unique() - (then[name].null_count() > 0) <= FEW_VALUES:
        bins = pl.concat([s.cast(pl.String).drop_nulls() for s in (now[name], then[name])]).n_unique()
    else:
        bins = math.ceil(math.log2(sum(sizes)) + 1)
    score = chance_score(method, bins, *sizes)
    return None if score is None else round(score, FOUND)


def _scores(now: pl.DataFrame, then: pl.DataFrame, methods: dict[str, str]) -> dict[str, float]:
    """The scores that Evidently's report shows, by its own code, without the drawing, nine tenths of its time."""
    _import_tests_alone()
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    scores = {}
    for name, method in methods.items():
        category = _categories(name, now, then)
        kind = ColumnType.Categorical if category else ColumnType.Numerical
        here, there = (_series(table[name].drop_nulls(), category) for table in (now, then))
        test = get_stattest(there, here, kind, method)(there, here, kind, None)
        scores[name] = round(float(test.drift_score), FOUND)
    return {name: score for name, score in scores.items() if math.isfinite(score)}


def _import_tests_alone() -> None:
    """Put off what importing Evidently runs: every metric and drawing, three quarters of the time of its tests.

    It runs as soon as anybody asks the package itself for something.
    """
    quiet_environment()
    spec = None if "evidently" in sys.modules else find_spec("evidently")
    if spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def run(name: str) -> Any:
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, name)

    package.__dict__["__getattr__"] = run
    sys.modules["evidently"] = package


def _report(
    now: pl.DataFrame, then: pl.DataFrame, methods: dict[str, str], limit: float, at: datetime | None = None
) -> Any:
    """A list of one metric a column: the preset computes each column three times. ``at``: the time that it is of."""
    quiet_environment()
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    categories = [c for c in methods if _categories(c, now, then)]
    numbers = [c for c in methods if c not in categories]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    tables = [_pandas(table, list(methods), now, then) for table in (now, then)]
    sides = [Dataset.from_pandas(table, data_definition=definition) for table in tables]
    report = Report([ValueDrift(column=c, method=m, threshold=limit) for c, m in methods.items()])
    return report.run(*sides, timestamp=at)


def _pandas(table: pl.DataFrame, names: list[str], now: pl.DataFrame, then: pl.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: _series(table[name], _categories(name, now, then)) for name in names})


def _series(column: pl.Series, category: bool) -> pd.Series:
    """A category as text and a number as float, whatever either side has it as."""
    import pandas as pd

    return pd.Series(column.cast(pl.String).to_list() if category else column.cast(pl.Float64).to_numpy())
