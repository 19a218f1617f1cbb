"""What unknown tables bring in mid-history: the loop goes on, and says what it cannot do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest

from homeostat import loop, replay
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


def replayed(place: Path, table: pl.DataFrame) -> list[loop.Tick]:
    source = place / "r.csv"
    hourly.write(table, source)
    params = hourly.STEADY.replace("path: readings.csv", f"path: {source}")
    project = replay.prepare(hourly.make(place / "m", params=params, table=table.head(1)), START, END, "x")
    ticks: list[loop.Tick] = []
    replay.replay(project, START, END, ticks.append)
    assert stands_at(project) == END
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
