"""A first ``params.yaml``: every guess a line with its reason, for a person to correct."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from homeostat.newproject.contracts_draft import volume
from homeostat.newproject.features_draft import FeatureDraft, interval
from homeostat.newproject.names import quoted
from homeostat.newproject.rhythm import DAY, HOUR, rounded_up
from homeostat.newproject.understanding import known_sql
from homeostat.project.value_types import format_duration

if TYPE_CHECKING:
    from homeostat.newproject.choices import Choices
    from homeostat.newproject.leaks import Leaks
    from homeostat.newproject.understanding import Column, Context, Table, Understanding

WIDTH = 110
COMMENTS = 32
BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}
BLOCKS = 8  # that the shortest stretch that is judged has, for chance to be told from change
SECOND = timedelta(seconds=1)
ON_THE_WALL = 20  # seconds a batch of the history takes under `homeostat up`: a run takes some five


def draft(project: str, found: Understanding, choices: Choices, leaks: Leaks, features: FeatureDraft) -> str:
    """The whole text."""
    text = "\n".join(
        [
            _head(project, found, choices),
            _sources(found, choices),
            _events(found, choices, leaks, features),
            _objectives(found, choices, features),
            _models(found, choices),
            _limits(found, choices),
        ]
    )
    return "\n".join(map(_aligned, text.split("\n")))


def _aligned(line: str) -> str:
    """Comments beside short values stand in one column."""
    code, sign, said = line.rstrip().partition(" # ")
    if not sign or not code.strip() or '"' in said and '"' not in code:
        return line.rstrip()
    return f"{code.rstrip():<{COMMENTS}}  # {said.strip()}"


def value(said: object) -> str:
    """A value as YAML writes it on one line.

    >>> value("Temp_max"), value("no"), value("it's 5")
    ('Temp_max', '"no"', '"it\\'s 5"')
    """
    text = str(said)
    if BARE.fullmatch(text) and text.lower() not in WORDS_OF_YAML:
        return text
    return json.dumps(text, ensure_ascii=False)


def listed(names: Iterable[str], indent: int) -> str:
    """A list of names, as many a line as fit."""
    lines, line = [], ""
    for word in [value(n) for n in names]:
        if line and len(line) + len(word) + 2 > WIDTH - indent:
            lines.append(line)
            line = ""
        line += f"{word}, "
    lines.append(line)
    return "[" + ("\n" + " " * (indent + 1)).join(lines).removesuffix(", ") + "]"


def _commented(key: str, said: str, indent: int = 2) -> str:
    line = f"{' ' * indent}{key}"
    return f"{line:<34} # {said}"


def _head(project: str, found: Understanding, choices: Choices) -> str:
    goal = {
        "binary": f"Tell which rows of {found.table.name} will turn out {found.label.column} = "
        f"{found.label.positive or 'yes'}.",
        "regression": f"Tell how large {found.label.column} of a row of {found.table.name} will be.",
        "ranking": f"Order the rows of {found.table.name} within each group by {found.label.column}.",
    }[found.label.task]
    speed = max(1, int(found.rhythm.period.total_seconds() / ON_THE_WALL))
    return f"""# THE SCOPE of this project: what a scoping meeting decides. `homeostat check scope` prints it as a page.
# `homeostat new` guessed it from the table: each line says what it means and why this value. Correct what is wrong.
# Times are UTC; durations are written 45m, 2h, 1d; a share is a number between 0 and 1. An SQL expression (DuckDB)
# sees the columns of its own source and event_time.

project: {project:<25} # name in release tags; letters, digits, - and _
goal: {value(goal)}  # what the model is for; say it in your own words
branch: main                      # git branch whose code scheduled work runs: what was reviewed
seed: 1                           # a whole number that every random choice follows from; which one does not matter
threads: 1                        # threads of one computation

clock:                            # what "now" is for scheduled flows; without it: the wall's time
  start: "{found.start.isoformat()}"    # project time when the ledger is empty: where the data begin
  speed: {speed:<26} # project seconds a second: a batch each {ON_THE_WALL} s, so that there is work to watch
"""


def _sources(found: Understanding, choices: Choices) -> str:
    parts = [
        "sources:                          # where tables come from, and what their rows mean",
        _event_source(found, choices),
    ]
    parts += [_context_source(found, c) for c in found.contexts]
    return "\n".join(parts)


def _address(table: Table) -> list[str]:
    if table.address.query is not None:
        return [
            f"    url: {value(table.address.url)}",
            f"    query: {json.dumps(table.address.query, ensure_ascii=False)}  # :start and :end in it "
            "are the batch's",
        ]
    return [
        f"    path: {json.dumps(table.address.path, ensure_ascii=False)}  # read where it lies: new rows "
        "in it become new batches"
    ]


def _columns(columns: Sequence[Column]) -> list[str]:
    lines = [
        "    columns:                      # what must be there, with types: string, integer, float, boolean, time"
    ]
    lines += [f"      {value(c.name)}: {c.kind}" for c in columns]
    read = [(c, c.read) for c in columns if c.read is not None]
    if read:
        lines.append(
            "    read:                         # SQL for columns that are not written so: from what the table says"
        )
        for column, sql in read:
            note = column.note or f"called {column.raw!r} there"
            note = " ".join(note.split())
            lines += [f"      # {note}", f"      {value(column.name)}: {json.dumps(sql, ensure_ascii=False)}"]
    return lines


def _event_source(found: Understanding, choices: Choices) -> str:
    table, rhythm = found.table, found.rhythm
    before = found.asked.predict_before + SECOND
    outcome, why = _outcome(found)
    many = volume(found)
    order = [c for c in choices.given if c in table.key] + [c for c in choices.given if c not in table.key]
    leaks = [c for c in choices.outcome if c not in (found.label.column, found.known_at)]
    lines = [
        f"  {table.name}:",
        *_address(table),
        f"    time: {json.dumps(table.time, ensure_ascii=False)}  # event time: the column "
            f"{found.table.column(found.time_column).raw!r}",
        _commented(f"period: {format_duration(rhythm.period)}", f"one batch: {rhythm.rows:,} rows as a "
            f"rule, {rhythm.batches} batches so far", 4),
        _commented(f"late_after: {format_duration(rhythm.period / 2)}", "a batch that has not come this "
            "long after its period is missing", 4),
        f"    key: {listed(table.key, 9)}  # {table.key_note}",
        *_columns(table.columns),
        "    known_at:                     # when each group of columns becomes known; the first makes the row visible",
        "      given:                      # guess: all that is not the label is known when the event "
            "comes; if not, make a group",
        f"        columns: {listed(order, 17)}",
        f"        at: {json.dumps(f'event_time - {interval(before)}')}  # just before predict_at",
        "      outcome:                    # the "
            f"label{', and what gives it away: ' + ', '.join(leaks) if leaks else ''}",
        f"        columns: {listed(choices.outcome, 17)}",
        f"        at: {json.dumps(outcome, ensure_ascii=False)}  # {why}",
    ]  # fmt: skip
    if many is not None:
        lines.append(
            _commented(
                f"volume: {many:g}",
                "share a batch may differ from the median of its last 28: 1.5 times the history's most",
                4,
            )
        )
    return "\n".join(lines)


def outcome_sql(found: Understanding) -> str:
    """When the label of a row is known, in SQL."""
    return _outcome(found)[0]


def _outcome(found: Understanding) -> tuple[str, str]:
    """When the label is known, in SQL, and why this guess."""
    if found.known_at is not None:
        sql, why = known_sql(found), "the column says so"
        if sql != quoted(found.known_at):
            why = f"{found.known_at} names a day: known when it is over"
        if found.bound is not None:
            sql = f"greatest({sql}, {found.bound.sql} + {interval(found.bound.wait)})"
            why = "none counts before nearly all of its like are there, whichever way they went: early ones are biased"
        return sql, why
    if found.series and found.step is not None:
        return (
            f"event_time + {interval(found.delay)} - INTERVAL 1 SECOND",
            "guess: measured by the time the next row comes",
        )
    return (
        f"event_time + {interval(found.delay)}",
        "guess: nothing says when labels come; name the column with --known-at",
    )


def _context_source(found: Understanding, context: Context) -> str:
    table = context.table
    lines = [f"  {table.name}:", *_address(table)]
    if table.time is None:
        lines.append("    period: once                  # a table without time: one batch, known from the start")
    else:
        lines.append(f"    time: {json.dumps(table.time, ensure_ascii=False)}  # its own time")
        lines.append(f"    period: {format_duration(found.rhythm.period):<21} # one batch, as of the events")
        lines.append(f"    late_after: {format_duration(found.rhythm.period / 2)}")
    lines += [f"    key: {listed(table.key, 9)}  # names one row", *_columns(table.columns)]
    if table.time is not None:
        order = [*table.key, *(n for n in table.names if n not in table.key)]
        lines += [
            "    known_at:",
            "      given:",
            f"        columns: {listed(order, 17)}",
            '        at: "event_time"  # guess: known at its time',
        ]
    return "\n".join(lines)


def _events(found: Understanding, choices: Choices, leaks: Leaks, features: FeatureDraft) -> str:
    before = found.asked.predict_before
    predict = "event_time" if not before else f"event_time - {interval(before)}"
    why = "guess: at its time, with what came with the row" if not before else "as asked"
    if found.delays:
        d = {q: f"{t / DAY:.3g}" for q, t in found.delays.items()}
        horizon = f"labels took {d[0.5]} days in the middle, {d[0.9]} for nine of ten; "
        horizon += "their known_at waits for the late ones" if found.bound else "early ones are biased, late ones old"
    else:
        horizon = "an event is mature this long after its time, when its label is known"
    name = choices.objective
    return f"""
events:
  source: {found.table.name:<25} # each row of it is an event to predict
  predict_at: {json.dumps(predict):<21} # when the prediction is needed; {why}
  label_horizon: {format_duration(found.horizon):<18} # {horizon}

features:
  history: {format_duration(features.history):<24} # how far back features.sql may look: its longest window, and waiting
  # values of these always went with one label; they stay in, for that may be right: if not, bar them
  allowed: {listed([f"{name}.{c}" for c in leaks.allowed], 11)}
  # these give the label away (suspicion.html says how): no feature may come from them
  barred: {listed([f"{name}.{c}" for c in leaks.barred], 10)}
"""


def _objectives(found: Understanding, choices: Choices, features: FeatureDraft) -> str:
    label = found.label
    weight = 1 if label.task != "binary" else max(1, round((1 - label.rate) / max(label.rate, 1e-3)))
    why = {
        "binary": f"guess: a missed one costs as much as {weight} alerts that were not needed, as many as it is rare",
        "regression": "what one unit of it costs, in alerts not needed",
        "ranking": "what a missed grade costs",
    }[label.task]
    group = (
        f"    group: {json.dumps(label.group, ensure_ascii=False)}  # rows that are ordered among each other\n"
        if label.group
        else ""
    )
    told = f"yes is {label.positive!r}, {label.rate:.1%} of the rows" if label.task == "binary" else "a number"
    return f"""objectives:                       # one model each; weights change without retraining
  {choices.objective}:
    task: {label.task:<23} # binary, regression or ranking
    label: {json.dumps(label.sql, ensure_ascii=False)}  # what is predicted; {told}
    known: outcome                # the group of columns that makes the label known
    weight: {weight:<21} # {why}
{group}    features:                     # names from features.sql
      {listed([f.name for f in features.features], 6)}
"""


def _models(found: Understanding, choices: Choices) -> str:
    rows = max(found.table.rows, 1)
    least = max(5, min(100, rows // 400))
    capacity = max(1, round(found.rhythm.rows * 0.1))
    alert = 1 if found.label.task == "binary" else f"{max(found.label.rate, 1.0):.3g}"
    by = f"by: {listed(choices.baseline, 8)}"
    why = (
        "what somebody knows without a model"
        if choices.baseline
        else "no column with few values tells anything: the mean of all"
    )
    return f"""costs:                            # the business metric: guesses, ask who acts on the answers
  alert: {alert:<26} # an alert that was not needed; the unit of all costs
  capacity: {capacity:<23} # alerts that can be acted on in one batch: a tenth of its rows

windows:
  warm_up: {format_duration(found.warm_up):<24} # history before the first learned model; until then the baseline serves
  train: all                      # history a model is trained on, or a length such as 180d
  holdout: {format_duration(found.holdout):<24} # the last mature events, judged and not trained on

training:
  model: lightgbm                 # heuristic, linear or lightgbm; trees take missing values as they come
  refit: true                     # after the holdout has judged it, fit once more on all that is mature: newest counts
  lightgbm:                       # LightGBM's own words
    trees: 200                    # many small steps
    leaves: 31                    # LightGBM's own default
    learning_rate: 0.05           # share of each tree's correction that is taken
    min_leaf: {least:<19} # events; a quarter of a hundredth of the table, 100 at most
    feature_share: 0.5            # of the features a tree may use: no one of them may rule
    l2: 10.0                      # what holds leaves of few events near zero: tables change
  baseline:                       # version 0, the one to beat: the label's mean by these columns of the events
    {by:<29} # {why}
"""


def _limits(found: Understanding, choices: Choices) -> str:
    period, rhythm = found.rhythm.period, found.rhythm
    holdout_rows = found.holdout / period * max(rhythm.rows, 1)
    smallest = int(max(30, min(1000, holdout_rows // 10)))
    window = max(rhythm.decide, period * max(4, -(-400 // max(rhythm.rows, 1))))
    window = min(window, max(period, found.history * 0.25 // period * period))
    window = max(window, found.holdout) if found.bound else window  # as many late ones as the promise was made on
    shortest = min(window, found.holdout)
    window += rounded_up(found.horizon, period) if found.horizon >= period else timedelta(0)
    block = next((b for b in (7 * DAY, DAY, HOUR) if shortest / b >= BLOCKS and b <= max(period, DAY)), HOUR)
    metrics = {
        "binary": "binary: [log_loss, auc, average_precision, brier, calibration]",
        "regression": "regression: [rmse, mae, r2, calibration]",
        "ranking": "ranking: [ndcg_loss, ndcg, average_precision]",
    }[found.label.task]
    return f"""evaluation:
  metrics:                        # the first is the loss that gates and monitoring compare
    {metrics}
  slices: {listed(choices.slices, 10):<25} # columns of the events whose groups nobody may serve worse
  min_slice: {smallest:<22} # events below which a slice is not judged
  resamples: 200                  # draws of the block bootstrap
  block: {format_duration(block):<26} # events in one block are resampled together: neighbours are alike
  confidence: 0.95                # share of intervals that hold the truth; the usual one

release:                          # what a candidate must pass; each is a finding
  beats_baseline: 0.01            # share that the loss must be below the baseline's: less is not worth running
  not_worse: 0.01                 # share that the loss may be above the champion's on the same rows
  slice_not_worse: 0.10           # the same share in each slice, unless chance explains it
  calibration: 0.5                # share that mean score over mean label may be off

rollout:                          # how a release that passed begins to serve
  strategy: at once               # at once; shadow: scores unseen; canary: answers a share of the keys first
  steps: [0.05, 0.25]             # shares of the keys a canary answers, step by step; after the last it serves all
  hold: {format_duration(rhythm.decide):<27} # least time of a step, and of a shadow
  patience: {format_duration(4 * rhythm.decide):<23} # a step that has too few events after this long alerts
  events: {smallest:<25} # events the challenger must have scored in a step
  errors: 0.01                    # share of requests that it may fail above the champion's
  latency: 0.25                   # seconds within which it gives 95 % of its answers, or no later than the champion
  score_drift: 0.5                # drift score of its scores from the champion's of the same time

monitoring:
  window: {format_duration(window):<25} # events judged at each decision, those that are mature
  quality_drop: 0.10              # share that loss over the baseline's may be above what the release promised
  calibration: 0.5                # share that mean score over mean label may be off
  roll_back: 0.05                 # share the previous version's loss must be below the champion's to go back to it
  drift_method: psi               # as Evidently computes it
  drift_limit: 0.5                # drift score above which one column has drifted: seasons move many
  drift_share: 0.6                # share of drifted columns that starts a decision
  score_drift: 2.0                # drift score of the predictions that starts a decision
  missing_rise: 0.3               # share of a feature's values missing above the reference's that starts a decision
  reference_rows: 20000           # rows of the drift reference in a release
  cool_down: {format_duration(2 * rhythm.decide):<22} # between two decisions that drift alone starts; after a rollback

rhythm:
  offset: 0s                      # days start at midnight, UTC
  tick: {format_duration(rhythm.period):<27} # how often data are taken in and predictions made: as the batches come
  decide: {format_duration(rhythm.decide):<25} # how often what was realised is judged and acted on
  retrain: {format_duration(rhythm.retrain):<24} # a fresh candidate at the latest after this
"""
