"""The history as the loop reads it: every batch landed and judged before a project is handed over, and what fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from homeostat.core.batch_rules import Verdict
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.core.text import count
from homeostat.data.ahead import Readings
from homeostat.data.case import Case, History, case_of
from homeostat.data.ingest import land, periods
from homeostat.data.judge import judge
from homeostat.data.workspace import Workspace
from homeostat.project.layout import Project
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.profile.profile_table import Profile

FIXES = {
    Rule.TYPES: "fix these values in the table, or say in {source}.written of params.yaml how they are written",
    Rule.SCHEMA: "fix the column in the table, or say in {source}.written of params.yaml how it is written",
    Rule.UNIQUE_KEY: "remove the copies in the table, or name a further --key column",
    Rule.VOLUME: "if it is sound, raise {source}.volume; the last batch may not be whole yet",
    Rule.CONTRACT: "if they are sound, widen the rule in expectations/{name}.json",
}
TRIED = 40
OTHERWISE = "look at them: homeostat data review, once the project has run"


@dataclass
class _Failure:
    """What one rule would quarantine over the history."""

    first: str
    sentence: str
    rows: int = 0
    batches: int = 0
    whole: int = 0


@dataclass
class LoopReading:
    """Rows and batches of the events' source as the loop takes them in."""

    rows: int = 0
    batches: int = 0
    tried: int = 0  # batches that the contract was tried on
    failures: dict[tuple[Rule, str], _Failure] = field(default_factory=dict)


def read_by_loop(project: Project, name: str) -> LoopReading:
    """Land and judge all batches of a source; what that writes is removed again.

    Contracts are tried on ``TRIED`` batches, spread over the history: each is a run of Great Expectations.

    Raises:
        HomeostatError: the source cannot be read as the scope says.
    """
    workspace, history, reading = Workspace(project), History(), LoopReading()
    try:
        batches = periods(project, name)
        every, readings = max(1, -(-len(batches) // TRIED)), Readings(workspace, name, batches)
        for number, period in enumerate(batches):
            if land(workspace, name, period, readings.read).path is None:
                continue
            case = case_of(workspace, name, period.label, history=history)
            tried = number % every == every - 1
            case = replace(case, before=())  # of the batches before it only size and columns: profiles take too long
            verdict = _verdict(workspace, case if tried else replace(case, contract=b""))
            history.add(period.label, verdict)
            workspace.files.commit()
            reading.rows += verdict.rows
            reading.batches += 1
            reading.tried += tried
            for finding in (f for f in verdict.failed if f.facts.get("severity") != "info"):  # which is only noted
                _add(reading, finding, period.label, verdict.rows, verdict.status == "quarantined")
    finally:
        for folder in (project.landed, project.accepted, project.quarantine, project.cache):
            shutil.rmtree(folder, ignore_errors=True)
    return reading


def _verdict(workspace: Workspace, case: Case) -> Verdict:
    judgement = judge(workspace, case)
    accepted, held = judgement.accepted, judgement.held
    return Verdict(
        "quarantined" if accepted is None else "accepted", "", 0 if accepted is None else len(accepted), len(held),
        judgement.findings, case.content,
    )  # fmt: skip


def _add(reading: LoopReading, finding: Finding, label: str, rows: int, whole: bool) -> None:
    subject = finding.subject if finding.rule in (Rule.CONTRACT, Rule.SCHEMA) else ""
    failure = reading.failures.setdefault((finding.rule, subject), _Failure(label, sentence(finding)))
    failure.batches += 1
    failure.whole += whole and not finding.rows
    failure.rows += finding.rows or (rows if whole else 0)


def loop_issues(profile: Profile, reading: LoopReading) -> Iterator[Issue]:
    """What the loop would quarantine, with counts, the most first."""
    name = profile.table.name
    for (rule, subject), failure in sorted(reading.failures.items(), key=lambda f: -f[1].rows):
        if not failure.rows:
            continue
        whole = f", {count(failure.whole, 'batch')} whole" if failure.whole else ""
        text = f"the loop would quarantine {count(failure.rows, 'row')} in {count(failure.batches, 'batch')}"
        text += f"{whole}: {failure.sentence} (first in {failure.first})"
        if rule == Rule.CONTRACT and reading.tried < reading.batches:
            text += f"; {reading.tried} of {reading.batches} batches were tried, homeostat check contracts tries all"
        fix = FIXES.get(rule, OTHERWISE).format(source=f"sources.{name}", name=name)
        share = failure.rows / max(reading.rows, 1)
        yield Issue("quarantined by the loop", subject, text, fix, 1.0, 86 if share > 0.1 else 58)
    missing = profile.table.rows - profile.time.missing - profile.time.strays - reading.rows
    before = sum(profile.history.counts)
    if missing > max(0, profile.table.rows - profile.time.missing - profile.time.strays - before):
        text = f"the loop reads {reading.rows:,} rows of the history, where the table has {before:,}"
        yield Issue("rows lost", "", text, "report it: the two readings of the table should agree", 1.0, 99)
