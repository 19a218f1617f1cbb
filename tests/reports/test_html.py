"""The report page: one file that needs nothing else, and says what the records say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from parsed_html import parsed
from recorded import empty, recorded

from homeostat.checks import scope_page
from homeostat.core import text
from homeostat.project import scope_errors
from homeostat.project.layout import Project
from homeostat.reports import charts
from homeostat.reports.charts import Cell, Line
from homeostat.reports.html import write_report
from homeostat.reports.results import results, table


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return recorded(tmp_path_factory.mktemp("report") / "meters")


@pytest.fixture(scope="module")
def page(project: Project) -> str:
    return write_report(project, project.report_page).read_text()


def test_it_needs_nothing_but_itself(page: str) -> None:
    tags = parsed(page)
    assert not re.search(r"https?://|@import|url\(|<script|<link", page)
    assert all(not link.startswith(("/", "data:")) for link in tags.links)
    assert len(page) < 100_000


def test_links_lead_to_the_evidence(project: Project, page: str) -> None:
    links = parsed(page).links
    stored = sorted(project.decisions.glob("*.json"))
    assert len(stored) == 4
    for path in stored:
        assert f"decisions/{path.name}" in links
        assert (project.report_page.parent / "decisions" / path.name).is_file()
    assert "drift/2024-03-01T180000.json" in links


@pytest.mark.parametrize(
    "said",
    [
        "v0.1.0",
        "roll back",
        "Roll back: v0.1.0 replaces v0.2.0 (loss: high -22.5 %). Trigger: `high: calibration`.",
        "high: calibration\n1.60\n0.65 to 1.35\n1.30 to 1.90\nfail",
        "high: loss of v0.1.0 against v0.2.0's\n-22.5 % (0.3100, 0.4000; 80 events)\n-40 % to -10 %",
        "rollback v0.1.0, said <the loop>",
        "readings 2024-03-01T05 quarantined (1 of 10 rows): 1 row: Load is in kW. (observed: 900.0)",
        "readings 2024-03-01T20 missing",
        "high: log loss",
    ],
)
def test_it_says(page: str, said: str) -> None:
    text = "\n".join(parsed(page).texts)
    assert said in text


def test_a_row_of_evidence_has_its_sentence_where_one_points(page: str) -> None:
    words = "predicted/observed ratio 1.60 on 80 mature events (95 % CI 1.30 to 1.90), 60 % off (limit 35 %)"
    assert words in parsed(page).titles


def test_what_was_quarantined_whole_in_part_or_missing_is_drawn(page: str) -> None:
    drawn = re.findall(r'<rect class="(accepted|part|quarantined|missing)"', page)
    assert sorted(set(drawn)) == ["accepted", "missing", "part"]
    assert len(drawn) == 24


def test_figures_come_from_the_prediction_rows_alone(project: Project) -> None:
    """Deleting one changes the table."""
    before = list(table(results(project)))
    path = sorted(project.predictions.glob("*.parquet"))[3]
    whole = pl.read_parquet(path)
    whole.slice(1).write_parquet(path)
    try:
        after = list(table(results(project)))
    finally:
        whole.write_parquet(path)
    assert before != after
    assert list(table(results(project))) == before


def test_the_table_counts_what_happened(project: Project) -> None:
    lines = list(table(results(project)))
    assert "229 rows accepted, 1 quarantined" in lines[0]
    assert "0 batches quarantined whole, 1 missing" in lines[1]
    assert "2 releases, 1 of them a retrain, of 2 candidates judged; 1 rollback" in lines[2]
    month = next(line for line in lines if line.strip().startswith("2024-03"))
    assert month.split()[1] == "220"  # nine of the last hour's ten are not mature yet
    assert [line.split()[0] for line in lines if "mean*" in line] == ["mean*"]


def test_the_same_records_make_the_same_page(project: Project, page: str, tmp_path: Path) -> None:
    again = write_report(project, project.report_page).read_text()
    assert again == page
    moved = write_report(project, tmp_path / "elsewhere.html").read_text()
    assert "decisions/2024" in moved


def test_an_empty_project_has_a_page_too(tmp_path: Path) -> None:
    new = empty(tmp_path / "new")
    text = "\n".join(parsed(write_report(new, new.report_page).read_text()).texts)
    for said in ("No release yet.", "No predicted event is mature yet.", "Nothing has been decided yet."):
        assert said in text


# ---- drawings


@pytest.mark.parametrize("module", [charts, scope_errors, scope_page, text], ids=lambda m: m.__name__)
def test_the_examples_in_the_documentation_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("low", "high", "steps"),
    [
        (0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (0.31, 0.52, [0.3, 0.4, 0.5, 0.6]),
        (-3, 12, [-5.0, 0.0, 5.0, 10.0, 15.0]),
        (10_000, 21_000, [10_000, 15_000, 20_000, 25_000]),
        (0.0, 0.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ],
)
def test_an_axis_has_round_steps_around_its_values(low: float, high: float, steps: list[float]) -> None:
    assert charts.ticks(low, high) == steps


def test_a_line_has_a_gap_where_a_value_is_missing() -> None:
    drawn = charts.lines(["2024-01", "2024-02", "2024-03", "2024-04"], [Line("a", "served", [1.0, None, 2.0, 3.0])], 2)
    path = re.search(r'd="([^"]*)"', drawn)
    assert path is not None
    assert [step[0] for step in path[1].split() if step[0] in "ML"] == ["M", "M", "L"]
    assert drawn.count("<circle") == 3
    assert "2024-03, a: 2.00" in drawn


def test_lines_without_a_value_draw_nothing() -> None:
    assert charts.lines(["2024-01"], [Line("a", "served", [None])], 2) == ""


def test_names_that_would_lie_over_one_another_are_pushed_apart() -> None:
    drawn = charts.lines(["a", "b"], [Line(n, "served", [2.0, 1.0 + i / 1e6]) for i, n in enumerate("xyz")], 2)
    places = [float(y) for y in re.findall(r'<text class="served" x="[\d.]+" y="([\d.]+)"', drawn)]
    assert len(places) == 3
    assert all(b - a >= charts.GAP for a, b in zip(places, places[1:], strict=False))
    assert max(places) <= charts.HEIGHT - charts.BOTTOM + 2


def test_a_strip_of_very_many_batches_shows_the_worst_of_each_column() -> None:
    from datetime import datetime, timedelta

    start = datetime(2024, 1, 1)
    cells = [Cell(start + n * timedelta(hours=1), "missing" if n == 4321 else "accepted", f"b{n}") for n in range(8760)]
    drawn = charts.strips({"readings": cells}, start, start + timedelta(hours=8760))
    assert drawn.count("<rect") == charts.LONG // 2
    assert drawn.count('class="missing"') == 1
    assert "b4321" in drawn
