"""Sentences on the look of the alarm budget: what moved further than windows of history do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.text import count, span

NAMED = 4  # subjects that a sentence blames


def _change(finding: Finding) -> str:
    facts = finding.facts
    allowed = budget_text(facts["budget"])
    if "not_before" in facts:
        date = datetime.fromisoformat(facts["not_before"])
        text = f"too few windows of history ({count(facts['looks'], 'look')}): {allowed} cannot be promised"
        return f"{text} before {date:%Y-%m-%d}; until then what may be chance is noted and pages nobody"
    if finding.value is None or finding.limit is None:
        return "too few rows in the last windows to say"
    behind = f"limit {finding.limit:.2g} for {allowed}, from {count(facts['looks'], 'look')}"
    if not finding.failed:
        return f"nothing moved more than {finding.value:.2g} times as far as it usually does ({behind})"
    first, *others = facts["blamed"]
    text = f"{first['subject']} ({first['aspect']}) has moved {first['ratio']:.2g} times as far from the windows before"
    text += f" as windows usually do, and stays there ({behind})"
    names = ", ".join(one["subject"] for one in others[:NAMED])
    more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
    return f"{text}; with it {names}{more}" if names else text


def budget_text(budget: Mapping[str, Any]) -> str:
    """The budget in words.

    >>> budget_text({"false_pages": 1, "seconds": 90 * 86400})
    '1 false page in 90 days'
    """
    return f"{count(budget['false_pages'], 'false page')} in {span(timedelta(seconds=budget['seconds']))}"


SENTENCES = {Rule.CHANGE: _change}
