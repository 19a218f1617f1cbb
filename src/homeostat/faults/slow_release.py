"""A slow release: the champion with features that fade out after it, as those from a table that was frozen with it.

On its holdout, in its rehearsal and on its first day it is the champion. From then on its ``features.sql`` gives no
value for a growing share of the events, and its quality falls from batch to batch: nothing shows it at the switch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.adapters.sql_names import quoted
from homeostat.faults.bad_release import release_changed
from homeostat.faults.damage import RAMP
from homeostat.training import bundle as bundles

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def inject(project: Project, who: str, now: datetime) -> str:
    """Release the champion with features that fade out over ``RAMP`` batches, once; a sentence where it was."""

    def fade(folder: Path) -> None:
        scope = bundles.Bundle(folder, "", {}).scope
        names = sorted({name for objective in scope.objectives.values() for name in objective.features} - {*scope.key})
        path = folder / "features.sql"
        path.write_text(faded(path.read_text(), scope.key, names, now, RAMP * project.scope.events_period))

    return release_changed(project, who, now, fade, "with features that fade out")


def faded(sql: str, key: Sequence[str], features: Sequence[str], since: datetime, over: timedelta) -> str:
    """SQL that makes the same features, but from ``since`` on of fewer events from hour to hour, and ``over`` that time
    of none.
    """
    own = [quoted(c) for c in key]
    share = f"epoch(e.predict_at - TIMESTAMP '{since.isoformat(sep=' ')}') / {over.total_seconds():.0f}"
    lost = f"hash({', '.join(f'q.{c}' for c in own)}) % 1000 < 1000 * {share}"
    replaced = ",\n    ".join(f"CASE WHEN {lost} THEN NULL ELSE q.{f} END AS {f}" for f in map(quoted, features))
    match = " AND ".join(f"q.{c} IS NOT DISTINCT FROM e.{c}" for c in own)
    inner = sql.rstrip().rstrip(";")
    return f"SELECT q.* REPLACE (\n    {replaced}\n)\nFROM (\n{inner}\n) q\nLEFT JOIN events e ON {match}\n"
