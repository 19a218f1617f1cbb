"""What decisions by costs save of what an oracle that knew the outcomes would, beside other ways to decide.

.venv/bin/python benchmarks/oracle.py REPLAY [--since DAY]

On the predictions of a replay as they were given, from the first day a learned model can serve, or ``--since``. Every
way may act on as many events a period as the scope's capacity; intervals are of a bootstrap of the scope's blocks.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from homeostat.core.intervals import Measure
from homeostat.core.oracle_share import BY_COSTS, ORACLE
from homeostat.core.periods import period_of
from homeostat.monitoring import outcomes
from homeostat.project.layout import Project
from homeostat.project.window import read_window
from homeostat.training import evaluate

MODELS = {"costs, by the baseline's scores": "baseline__", "costs, by the model never retrained": "never__"}


def shown(share: Measure) -> str:
    """A share in per cent, with its interval."""
    if share.value is None or share.low is None or share.high is None:
        return "too few to say"
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--since", type=datetime.fromisoformat)
    given = parser.parse_args()
    project = Project.find(given.project)
    scope, tree = project.scope, outcomes.labelled(project)
    now = read_window(tree).as_of
    first = min(path.stem for path in tree.features.glob("*.parquet"))
    began = period_of(first, scope.events_period, scope.rhythm.offset).start  # not its first event: months begin there
    since = given.since or began + scope.windows.warm_up
    table = outcomes.rows(project, since, now)
    scores = {name: table[f"score__{name}"].fill_null(0.0).to_numpy() for name in scope.objectives}
    others = {
        way: evaluate.alerts_of(
            scope, table, {name: table[f"{prefix}{name}"].fill_null(0.0).to_numpy() for name in scope.objectives}
        )
        for way, prefix in MODELS.items()
    }
    saved = evaluate.saved_of(scope, table, scores, now, others)
    last = table["event_time"].max()
    rows, price, judged = next(iter(saved.values())).rows, scope.costs, scope.evaluation
    print(f"{rows:,} mature events from {since:%Y-%m-%d} to {last:%Y-%m-%d}, scored as they were served; at most")
    print(f"{price.capacity} alerts a period for every way; {100 * judged.confidence:g} % CI, "
          f"{judged.resamples} resamples of blocks.\n")  # fmt: skip
    print("| decided by | alerts | cost | share of what an oracle saves | behind the first, points |")
    print("|---|---|---|---|---|")
    for way, one in saved.items():
        behind = "" if way in (BY_COSTS, ORACLE) else shown(one.behind).replace(" %", "")
        share = "100 %" if way == ORACLE else shown(one.share)
        print(f"| {way} | {one.alerts:,} | {one.cost:,.0f} | {share} | {behind} |")


if __name__ == "__main__":
    sys.exit(main())
