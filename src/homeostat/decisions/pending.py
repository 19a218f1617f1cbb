"""A decision is written down before it is carried out: a plan, which becomes the record of it when that is done."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.rules import Reason
from homeostat.project.layout import stamp
from homeostat.project.records import read_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeostat.core.ledger import Ledger
    from homeostat.decisions.history import Decided
    from homeostat.project.layout import Project

PLAN = ".plan"
IDLE = ("nothing", "keep", "hold")  # actions that change nothing


def of(folder: Path, now: datetime) -> Path:
    """The file of the plan of ``now``."""
    return folder / f"{stamp(now)}{PLAN}"


def record(plan: Path) -> Path:
    """The file that a plan becomes, whose path is the decision's id: what is done about it cites that."""
    return plan.with_suffix(".json")


def done(plan: Path) -> Path:
    """Make a plan the record of what was done; the record."""
    return plan.replace(record(plan))


def decision_that_waits(project: Project, decisions: Sequence[Decided]) -> Decided | None:
    """The one of ``decisions``, in order of time, that waits for approval; one does at a time."""
    last = next((one for one in reversed(decisions) if one.decision.reason == Reason.WAITS), None)
    return None if last is None or (project.approvals / last.path.name).is_file() else last


def settle(project: Project, folder: Path, ledger: Ledger, now: datetime) -> list[Path]:
    """Settle the plans of interrupted runs: one that was carried out becomes a record, any other is dropped.

    The new records.
    """
    records = []
    cited = {path for event in ledger.events for path in event.evidence}
    for plan in sorted(folder.glob(f"*{PLAN}")):
        if plan.stem == stamp(now):
            continue
        if read_body(plan)["action"] in IDLE or project.cited(record(plan)) in cited:
            records.append(done(plan))
        else:
            plan.unlink()
    return records
