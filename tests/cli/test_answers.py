"""People's answers to an alert, typed as a person types them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result
from recorded import recorded

from homeostat.cli import main
from homeostat.core.batch_rules import against_history
from homeostat.core.history_faults import Fault
from homeostat.core.incidents import Incident
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore
from homeostat.monitoring.alerts import read_incidents
from homeostat.monitoring.answers import answered_incidents
from homeostat.monitoring.escalation import escalate
from homeostat.project.layout import Project

HELD = "2024-03-01T05"  # the batch with a row in quarantine
OPENED = datetime(2024, 3, 1, 22)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    of = recorded(tmp_path / "meters")
    params = (of.home / "params.yaml").read_text()
    (of.home / "params.yaml").write_text(f'{params}\nclock: {{start: "2024-03-01T00:00:00"}}\n')
    fault = Fault("unit change", ("load",), {"unit": "thousandths", "repair": "{c} / 1000"}, exact=True, excess=3.0)
    doubted = Incident(against_history("readings", HELD, fault, {}, True), OPENED, OPENED)
    (of.incidents / "0002.json").write_text(json.dumps(doubted.to_dict()))
    return of


def typed(project: Project, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(main, ["-C", str(project.home), *words])


def test_a_snoozed_incident_needs_nobody_until_the_snooze_is_over(project: Project) -> None:
    assert "2 problems open" in typed(project, "status").stdout
    done = typed(project, "status", "--incident", "1", "--snooze", "2d", "--why", "the feed is known", "--who", "ann")
    assert done.exit_code == 0 and "state      snoozed until 2024-03-04 01:00" in done.stdout
    assert "2024-03-02 01:00  ann snoozed it until 2024-03-04 01:00: the feed is known" in done.stdout
    status = typed(project, "status").stdout
    assert "1 problem open" in status and "snoozed until 2024-03-04 01:00 by ann" in status
    assert typed(project, "status", "--incident").stdout.startswith("incident   0002")  # the worst is another


def test_an_owner_is_named_and_nothing_is_ever_rewritten(project: Project) -> None:
    for name in ("bob", "eve"):
        assert typed(project, "status", "--incident", "2", "--owner", name, "--who", "ann").exit_code == 0
    assert "owner eve" in typed(project, "status").stdout
    assert [json.loads(line)["owner"] for line in project.answers.read_text().splitlines()] == ["bob", "eve"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--snooze", "2d"], "Missing option '--why'"),
        (["--snooze", "2013-01-01", "--why", "x"], "is not after 2024-03-02 01:00:00"),
        (["--snooze", "soon", "--why", "x"], "'soon' is no time"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_in_a_line(project: Project, words: list[str], line: str) -> None:
    refused = typed(project, "status", "--incident", "1", *words)
    assert refused.exit_code == 2 and line in refused.stderr
    assert not project.answers.exists()


def test_an_answer_is_about_one_open_incident(project: Project) -> None:
    assert "name it with --incident" in typed(project, "status", "--owner", "bob").stderr
    closed = {**json.loads((project.incidents / "0001.json").read_text()), "closed": "2024-03-02T00:00:00"}
    (project.incidents / "0001.json").write_text(json.dumps(closed))
    assert "closed since 2024-03-02" in typed(project, "status", "--incident", "1", "--owner", "bob").stderr


def test_a_batch_in_doubt_is_approved(project: Project) -> None:
    """The rows are released as ``data release-rows`` releases them, and who approved it is on record."""
    done = typed(project, "approve", "2", "--why", "they changed the meter", "--who", "ann")
    assert done.exit_code == 0, done.stderr
    assert f"approved: readings {HELD} is right as it is" in done.stdout
    assert [p.name for p in project.worktree.amendments.glob("*")] == [f"0001-release-readings-{HELD}.yaml"]
    shown = typed(project, "status", "--incident", "2").stdout
    assert "ann approved it: they changed the meter" in shown and "homeostat approve" not in shown


def test_all_batches_of_one_cause_are_approved_at_once(project: Project) -> None:
    """Quarantined for the same fault since the first of them; a batch with a fault of its own stays."""
    files = StagedFiles()
    store = VerdictStore(files, project.worktree.accepted)
    unit = Fault("unit change", ("load",), {"unit": "thousandths", "repair": "{c} / 1000"}, exact=True, excess=3.0)
    stuck = Fault("stuck values", ("phase",), {"now": 1.0, "usual": 0.5}, exact=False, excess=3.0)
    rows = pl.read_parquet(project.worktree.quarantine / "readings" / f"{HELD}.parquet")
    for hour, faults in (("06", [unit]), ("07", [unit, stuck]), ("08", [unit])):
        batch = f"2024-03-01T{hour}"
        verdict = store.get("readings", batch)
        assert verdict is not None
        found = tuple(against_history("readings", batch, f, {"load": "2024-03-01T06"}, True) for f in faults)
        held = replace(verdict, status="quarantined", rows_quarantined=verdict.rows, findings=found)
        store.put("readings", {batch: held})
        rows.write_parquet(project.worktree.quarantine / "readings" / f"{batch}.parquet")
    files.commit()
    incident = Incident(
        against_history("readings", "2024-03-01T08", unit, {"load": "2024-03-01T06"}, True), OPENED, OPENED
    )
    (project.incidents / "0002.json").write_text(json.dumps(incident.to_dict()))
    done = typed(project, "approve", "2", "--why", "they changed the meter", "--who", "ann")
    assert done.exit_code == 0, done.stderr
    assert "readings 2024-03-01T06 to 2024-03-01T08 (2 batches) are right as they are: their rows train" in done.stdout
    released = [p.name.removesuffix(".yaml")[-2:] for p in sorted(project.worktree.amendments.glob("*"))]
    assert released == ["06", "08"]


@pytest.mark.parametrize("what", ["1", "2024-03-01T18:00", "2024-03-02"])
def test_what_waits_for_nobody_cannot_be_approved(project: Project, what: str) -> None:
    refused = typed(project, "approve", what, "--why", "x")
    assert refused.exit_code == 2 and f"{what}: nothing of it waits for approval" in refused.stderr
    assert not project.answers.exists()


def test_what_nobody_answers_is_escalated_once_and_says_so(project: Project) -> None:
    typed(project, "status", "--incident", "2", "--owner", "bob")
    for day in (4, 5, 6):
        escalate(project, read_incidents(project), datetime(2024, 3, day, 22))
    assert [one.incident.escalated for one in answered_incidents(project)] == [datetime(2024, 3, 4, 22), None]
    assert "open, escalated at 2024-03-04 22:00: nobody had answered" in typed(project, "status", "--incident").stdout
    assert "escalated 2024-03-04 22:00" in typed(project, "status").stdout
