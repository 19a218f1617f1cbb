"""How names and metrics are written in a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def listed(names: Sequence[str], most: int) -> str:
    """The names, at most so many.

    >>> listed(["a", "b", "c"], 2), listed(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def metric_name(metric: str) -> str:
    """A metric as a person says it.

    >>> metric_name("log_loss"), metric_name("auc")
    ('log loss', 'AUC')
    """
    return {"auc": "AUC", "rmse": "RMSE", "mae": "MAE", "r2": "R2"}.get(metric, metric.replace("_", " "))


def metric_value(found: Mapping[str, Any]) -> str:
    """A measured value with its interval, as a person reads it."""
    value, low, high = (found.get(k) for k in ("value", "low", "high"))
    if value is None:
        return "too few to say"
    return f"{value:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else "")
