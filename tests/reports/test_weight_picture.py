"""The picture of other weights: every point, the front joined, today's point marked."""

from __future__ import annotations

from pathlib import Path

from homeostat.core.weight_sweep import Point, Slice
from homeostat.project.layout import Project
from homeostat.reports.weight_picture import front_drawn, write_front

TODAY = {"late": 5.0, "lost": 15.0}
POINTS = [
    Point(TODAY, 10, {"late": 0.5, "lost": 0.4}, 120.0, 0.3, Slice("carrier", "<9E>", 0.1), front=True),
    Point({"late": 10.0, "lost": 15.0}, 10, {"late": 0.7, "lost": 0.2}, 130.0, 0.25, None, front=True),
    Point({"late": 0.0, "lost": 15.0}, 9, {"late": 0.1, "lost": 0.3}, 150.0, 0.2, None),
]


def test_the_front_is_joined_and_today_is_marked(tmp_path: Path) -> None:
    project = Project(tmp_path, tmp_path)
    assert front_drawn(project) == ""
    path = write_front(project, POINTS, {"params.yaml": TODAY})
    assert path is not None and path.name == "front.svg"
    text = path.read_text()
    assert text.count("<circle") == 3 and text.count('class="served" cx') == 1
    line = text.partition('<path class="never" d="M')[2].partition('"')[0]
    assert line.count("L") == 1  # the point that others dominate lies off it
    assert "late 5, lost 15: cost 120, saves 30 %, 10 alerts; least in carrier &lt;9E&gt;: 10 %" in text
    assert ">params.yaml</text>" in text
    inline = front_drawn(project)
    assert "<style>" not in inline and inline.count("<circle") == 3


def test_one_objective_has_no_front(tmp_path: Path) -> None:
    one = [Point({"late": 5.0}, 10, {"late": 0.5}, 120.0, 0.3, None, front=True)]
    assert write_front(Project(tmp_path, tmp_path), one, {}) is None
