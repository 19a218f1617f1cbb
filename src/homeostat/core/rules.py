"""The names of the rules that a finding can be about, and of those that decide."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """One name a rule, whatever its subject; the runbook has a heading for each that alerts."""

    # one batch
    VOLUME = "volume"
    PERIOD = "period"
    DELIVERED_ONCE = "delivered once"
    FRESHNESS = "freshness"
    SCHEMA = "schema"
    TYPES = "types"
    FAILING_ROWS = "failing rows"
    HISTORY = "history"
    UNIQUE_KEY = "unique key"
    CONTRACT = "contract"
    AMENDMENT = "amendment"
    # the batches of one source at one tick
    BATCH = "batch"
    # the champion, by the labels of what it predicted
    QUALITY = "quality"
    AGAINST_BASELINE = "against the baseline"
    CALIBRATION = "calibration"
    METRICS = "metrics"
    SERVED_SLICES = "slices against the baseline"
    # the labels themselves
    LABELS = "labels"
    LABEL_RATE = "label rate"
    BUSINESS = "business"  # the business's own figure, beside the loss of two releases
    # a release just put in service, by its scores beside those of the one before it
    SWITCH = "scores since the switch"
    FALLBACK = "fallback"  # the baseline serves in the place of a model that lost to it
    # the champion, by its inputs and scores
    SCORE_DRIFT = "score drift"
    DRIFT_SHARE = "drift share"
    MISSING = "missing values"
    COLUMN_DRIFT = "column drift"
    # all of these together, against what windows of history differ by
    CHANGE = "change"
    # a candidate
    ENOUGH_ROWS = "enough rows"
    BEATS_BASELINE = "beats baseline"
    SAME_MODEL = "same model"
    BETTER = "better than champion"
    NOT_WORSE = "not worse than champion"
    SLICES = "no slice gets worse"
    HELD_OUT_CALIBRATION = "held-out calibration"
    UNJUDGED = "unjudged candidates"  # several in a row
    APPROVAL = "approval"  # a decision waits for a person
    TOO_GOOD = "too good"
    PAYS = "cost at these weights"
    COVERAGE = "coverage"  # of what is decided by scores
    BEHAVIOUR = "behaviour"  # one of the tests of expectations/behaviour
    SLICE_FLOOR = "floor of slices"
    SLICE_GAP = "gap between slices"
    PARITY = "demographic parity"
    ODDS = "equalized odds"
    BUDGET = "budget"
    MOVE = "move of scores"  # by a continuation of the champion
    RUNG = "rung"  # of the ladder, beside the best of it
    # a challenger beside the champion, in one step of its rollout
    ENOUGH_EVENTS = "enough events"
    ERRORS = "errors"
    LATENCY = "latency"
    SCORES = "scores"
    LOSS = "loss"
    SURELY_WORSE = "surely worse"  # at any look, by a confidence sequence
    LOADS = "loads"
    ROLLOUT = "rollout"  # the rollout as a whole
    # the loop itself
    RUN = "run"
    SCHEDULE = "schedule"
    DISK = "disk"
    RUN_HISTORY = "run history"  # Prefect's
    # features, as `homeostat check leakage` examines them
    POINT_IN_TIME = "point in time"
    LOOK_BACK = "look-back"
    GIVE_AWAY = "give-away"
    BARRED = "barred"


class Reason(StrEnum):
    """The rule of the policy, the gate or the rollout that decided."""

    NO_BATCH = "no batch yet"
    NOT_MATURE = "no mature event yet"
    FIRST = "first release"
    PASSED = "candidate passed"
    WOULD_PASS = "candidate would pass"  # of one that is evaluated, not released
    FAILED = "candidate failed"
    CANNOT_JUDGE = "candidate cannot be judged"
    BARRED = "candidate barred"
    PREVIOUS_BETTER = "previous version is better"
    ROLLOUT_FIRST = "rollout decides first"
    NO_CANDIDATE = "no candidate"
    NOTED = "drift noted"
    NOT_AS_JUDGED = "not as judged"
    WEIGHTS = "weights changed"
    LEVEL = "level moved"
    CONTINUED = "models continued"
    WORSE_THAN_BASELINE = "worse than its baseline"
    LABELS = "labels cannot be trusted"
    NOTHING_DUE = "nothing due"
    WAITS = "waits for approval"
    APPROVAL_FIRST = "approval decides first"
    DECLINED = "declined"
    UNANSWERED = "nobody approved"
    VOID = "void before it was approved"
    STEP_PASSED = "step passed"
    STEP_FAILED = "step failed"
    STEP_WAITS = "step waits"
    UNKNOWN = "not recorded"  # in a record from before decisions had fields


DRIFT = frozenset({Rule.DRIFT_SHARE, Rule.SCORE_DRIFT, Rule.MISSING})  # start a decision, once in a cool-down
OUTCOMES = frozenset({Rule.QUALITY, Rule.AGAINST_BASELINE, Rule.CALIBRATION})  # start one whenever they fail
ON_QUALITY = OUTCOMES | {Rule.METRICS, Rule.SERVED_SLICES, Rule.LABELS, Rule.LABEL_RATE, Rule.SWITCH}  # of the champion
# What they measure moves by chance too: where the scope has an alarm budget they are noted, and CHANGE alone pages.
BUDGETED = DRIFT | OUTCOMES | {Rule.METRICS, Rule.SERVED_SLICES, Rule.LABEL_RATE}
OF_DATA = frozenset({Rule.BATCH, Rule.HISTORY})  # of the batches of a source
# Each opens an incident; the other rules explain one.
OF_THE_LOOP = {
    Rule.BATCH, Rule.HISTORY, Rule.FALLBACK, Rule.UNJUDGED, Rule.MOVE, Rule.APPROVAL, Rule.ROLLOUT, Rule.RUN,
    Rule.RUN_HISTORY,
}  # fmt: skip
ALERTING = DRIFT | ON_QUALITY | OF_THE_LOOP | {Rule.CHANGE, Rule.BUSINESS}
# One problem, one alert: while the first fails, the others open none.
COVERED = {Rule.FALLBACK: OUTCOMES | {Rule.METRICS, Rule.SERVED_SLICES, Rule.DRIFT_SHARE, Rule.SCORE_DRIFT}}

# What to run first where one is open; the runbook has the rest.
FIRST_COMMAND = {
    Rule.BATCH: "homeostat data review",
    Rule.HISTORY: "homeostat data review",
    Rule.QUALITY: "homeostat releases",
    Rule.AGAINST_BASELINE: "homeostat releases",
    Rule.CALIBRATION: "homeostat run training",
    Rule.METRICS: "homeostat releases",
    Rule.SERVED_SLICES: "homeostat data review",
    Rule.LABELS: "homeostat data review",
    Rule.LABEL_RATE: "homeostat status --page",
    Rule.SWITCH: "homeostat releases",
    Rule.BUSINESS: "homeostat check business",
    Rule.FALLBACK: "homeostat run training",
    Rule.SCORE_DRIFT: "homeostat status --drift",
    Rule.DRIFT_SHARE: "homeostat status --drift",
    Rule.MISSING: "homeostat data review",
    Rule.CHANGE: "homeostat status --drift",
    Rule.UNJUDGED: "homeostat run evaluation",
    Rule.MOVE: "homeostat data review",
    Rule.APPROVAL: "homeostat status --incident",
    Rule.ROLLOUT: "homeostat run deployment",
    Rule.RUN: "homeostat run lifecycle",
    Rule.RUN_HISTORY: "homeostat run lifecycle",
    Rule.SCHEDULE: "homeostat up",
    Rule.DISK: "df -h .",
}
