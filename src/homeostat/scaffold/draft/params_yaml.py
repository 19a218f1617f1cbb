"""A first ``params.yaml``: every guess a line with its reason, for a person to correct."""

from __future__ import annotations

from datetime import timedelta

from homeostat.project.value_types import format_duration
from homeostat.scaffold.audit.column_roles import Roles
from homeostat.scaffold.audit.label_leakage import Leakage
from homeostat.scaffold.draft.features_sql import FeatureQuery
from homeostat.scaffold.draft.files import fill_template
from homeostat.scaffold.draft.params_sources import sources
from homeostat.scaffold.draft.plan import Plan
from homeostat.scaffold.draft.yaml_text import align_comments, name_list, text_value
from homeostat.scaffold.profile.batch_period import DAY, HOUR, interval, rounded_up
from homeostat.scaffold.profile.profile_table import Profile

BLOCKS = 8  # least of the shortest stretch that is judged, for an interval to mean something
RUNS = 20  # blocks of a time that many events share
ON_THE_WALL = 20  # seconds a batch of the history takes under `homeostat up`: a run takes some five
QUARTER = 90 * DAY
EVENTS = 400  # least events of a monitoring window
GOALS = {
    "binary": "Predict which rows of {table} will have {label} = {positive}.",
    "regression": "Predict {label} for each row of {table}.",
    "ranking": "Rank the rows of {table} within each group by {label}.",
}
METRICS = {
    "binary": "binary: [log_loss, auc, average_precision, brier, calibration]",
    "regression": "regression: [rmse, mae, r2, calibration]",
    "ranking": "ranking: [ndcg_loss, ndcg, average_precision]",
}


def params_yaml(project: str, profile: Profile, leakage: Leakage, roles: Roles, plan: Plan, query: FeatureQuery) -> str:
    """The whole text."""
    values = {
        "project": project,
        "sources": sources(profile, roles),
        "history": format_duration(query.history),
        "allowed": name_list([f"{plan.objective}.{c}" for c in leakage.allowed], 11),
        "barred": name_list([f"{plan.objective}.{c}" for c in leakage.barred], 10),
        "features": name_list([f.name for f in query.features], 6),
        **_clock_and_events(profile),
        **_objective(profile, plan),
        **_model(profile, plan),
        **_judging(profile, plan),
        **_rhythm(profile),
    }
    return align_comments(fill_template("params.yaml", values))


def _clock_and_events(profile: Profile) -> dict[str, object]:
    before, delay = profile.request.predict_before, profile.delay
    note = "an event is mature this long after its time, when its label is known"
    if delay.column is not None:
        waited = "their known_at waits for the late ones" if delay.due else "early ones are biased, late ones old"
        note = f"labels took {delay.days(0.5)} days at the median, {delay.days(0.9)} for nine of ten; {waited}"
    return {
        "start": profile.history.start.isoformat(),
        "speed": max(1, int(profile.rhythm.period.total_seconds() / ON_THE_WALL)),
        "seconds": ON_THE_WALL,
        "table": profile.table.name,
        "predict_at": text_value(f"event_time - {interval(before)}" if before else "event_time"),
        "predict_at_note": "as given" if before else "guess: at its time, with the columns that came with the row",
        "label_horizon": format_duration(delay.horizon),
        "label_horizon_note": note,
        "labels_until": _labels_until(profile),
    }


def _labels_until(profile: Profile) -> str:
    """From when on labels cannot be trusted, where there is such a time."""
    history = profile.history
    if history.labels_until is None:
        return ""
    why = "all are of one class from then on" if history.dried else "rows thin out from then on, the late ones lack"
    return f'  labels_until: "{history.labels_until.isoformat()}"  # {why}; without this line all labels count\n'


def _objective(profile: Profile, plan: Plan) -> dict[str, object]:
    label, task = profile.label, profile.label.task
    positive = label.positive or "yes"
    weight = max(1, round((1 - label.rate) / max(label.rate, 1e-3))) if task == "binary" else 1
    alerts = "a false alert" if weight == 1 else f"{weight} false alerts, since it is that rare"
    group = f"    group: {text_value(label.group)}  # its rows are ranked among each other\n" if label.group else ""
    return {
        "goal": text_value(GOALS[task].format(table=profile.table.name, label=label.column, positive=positive)),
        "objective": plan.objective,
        "task": task,
        "label": text_value(label.sql),
        "label_note": f"yes is {label.positive!r}, {label.rate:.1%} of the rows" if task == "binary" else "a number",
        "weight": weight,
        "weight_note": {
            "binary": f"guess: a missed event costs as much as {alerts}",
            "regression": "cost of one unit of it, in false alerts",
            "ranking": "cost of a missed grade",
        }[task],
        "group": group,
        "alert": 1 if task == "binary" else f"{max(label.rate, 1.0):.3g}",
    }


def _model(profile: Profile, plan: Plan) -> dict[str, object]:
    note = "known without a model" if plan.baseline else "no column with few values predicts anything: the mean of all"
    return {
        "capacity": max(1, round(profile.rhythm.rows * 0.1)),
        "warm_up": format_duration(profile.windows.warm_up),
        "holdout": format_duration(profile.windows.holdout),
        "min_leaf": max(5, min(100, max(profile.table.rows, 1) // 400)),
        "baseline": name_list(plan.baseline, 8),
        "baseline_note": note,
    }


def _judging(profile: Profile, plan: Plan) -> dict[str, object]:
    period, holdout, horizon = profile.rhythm.period, profile.windows.holdout, profile.delay.horizon
    window = _monitoring_window(profile)
    wait = rounded_up(horizon, period) if horizon >= period else timedelta(0)
    shortest = min(window, holdout, profile.rhythm.retrain)
    block = next((b for b in (7 * DAY, DAY, HOUR) if shortest / b >= BLOCKS and b <= max(period, DAY)), HOUR)
    return {
        "metrics": METRICS[profile.label.task],
        "slices": name_list(plan.slices, 10),
        "min_slice": int(max(30, min(1000, holdout / period * max(profile.rhythm.rows, 1) // 10))),
        "block": format_duration(block),
        "runs": _runs(profile, shortest),
        "monitoring_window": format_duration(window + wait),
    }


def _runs(profile: Profile, shortest: timedelta) -> str:
    """Lines that make blocks of the events of one time, where the shortest stretch that is judged has too few times."""
    times = profile.table.column(profile.time.column).distinct * (shortest / profile.history.covered)
    if times >= BLOCKS or profile.label.task == "ranking":
        return ""
    return f"  runs: {RUNS}  # parts of a block by key, each a block: too few times in a holdout, {times:.0f}\n"


def _monitoring_window(profile: Profile) -> timedelta:
    """Events judged at each decision, before the wait for their labels."""
    period, rhythm = profile.rhythm.period, profile.rhythm
    window = max(rhythm.decide, period * max(4, -(-EVENTS // max(rhythm.rows, 1))))
    window = min(window, max(period, profile.history.length * 0.25 // period * period))
    # With a due time, as many late labels as the release was evaluated on.
    return max(window, profile.windows.holdout) if profile.delay.due else window


def _rhythm(profile: Profile) -> dict[str, object]:
    rhythm = profile.rhythm
    return {
        "hold": format_duration(rhythm.decide),
        "patience": format_duration(4 * rhythm.decide),
        "cool_down": format_duration(2 * rhythm.decide),
        "alarms_in": format_duration(max(QUARTER, 13 * rhythm.decide)),
        "tick": format_duration(rhythm.period),
        "decide": format_duration(rhythm.decide),
        "retrain": format_duration(rhythm.retrain),
    }
