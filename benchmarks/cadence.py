"""How often learning pays: loss, compute, versions and staleness of one table at several cadences.

    .venv/bin/python benchmarks/cadence.py REPLAY [--objective NAME] [--length 91d] [--daily] [--hourly]
    .venv/bin/python benchmarks/cadence.py TABLE.parquet --time COLUMN --label COLUMN=VALUE [--delay 1h] ...

Of a finished replay the feature rows and the recipe of its scope are used; of a table its other columns, which have to
be known when an event is predicted, and a recipe that stands below. Each event is scored by the newest model at its
predict-at, and counts once (prequential loss). Models learn only from labels that are mature by then. `full` fits all
from the start; `continue` and `refit` are the product's own (`learn` in the scope), between two full retrains. `online`
is the linear model that learns each event once.
CPU is that of fitting alone. Staleness: how long before an event the newest event lies that its model has learned from.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from homeostat import models
from homeostat.core import metrics
from homeostat.features.tables import read_features
from homeostat.monitoring import outcomes
from homeostat.project.layout import Project
from homeostat.project.learning_scope import Learn
from homeostat.project.objective_scope import Objective
from homeostat.project.training_scope import Baseline, LightGBM, Online, Training
from homeostat.project.value_types import format_duration, parse_duration

TREES = LightGBM(trees=200, leaves=31, learning_rate=0.05, min_leaf=100)
RECIPE = Training(model="lightgbm", refit=True, lightgbm=TREES, baseline=Baseline())
HOUR, DAY, WEEK, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=28)


@dataclass(frozen=True)
class Data:
    """Rows in order of ``at``, when each is predicted; labels (n,) are mature from ``mature`` on."""

    rows: pl.DataFrame
    y: np.ndarray
    at: np.ndarray
    event: np.ndarray
    mature: np.ndarray
    objective: Objective
    recipe: Training
    seed: int

    def span(self, since: datetime, until: datetime) -> slice:
        """The places of the rows that are predicted in [since, until)."""
        return slice(*np.searchsorted(self.at, [np.datetime64(since), np.datetime64(until)]))

    def learned(self, now: datetime) -> np.ndarray:
        """The places of the rows whose labels are mature before ``now``, in order of event time."""
        places = np.flatnonzero(self.mature < np.datetime64(now))
        return places[np.argsort(self.event[places], kind="stable")]


@dataclass(frozen=True)
class Way:
    """``full``: how often all is fitted from the start; never but once where it is None. ``every``: continued by."""

    full: timedelta | None
    every: timedelta | None = None
    learn: Learn | None = None
    kind: str = "lightgbm"
    rate: float = 0.03

    def __str__(self) -> str:
        text = f"full every {format_duration(self.full)}" if self.full else "never again"
        if self.kind != "lightgbm":
            text = f"{self.kind}{f' at rate {self.rate:g}' if self.kind == 'online' else ''}, {text}"
        if self.learn is None or self.every is None:
            return text
        how = self.learn.how if self.kind == "lightgbm" else "learning on"
        return f"{text}, {how} every {format_duration(self.every)}"

    def times(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, bool]]:
        """When models learn, and whether from the start."""
        full = {start + n * self.full for n in range(-(-(end - start) // self.full))} if self.full else {start}
        small = {start + n * self.every for n in range(-(-(end - start) // self.every))} if self.every else set()
        yield from ((at, at in full) for at in sorted(full | small))


@dataclass(frozen=True)
class Outcome:
    """What one way came to; ``stale`` in hours."""

    way: Way
    loss: float
    auc: float
    seconds: float
    versions: int
    stale: float

    def __str__(self) -> str:
        cells = (str(self.way), f"{self.loss:.4f}", f"{self.auc:.4f}", f"{self.seconds:.1f}", f"{self.versions:,}",
                 f"{self.stale:.1f}")  # fmt: skip
        return f"| {' | '.join(cells)} |"


def follow(data: Data, way: Way, start: datetime, end: datetime) -> Outcome:
    """Score every event from ``start`` on by the newest model at its time."""
    model: models.Model | None = None
    scores, stale, seconds, known = np.full(len(data.y), np.nan), [], 0.0, 0
    times, recipe = [*way.times(start, end)], data.recipe.model_copy(update={"online": Online(rate=way.rate)})
    for (now, full), until in zip(times, [*(at for at, _ in times[1:]), end], strict=True):
        places, began = data.learned(now), time.process_time()
        if full or model is None:
            model = models.fit(way.kind, data.objective, recipe, data.rows[places], data.y[places], data.seed, 1)
        else:
            assert way.learn is not None
            last = places[-way.learn.rows :] if way.kind == "lightgbm" else places[known:]
            learning = (data.objective, recipe, way.learn, data.rows[last], data.y[last], data.seed)
            model = models.continue_from(model, *learning)
        seconds += time.process_time() - began
        known = len(places)
        due = data.span(now, until)
        if due.stop > due.start:
            scores[due] = model.predict(data.rows[due])
            stale.append((data.event[due] - data.event[places[-1]]) / np.timedelta64(1, "h"))
    here = ~np.isnan(scores) & ~np.isnan(data.y)
    loss, auc = (metrics.value("binary", name, data.y[here], scores[here]) for name in ("log_loss", "auc"))
    return Outcome(way, loss, auc, seconds, len(times), float(np.mean(np.concatenate(stale))))


def of_replay(folder: Path, name: str | None) -> Data:
    """The feature rows of a finished replay."""
    project = Project.find(folder)
    scope = project.scope
    name = name or next(n for n, o in scope.objectives.items() if o.task == "binary")
    table = read_features(outcomes.labelled(project), where=pl.col(f"label__{name}").is_not_null()).sort("predict_at")
    mature = table.select(pl.max_horizontal(f"known__{name}", pl.col("event_time") + scope.events.label_horizon))
    y, at, event = (table[column].to_numpy() for column in (f"label__{name}", "predict_at", "event_time"))
    return Data(table, y, at, event, mature.to_series().to_numpy(), scope.objectives[name], scope.training, scope.seed)


def of_table(path: Path, when: str, label: str, delay: timedelta) -> Data:
    """A table whose columns are features, one of them the label."""
    column, _, value = label.partition("=")
    table = pl.read_parquet(path).sort(when).with_columns(pl.col(when).alias("event_time"))
    features = tuple(c for c in table.columns if c not in (when, column, "event_time"))
    objective = Objective(task="binary", label=column, known="all", weight=1, features=features)
    y, event = (table[column].cast(pl.String) == value).cast(pl.Float64).to_numpy(), table[when].to_numpy()
    return Data(table, y, event, event, event + np.timedelta64(delay), objective, RECIPE, 1)


def ways(daily: bool, hourly: bool) -> Iterator[Way]:
    """From the least work to the most."""
    more, other = Learn(batch=1), Learn(batch=1, how="refit")
    yield from (Way(None), Way(MONTH), Way(WEEK), *([Way(DAY)] if daily else []))
    yield from (Way(MONTH, WEEK, more), Way(MONTH, DAY, more), Way(WEEK, DAY, more), Way(MONTH, DAY, other))
    yield Way(MONTH, None, None, "linear")
    yield from (Way(MONTH, DAY, more, "online", rate) for rate in (0.03, 1.0))
    if hourly:
        yield Way(MONTH, HOUR, more, "online", 1.0)
        yield Way(WEEK, HOUR, Learn(batch=1, trees=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--objective")
    parser.add_argument("--time", default="event_time")
    parser.add_argument("--label", default="label=1")
    parser.add_argument("--delay", type=parse_duration, default=HOUR)
    parser.add_argument("--after", type=parse_duration, default=timedelta(days=90), help="history before")
    parser.add_argument("--length", type=parse_duration, help="of the time that is scored, from then on")
    parser.add_argument("--daily", action="store_true", help="a full retrain each day too, which takes long")
    parser.add_argument("--hourly", action="store_true", help="continue each hour too, which takes long")
    given = parser.parse_args()
    if given.source.is_dir():
        data = of_replay(given.source, given.objective)
    else:
        data = of_table(given.source, given.time, given.label, given.delay)
    first, last = (data.at[n].astype("datetime64[us]").astype(datetime) for n in (0, -1))
    start = first.replace(hour=0, minute=0, second=0, microsecond=0) + given.after
    end = min(last, start + given.length) if given.length else last
    due = data.span(start, end)
    print(f"{due.stop - due.start:,} events from {start:%Y-%m-%d} to {end:%Y-%m-%d}, of {given.source.name}.\n")
    print("| learning | log loss | AUC | CPU s | versions | staleness, h |\n|---|---|---|---|---|---|")
    for way in ways(given.daily, given.hourly):
        print(follow(data, way, start, end), flush=True)


if __name__ == "__main__":
    main()
