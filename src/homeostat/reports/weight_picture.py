"""What other weights would do, as a picture: the share captured of two objectives, with the Pareto front."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.text import percent
from homeostat.core.weight_sweep import Point
from homeostat.project.whole_files import write_text
from homeostat.reports import charts
from homeostat.reports.charts import Spot

if TYPE_CHECKING:
    from homeostat.project.layout import Project

FILE = "front.svg"


def write_front(project: Project, points: Sequence[Point], marked: Mapping[str, Mapping[str, float]]) -> Path | None:
    """Draw the points of a sweep, by their first two objectives; None with one objective, which has no front.

    ``marked``: by name, the weights of the points to mark.
    """
    first, *others = points[0].weights
    if not others:
        return None
    second, title = others[0], f"Captured by alerts at other weights: {first}, {others[0]} ({', '.join(marked)} marked)"
    spots = [_spot(point, (first, second), marked) for point in points]
    drawing = charts.scatter(spots, f"{first}: share captured", f"{second}: share captured")
    return write_text(charts.standalone(drawing, title), project.weights / FILE)


def front_drawn(project: Project) -> str:
    """The picture that was drawn last, for a page that has the style sheet; empty where there is none."""
    path = project.weights / FILE
    return re.sub(r"<style>.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.S) if path.is_file() else ""


def _spot(point: Point, objectives: tuple[str, str], marked: Mapping[str, Mapping[str, float]]) -> Spot:
    x, y = (point.captured[name] for name in objectives)
    weights = ", ".join(f"{name} {weight:g}" for name, weight in point.weights.items())
    title = f"{weights}: cost {point.cost:,.0f}, saves {percent(point.saved)}, {point.alerts:,} alerts"
    if point.worst:
        title += f"; least in {point.worst.column} {point.worst.value}: {percent(point.worst.saved)}"
    return Spot(x, y, point.front, title, ", ".join(name for name, of in marked.items() if of == point.weights))
