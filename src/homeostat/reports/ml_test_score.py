"""The evidence of the ML Test Score, read from the project, and the score as lines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.adapters import git
from homeostat.adapters.git_command import attempt
from homeostat.core.intervals import Measure
from homeostat.core.ml_test_score import Evidence, Scored, total
from homeostat.core.rank_correlation import rank_correlation
from homeostat.core.rules import Rule
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore
from homeostat.decisions import history
from homeostat.features.worth import read_worth
from homeostat.project.layout import Project, working_tree
from homeostat.releases.registry import Registry
from homeostat.releases.verify import verify
from homeostat.serving import paths
from homeostat.training.bundle import is_baseline, sealed_text

if TYPE_CHECKING:
    from homeostat.core.ledger import Register
    from homeostat.decisions.history import Decided
    from homeostat.project.scope import Scope
    from homeostat.training.bundle import Bundle

LAST = 7  # batches of predictions whose scores are read
PIPELINES = (".github/workflows", ".gitlab-ci.yml", ".circleci/config.yml", "Jenkinsfile", ".ci/run")
FEATURE_TESTS = ("ProjectTests", "check_leakage", "features.sql")  # what a test of features names


def evidence(project: Project, now: datetime) -> Evidence:
    """What the tests follow from, as the project is now.

    Raises:
        EnvironmentFault, DataError: a record or the release in service is damaged.
    """
    scope, registry = project.scope, Registry.open(project)
    serving, decisions = registry.load_champion(), history.decisions(project)
    release = registry.registered(serving.event.version) if serving else None
    bundle = serving.bundle if serving else None
    made = history.decision_of(project, release) if release else None
    last = next((d for d in reversed(decisions) if release and d.release == release.version and d.quality), None)
    verified = verify(project, registry, release) if release else None
    previous = registry.ledger.previous_healthy()
    candidates = [d.at for d in decisions if d.candidate]
    predicted = _predicted(project, scope)
    return Evidence(
        serves=release.version if release else "",
        rules=_rules(project),
        unused=_unused(bundle),
        barred=scope.features.barred,
        exposed=tuple(_exposed(project)),
        one_definition=bundle is not None and project.features_sql.is_file()
        and bundle.sql == project.features_sql.read_text(),
        feature_tests=tuple(_naming(project.root / "tests", "test*.py", FEATURE_TESTS, project.root)),
        committed=release is not None and bundle is not None and _committed(project, release, bundle),
        reviewers=_reviewers(project),
        together=_together(scope, decisions),
        recipes=sum(_is_another_recipe(project, registry, decided) for decided in decisions),
        ages=any(column.startswith("never__") for column in predicted),
        gate=made.decision.gate or made.decision.findings if made else (),
        slices=_slices(bundle),
        fair=scope.evaluation.fairness,
        lost=verified.rebuildable if verified else "",
        behaviour=_behaviour(bundle),
        pipeline=tuple(p for p in PIPELINES if (project.root / p).exists()),
        replays=len(list((project.state / "replays").glob("*/params.yaml"))) + (project.home.parent.name == "replays"),
        broken=verified.serves if verified else "",
        rollout=scope.rollout,
        previous=verify(project, registry, registry.registered(previous)).serves if previous else None,
        rollbacks=sum(event.action == "rollback" for event in registry.ledger.events),
        unwatched=tuple(name for name, source in scope.sources.items() if source.timed and source.history == "off"),
        notified=scope.alerts.notify is not None,
        unjudged=tuple(_unjudged(project)),
        findings=last.decision.findings if last else (),
        age=now - candidates[-1] if candidates else None,
        oldest=scope.rhythm.retrain,
        not_finite=tuple(n for n, finite in predicted.items() if not finite) if predicted else None,
        worth=read_worth(project),
        priced=tuple(name for name, group in scope.features.groups.items() if group.cost),
    )  # fmt: skip


def lines(sections: Mapping[str, list[Scored]]) -> Iterator[str]:
    """The score, then by section each test's points, what they rest on, what tests it, and what is missing."""
    points = {name: total(tests) for name, tests in sections.items()}
    weakest = min(points, key=lambda name: points[name])
    yield f"ML Test Score (Breck et al., 2017): {points[weakest]:g}, that of the weakest section, {weakest}"
    for name, tests in sections.items():
        yield ""
        yield f"{name.upper()}: {points[name]:g} of {len(tests)}"
        for (test, command, _), point in tests:
            yield f"  {point.points:<4g}{test}: {point.evidence}"
            yield f"      {command}{f'; to do: {point.to_do}' if point.points < 1 else ''}"


# ---- what is measured


def _rules(project: Project) -> dict[str, int]:
    return {name: len(_contract(project.contracts / f"{name}.json")) for name in project.scope.sources}


