"""A first ``params.yaml``: every guess a line with its reason, for a person to correct."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from homeostat.scaffold.draft.params_sources import sources
from homeostat.scaffold.draft.yaml_text import align_comments, name_list, text_value
from homeostat.scaffold.profile.batch_period import DAY, HOUR, interval, rounded_up
from homeostat.scope import format_duration

if TYPE_CHECKING:
    from homeostat.scaffold.audit.column_roles import Roles
    from homeostat.scaffold.audit.label_leakage import Leakage
    from homeostat.scaffold.draft.features_sql import FeatureQuery
    from homeostat.scaffold.draft.plan import Plan
    from homeostat.scaffold.profile.profile_table import Profile

BLOCKS = 8  # least of the shortest stretch that is judged, for an interval to mean something
ON_THE_WALL = 20  # seconds a batch of the history takes under `homeostat up`: a run takes some five
EVENTS = 400  # least events of a monitoring window
METRICS = {
    "binary": "binary: [log_loss, auc, average_precision, brier, calibration]",
    "regression": "regression: [rmse, mae, r2, calibration]",
    "ranking": "ranking: [ndcg_loss, ndcg, average_precision]",
}


def params_yaml(
    project: str, profile: Profile, leakage: Leakage, roles: Roles, plan: Plan, query: FeatureQuery
) -> str:
    """The whole text."""
    sections = [
        _head(project, profile),
        sources(profile, roles),
        _events(profile, leakage, plan, query),
        _objectives(profile, plan, query),
        _costs_and_training(profile, plan),
        _evaluation_and_release(profile, plan),
        _monitoring_and_rhythm(profile),
    ]
    return align_comments("\n".join(sections))


def _head(project: str, profile: Profile) -> str:
    name, label = profile.table.name, profile.label
    goal = {
        "binary": f"Predict which rows of {name} will have {label.column} = {label.positive or 'yes'}.",
        "regression": f"Predict {label.column} for each row of {name}.",
        "ranking": f"Rank the rows of {name} within each group by {label.column}.",
    }[label.task]
    speed = max(1, int(profile.rhythm.period.total_seconds() / ON_THE_WALL))
    return f"""# THE SCOPE of this project: what a scoping meeting decides. `homeostat check scope` prints it as a page.
# `homeostat new` guessed it from the table: each line says what it means and why this value. Correct what is wrong.
# Times are UTC; durations are written 45m, 2h, 1d; a share is a number between 0 and 1. An SQL expression (DuckDB)
# sees the columns of its own source and event_time.

project: {project}  # name in release tags; letters, digits, - and _
goal: {text_value(goal)}  # what the model is for; say it in your own words
branch: main                      # git branch whose code scheduled work runs: the reviewed one
seed: 1                           # a whole number that every random choice follows from; which one does not matter
threads: 1                        # threads of one computation

clock:                            # the time of scheduled flows; without it: the wall's time
  start: "{profile.history.start.isoformat()}"    # project time when the ledger is empty: where the data begin
  speed: {speed}  # project seconds a second: a batch each {ON_THE_WALL} s, so that there is work to watch
"""


def _events(profile: Profile, leakage: Leakage, plan: Plan, query: FeatureQuery) -> str:
    before, delay = profile.request.predict_before, profile.delay
    predict = f"event_time - {interval(before)}" if before else "event_time"
    why = "as given" if before else "guess: at its time, with the columns that came with the row"
    horizon = "an event is mature this long after its time, when its label is known"
    if delay.column is not None:
        waited = "their known_at waits for the late ones" if delay.due else "early ones are biased, late ones old"
        horizon = f"labels took {delay.days(0.5)} days at the median, {delay.days(0.9)} for nine of ten; {waited}"
    return f"""
events:
  source: {profile.table.name}  # each row of it is an event to predict
  predict_at: {text_value(predict)}  # when the prediction is needed; {why}
  label_horizon: {format_duration(delay.horizon)}  # {horizon}

features:
  history: {format_duration(query.history)}  # how far back features.sql may look: its longest window, and the wait
  # some values of these always go with one label; they may be right to: if not, bar them
  allowed: {name_list([f"{plan.objective}.{c}" for c in leakage.allowed], 11)}
  # these leak the label (issues.html says how): no feature may come from them
  barred: {name_list([f"{plan.objective}.{c}" for c in leakage.barred], 10)}
"""


def _objectives(profile: Profile, plan: Plan, query: FeatureQuery) -> str:
    label = profile.label
    weight = 1 if label.task != "binary" else max(1, round((1 - label.rate) / max(label.rate, 1e-3)))
    why = {
        "binary": f"guess: a missed event costs as much as {weight} false alerts, since it is that rare",
        "regression": "cost of one unit of it, in false alerts",
        "ranking": "cost of a missed grade",
    }[label.task]
    group = f"    group: {text_value(label.group)}  # its rows are ranked among each other\n" if label.group else ""
    value = f"yes is {label.positive!r}, {label.rate:.1%} of the rows" if label.task == "binary" else "a number"
    return f"""objectives:                       # one model each; weights change without retraining
  {plan.objective}:
    task: {label.task}  # binary, regression or ranking
    label: {text_value(label.sql)}  # predicted; {value}
    known: outcome                # the group of columns that makes the label known
    weight: {weight}  # {why}
{group}    features:                     # names from features.sql
      {name_list([f.name for f in query.features], 6)}
