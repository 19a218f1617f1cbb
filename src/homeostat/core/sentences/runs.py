"""Sentences on runs of the loop itself."""

from __future__ import annotations

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule


def _run(finding: Finding) -> str:
    if not finding.failed:
        return "completed"
    return f"stopped by {finding.facts['error']}: {finding.facts['message']}"


SENTENCES = {Rule.RUN: _run}
