"""What was decided is written down before it is done: a plan, which becomes the record of it when it is."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.project import stamp

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger

PLAN = ".plan"
IDLE = ("nothing", "keep", "hold")  # actions that change nothing


def settle(folder: Path, known: Ledger, now: datetime) -> None:
    """What an earlier run had decided when it was cut short: on record if it was done, forgotten if not."""
    for plan in sorted(folder.glob(f"*{PLAN}")):
        if plan.stem == stamp(now):
            continue
        body = json.loads(plan.read_text())
        done = {(event.at.isoformat(), event.why) for event in known.events}
        if body["action"] in IDLE or (body["at"], body["sentence"]) in done:
            plan.replace(plan.with_suffix(".json"))
        else:
            plan.unlink()
