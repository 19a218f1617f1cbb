"""What a project's loop served, beside a bare script that fits plain LightGBM to the raw columns each month.

Give folders of finished replays, or `new` and the options of `homeostat new` to draft, replay and compare a table in a
temporary folder:

    .venv/bin/python benchmarks/tables.py REPLAY[:COLUMN,...]...
    .venv/bin/python benchmarks/tables.py new --from FILE --time COL --label COL ...

The bare model has LightGBM's own defaults and gets the columns that are known at predict-at as they are, without
those that give the label away, and without those after the colon, which an expert would not keep. It is fitted every
30 days from the end of the warm-up on, to the labels that were mature by then, and predicts until the next. A line
for each objective: each loss over the same events, and by what share the served loss is above the bare model's
(below: < 0), with a confidence interval by block bootstrap: over the scope's blocks of time, or, for a table with
fewer than five of them, over 200 runs of rows by key.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from whole_process import BIN, run

from homeostat.core import metrics
from homeostat.core.evaluation import compare
from homeostat.core.intervals import FEWEST
from homeostat.features.tables import mature as mature_rows
from homeostat.features.tables import read_features
from homeostat.models import lightgbm as ours
from homeostat.monitoring import outcomes
from homeostat.project.layout import Project
from homeostat.project.window import read_window
from homeostat.training import evaluate

PLAIN = {"num_threads": 1, "seed": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}
ROUNDS = 100
MONTH = timedelta(days=30)
RUNS = 200
MODELS = ("served", "never", "baseline", "bare")


@dataclass(frozen=True)
class Beside:
    """One objective's losses over the same events, by model, and the served one's share above each of the others."""

    table: str
    objective: str
    loss: str
    rows: int
    losses: dict[str, float]
    shares: dict[str, tuple[float | None, float | None, float | None]]

    def __str__(self) -> str:
        losses = " | ".join(f"{self.losses[m]:.4f}" if m in self.losses else "-" for m in MODELS)
        shares = " | ".join(_share(*self.shares[m]) if m in self.shares else "-" for m in MODELS[1:])
        return f"| {self.table}: {self.objective} | {self.rows:,} | {self.loss} | {losses} | {shares} |"


def _share(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:+.1%}" + (f" ({low:+.1%} to {high:+.1%})" if low is not None and high is not None else "")


def dates(project: Project) -> list[datetime]:
    """When the bare model is fitted: each month after the warm-up."""
    window = read_window(project.worktree)
    first = window.start + project.scope.windows.warm_up
    return [first + MONTH * n for n in range((window.as_of - first) // MONTH + 1)]


def raw_columns(project: Project, unwanted: Sequence[str]) -> tuple[str, ...]:
    """The columns that are known at predict-at, without the label, columns that give it away, row ids and others."""
    scope = project.scope
    source = scope.event_source
    first = next(iter(source.known_at.values())).columns
    barred = {name.split(".", 1)[1] for name in scope.features.barred}
    made = {k for k in source.key if k == "row_id" and k in source.read}
    return tuple(c for c in first if c not in barred | made | set(unwanted))


def raw(project: Project, columns: Sequence[str]) -> pl.DataFrame:
    """Key and raw columns of every accepted event."""
    scope = project.scope
    wanted = list(dict.fromkeys([*scope.key, *columns]))
    files = sorted((project.worktree.accepted / scope.events.source).glob("*.parquet"))
    return pl.concat([pl.read_parquet(f, columns=wanted) for f in files], how="vertical_relaxed").unique(
        list(scope.key), keep="last", maintain_order=True
    )


def matrix(table: pl.DataFrame, columns: tuple[str, ...]) -> tuple[np.ndarray, list[int]]:
    """Numbers as they are, words as codes, times as days; and which columns are codes."""
    numbers, words = [], []
    for place, name in enumerate(columns):
        values = table[name]
        if values.dtype == pl.String:
            words.append(place)
            values = values.rank("dense")
        elif values.dtype.is_temporal():
            values = (values.cast(pl.Datetime("us")) - datetime(1970, 1, 1)).dt.total_seconds() / 86400
        numbers.append(values.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    return np.column_stack(numbers), words


def bare_scores(project: Project, objective: str, rows: pl.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """Scores (n,) of the feature rows by the bare model that was last fitted before each; NaN before the first."""
    import lightgbm

    scope = project.scope
    task = scope.objectives[objective].task
    own = raw(project, columns)
    table = rows.join(own, list(scope.key), "left", nulls_equal=True, maintain_order="left", suffix="__raw")
    x, words = matrix(table, columns)
    y = rows[f"label__{objective}"].to_numpy()
    numbered = rows.with_row_index("row__")
    predict_at = rows["predict_at"].to_numpy()
    scores = np.full(rows.height, np.nan)
    when = dates(project)
    for now, until in zip(when, [*when[1:], datetime.max], strict=True):
        mature = mature_rows(numbered, objective, scope, now).sort("row__")["row__"].to_numpy()
        group = None
        if task == "ranking":
            names = evaluate.groups(rows[mature], objective)
            mature = mature[np.argsort(names, kind="stable")]
            group = np.unique(names, return_counts=True)[1]
        params = {"objective": ours.LOSS[task], **PLAIN}
        data = lightgbm.Dataset(x[mature], y[mature], group=group, categorical_feature=words, params=params)
        model = lightgbm.train(params, data, ROUNDS)
        ahead = (predict_at >= np.datetime64(now)) & (predict_at < np.datetime64(until, "us"))
        if ahead.any():
            scores[ahead] = model.predict(x[ahead], num_threads=1)
    return scores


def blocks(project: Project, table: pl.DataFrame) -> np.ndarray:
    """The scope's blocks of time; where there are too few to resample, as of yearly tables, runs of rows by key."""
    by_time = evaluate.blocks(project.scope, table)
    if len(np.unique(by_time)) >= FEWEST:
        return by_time
    place = table.with_row_index("row__").sort(project.scope.key)["row__"].arg_sort().to_numpy()
    return np.asarray(place * RUNS // table.height)


def beside(project: Project, objective: str, columns: tuple[str, ...]) -> Beside:
    """Everything over the events that all four models have scored and whose labels are mature at the end."""
    scope, now = project.scope, read_window(project.worktree).as_of
    task = scope.objectives[objective].task
    loss = evaluate.metrics_of(scope, objective)[0]
    features = read_features(project.worktree).sort("event_time", maintain_order=True)
    scores_of_bare = bare_scores(project, objective, features, columns)
    bare = features.select(*scope.key, pl.Series("bare__" + objective, scores_of_bare))
    table = outcomes.rows(project).join(bare, list(scope.key), "left", nulls_equal=True, maintain_order="left")
    names = {model: f"{prefix}{objective}" for model, prefix in [*outcomes.MODELS.items(), ("bare", "bare__")]}
    names["served"] = f"score__{objective}"
    table = mature_rows(table, objective, scope, now).filter(
        pl.all_horizontal(pl.col(c).is_not_null() & pl.col(c).cast(pl.Float64).is_not_nan() for c in names.values())
    )
    y = table[f"label__{objective}"].to_numpy()
    group = evaluate.groups(table, objective) if task == "ranking" else None
    scores = {model: table[column].cast(pl.Float64).to_numpy() for model, column in names.items()}
    losses = {model: metrics.value(task, loss, y, score, group) for model, score in scores.items()}
    block, settings = blocks(project, table), evaluate.settings(scope)
    shares = {}
    for model in MODELS[1:]:
        share = compare(task, loss, y, scores["served"], scores[model], block, {}, settings, group).overall.share
        shares[model] = (share.value, share.low, share.high)
    return Beside(scope.events.source, objective, loss, len(y), losses, shares)


def replayed(options: list[str], folder: Path) -> Path:
    """Draft a project by ``homeostat new`` and replay its history; the replay's folder."""
    made = folder / "table"
    run([BIN / "homeostat", "new", made, *options, "--yes"])
    span = re.search(r"replay (--from \S+ --to \S+)", (made / "Makefile").read_text())
    assert span is not None, "the Makefile says no range"
    run([BIN / "homeostat", "-C", made, "replay", *span[1].split(), "--name", "measured"], made)
    return made / ".homeostat" / "replays" / "measured"


def main() -> None:
    """Compare each project that was given, or the table."""
    if not sys.argv[1:]:
        sys.exit(__doc__)
    print("| table: objective | events | loss | served | never retrained | baseline | bare LightGBM "
          "| served against never retrained | against the baseline | against bare LightGBM |")  # fmt: skip
    print("|---" * 10 + "|")
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1] == "new":
            named = [str(replayed(sys.argv[2:], Path(folder)))]
        else:
            named = sys.argv[1:]
        for name in named:
            place, _, unwanted = name.partition(":")
            project = Project.find(Path(place))
            for objective in project.scope.objectives:
                print(beside(project, objective, raw_columns(project, unwanted.split(","))), flush=True)


if __name__ == "__main__":
    main()
