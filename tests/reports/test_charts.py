"""The drawings: marks lie where their times do, and a drawing by itself is a whole SVG file."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

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


def test_labels_of_days_have_the_room_that_they_need() -> None:
    days = [f"2013-{1 + n // 28:02d}-{1 + n % 28:02d}" for n in range(120)]
    drawing = charts.lines(days, [Line("", "served", [float(n) for n in range(120)])], 0)
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="212.0" text-anchor="middle">', drawing)]
    assert len(places) > 2
    assert min(after - before for before, after in zip(places, places[1:], strict=False)) > 6.2 * len(days[0])


def test_bars_begin_at_a_common_zero_and_are_as_long_as_their_values() -> None:
    drawing = charts.bars(["up", "down", "nothing", "half"], [2.0, -1.0, None, 1.0], 1)
    found = re.findall(r'<rect class="served" x="(\S+)" y="\S+" width="(\S+)"', drawing)
    (up, long), (down, short), (half, middle) = ((float(x), float(wide)) for x, wide in found)
    assert (up, down + short) == pytest.approx((half, up), abs=0.11)
    assert (long, long) == pytest.approx((2 * short, 2 * middle), abs=0.21)
    assert "&gt;" in charts.bars(["a > b"], [1.0], 0) and charts.bars(["none"], [None], 0) == ""
