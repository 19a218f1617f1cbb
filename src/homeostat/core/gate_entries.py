"""Which rules an entry of the scope sets the limit of, or has a part in: what to look at again where it changes."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from homeostat.core.rules import DRIFT, ON_QUALITY, Rule

AT_RELEASE = (Rule.ENOUGH_ROWS, Rule.BEATS_BASELINE, Rule.NOT_WORSE, Rule.SLICES, Rule.HELD_OUT_CALIBRATION)
RECIPE = (Rule.BETTER, *AT_RELEASE)  # a candidate by another recipe has to be better than the champion
OF_A_BATCH = (Rule.SCHEMA, Rule.TYPES, Rule.UNIQUE_KEY, Rule.PERIOD, Rule.HISTORY)
IN_A_STEP = (Rule.ENOUGH_EVENTS, Rule.ERRORS, Rule.LATENCY, Rule.SCORES, Rule.LOSS, Rule.SURELY_WORSE)

# By pattern of the entry's name; the first that fits counts, so what is narrower stands first.
GATES: Mapping[str, tuple[Rule, ...]] = {
    "release.beats_baseline": (Rule.BEATS_BASELINE,),
    "release.not_worse": (Rule.NOT_WORSE,),
    "release.margin*": (Rule.NOT_WORSE,),
    "release.slice_not_worse": (Rule.SLICES,),
    "release.calibration": (Rule.HELD_OUT_CALIBRATION,),
    "release.ask_after": (Rule.UNJUDGED,),
    "release.slice_floor": (Rule.SLICE_FLOOR,),
    "release.slice_gap": (Rule.SLICE_GAP,),
    "release.budget*": (Rule.BUDGET,),
    "release.fairness.parity": (Rule.PARITY,),
    "release.fairness.odds": (Rule.ODDS,),
    "release*": AT_RELEASE,
    "evaluation.slices": (Rule.SLICES, Rule.SERVED_SLICES),
    "evaluation.fairness": (Rule.PARITY, Rule.ODDS),
    "evaluation.min_slice": (Rule.ENOUGH_ROWS, Rule.SLICES, Rule.SERVED_SLICES),
    "evaluation*": (*AT_RELEASE, Rule.QUALITY, Rule.AGAINST_BASELINE, Rule.METRICS),
    "costs.abstain*": (Rule.COVERAGE,),
    "costs*": (Rule.PAYS, Rule.BETTER),
    "objectives.*.weight": (Rule.PAYS, Rule.BETTER),
    "objectives*": RECIPE,
    "training.baseline*": (Rule.BEATS_BASELINE, Rule.AGAINST_BASELINE),
    "training.ladder*": (Rule.RUNG,),
    "training*": RECIPE,
    "learn*": (Rule.MOVE,),
    "windows.holdout": AT_RELEASE,
    "windows*": RECIPE,
    "rollout*": IN_A_STEP,
    "monitoring.quality_drop": (Rule.QUALITY,),
    "monitoring.calibration": (Rule.CALIBRATION,),
    "monitoring.drift*": (Rule.DRIFT_SHARE, Rule.COLUMN_DRIFT),
    "monitoring.score_drift": (Rule.SCORE_DRIFT,),
    "monitoring.missing_rise": (Rule.MISSING,),
    "monitoring.window": tuple(sorted(ON_QUALITY)),
    "monitoring.reference_rows": tuple(sorted(DRIFT)),
    "alarms*": (Rule.CHANGE,),
    "business*": (Rule.BUSINESS,),
    "sources.*.volume": (Rule.VOLUME,),
    "sources.*.late_after": (Rule.FRESHNESS,),
    "sources.*.history": (Rule.HISTORY,),
    "sources.*.known_at*": (Rule.POINT_IN_TIME, Rule.GIVE_AWAY),
    "sources*": OF_A_BATCH,
    "events.predict_at": (Rule.POINT_IN_TIME, *RECIPE),
    "events.filters*": (Rule.COVERAGE,),
    "events*": (*AT_RELEASE, Rule.LABELS),
    "features.history": (Rule.LOOK_BACK,),
    "features*": (Rule.BARRED, Rule.GIVE_AWAY),
}


def gates_of(entry: str) -> tuple[Rule, ...]:
    """The rules that an entry of the scope bears on; none for one that only says when, where or to whom.

    >>> gates_of("release.beats_baseline"), gates_of("rhythm.tick")
    ((<Rule.BEATS_BASELINE: 'beats baseline'>,), ())
    """
    return next((rules for pattern, rules in GATES.items() if fnmatchcase(entry, pattern)), ())


def entry_of(rule: Rule) -> str:
    """The entry that sets the limit of a rule; empty where none does alone.

    >>> entry_of(Rule.BEATS_BASELINE), entry_of(Rule.LABELS)
    ('release.beats_baseline', '')
    """
    return next((pattern for pattern, rules in GATES.items() if rules == (rule,) and "*" not in pattern), "")
