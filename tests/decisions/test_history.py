"""What is on record, and plans of interrupted runs; also of a project from before records had fields."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import click
import pytest
from recorded import empty, recorded

from homeostat.core.errors import EnvironmentFault
from homeostat.core.ledger import Ledger, fold
from homeostat.core.rules import Reason
from homeostat.decisions import history, pending
from homeostat.project.layout import Project, stamp
from homeostat.reports import status
from homeostat.reports.html import write_report
from homeostat.reports.releases import history as released

OLD = Path(__file__).parents[1] / "old_records"
DECIDED = datetime(2013, 2, 4, 5)


def old_ledger() -> Ledger:
    return fold("flights", [tuple(tag) for tag in json.loads((OLD / "tags.json").read_text())])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose loop has run before and since records have fields."""
    project = recorded(tmp_path / "meters")
    for name, at in (("nothing", datetime(2013, 1, 14, 5)), ("retrain", DECIDED)):
        shutil.copyfile(OLD / f"decision_{name}.json", project.decisions / f"{stamp(at)}.json")
    incident = json.loads((OLD / "incident.json").read_text()) | {"closed": None}
    (project.incidents / "0002.json").write_text(json.dumps(incident))
    return project


def test_old_and_new_decisions_are_listed_together(project: Project) -> None:
    decisions = history.decisions(project)
    assert [d.decision.reason for d in decisions] == [
        Reason.UNKNOWN, Reason.UNKNOWN, Reason.FIRST, Reason.PASSED, Reason.PREVIOUS_BETTER, Reason.NOTHING_DUE,
    ]  # fmt: skip
    assert [d.candidate for d in decisions] == [False, True, True, True, False, False]
    assert decisions[1].headline.startswith("Release the fresh candidate in place of v0.1.0")


def test_old_records_are_shown(project: Project) -> None:
    text = click.unstyle(status.text(status.read(project), 120))
    assert "!! late: calibration, since 2013-01-14: mean score of late over what came true is 2.32" in text
    page = write_report(project, project.report_page).read_text()
    assert "Release the fresh candidate in place of v0.1.0" in page
    assert 'title="mean score of late over what came true is 2.32 on' in page
    lines = list(released(old_ledger()))
    assert "homeostat: Release the fresh candidate in place of v0.1.0: it passed its gate" in lines[-1]


def test_the_decision_that_made_a_release_is_found_by_what_the_release_cites(project: Project) -> None:
    release = old_ledger().releases[1]
    decided = history.decision_of(project, release)
    assert decided is not None and (decided.at, decided.decision.action) == (DECIDED, "retrain")
    decided.path.unlink()
    assert history.decision_of(project, release) is None


@pytest.mark.parametrize("body", ["", "{}", '{"at": "2013-02-04T05:00:00", "action": "retrain"}', "[]"])
def test_a_damaged_record_is_named(project: Project, body: str) -> None:
    path = project.decisions / f"{stamp(DECIDED)}.json"
    path.write_text(body)
    with pytest.raises(EnvironmentFault, match=f"{path}: damaged"):
        history.decisions(project)


@pytest.mark.parametrize(
    ("name", "at", "kept"),
    [
        ("decision_retrain", DECIDED, True),  # a tag cites it
        ("decision_retrain", DECIDED + timedelta(days=7), False),  # none does
        ("decision_nothing", DECIDED + timedelta(days=7), True),  # there was nothing to carry out
    ],
)
def test_a_plan_of_an_interrupted_run_is_on_record_if_it_was_carried_out(
    tmp_path: Path, name: str, at: datetime, kept: bool
) -> None:
    project = empty(tmp_path / "meters")
    project.decisions.mkdir(parents=True)
    plan = pending.of(project.decisions, at)
    shutil.copyfile(OLD / f"{name}.json", plan)
    pending.settle(project, project.decisions, old_ledger(), at)  # its own run: it carries on
    assert plan.is_file()
    pending.settle(project, project.decisions, old_ledger(), at + timedelta(days=7))
    assert (plan.is_file(), pending.record(plan).is_file()) == (False, kept)
