"""The gates of the scope, and where the release in service stands at each: what a scoping meeting looks at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from homeostat.adapters.git import read_ledger
from homeostat.core.evidence_table import row, worst_first
from homeostat.core.findings import EXPLAINS
from homeostat.core.scope_gates import entry_of
from homeostat.decisions import history
from homeostat.reports.status import when

if TYPE_CHECKING:
    from homeostat.core.findings import Finding
    from homeostat.project.layout import Project


def gate_lines(project: Project) -> Iterator[str]:
    """A line a gate: how it stands, its value and limit, and the entry of the scope that sets the limit.

    First those by which the release in service was released, then those of the last decision about it.
    """
    ledger = read_ledger(project.home, project.scope.project)
    release = ledger.release(ledger.champion.version) if ledger.champion else None
    if release is None:
        yield "Nothing is in service yet: every gate is still ahead."
        return
    made = history.decision_of(project, release)
    if made is not None:
        yield f"The gate of {release.version}, {when(release.at)} UTC:"
        yield from map(_line, worst_first(made.decision.gate or made.decision.findings))
    about = [d for d in history.decisions(project) if d.release == release.version and d.quality]
    if about:
        yield f"The last decision about it, {when(about[-1].at)} UTC:"
        findings = (finding for finding in about[-1].decision.findings if finding.outcome != EXPLAINS)
        yield from map(_line, worst_first(findings))


def _line(finding: Finding) -> str:
    shown = row(finding)
    limit = f", limit {shown.limit}" if shown.limit else ""
    interval = f" ({shown.interval})" if shown.interval else ""
    value = f": {shown.value}{interval}{limit}" if shown.value else limit and f": {limit.removeprefix(', ')}"
    entry = entry_of(finding.rule)
    return f"- {finding.outcome}: {shown.what}{value}{f'; {entry}' if entry else ''}"
