"""One incident on one screen: what is said of each kind, and the command that shows it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from parsed_html import Tags, parsed
from recorded import recorded

from homeostat.cli import main
from homeostat.core.batch_rules import against_history
from homeostat.core.errors import UsageError
from homeostat.core.findings import Finding, Interval
from homeostat.core.history_faults import Fault
from homeostat.core.incidents import Incident
from homeostat.core.rules import Rule
from homeostat.project.layout import Project
from homeostat.reports import incident
from homeostat.reports.forms import forms
from homeostat.reports.html import report_page
from homeostat.reports.incident_page import incident_page

HELD = "2024-03-01T05"  # the batch with a row in quarantine
OPENED = datetime(2024, 3, 1, 12)
UNIT = Fault("unit change", ("load",), {"unit": "thousandths", "repair": "{c} / 1000"}, exact=True, excess=3.0)
INCIDENTS = {
    "0002": Incident(against_history("readings", HELD, UNIT, {}, True), OPENED, OPENED),
    "0003": Incident(
        Finding(Rule.CALIBRATION, "high", "fail", 0.6, 0.35, Interval(1.3, 1.9, 0.95), rows=80, facts={"ratio": 1.6}),
        OPENED, OPENED, passes=1, last_passed=OPENED + timedelta(hours=1), release="v0.2.0",
    ),
    "0004": Incident(
        Finding(Rule.FALLBACK, "", "fail", facts={"version": "v0.2.0", "since": OPENED.isoformat()}), OPENED, OPENED,
        passes=1, last_passed=OPENED + timedelta(hours=1),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    of = recorded(tmp_path_factory.mktemp("incident") / "meters")
    earlier = replace(INCIDENTS["0002"], opened=datetime(2024, 2, 1), closed=datetime(2024, 2, 3))
    written = {**INCIDENTS, "0000": earlier}
    for number, one in written.items():
        (of.incidents / f"{number}.json").write_text(json.dumps(one.to_dict()))
    return of


def screen(project: Project, number: str | None) -> dict[str, str]:
    """The texts by what they are about, several joined by a bar."""
    texts: dict[str, str] = {}
    read = incident.read(project, number)
    assert read is not None
    for name, text in incident.lines(read):
        last = name or last  # noqa: F821  # the first has a name
        texts[last] = f"{texts[last]} | {text}" if last in texts else text
    return texts


def test_a_batch_unlike_those_before(project: Project) -> None:
    shown = screen(project, "2")
    assert shown["incident"] == "0002  load: history"
    assert shown["what"].startswith("unit change: load came as if in thousandths")
    assert shown["state"] == "open; last seen 2024-03-01 12:00; closes after 2 passing checks"
    assert shown["since"] == f"2024-03-01 12:00 UTC; first in batch {HELD}"
    assert shown["blame"] == "source readings; columns load"
    assert shown["done"].startswith("nothing trains on the events of the batches in doubt")
    assert "load 900.0" in shown["rows"] and "meter m1" in shown["rows"]
    assert shown["before"] == "1 time: 2024-02-01 to 2024-02-03; each closed by itself"
    assert f"homeostat data correct readings {HELD} FILE" in shown["type"]
    assert "homeostat approve 2 --why TEXT" in shown["type"]


def test_quality_says_what_it_costs_what_was_done_and_the_way_back(project: Project) -> None:
    shown = screen(project, "3")
    assert shown["blame"] == "objective high"
    assert re.fullmatch(r"20 in the last window, 75 % less than the 80 of no alerts at all", shown["cost"])
    assert "2024-03-01 18:00  rollback v0.1.0 by homeostat" in shown["done"]
    assert "Roll back: v0.1.0 replaces v0.2.0" in shown["done"]
    assert shown["before"] == "never"
    assert "homeostat rollback" in shown["type"]


@pytest.mark.parametrize("number", ["1", "2", "3", "4"])
def test_the_button_is_there_where_the_command_is(project: Project, number: str) -> None:
    read = incident.read(project, number)
    assert read is not None
    typed = any(command.text.startswith("homeostat rollback") for command in incident.commands(read))
    assert typed is (number in ("3", "4"))  # of a model, a fallback among them
    assert ('value="rollback"' in forms(read, "page.html", "seal")) is typed


def test_quality_shows_the_events_that_were_predicted_worst(project: Project) -> None:
    """With all that their source says of them; those of a window that ends with what was measured."""
    read = incident.read(project, "3")
    assert read is not None and len(read.rows.values) == incident.SHOWN
    place = {name: read.rows.columns.index(name) for name in ("predicted", "observed", "load")}
    off = [abs(float(row[place["predicted"]]) - float(row[place["observed"]])) for row in read.rows.values]
    assert off == sorted(off, reverse=True) and off[0] == pytest.approx(0.8)
    assert all((float(row[place["load"]]) > 15) == (float(row[place["observed"]]) == 1) for row in read.rows.values)


def test_a_batch_that_never_came_has_no_rows_to_correct(project: Project) -> None:
    shown = screen(project, "1")
    assert "is missing" in shown["what"] and shown["done"].startswith("the batch is missing")
    assert "data correct" not in shown["type"] and "rows" not in shown


def test_the_first_that_still_fails_is_the_worst(project: Project) -> None:
    assert screen(project, None)["incident"].startswith("0001")


def test_the_command_prints_it_and_names_what_there_is(project: Project, tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["-C", str(project.home), "status", "--incident", "2"])
    assert run.exit_code == 0 and run.stdout.startswith("incident   0002  load: history\n")
    wrong = CliRunner().invoke(main, ["-C", str(project.home), "status", "--incident", "17"])
    assert wrong.exit_code == 2 and "no incident 0017; on record are 0000 to 0004" in wrong.stderr


def test_a_project_in_which_nothing_failed_has_none(tmp_path: Path) -> None:
    assert incident.read(Project(tmp_path, tmp_path), None) is None
    with pytest.raises(UsageError, match="no incident 0003; none is on record"):
        incident.read(Project(tmp_path, tmp_path), "3")


# ---- the page


@pytest.fixture(scope="module")
def pages(project: Project) -> dict[str, Tags]:
    """Every page that ``status --page`` writes, by the number of its incident."""
    assert CliRunner().invoke(main, ["-C", str(project.home), "status", "--page"]).exit_code == 0
    files = sorted(project.incidents.glob("*.html"))
    for file in files:
        assert not re.search(r"https?://|@import|url\(|<script|<link", file.read_text())
        assert len(file.read_text()) < 100_000
    return {file.stem: parsed(file.read_text()) for file in files}


def test_every_incident_has_a_page_that_the_report_links(project: Project, pages: dict[str, Tags]) -> None:
    assert sorted(pages) == ["0000", "0001", "0002", "0003", "0004"]
    links = parsed(project.report_page.read_text()).links
    assert {f"incidents/{number}.html" for number in pages} <= set(links)
    for number, page in pages.items():
        for link in page.links:
            target = project.incidents / link.partition("#")[0]
            assert target.is_file() or target.parent == project.drift, (number, link)


@pytest.mark.parametrize("number", ["0000", "0001", "0002", "0003"])
def test_the_page_says_what_the_terminal_says(project: Project, pages: dict[str, Tags], number: str) -> None:
    """Word for word, whatever the layout: rows and comparisons are tables there."""
    shown = " ".join("".join(pages[number].texts).split()).lower()
    read = incident.read(project, number)
    assert read is not None
    for part in incident.parts(read):
        if part.name not in ("rows", "type", "beside", "before"):
            for text in part.texts:
                assert " ".join(text.replace("`", "").split()).lower() in shown, text
    for command in incident.commands(read):
        assert command.text in pages[number].texts
    for row in read.rows.values:
        assert all(value in pages[number].texts for value in row)
    for compared in incident.counterfactuals(read):
        assert {compared.what, compared.value} <= set(pages[number].texts)


def test_whole_rows_are_shown_where_a_terminal_has_no_room(project: Project) -> None:
    read = incident.read(project, "2")
    assert read is not None and set(read.rows.columns) >= {"meter", "at", "load", "reason"}
    assert read.rows.blamed == {"load"}


def test_the_graph_has_the_releases_the_limit_and_the_incident(project: Project, pages: dict[str, Tags]) -> None:
    drawn = (project.incidents / "0003.html").read_text()
    assert re.findall(r'<line class="mark".*?<title>(\S+)', drawn) and 'class="limit"' in drawn
    assert '<rect class="band"' in drawn


def test_earlier_ones_are_linked(pages: dict[str, Tags]) -> None:
    assert "0000.html" in pages["0002"].links
    assert "This has not happened before." in pages["0003"].texts


def test_no_value_steers_the_reader(project: Project) -> None:
    """Markup is text, and characters that turn the direction of writing are spelled out."""
    bad = replace(INCIDENTS["0003"], finding=replace(INCIDENTS["0003"].finding, text="\u202e<b>up</b>\x1b[2J"))
    path = project.incidents / "0009.json"
    path.write_text(json.dumps(bad.to_dict()))
    try:
        page = incident_page(project, "0009")
    finally:
        path.unlink()
    assert "\u202e" not in page and "\x1b" not in page and "\\x1b[2J" in page
    assert "&lt;b&gt;up&lt;/b&gt;" in page


def test_what_is_noted_does_not_look_like_an_alarm(project: Project) -> None:
    path = project.incidents / "0003.json"
    before = path.read_text()
    path.write_text(json.dumps(replace(INCIDENTS["0003"], noted=True).to_dict()))
    try:
        assert '<span class="badge noted">noted</span>' in incident_page(project, "0003")
        row = next(line for line in report_page(project, project.report_page).split("<tr>") if ">0003</a>" in line)
    finally:
        path.write_text(before)
    assert '<span class="soft">noted</span>' in row and ">open<" not in row


def test_an_incident_about_a_source_that_the_scope_no_longer_names_is_shown(project: Project, tmp_path: Path) -> None:
    of = recorded(tmp_path / "meters")
    gone = replace(INCIDENTS["0002"], finding=against_history("gauges", HELD, UNIT, {}, True))
    (of.incidents / "0009.json").write_text(json.dumps(gone.to_dict()))
    assert "gauges" in screen(of, "9")["type"] and "rows" not in screen(of, "9")
    assert "gauges" in incident_page(of, "0009")