def _contract(path: Path) -> list[Any]:
    """The rules of a contract; none where it is not there, or cannot be read."""
    try:
        return list(json.loads(path.read_text())["expectations"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _unused(bundle: Bundle | None) -> tuple[str, ...] | None:
    if bundle is None or is_baseline(bundle.training):
        return None
    models = bundle.uncalibrated.items()
    used = {name: set(model.strongest(len(model.features))) for name, model in models}
    return tuple(f"{name}.{own}" for name, model in models for own in model.features if own not in used[name])


def _exposed(project: Project) -> Iterator[str]:
    """Files with predictions, labels or secrets that others than their owner may read."""
    private = [paths.token(project), paths.labels(project)]
    for folder in (project.predictions, paths.served(project)):
        if folder.is_dir() and folder.stat().st_mode & 0o077:
            private += sorted(path for path in folder.glob("*") if path.is_file())[-LAST:]
    yield from (project.cited(path) for path in private if path.is_file() and path.stat().st_mode & 0o077)


def _naming(folder: Path, pattern: str, words: tuple[str, ...], top: Path) -> Iterator[str]:
    """Files that name one of the words."""
    for path in sorted(folder.rglob(pattern)):
        text = path.read_text(errors="replace")
        if any(word in text for word in words):
            yield path.relative_to(top).as_posix()


def _committed(project: Project, release: Register, bundle: Bundle) -> bool:
    """Whether scope and features of a release are those of its commit."""
    params, sql = (git.file_at(project.home, release.commit, name) for name in ("params.yaml", "features.sql"))
    sealed = (bundle.folder / "params.yaml").read_text()
    return params is not None and bundle.sql == sql and sealed == sealed_text(params)


def _reviewers(project: Project) -> tuple[str, ...]:
    """Who reviewed the last change of the scope or the features, as its commit says."""
    form = "--format=%(trailers:key=Reviewed-by,valueonly)"
    done = attempt(project.home, "log", "-1", form, project.scope.branch, "--", "params.yaml", "features.sql")
    return tuple(dict.fromkeys(line.strip() for line in done.stdout.splitlines() if line.strip()))


def _together(scope: Scope, decisions: list[Decided]) -> Measure:
    """The weighted loss and the cost of an event, over the windows of decisions that share no event."""
    pairs, until = [], datetime.min
    for one in decisions:
        money = one.quality.get("money")
        losses = {name: _loss(one.quality.get(name)) for name in scope.objectives}
        if money and money["cost"]["value"] is not None and None not in losses.values() and one.at >= until:
            until = one.at + scope.monitoring.window
            weighted = sum(scope.objectives[name].weight * (loss or 0.0) for name, loss in losses.items())
            pairs.append((weighted, money["cost"]["value"] / money["rows"]))
    return rank_correlation([loss for loss, _ in pairs], [cost for _, cost in pairs], scope.evaluation.confidence)


def _loss(measured: Mapping[str, Any] | None) -> float | None:
    first = next(iter((measured or {}).get("metrics", {}).values()), None)
    return None if first is None else first["realised"]


def _is_another_recipe(project: Project, registry: Registry, decided: Decided) -> bool:
    """Whether a candidate was judged whose recipe was not that of the champion, which had learned too."""
    champion = registry.ledger.release(decided.decision.versions.champion)
    path = project.releases / champion.bundle / "training.json" if champion else None
    judged = any(finding.rule == Rule.BETTER for finding in decided.decision.gate)
    return judged and path is not None and path.is_file() and not is_baseline(json.loads(path.read_text()))


def _slices(bundle: Bundle | None) -> int:
    trials = bundle.evaluation.get("objectives", {}).values() if bundle is not None else ()
    return sum(bool(one["metrics"]) for trial in trials for values in trial["candidate"]["slices"].values()
               for one in values.values())  # fmt: skip


def _behaviour(bundle: Bundle | None) -> dict[str, bool]:
    from homeostat.core.behaviour import Behaviour

    results = bundle.evaluation.get("behaviour", ()) if bundle is not None else ()
    return {one.test: one.holds for one in map(Behaviour.from_dict, results)}


def _unjudged(project: Project) -> Iterator[str]:
    """Sources of which no batch has a verdict."""
    verdicts = VerdictStore(StagedFiles(), working_tree(project).accepted)
    for name in project.scope.sources:
        if not any(verdict.findings for verdict in verdicts.of_source(name, 1).values()):
            yield name


def _predicted(project: Project, scope: Scope) -> dict[str, bool]:
    """By column of scores in the last batches of predictions, whether all of them are finite numbers."""
    import polars as pl

    files = sorted(project.predictions.glob("*.parquet"))[-LAST:]
    finite: dict[str, bool] = {}
    for path in files:
        table = pl.read_parquet(path)
        for column in table.columns:
            if column.partition("__")[0] in ("score", "never", "baseline") and table[column].null_count() < len(table):
                finite[column] = finite.get(column, True) and math.isfinite(float(table[column].sum()))
    return finite