"""


def _costs_and_training(profile: Profile, plan: Plan) -> str:
    least = max(5, min(100, max(profile.table.rows, 1) // 400))
    capacity = max(1, round(profile.rhythm.rows * 0.1))
    alert = 1 if profile.label.task == "binary" else f"{max(profile.label.rate, 1.0):.3g}"
    by = f"by: {name_list(plan.baseline, 8)}"
    why = "known without a model" if plan.baseline else "no column with few values predicts anything: the mean of all"
    return f"""costs:                            # the business metric: guesses, ask whoever acts on the alerts
  alert: {alert}  # a false alert; the unit of all costs
  capacity: {capacity}  # alerts that can be acted on in one batch: a tenth of its rows

windows:
  warm_up: {format_duration(profile.windows.warm_up)}  # history before the first model; until then the baseline serves
  train: all                      # history a model is trained on, or a length such as 180d
  holdout: {format_duration(profile.windows.holdout)}  # the last mature events, which evaluate and do not train

training:
  model: lightgbm                 # heuristic, linear or lightgbm; trees take missing values as they come
  refit: true                     # once the holdout has evaluated it, fit again on all mature events: new ones count
  lightgbm:                       # LightGBM's own words
    trees: 200                    # many small steps
    leaves: 31                    # LightGBM's own default
    learning_rate: 0.05           # share of each tree's correction that is taken
    min_leaf: {least}  # events; a quarter of a hundredth of the table, 100 at most
    feature_share: 0.5            # of the features a tree may use: no one of them may dominate
    l2: 10.0                      # shrinks leaves of few events towards zero: tables change
  baseline:                       # version 0, the one to beat: the label's mean by these columns of the events
    {by}  # {why}
"""


def _evaluation_and_release(profile: Profile, plan: Plan) -> str:
    period, rhythm, windows = profile.rhythm.period, profile.rhythm, profile.windows
    smallest = int(max(30, min(1000, windows.holdout / period * max(rhythm.rows, 1) // 10)))
    shortest = min(_monitoring_window(profile), windows.holdout)
    block = next((b for b in (7 * DAY, DAY, HOUR) if shortest / b >= BLOCKS and b <= max(period, DAY)), HOUR)
    return f"""evaluation:
  metrics:                        # the first is the loss that gates and monitoring compare
    {METRICS[profile.label.task]}
  slices: {name_list(plan.slices, 10)}  # columns of the events whose groups may not get worse predictions
  min_slice: {smallest}  # events below which a slice is not judged
  resamples: 200                  # draws of the block bootstrap
  block: {format_duration(block)}  # events in one block are resampled together: neighbours are alike
  confidence: 0.95                # of intervals; the usual one

release:                          # rules that a candidate must pass; each is a finding
  beats_baseline: 0.01            # share that the loss must be below the baseline's: less is not worth running
  not_worse: 0.01                 # share that the loss may be above the champion's on the same rows
  slice_not_worse: 0.10           # the same share in each slice, if significant
  calibration: 0.5                # share that mean score over mean label may be off

rollout:                          # how a release that passed begins to serve
  strategy: at once               # at once; shadow: scores without serving; canary: answers a share of the keys first
  steps: [0.05, 0.25]             # shares of the keys a canary answers, step by step; after the last it serves all
  hold: {format_duration(rhythm.decide)}  # least time of a step, and of a shadow
  patience: {format_duration(4 * rhythm.decide)}  # a step that has too few events after this long alerts
  events: {smallest}  # events the challenger must have scored in a step
  errors: 0.01                    # share of requests that it may fail above the champion's
  latency: 0.25                   # seconds within which it gives 95 % of its answers, or no later than the champion
  score_drift: 0.5                # drift score of its scores from the champion's of the same time
"""


def _monitoring_window(profile: Profile) -> timedelta:
    """Events judged at each decision, before the wait for their labels."""
    period, rhythm = profile.rhythm.period, profile.rhythm
    window = max(rhythm.decide, period * max(4, -(-EVENTS // max(rhythm.rows, 1))))
    window = min(window, max(period, profile.history.length * 0.25 // period * period))
    # With a due time, as many late labels as the release was evaluated on.
    return max(window, profile.windows.holdout) if profile.delay.due else window


def _monitoring_and_rhythm(profile: Profile) -> str:
    rhythm, horizon = profile.rhythm, profile.delay.horizon
    wait = rounded_up(horizon, rhythm.period) if horizon >= rhythm.period else timedelta(0)
    window = _monitoring_window(profile) + wait
    return f"""monitoring:
  window: {format_duration(window)}  # events judged at each decision, of those that are mature
  quality_drop: 0.10              # share that loss over the baseline's may be above that of the release's evaluation
  calibration: 0.5                # share that mean score over mean label may be off
  roll_back: 0.05                 # share the previous version's loss must be below the champion's to go back to it
  drift_method: psi               # as Evidently computes it
  drift_limit: 0.5                # drift score above which one column has drifted: seasons move many
  drift_share: 0.6                # share of drifted columns that starts a decision
  score_drift: 2.0                # drift score of the predictions that starts a decision
  missing_rise: 0.3               # share of a feature's values missing above the reference's that starts a decision
  reference_rows: 20000           # rows of the drift reference in a release
  cool_down: {format_duration(2 * rhythm.decide)}  # between two decisions that drift alone starts; after a rollback

rhythm:
  offset: 0s                      # days start at midnight, UTC
  tick: {format_duration(rhythm.period)}  # how often data are taken in and predictions made: as the batches come
  decide: {format_duration(rhythm.decide)}  # how often outcomes are judged and acted on
  retrain: {format_duration(rhythm.retrain)}  # a fresh candidate at the latest after this
"""
