"""Estimated quality of events whose labels are not in, in words; read from the record of a decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from homeostat.core.text import count, listed, metric_name

SHOWN = ("auc", "mae")  # beside the loss
NOTE = (
    "An estimate follows how hard the events are, by their scores, and sees no loss of calibration; labels will tell."
)


def estimate_lines(quality: Mapping[str, Mapping[str, Any]], every: bool = False) -> Iterator[str]:
    """A line an objective that has estimates: of its loss and the metrics ``SHOWN``, or of ``every`` metric."""
    for objective, measured in quality.items():
        estimates: Mapping[str, Mapping[str, Any]] = measured.get("estimates") or {}
        names = [m for place, m in enumerate(estimates) if every or place == 0 or m in SHOWN]
        if names:
            first = estimates[names[0]]
            figures = listed([_figure(m, estimates[m]) for m in names], len(names))
            yield f"{objective}: {figures}, of {count(first['rows'], 'event')} since {first['since'][:10]}"


def _figure(metric: str, estimate: Mapping[str, Any]) -> str:
    text = f"{metric_name(metric)} {estimate['value']:.3f}"
    if estimate["low"] is None:
        return f"{text} (too little to say how far off: {count(estimate['grades'], 'estimate')} graded)"
    text += f" ({estimate['low']:.3f} to {estimate['high']:.3f})"
    return text if estimate["trusted"] else f"{text}, not trusted: repeating the last graded window did better"
