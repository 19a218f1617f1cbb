"""The drawings: marks lie where their times do, and a drawing by itself is a whole SVG file."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from homeostat.reports import charts
from homeostat.reports.charts import Line, Mark, Row

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
LABELS = ["2013-01", "2013-02", "2013-03"]
LINES = [Line("served", "served", [0.4, 0.3, 0.2]), Line("baseline", "baseline", [None, 0.5, 0.5])]


def circles(drawing: str, style: str) -> list[float]:
    """Where the marks of a style lie, from left to right."""
    return [float(x) for x in re.findall(rf'<circle class="{style}" cx="([\d.]+)"', drawing)]


def test_a_mark_lies_among_the_points_as_its_time_does() -> None:
    rows = [Row("retrain", "act", [Mark(0.0, "first"), Mark(0.5, "half")]), Row("rollback", "bad", [])]
    drawing = charts.lines(LABELS, LINES, 2, rows)
    points = circles(drawing, "served")
    assert circles(drawing, "act") == [points[0], (points[0] + points[1]) / 2]
    assert "retrain: 2</text>" in drawing and "rollback: 0</text>" in drawing
    assert "<title>half</title>" in drawing


def test_without_marks_a_drawing_is_as_high_as_ever() -> None:
    def size(drawing: str) -> list[str]:
        return re.findall(r'viewBox="0 0 (\S+) (\S+)"', drawing)[0]

    assert size(charts.lines(LABELS, LINES, 2)) == ("420", "220")
    assert size(charts.lines(LABELS, LINES, 2, [Row("alert", "alert", [])], 860)) == ("860", "240")


def test_a_drawing_by_itself_is_whole() -> None:
    text = charts.standalone(charts.lines(LABELS, LINES, 2), "loss < 1 & falling")
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "loss < 1 & falling"
    assert "var(" not in text
    style = root.findtext(f"{SVG}style") or ""
    assert "svg path.served { stroke: #0b5fae" in style


def test_the_chart_of_the_front_page_is_one() -> None:
    root = ElementTree.parse(ROOT / "docs" / "year.svg").getroot()
    drawn = {path.get("class") for path in root.iter(f"{SVG}path")}
    assert drawn == {"served", "never", "baseline"}
    assert len([c for c in root.iter(f"{SVG}circle") if c.get("class") == "served"]) == 12
