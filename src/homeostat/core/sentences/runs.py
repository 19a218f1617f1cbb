"""Sentences on runs of the loop itself."""

from __future__ import annotations

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule


def _run(finding: Finding) -> str:
    if not finding.failed:
        return "completed"
    return f"stopped by {finding.facts['error']}: {finding.facts['message']}"


def _run_history(finding: Finding) -> str:
    if not finding.failed:
        return "Prefect's database is in use"
    kept = finding.facts["kept"]
    return f"Prefect's database did not open ({finding.facts['why']}); it is kept as {kept}, and a new one begun"


SENTENCES = {Rule.RUN: _run, Rule.RUN_HISTORY: _run_history}
