"""What unknown tables bring in mid-history: the loop goes on, and says what it cannot do."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest

from homeostat import loop, replay
from homeostat.cli.tick_lines import lines
from homeostat.core.headlines import headline
from homeostat.core.rules import Reason
from homeostat.project.clock import stands_at

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
START, END = hourly.START, hourly.START + timedelta(days=2)
LATE = pl.col("at") >= START + timedelta(hours=30)


def otherwise(column: str, value: pl.Expr) -> pl.Expr:
    """The column as it is, and from a day and a quarter on as ``value``."""
    return pl.when(LATE).then(value).otherwise(pl.col(column)).alias(column)


ODD = {
    "one class only": otherwise("load", pl.lit(1.0)),
    "a column that is null": otherwise("phase", pl.lit(None)),
    "a new category every hour": otherwise("meter", pl.col("meter") + pl.col("at").dt.hour().cast(pl.String)),
}


def replayed(
    place: Path, table: pl.DataFrame, end: datetime = END, params: str = hourly.STEADY
) -> list[loop.Tick]:  # fmt: skip
    source = place / "r.csv"
    hourly.write(table, source)
    params = params.replace("path: readings.csv", f"path: {source}")
    project = replay.prepare(hourly.make(place / "m", params=params, table=table.head(1)), START, end, "x")
    ticks: list[loop.Tick] = []
    replay.replay(project, START, end, ticks.append)
    assert stands_at(project) == end
    return ticks


@pytest.mark.parametrize("case", ODD)
def test_the_loop_goes_on(case: str, tmp_path: Path) -> None:
    ticks = replayed(tmp_path, hourly.steady_readings().with_columns(ODD[case]))
    assert [t.decision.action for t in ticks if t.decision][0] == "release"
    assert ticks[-1].predicted == 36
    assert not [b.sentence for t in ticks for b in t.data.batches if not b.accepted_whole]


def test_labels_that_never_come_are_waited_for(tmp_path: Path) -> None:
    ticks = replayed(tmp_path, hourly.steady_readings().with_columns(load=pl.lit(None, dtype=pl.Float64)))
    decided = [t.decision for t in ticks if t.decision]
    assert [d.action for d in decided] == ["nothing"] * len(decided)
    assert (decided[-1].reason, decided[-1].facts) == (Reason.NOT_MATURE, {"objective": "high"})
    assert headline(decided[-1]) == "Nothing in service: no event of high is mature yet."


def test_a_gap_between_seasons_is_one_line_and_one_incident_and_makes_no_candidate(tmp_path: Path) -> None:
    first, last = (START + timedelta(hours=h) for h in (48, 120))
    table = hourly.steady_readings(156).filter(~pl.col("at").is_between(first, last, closed="left"))
    params = hourly.STEADY.replace("retrain: 10d", "retrain: 24h")
    ticks = replayed(tmp_path, table, START + timedelta(hours=156), params)
    printed = [line for tick in ticks for line in lines(tick) if line.startswith(("missing", "source"))]
    again = "source  readings comes again with 2024-03-06T00; 23 batches before it are missing"  # one is not late yet
    assert [line.split(":")[0] for line in printed] == ["missing  readings 2024-03-03T00", again]
    assert [i.problem for tick in ticks for i in tick.opened] == ["readings: batch"]
    tried = [t.now for t in ticks if t.decision is not None and t.decision.versions.candidate]
    in_the_gap = [now for now in tried if first + timedelta(hours=24) <= now <= last]
    assert tried and not in_the_gap and tried[-1] > last
