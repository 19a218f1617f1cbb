"""What was decided is written down before it is done: a plan, which becomes the record of it when it is."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.project.layout import stamp

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger

PLAN = ".plan"
IDLE = ("nothing", "keep", "hold")  # actions that change nothing


def of(folder: Path, now: datetime) -> Path:
    """Where the plan of ``now`` stands."""
    return folder / f"{stamp(now)}{PLAN}"


def done(plan: Path) -> None:
    """Make a plan the record of what was done."""
    plan.replace(plan.with_suffix(".json"))


def settle(folder: Path, known: Ledger, now: datetime) -> None:
    """What an earlier run had decided when it was interrupted: on record if it was done, forgotten if not."""
    for plan in sorted(folder.glob(f"*{PLAN}")):
        if plan.stem == stamp(now):
            continue
        body = json.loads(plan.read_text())
        carried_out = {(event.at.isoformat(), event.why) for event in known.events}
        if body["action"] in IDLE or (body["at"], body["sentence"]) in carried_out:
            done(plan)
        else:
            plan.unlink()
