"""What is open: what stops the loop first, then what still fails, then what passes again, then batches alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from readings import START
from recorded import recorded

from homeostat.core.findings import Finding
from homeostat.core.incidents import Incident
from homeostat.core.rules import ALERTING, FIRST_COMMAND, Rule
from homeostat.decisions import history
from homeostat.project.layout import Project
from homeostat.reports.html import write_report
from homeostat.reports.open_items import OpenItem, open_items

RUNBOOK = Path(__file__).parents[2] / "RUNBOOK.md"
BAD = Incident(Finding(Rule.CALIBRATION, "high", "fail", 0.6, 0.35, facts={"ratio": 1.6}, rows=80), START, START)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return recorded(tmp_path_factory.mktemp("open") / "meters")


def test_an_incident_has_its_progress_and_its_command() -> None:
    passing = replace(BAD, passes=1, release="v0.2.0")
    (item,) = open_items([], [passing], [])
    assert item.text.startswith("high: calibration, since 2024-03-01: predicted/observed ratio 1.60")
    progress = "last seen 2024-03-01 00:00 on v0.2.0; closes after 1 more passing check"
    assert item == OpenItem(item.text, "homeostat run training", progress)


def test_what_still_fails_comes_before_what_passes_again() -> None:
    other = replace(BAD, finding=replace(BAD.finding, subject="low"), last_failed=START + timedelta(days=1))
    assert [i.text.split(":")[0] for i in open_items([], [replace(BAD, passes=1), other], [])] == ["low", "high"]


def test_a_batch_of_a_source_with_an_incident_is_shown_once(project: Project) -> None:
    batches = history.not_accepted(project.worktree)
    late = history.incidents(project)
    assert [item.alerts for item in open_items([], late, batches)] == [True]
    alone = open_items([], [], batches)
    assert [item.alerts for item in alone] == [False, False]
    assert "readings 2024-03-01T20 missing" in alone[0].text  # the newest first


def test_a_run_that_hangs_is_ended_by_its_process() -> None:
    hangs = Finding(Rule.RUN, "", "fail", 7200.0, 3600.0, facts={"process": "4711"})
    (item,) = open_items([hangs], [], [])
    assert item.command == "kill 4711"
    assert item.text.startswith("run: process 4711 has been at work for 2 h, and other runs wait for it")


def test_the_page_has_each_with_its_command(project: Project) -> None:
    page = write_report(project, project.report_page).read_text()
    assert "schedule: no pass of the loop has completed since 2024-03-02 00:00" in page
    assert "<code>homeostat up</code>" in page
    assert "last seen 2024-03-01 22:00; closes after 2 passing checks <code>homeostat data review</code>" in page


@pytest.mark.parametrize("rule", sorted({*ALERTING, *FIRST_COMMAND}))
def test_each_rule_has_a_command_which_the_runbook_begins_with(rule: Rule) -> None:
    section = RUNBOOK.read_text().split(f"\n## {rule}\n")[1].split("\n## ")[0]
    commands = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    assert commands[0] == FIRST_COMMAND[rule]
