"""The ML Test Score: 28 tests of how ready a model is for production, in four sections of seven.

Breck, Cai, Nielsen, Salib and Sculley, 2017, "The ML Test Score: a rubric for ML production readiness and technical
debt reduction", IEEE Big Data. A test that a person makes and writes down has half a point, one that runs by itself and
stops or reports what fails a whole one; a section has the sum of its tests, the score is that of the weakest section.
Every point here follows from the values of ``Evidence``, which are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Protocol

from homeostat.core.findings import Finding, objections
from homeostat.core.intervals import Measure
from homeostat.core.rules import DRIFT, Rule
from homeostat.core.text import count, listed, span

NOTHING = "nothing is in service yet"
SHOWN = 4  # names that a line lists
EARNS, UNSHOWN, HARMS, NO_PAY = "earns its place", "not shown to help", "harms", "does not pay"  # how verdicts begin


class Watched(Protocol):
    """A part of the scope: a rollout."""

    @property
    def strategy(self) -> str: ...

    @property
    def latency(self) -> float: ...


@dataclass(frozen=True)
class Evidence:
    """What was measured of a project; ``serves`` is its version in service, or empty.

    ``rules``: how many rules the contract of each source has. ``unused``: features that the champion's models do not
    use; None where these use no feature. ``exposed``: files with predictions or secrets that others may read. ``gate``
    are the findings by which the champion was released, ``findings`` those of the last decision about it. ``together``:
    the rank correlation of its loss and its cost. ``broken`` and ``previous`` say why the champion and the release
    before it would not answer, ``lost`` why it could not be rebuilt; None for no release. ``behaviour`` says of each
    behavioural test whether it held. ``worth``: the verdict on each feature or group that was left out; None where that
    was not measured. ``priced``: the groups that have a cost.
    """

    serves: str
    rules: Mapping[str, int]
    unused: tuple[str, ...] | None
    barred: tuple[str, ...]
    exposed: tuple[str, ...]
    one_definition: bool
    feature_tests: tuple[str, ...]
    committed: bool
    reviewers: tuple[str, ...]
    together: Measure
    recipes: int
    ages: bool
    gate: tuple[Finding, ...]
    slices: int
    fair: tuple[str, ...]
    lost: str
    behaviour: Mapping[str, bool]
    pipeline: tuple[str, ...]
    replays: int
    broken: str
    rollout: Watched | None
    previous: str | None
    rollbacks: int
    unwatched: tuple[str, ...]
    notified: bool
    unjudged: tuple[str, ...]
    findings: tuple[Finding, ...]
    age: timedelta | None
    oldest: timedelta
    not_finite: tuple[str, ...] | None
    worth: Mapping[str, str] | None = None
    priced: tuple[str, ...] = ()


class Point(NamedTuple):
    """What a test has: 0, 0.5 or 1; what that rests on; and what would give more, empty for a whole point."""

    points: float
    evidence: str
    to_do: str = ""


class Test(NamedTuple):
    """One of the 28; ``command`` fails, or names it, where the property is broken."""

    name: str
    command: str
    judge: Callable[[Evidence], Point]


class Scored(NamedTuple):
    test: Test
    point: Point


def score(evidence: Evidence) -> dict[str, list[Scored]]:
    """Each test of each section."""
    return {name: [Scored(test, test.judge(evidence)) for test in tests] for name, tests in SECTIONS.items()}


def total(tests: list[Scored]) -> float:
    """What a section has, of 7."""
    return sum(one.point.points for one in tests)


# ---- data


def _schema(e: Evidence) -> Point:
    bare = [name for name, many in e.rules.items() if not many]
    held = f"{len(e.rules) - len(bare)} of {count(len(e.rules), 'source')} with a contract"
    held += f", {count(sum(e.rules.values()), 'rule')}"
    if not bare:
        return Point(1, held)
    return Point(0.5 if len(bare) < len(e.rules) else 0, held, f"write expectations/{bare[0]}.json")


def _beneficial(e: Evidence) -> Point:
    if e.unused is None:
        return Point(0, "no model that learned serves", "release one: homeostat run lifecycle")
    if e.unused:
        return Point(0, f"not used: {listed(e.unused, SHOWN)}", "take them out of the objective's features")
    measure = "measure what each is worth, by leaving it out: homeostat check features"
    if e.worth is None:
        return Point(0.5, "the models in service use every feature", measure)
    vain = (*_so_judged(e, HARMS), *_so_judged(e, UNSHOWN))  # of many, some seem to harm by chance
    if vain:
        shown = f"{len(vain)} of {len(e.worth)} features and groups are not shown to help: {listed(vain, SHOWN)}"
        return Point(0.5, shown, "take them out one at a time, or group those that say the same: features.groups")
    return Point(1, "each feature, or group of them, was left out, and the loss was higher without it")


def _cost_of_features(e: Evidence) -> Point:
    if not e.priced:
        return Point(0, "no feature has a price", "say what groups of them cost: features.groups")
    if e.worth is None:
        held = "hold that against what each saves: homeostat check features"
        return Point(0.5, f"have a price: {listed(e.priced, SHOWN)}", held)
    dear = _so_judged(e, NO_PAY)
    if dear:
        return Point(0, f"costs more than it saves: {listed(dear, SHOWN)}", "take it out, or make it cheaper")
    return Point(1, f"saves more than it costs, where it helps: {listed(e.priced, SHOWN)}")


def _so_judged(e: Evidence, verdict: str) -> tuple[str, ...]:
    return tuple(name for name, one in (e.worth or {}).items() if one.startswith(verdict))


def _requirements(e: Evidence) -> Point:
    if e.barred:
        return Point(1, f"barred, and refused wherever they enter: {listed(e.barred, SHOWN)}")
    return Point(0.5, "no column is barred; check leakage looks for those that give the label away",
                 "name the columns that no feature may come from: features.barred")  # fmt: skip


def _privacy(e: Evidence) -> Point:
    if e.exposed:
        return Point(0, f"others can read {listed(e.exposed, SHOWN)}", "take the right away: chmod go-rwx FILE")
    return Point(0.5, "predictions, labels and tokens are readable by their owner alone",
                 "say who may see the data, and how long they are kept")  # fmt: skip


def _quickly(e: Evidence) -> Point:
    if not e.one_definition:
        return Point(0, "features.sql is not what the release in service computes", "commit features.sql, and retrain")
    return Point(1, f"features.sql is their one definition, for training and service; retrained every {span(e.oldest)}")


def _feature_code(e: Evidence) -> Point:
    if e.feature_tests:
        return Point(1, f"tested by {listed(e.feature_tests, SHOWN)}")
    return Point(0.5, "check leakage recomputes them, by hand", "run it in a test, as tests/test_project.py of `new`")


# ---- model


def _reviewed(e: Evidence) -> Point:
    if not e.committed:
        return Point(0, "the scope or features.sql of the release in service is in no commit", "commit, and retrain")
    if not e.reviewers:
        return Point(0.5, "scope and features of the release in service are in its commit",
                     "have them reviewed: a `Reviewed-by:` line in the commit that changes them")  # fmt: skip
    return Point(1, f"reviewed by {listed(e.reviewers, SHOWN)}")


def _correlates(e: Evidence) -> Point:
    value, low, high = e.together.value, e.together.low, e.together.high
    if value is None or low is None:
        return Point(0, "too few decisions to say whether loss and cost move together", "wait for more decisions")
    text = f"rank correlation of loss and cost of the same events {value:.2f} ({low:.2f} to {high:.2f})"
    better = "choose another loss: evaluation.metrics"
    return Point(1, text) if low > 0 else Point(0.5 if value > 0 else 0, text, better)


def _tuned(e: Evidence) -> Point:
    if e.recipes:
        return Point(0.5, f"{count(e.recipes, 'candidate')} of another recipe judged", "search the parameters")
    return Point(0, "no other parameters were tried", "try others: edit training, then homeostat run evaluation")


def _staleness(e: Evidence) -> Point:
    if e.ages:
        return Point(1, "the first model that learned, never retrained, is scored beside the one in service")
    return Point(0, "no older model is scored beside the one in service", "wait until a second model has learned")


def _simpler(e: Evidence) -> Point:
    beaten = [f for f in e.gate if f.rule == Rule.BEATS_BASELINE]
    if not e.serves:
        return Point(0, NOTHING, "homeostat run lifecycle")
    if e.unused is None:
        return Point(1, "the simplest model, the baseline, is in service itself")
    if beaten and all(f.outcome == "pass" for f in beaten):
        return Point(1, f"it beat the baseline in {count(len(beaten), 'objective')} before it was released")
    return Point(0, "nothing shows that it is better than the baseline", "homeostat run evaluation")


def _good_slices(e: Evidence) -> Point:
    worse = [f for f in e.gate if f.rule == Rule.SLICES and f.failed]
    if not e.slices:
        return Point(0, "no slice is judged", "name columns: evaluation.slices")
    if worse:
        return Point(0.5, f"{count(e.slices, 'slice')} judged; released in spite of one that got worse", "retrain")
    return Point(1, f"{count(e.slices, 'slice')} judged before it was released, and none significantly worse")


def _inclusion(e: Evidence) -> Point:
    if e.fair:
        return Point(1, f"fairness is measured by {listed(e.fair, SHOWN)}")
    if e.slices:
        return Point(0.5, "slices are judged alike, and the scope does not say which concern people",
                     "name the columns that do: evaluation.fairness")  # fmt: skip
    return Point(0, "nothing compares groups of people", "name columns: evaluation.slices")


# ---- infrastructure


def _reproducible(e: Evidence) -> Point:
    if not e.serves or e.lost:
        return Point(0, e.lost or NOTHING, "homeostat releases verify")
    return Point(1, "all that the release in service was made from is there, by content")


def _specs_tested(e: Evidence) -> Point:
    broken = [name for name, holds in e.behaviour.items() if not holds]
    if not e.behaviour:
        return Point(0, "no behavioural test ran on it", "write what must hold: expectations/behaviour")
    if broken:
        return Point(0.5, f"does not hold: {listed(broken, SHOWN)}", "train one that holds it, or correct the test")
    return Point(1, f"{count(len(e.behaviour), 'behavioural test')} hold")


def _integration(e: Evidence) -> Point:
    if e.pipeline:
        return Point(1, f"continuous integration runs the tests: {listed(e.pipeline, SHOWN)}")
    if e.replays:
        return Point(0.5, "the whole pipeline was replayed over history, by hand", "have the host run make test")
    return Point(0, "the pipeline has not been run from end to end", "replay the history: make run")


def _validated(e: Evidence) -> Point:
    if not e.serves or not e.gate:
        return Point(0, "no gate is on record for the release in service", "homeostat run training")
    stopped = objections(e.gate)
    if stopped:
        return Point(0.5, f"released by a person in spite of {listed([f.name for f in stopped], SHOWN)}", "retrain")
    return Point(1, f"{count(len(e.gate), 'finding')} of its gate passed before it served")


def _debuggable(e: Evidence) -> Point:
    if not e.serves or e.broken:
        return Point(0, e.broken or NOTHING, "homeostat releases verify")
    return Point(1, "single requests are computed again, step by step, and give the sealed answers")


def _canaried(e: Evidence) -> Point:
    if e.rollout is None:
        return Point(0, "a release serves all at once", "write a section rollout: docs/howto/canary.md")
    if e.rollout.strategy == "at once":
        return Point(0.5, "promote --canary and --shadow try one by hand", "rollout.strategy: canary")
    return Point(1, f"each release begins as a {e.rollout.strategy}")


def _rolled_back(e: Evidence) -> Point:
    if e.previous is None or e.previous:
        return Point(0, e.previous or "there is no earlier release to go back to", "homeostat releases verify")
    if not e.rollbacks:
        return Point(0.5, "the release before it answers its requests",
                     "rehearse it: homeostat replay --fault bad-release@TIME")  # fmt: skip
    return Point(1, f"rolled back {count(e.rollbacks, 'time')}, and the release before it answers its requests")


# ---- monitoring


def _dependencies(e: Evidence) -> Point:
    if e.unwatched:
        return Point(0, f"not held to its history: {listed(e.unwatched, SHOWN)}", "sources.NAME.history: warn")
    if not e.notified:
        return Point(0.5, "a change of a source opens an incident", "send it to people: alerts.notify")
    return Point(1, "a change of a source opens an incident, and is sent to people")


def _invariants(e: Evidence) -> Point:
    if e.unjudged:
        return Point(0, f"no verdict on a batch of {listed(e.unjudged, SHOWN)}", "homeostat run data")
    return Point(1, "each batch was held to its contract and its history")


def _skew(e: Evidence) -> Point:
    measured = [f for f in e.findings if f.rule in DRIFT]
    if not measured:
        return Point(0, "the inputs in service were not compared with the training's", "wait for a decision")
    failed = [f.name for f in measured if f.failed]
    if failed:
        return Point(0, f"they differ: {listed(failed, SHOWN)}", "homeostat status --drift")
    return Point(1, "inputs and scores in service compared with the training's at the last decision")


def _fresh(e: Evidence) -> Point:
    if e.age is None:
        return Point(0, "no candidate was ever made", "homeostat run training")
    text = f"the last candidate is {span(e.age)} old, one is due every {span(e.oldest)}"
    return Point(1, text) if e.age <= e.oldest else Point(0, text, "homeostat run training")


def _stable(e: Evidence) -> Point:
    if e.not_finite is None:
        return Point(0, "nothing was predicted yet", "homeostat run lifecycle")
    if e.not_finite:
        return Point(0, f"scores that are no numbers: {listed(e.not_finite, SHOWN)}", "homeostat rollback --why TEXT")
    return Point(1, "every score of the last batches is a finite number")


def _performance(e: Evidence) -> Point:
    if e.rollout is None:
        return Point(0, "no latency has a limit", "write a section rollout: latency")
    limit = f"a release that answers later than {1000 * e.rollout.latency:g} ms"
    if e.rollout.strategy == "at once":
        return Point(0.5, f"{limit} is taken back where it is tried first, by hand", "rollout.strategy: canary")
    return Point(1, f"{limit} is taken back")


def _quality(e: Evidence) -> Point:
    measured = [f for f in e.findings if f.rule in (Rule.QUALITY, Rule.AGAINST_BASELINE) and f.value is not None]
    if not measured:
        return Point(0, "its quality on matured events was not measured yet", "wait for labels and a decision")
    failed = [f.name for f in measured if f.failed]
    if failed:
        return Point(0, f"it has: {listed(failed, SHOWN)}", "homeostat releases")
    return Point(1, "measured on matured events at the last decision, and as promised")


SECTIONS: Mapping[str, tuple[Test, ...]] = {
    "data": (
        Test("feature expectations are captured in a schema", "homeostat check contracts", _schema),
        Test("all features are beneficial", "homeostat check features", _beneficial),
        Test("no feature's cost is too much", "homeostat check features", _cost_of_features),
        Test("features adhere to meta-level requirements", "homeostat check leakage", _requirements),
        Test("the data pipeline has privacy controls", "homeostat check score", _privacy),
        Test("new features can be added quickly", "dvc status", _quickly),
        Test("all input feature code is tested", "make test", _feature_code),
    ),
    "model": (
        Test("model specs are reviewed and committed", "git log -- params.yaml features.sql", _reviewed),
        Test("offline and online metrics correlate", "homeostat check score", _correlates),
        Test("hyperparameters have been tuned", "homeostat run evaluation", _tuned),
        Test("the impact of staleness is measured", "homeostat releases", _staleness),
        Test("a simpler model is not better", "homeostat run evaluation", _simpler),
        Test("quality is sufficient on important slices", "homeostat run evaluation", _good_slices),
        Test("the model is tested for inclusion", "homeostat run evaluation", _inclusion),
    ),
    "infrastructure": (
        Test("training is reproducible", "homeostat releases verify --rebuild", _reproducible),
        Test("model specs are unit tested", "homeostat run evaluation", _specs_tested),
        Test("the pipeline is integration tested", "make test", _integration),
        Test("quality is validated before serving", "homeostat run evaluation", _validated),
        Test("the model can be debugged on one example", "homeostat releases verify", _debuggable),
        Test("models are canaried before serving", "homeostat run deployment", _canaried),
        Test("models can be rolled back", "homeostat releases verify", _rolled_back),
    ),
    "monitoring": (
        Test("changes of dependencies are noticed", "homeostat run data", _dependencies),
        Test("data invariants hold for inputs", "homeostat data review", _invariants),
        Test("training and serving are not skewed", "homeostat status --drift", _skew),
        Test("models are not too stale", "homeostat status", _fresh),
        Test("models are numerically stable", "homeostat releases verify", _stable),
        Test("computing performance has not regressed", "homeostat run deployment", _performance),
        Test("prediction quality has not regressed", "homeostat status", _quality),
    ),
}
