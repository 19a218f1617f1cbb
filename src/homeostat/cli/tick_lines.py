"""The events of a tick, one a line, as a replay prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from homeostat.core.findings import QUIET
from homeostat.core.headlines import summary
from homeostat.core.rules import Rule

if TYPE_CHECKING:
    from homeostat.loop import Tick


def lines(tick: Tick) -> Iterator[str]:
    """What happened in a word, then to what and why; nothing for a quiet tick."""
    for batch in tick.data.batches:
        if not batch.accepted_whole and not batch.as_before:
            rows = f" ({batch.rows})" if batch.rows else ""
            yield f"{batch.outcome}  {batch.name}{rows}: {batch.why}"
    for remark in tick.data.remarks:
        yield f"source  {remark}"
    for incident in tick.opened:
        if incident.finding.rule not in (Rule.BATCH, Rule.HISTORY):  # the batch has its own line
            yield f"incident  {incident.sentence}"
    if tick.approval is not None and tick.approval.action == "nothing":
        yield f"approval  {summary(tick.approval)}"
    for decision in tick.decisions:
        if decision is not None and decision.action not in QUIET:
            yield f"{decision.action}  {summary(decision)}"
