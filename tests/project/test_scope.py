"""The scope: what it accepts, and the one line with which it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import hourly
import pytest
from readings import PARAMS
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode

from homeostat.core.errors import ScopeError
from homeostat.project import scope

ROOT = Path(__file__).parents[2]
OWN = (ROOT / "params.yaml").read_text()


def refusal(text: str) -> str:
    with pytest.raises(ScopeError) as error:
        scope.parse(text)
    said = str(error.value)
    assert "\n" not in said
    return said


ONE = "threads: 1"
COSTS = "costs: {alert: 1, capacity: 1}"
ABSTAIN = "costs: {{alert: 1, capacity: 1, abstain: {{{}}}}}"
FILTER = "label_horizon: 1h"
REFIT = "  refit: true"
ASKED = "seed: 1\nquestions: {{{}: {{answer: {}, who: Ann, when: \"2024-01-02\"}}}}"
RUNGS = "training.ladder.rungs"
LADDER = REFIT + "\n  ladder:\n    every: 4h\n    rungs:\n      plain: {model: heuristic}\n      "
RELEASE = "release: {beats_baseline: 0"
# What is changed in the small project's scope, the key that is named, and part of the fix.
BAD = [
    ("seed: 1", "sead: 1", "sead", "did you mean seed?"),
    ("  refit: true", "  refitt: true", "training.refitt", "did you mean refit?"),
    ("time: '\"at\"'", "when: '\"at\"'", "sources.readings.when", "unknown key; remove it, or use package, path"),
    ("goal: know tomorrow's load\n", "", "goal", "is missing; add it"),
    ("label_horizon: 1h", "label_horizon: 1", "events.label_horizon", "whole number and a unit, such as 45m"),
    ("label_horizon: 1h", "label_horizon: -1h", "events.label_horizon", "'-1h' is not a duration"),
    ("label_horizon: 1h", "label_horizon: 1 hour", "events.label_horizon", "'1 hour' is not a duration"),
    ("period: 1h", "period: 1w", "sources.readings.period", "such as 45m, 2h or 1d, or once"),
    ("period: 1h", "period: once", "sources.readings.period", "one without has period: once"),
    ("period: 1h", "period: 0h", "sources.readings.period", "longer than zero"),
    ("period: 1h", "period: 99999999999d", "sources.readings.period", "is not a duration"),
    ("tick: 1h", "tick: 0s", "rhythm.tick", "longer than zero"),
    ("decide: 2h", "decide: 90m", "rhythm.decide", "whole number of ticks of 1h"),
    ("seed: 1", "seed: 1\napproval: {actions: [promote], within: 1h}", "approval.actions.0", "is not one of retrain"),
    ("refit: true", "refit: true\n  calibrate: spline", "training.calibrate.0", "is not one of platt"),
    ("seed: 1", "seed: 1\napproval: {actions: [], within: 1h}", "approval.actions", "name at least one"),
    ("seed: 1", "seed: 1\napproval: {actions: [retrain], within: 0h}", "approval.within", "must be longer than zero"),
    ("seed: 1", "seed: 1\nlearn: {every: 30m}", "learn.every", "30m is shorter than events.label_horizon (1h), which"),
    ("seed: 1", "seed: 1\nlearn: {every: 90m}", "learn.every", "90m is no whole number of ticks (rhythm.tick, 1h)"),
    ("seed: 1", "seed: 1\nlearn: {every: 4h}", "learn.every", "not shorter than rhythm.retrain (4h), the full retrain"),
    ("seed: 1", "seed: 1\nlearn: {every: 1h, batch: 5}", "learn", "needs one of every (a duration) and batch"),
    ("seed: 1", "seed: 1\nlearn: {how: refit}", "learn", "needs one of every (a duration) and batch"),
    ("seed: 1", "seed: 1\nlearn: {batch: 5, how: online}", "learn.how", "is not one of continue or refit"),
    ("seed: 1", "seed: 1\nlearn: {batch: 0}", "learn.batch", "must be above 0, not 0"),
    ("train: all", "train: 1h", "windows.train", "longer than windows.holdout (2h)"),
    ("train: all", "train: everything", "windows.train", "or all"),
    ("weight: 1", "weight: 1, train: 1h", "objectives.high.train", "(the other is windows.holdout, line "),
    ("weight: 1", "weight: 1, train: some", "objectives.high.train", "or all"),
    ("weight: 1", "weight: 1, retrain: 1h", "objectives.high.retrain", "(the other is rhythm.decide, line "),
    ("retrain: 4h", "retrain: 1h", "rhythm.retrain", "(the other is rhythm.decide, line "),
    ("warm_up: 1d", "warm_up: 2h", "windows.warm_up", "longer than windows.holdout"),
    ("window: 1d", "window: 1h", "monitoring.window", "longer than events.label_horizon (1h)"),
    ("history: 1d", "history: 0d", "features.history", "longer than zero"),
    ("threads: 1", "threads: 0", "threads", "must be above 0, not 0"),
    ("threads: 1", "threads: many", "threads", "must be a whole number, not 'many'"),
    ("threads: 1", "threads: 1.5", "threads", "must be a whole number, not 1.5"),
    (ONE, ONE + "\nscale: {}", "scale", "names no workers; add workers: 4"),
    (ONE, ONE + "\nscale: {workers: 0}", "scale.workers", "must be above 0, not 0"),
    (ONE, ONE + "\nscale: {worker: 4}", "scale.worker", "did you mean workers?"),
    (ONE, ONE + "\nscale: 4", "scale", "must be a mapping of keys, not 4"),
    (ONE, ONE + "\nscale:\n  adaptive: [1, 4]\n  workers: 4", "scale.adaptive", "(the other is scale.workers, line 9)"),
    (ONE, ONE + "\nscale: {workers: 4, scheduler: 'tcp://a:1'}", "scale.scheduler", "is beside workers; keep one"),
    (ONE, ONE + "\nscale: {adaptive: [4, 1]}", "scale.adaptive", "write the smaller number first"),
    (ONE, ONE + "\nscale: {adaptive: [1]}", "scale.adaptive.1", "is missing"),
    (ONE, ONE + "\nscale: {adaptive: 4}", "scale.adaptive", "must be a list [a, b], not 4"),
    (ONE, ONE + "\nscale: {scheduler: 'host:8786'}", "scale.scheduler", "is no address; write tcp://HOST:PORT"),
    (ONE, ONE + "\nscale: {scheduler: 'tcp://a:1', dashboard: 1}", "scale.dashboard", "(the other is scale.scheduler"),
    (ONE, ONE + "\nscale: {workers: 1, dashboard: 8787}", "scale.dashboard", "(the other is scale.workers, line "),
    (ONE, ONE + "\nscale: {workers: 4, fit_within: soon}", "scale.fit_within", "'soon' is not a duration"),
    (ONE, ONE + "\nscale: {workers: 4, dashboard: 99999}", "scale.dashboard", "must be at most 65535"),
    ("refit: true", "refit: yes", "training.refit", "must be true or false, not 'yes'"),
    ("volume: 0.5", "volume: '0.5'", "sources.readings.volume", "must be a number, not '0.5'"),
    ("volume: 0.5", "volume: .inf", "sources.readings.volume", "a finite number"),
    ("drift_share: 1", "drift_share: 60", "monitoring.drift_share", "must be at most 1, not 60"),
    ("confidence: 0.9", "confidence: 95", "evaluation.confidence", "must be below 1, not 95"),
    ("drift_method: psi", "drift_method: psl", "monitoring.drift_method", "did you mean psi?"),
    ("task: binary", "task: classification", "objectives.high.task", "not one of binary, regression or ranking"),
    ("load: float", "load: double", "sources.readings.columns.load", "not one of string, integer, float"),
    ("key: [meter, at]", "key: meter", "sources.readings.key", "must be a list [a, b], not 'meter'"),
    ("key: [meter, at]", "key: []", "sources.readings.key", "is empty; name at least one"),
    ("key: [meter, at]", "key: [meter, when]", "sources.readings.key.1", "'when', which is not among columns"),
    ("all: {columns: [meter, at, load,", "all: {columns: [meter, at,", "sources.readings.columns.load", "no known_at"),
    ("[meter, at, load, phase]", "[meter, at, load, phase, at]", "sources.readings.known_at.all.columns.4", "twice"),
    (
        "known_at: {all: {columns: [meter, at, load, phase], at: event_time}}",
        "known_at: {a: {columns: [load], at: event_time}, b: {columns: [meter, at, phase], at: event_time}}",
        "sources.readings.known_at.a",
        "'meter', a column of the key, belongs in it",
    ),
    ("meter: string, at: time", "meter: string, reason: string, at: time", "sources.readings.columns.reason", "rename"),
    ("    path: readings.csv\n", "", "sources.readings", "name one: path"),
    ("path: readings.csv", "query: select 1", "sources.readings", "name one: path"),
    ("known: all", "known: later", "objectives.high.known", "no known_at group of readings; use all"),
    ("events: {source: readings", "events: {source: meters", "events.source", "not among sources"),
    ("predict_at: event_time", "predict_at: ''", "events.predict_at", "is empty; write a few words"),
    ("predict_at: event_time", "predict_at: 2", "events.predict_at", "must be text, not 2"),
    ("history: 1d", "history: 1d, barred: [load]", "features.barred.0", "write objective.column"),
    (
        "history: 1d",
        "history: 1d, barred: [high.load], allowed: [high.load]",
        "features.barred.0",
        "both barred and allowed",
    ),
    ("features: []", "features: [load, load]", "objectives.high.features.1", "names 'load' twice"),
    ("weight: 1", "weight: 0", "objectives", "give one a weight (the other is objectives.high.weight, line "),
    ("weight: 1", "weight: -1", "objectives.high.weight", "must be at least 0, not -1"),
    ("task: binary", "task: ranking", "objectives.high", "ranking needs it"),
    ("{slices: [meter]", "{slices: [zone]", "evaluation.slices.0", "'zone', which is no column of readings"),
    ("by: [meter]", "by: [zone]", "training.baseline.by.0", "'zone', which is no column of readings and no feature"),
    ("by: [meter]", "http: \"http://localhost:8000\"", "training.baseline.http", "keep the system's answers in a"),
    (COSTS, "costs: {alert: 1, capacity: 1, threshold: 0.3}", "costs.threshold", "it follows from costs.alert"),
    ("by: [meter]", "by: [meter], column: load", "training.baseline", "name one of by, column and sql"),
    ("{slices:", "{metrics: {binary: [auc]}, slices:", "evaluation.metrics.binary", "must start with its loss"),
    ("{slices:", "{metrics: {binary: []}, slices:", "evaluation.metrics.binary", "is empty"),
    ("threads: 1", 'threads: 1\nclock:\n  start: "2024-01-01T00:00:00+01:00"', "clock.start", "in UTC, without"),
    ("threads: 1", "threads: 1\nclock:\n  start: 2024-01-01T00:00:00", "clock.start", "in quotes"),
    ("threads: 1", "threads: 1\nclock: {start: 1704067200}", "clock.start", "is not a time"),
    ("threads: 1", "threads: 1\nclock: {start: soon}", "clock.start", "is not a time"),
    ("threads: 1", "threads: 1\nclock: {speed: 60}", "clock.speed", "add start"),
    ("  readings:\n", "  my readings:\n", "sources.my readings", "is no name"),
    ("objectives: {high:", "objectives: {7:", "objectives.7", "is no name"),
    ("costs: {alert: 1, capacity: 1}", "costs: 1", "costs", "must be a mapping of keys, not 1"),
    (COSTS, ABSTAIN.format("then: person"), "costs.abstain", "add margin or scores"),
    (COSTS, ABSTAIN.format("margin: 0.2, then: ask"), "costs.abstain.then", "one of drop, ask for more or person"),
    (COSTS, ABSTAIN.format("margin: 1"), "costs.abstain.margin", "(the other is costs.alert, line "),
    (COSTS, ABSTAIN.format("scores: {high: [0.4, 0.2]}"), "costs.abstain.scores.high", "begins at 0.4 and ends at 0.2"),
    (COSTS, ABSTAIN.format("scores: {high: [0.4]}"), "costs.abstain.scores.high.1", "is missing"),
    (COSTS, ABSTAIN.format("scores: {low: [0.2, 0.4]}"), "costs.abstain.scores.low", "use one of high"),
    (COSTS, ABSTAIN.format("margin: 0.2, most: 2"), "costs.abstain.most", "must be at most 1, not 2"),
    (RELEASE, RELEASE + ", slice_floor: 0.1", "release.slice_floor", "(the other is release.beats_baseline, line "),
    (RELEASE, RELEASE + ", slice_gap: 0", "release.slice_gap", "must be above 0"),
    (RELEASE, RELEASE + ", budget: {megabytes: -1}", "release.budget.megabytes", "must be above 0, not -1"),
    (RELEASE, RELEASE + ", budget: {bytes: 1}", "release.budget.bytes", "did you mean megabytes?"),
    ("{slices: [meter]", "{slices: [meter, meter]", "evaluation.slices.1", "names 'meter' twice"),
    (COSTS, ABSTAIN.format("scores: {high: [0.4, 1.2]}"), "costs.abstain.scores.high", "from 0 to 1; correct it"),
    (COSTS, ABSTAIN.format("scores: {high: [-0.1, 0.2]}"), "costs.abstain.scores.high", "from 0 to 1; correct it"),
    (COSTS, ABSTAIN.format("scores: {high: [0, 1]}"), "costs.abstain.scores.high", "covers every score"),
    ("{slices: [meter]", "{slices: [meter], fairness: [at]", "evaluation.fairness.0", "is no slice; add it there"),
    (RELEASE, RELEASE + ", fairness: {parity: 0.1}", "release.fairness", "needs columns to compare groups by"),
    (RELEASE, RELEASE + ", fairness: {}", "release.fairness", "names no limit; add parity or odds"),
    (RELEASE, RELEASE + ", budget: {make_cost: 1}", "release.budget.make_cost", "add hour (the other is"),
    (RELEASE, RELEASE + ", budget: {hour: 1}", "release.budget", "names no limit; add one of megabytes"),
    (RELEASE, RELEASE + ", budget: {}", "release.budget", "names no limit; add one of megabytes"),
    ("seed: 1", "seed: 1\napproval: {actions: [retrain, retrain], within: 1h}", "approval.actions.1", "twice"),
    ("seed: 1", "seed: 1\napproval: {actions: [retrain], within: 1h, above: -1}", "approval.above", "at least 0"),
    ("history: 1d", "history: 1d, barred: [high.meter]", "evaluation.slices.0", "(the other is features.barred.0"),
    ("history: 1d", "history: 1d, groups: {sky: {of: [wind]}}", "features.groups.sky.of.0", "no objective lists"),
    ("seed: 1", ASKED.format("ethical", "no"), "questions.ethical.answer", "nothing should be built then"),
    ("seed: 1", ASKED.format("simpler", "yes"), "questions.simpler.answer", "(the other is training.model, line "),
    ("seed: 1", ASKED.format("devastating", "yes"), "questions.devastating.answer", "(the other is costs, line "),
    ("seed: 1", ASKED.format("pays", "maybe"), "questions.pays.answer", "use one"),
    ("seed: 1", ASKED.format("cheap", "yes"), "questions.cheap", "is not one of ethical"),
    (REFIT, LADDER, RUNGS, "is empty; name at least one"),
    (REFIT, LADDER + "all: {model: combined, features: {high: [load]}}", f"{RUNGS}.all.model", "there is one; use "),
    (REFIT, REFIT + "\n  weights: {high: 1}", "training.weights", "(the other is training.model, line "),
    (REFIT, REFIT + "\n  weights: {low: 1}", "training.weights.low", "use one of high"),
    (REFIT, REFIT + "\n  weights: {high: 0}", "training.weights.high", "must be above 0"),
    (REFIT, LADDER + "same: {model: heuristic}", f"{RUNGS}.same", f"(the other is {RUNGS}.plain, line "),
    (REFIT, LADDER + "line: {model: linear}", f"{RUNGS}.line", "(the other is objectives.high.features, line "),
    (REFIT, LADDER + "line: {model: linear, features: {low: [load]}}", f"{RUNGS}.line.features.low", "one of high"),
    (REFIT, LADDER + "line: {model: linear, rule: {by: [meter]}}", f"{RUNGS}.line.rule", "model: heuristic"),
    (REFIT, LADDER + "desk: {model: heuristic, rule: {by: [zone]}}", f"{RUNGS}.desk.rule.by.0", "no column"),
    (
        REFIT, (LADDER + "desk: {model: heuristic, rule: {column: load}}").replace("4h", "1h"), "training.ladder.every",
        "(the other is rhythm.decide, line ",
    ),
    (FILTER, FILTER + ", filters: {full: ''}", "events.filters.full", "is empty; write a few words"),
    (FILTER, FILTER + ", filters: [load]", "events.filters", "must be a mapping of names"),
    ("costs: {alert: 1, capacity: 1}", "costs:", "costs", "must be a mapping of keys, not nothing"),
    ("reference_rows: 10", "reference_rows: 50000", "monitoring.reference_rows", "at most 30000"),
]  # fmt: skip
NOT_YAML = [
    ("seed: 1", "seed: 1\nseed: 2", "the key seed is there twice; remove one"),
    ("threads: 1", "threads:\n\t- 1", "indent with spaces"),
    ("by: [meter]", "by: [meter", "fix the line"),
    ("goal: know tomorrow's load", "goal: *load", "put it in quotes"),
    ("goal: know tomorrow's load", "goal: !load", "put it in quotes"),
    ("goal: know tomorrow's load", "goal: \x07", "a control character; remove it"),
    ("threads: 1", "threads: 1\nclock:\n  start: 2024-13-01T00:00:00", "not a time: month must be in 1..12"),
    ("threads: 1", "threads: 1\nclock:\n  start: 2024-01-01T00:00:00+99:00", "not a time: offset"),
]


def lines_named(said: str) -> int:
    match = re.match(r"params\.yaml:(\d+): ", said)
    assert match, said
    return int(match[1])


@pytest.mark.parametrize(("old", "new", "key", "fix"), BAD, ids=[f"{key} {new[:24]!r}" for _, new, key, _ in BAD])
def test_a_bad_scope_is_refused_with_line_key_and_fix(old: str, new: str, key: str, fix: str) -> None:
    assert PARAMS.count(old) == 1
    text = PARAMS.replace(old, new)
    said = refusal(text)
    assert f": {key}: " in said
    assert fix in said
    last = [step for step in key.split(".") if not step.isdigit()][-1]
    if "missing" not in said:
        assert re.search(rf"\b{last}\b", text.splitlines()[lines_named(said) - 1]), said


@pytest.mark.parametrize("named", ["rows: 9", "how: refit", "trees: 2", "decay: 0.5"])
def test_an_online_model_goes_on_without_what_is_of_trees(named: str) -> None:
    online = PARAMS.replace("model: linear", "model: online").replace("seed: 1", "seed: 1\nlearn: {batch: 5}")
    assert scope.parse(online).training.online.rate == 0.03
    said = refusal(online.replace("batch: 5", f"batch: 5, {named}"))
    assert f"learn.{named.split(':')[0]}: goes with trees, and model: online learns each event once; remove it" in said


@pytest.mark.parametrize(
    ("scale", "model", "above", "fix"),
    [
        ("", "lightgbm", 1000, "training.distribute: needs 4 workers, and scale names none; add scale: {workers: 4}"),
        ("scale: {workers: 2}", "lightgbm", 1000, "ranks: is more than the 2 workers that there are at most; correct "
         "one of them (the other is scale.workers, line "),
        ("scale: {adaptive: [1, 3]}", "lightgbm", 1000, "(the other is scale.adaptive, line "),
        ("scale: {workers: 4}", "linear", 1000, "no recipe is lightgbm; remove it (the other is training.model, line "),
        ("scale: {workers: 4}", "lightgbm", 10, "training.distribute.above: must be at least 1000, not 10"),
        ("scale: {workers: 4}", "lightgbm", 1000, ""),
        ("scale: {scheduler: 'tcp://[::1]:8786'}", "lightgbm", 1000, ""),
    ],
)  # fmt: skip
def test_a_fit_over_ranks_needs_workers_and_trees(scale: str, model: str, above: int, fix: str) -> None:
    text = PARAMS.replace(ONE, f"{ONE}\n{scale}").replace("model: linear", f"model: {model}")
    text = text.replace(REFIT, f"{REFIT}\n  distribute: {{above: {above}, ranks: 4}}")
    if fix:
        assert fix in refusal(text)
    else:
        assert scope.parse(text).training.ranks("lightgbm", 1001) == 4


@pytest.mark.parametrize(("old", "new", "fix"), NOT_YAML, ids=[new[-20:].strip() for _, new, _ in NOT_YAML])
def test_what_is_not_yaml_is_refused_with_its_line(old: str, new: str, fix: str) -> None:
    text = PARAMS.replace(old, new)
    said = refusal(text)
    assert fix in said
    first = text[: text.index(new)].count("\n") + 1
    assert first <= lines_named(said) <= first + new.count("\n") + 1


@pytest.mark.parametrize(("text", "fix"), [("", "is empty"), ("- a", "has no keys"), ("just text", "has no keys")])
def test_a_file_that_is_no_scope_says_how_one_starts(text: str, fix: str) -> None:
    assert fix in refusal(text)
    assert "project: NAME" in refusal(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(ScopeError, match="no scope here"):
        scope.read(path)
    path.write_bytes(b"project: meters\ngoal: caf\xe9\n")
    with pytest.raises(ScopeError, match=r"params\.yaml:2: not UTF-8"):
        scope.read(path)


def test_a_filter_over_what_becomes_known_with_the_label_is_refused_with_both_lines() -> None:
    def filtered(expression: str) -> str:
        return hourly.PARAMS.replace("label_horizon: 1h}", f"label_horizon: 1h, filters: {{full: {expression}}}}}")

    text = filtered("\"phase = 1 AND LOAD > 5\"")
    lines = [line.strip() for line in text.splitlines()]
    first = next(n for n, line in enumerate(lines, 1) if line.startswith("events: "))
    other = next(n for n, line in enumerate(lines, 1) if line.startswith("read: "))
    message = refusal(text)
    assert message.startswith(f"params.yaml:{first}: events.filters.full: uses 'load', which becomes known with ")
    assert message.endswith(f"(the other is sources.readings.known_at.read, line {other})")
    allowed = "phase = 1 AND meter <> 'load'"
    assert scope.parse(filtered(f'"{allowed}"')).events.filters == {"full": allowed}


def test_a_scope_is_read_into_types_and_written_back() -> None:
    found = scope.parse(PARAMS)
    assert found.rhythm.retrain == timedelta(hours=4)
    assert found.event_source.key == ("meter", "at")
    assert scope.Scope.model_validate_json(found.model_dump_json()) == found


TWO = "\n  low: {{task: {}, label: load, known: read, weight: 1, features: [load]}}"
TOGETHER = REFIT + "\n  weights: {{{}}}"


@pytest.mark.parametrize(("task", "weights", "fix"), [
    ("binary", "high: 1", "low has none; write weights: {low: 1} (the other is objectives.low, line "),
    ("regression", "high: 1, low: 1", "low is another, or a ranking; use another kind (the other is objectives.low.t"),
])  # fmt: skip
def test_a_combined_model_needs_one_task_and_a_weight_of_each(task: str, weights: str, fix: str) -> None:
    params = hourly.PARAMS.replace("model: linear", "model: combined").replace("last_load]}", "last_load]}{}")
    params = params.replace("{slices:", "{metrics: {regression: [rmse]}, slices:")
    text = params.replace(REFIT, TOGETHER.format(weights)).replace("{}", TWO.format(task))
    sentence = refusal(text)
    assert ": training.model: " in sentence and fix in sentence


@pytest.mark.parametrize(("old", "new", "key"), [
    ("slices: [meter]", "slices: [meter, load]", "evaluation.slices.1"),
    ("by: [meter]", "by: [load]", "training.baseline.by.0"),
])  # fmt: skip
def test_a_column_that_comes_with_the_label_is_no_slice_and_no_baseline(old: str, new: str, key: str) -> None:
    sentence = refusal(hourly.PARAMS.replace(old, new))
    assert f": {key}: names 'load', which becomes known with the label of high" in sentence
    assert "(the other is sources.readings.known_at.read, line " in sentence


@pytest.mark.parametrize(("old", "new", "other"), [
    ("warm_up: 1d", "warm_up: 2h", "windows.holdout"), ("decide: 2h", "decide: 90m", "rhythm.tick"),
    ("window: 1d", "window: 1h", "events.label_horizon"), ("train: all", "train: 1h", "windows.holdout"),
    ("history: 1d", "history: 1d, barred: [high.load], allowed: [high.load]", "features.allowed.0"),
    ("features: []", "features: [load]\nfeatures: {history: 1d, barred: [high.load]}", "features.barred.0"),
])  # fmt: skip
def test_both_lines_of_a_contradiction_are_named(old: str, new: str, other: str) -> None:
    text = PARAMS.replace(old, new)
    if "\n" in new:
        features, barred = new.split("\n")
        text = PARAMS.replace(old, features).replace("features: {history: 1d}", barred)
    assert f"(the other is {other}, line " in refusal(text)


# ---- the scope of this repository's own project


def entries(node: MappingNode, group: int = -1) -> Iterator[tuple[str, set[int]]]:
    """Every leaf, with the lines (from 0) that may explain it: its own, its group's, and a group in braces' last."""
    for name, value in node.value:
        line = name.start_mark.line
        if isinstance(value, MappingNode) and value.value:
            yield from entries(value, line)
        else:
            yield f"{line + 1}: {name.value}", {line, group} | ({node.end_mark.line} if node.flow_style else set())


def test_every_entry_says_what_it_means() -> None:
    lines = OWN.splitlines()
    tree = YAML(typ="safe", pure=True).compose(OWN)
    assert [leaf for leaf, told in entries(tree) if not any(" # " in lines[line] for line in told - {-1})] == []


def test_the_comments_give_every_unit() -> None:
    """A bare number says what it counts; a duration carries its unit, a share or a score says that it is one."""
    told = [line for line in OWN.splitlines() if re.search(r":\s[\d.]+\s", line)]
    assert [line for line in told if len(line.partition(" # ")[2].split()) < 3] == []


def test_this_projects_scope_holds() -> None:
    assert scope.read(ROOT / "params.yaml").project == "flights"
