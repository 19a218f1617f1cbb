"""Sentences on the loop itself: its runs, its schedules, the disk that it writes to."""

from __future__ import annotations

from datetime import datetime, timedelta

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.text import span


def _run(finding: Finding) -> str:
    if not finding.failed:
        return "completed"
    facts = finding.facts
    if "process" in facts:
        at_work = f"process {facts['process']} has been at work for {span(timedelta(seconds=finding.value or 0))}"
        return f"{at_work}, and other runs wait for it; if it hangs, kill {facts['process']}: the next run carries on"
    return f"stopped by {facts['error']}: {facts['message']}"


def _schedule(finding: Finding) -> str:
    if not finding.failed:
        return "the last run is not overdue"
    last, up = datetime.fromisoformat(finding.facts["last"]), finding.facts["up"]
    late = f"no pass of the loop has completed since {last:%Y-%m-%d %H:%M}"
    if up:
        return f"{late}, though homeostat up runs at {up}: end it with Ctrl-C, read .prefect/server.log, start it again"
    return f"{late}, and nothing runs the schedules"


def _disk(finding: Finding) -> str:
    folder = finding.facts["folder"]
    if not finding.failed:
        return f"{folder} can be written"
    if finding.value is None:
        return f"{folder} cannot be written, so no run can record what it does; give yourself access to it"
    return f"{finding.value / 1e6:.0f} MB are free for {folder}, so runs will fail; free some space"


def _approval(finding: Finding) -> str:
    if not finding.failed:
        return "nothing waits for a person"
    facts, until = finding.facts, datetime.fromisoformat(finding.facts["until"])
    unanswered = f"{facts['champion']} stays" if facts["default"] == "keep" else f"the loop does it: {facts['action']}"
    by = f" of {' or '.join(facts['by'])}" if facts["by"] else ""
    waits = f"to {facts['action']} waits for the approval{by} until {until:%Y-%m-%d %H:%M}"
    return f"{waits}; if nobody answers, {unanswered}"


def _run_history(finding: Finding) -> str:
    if not finding.failed:
        return "Prefect's database is in use"
    kept = finding.facts["kept"]
    return f"Prefect's database did not open ({finding.facts['why']}); it is kept as {kept}, and a new one begun"


SENTENCES = {
    Rule.RUN: _run, Rule.RUN_HISTORY: _run_history, Rule.SCHEDULE: _schedule, Rule.DISK: _disk,
    Rule.APPROVAL: _approval,
}  # fmt: skip
