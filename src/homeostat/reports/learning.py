"""What learning between full retrains has come to: the prequential loss of the continuations, from their records."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from homeostat.core.ledger import release_line
from homeostat.core.text import change, metric_name
from homeostat.project.records import read_body

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def learning_line(project: Project, line: str) -> str:
    """By objective the mean loss of a line as it was served, beside that of its full retrain on the same events.

    Each event counts once. Means over windows of continuations, weighted by their events.
    """
    windows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(project.learning.glob("*.json")):
        body = read_body(path)
        for name, served in body["served"].items() if release_line(body["release"]) == line else ():
            windows[name].append(served)
    return ", ".join(_objective(name, of) for name, of in windows.items()) or "not measured yet"


def _objective(name: str, windows: list[dict[str, Any]]) -> str:
    rows = sum(one["rows"] for one in windows)
    loss, full = (sum(one["rows"] * one[part] for one in windows) / rows for part in ("loss", "full"))
    beside = f", {change(loss / full - 1)} beside the full retrain alone" if full else ""
    return f"{name} prequential {metric_name(windows[0]['metric'])} {loss:.3f} on {rows:,}{beside}"
