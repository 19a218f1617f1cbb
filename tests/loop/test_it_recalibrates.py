"""The level moved and the order of the scores did not: the same models are released with a new calibrator."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import numpy as np
import polars as pl
import pytest
from registered import pending_at

from homeostat import loop
from homeostat.core.authorship import Authorship
from homeostat.core.calibration import log_odds
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.rules import Reason, Rule
from homeostat.data.amendments import write_record
from homeostat.data.contamination import CONTAMINATED
from homeostat.decisions.recalibrate import recent_events
from homeostat.decisions.reweigh import release_weights
from homeostat.decisions.session import Session
from homeostat.models.contributions import contributions
from homeostat.project.layout import Project
from homeostat.releases import verify
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
MOVED = 60  # hours: from then on the same loads are high more often
DECIDED = 96
HIGH = f"load > CASE WHEN event_time < TIMESTAMP '{hourly.START + timedelta(hours=MOVED)}' THEN 6.5 ELSE 4.5 END"
PARAMS = (
    hourly.STEADY.replace("label: load > 6.5", f'label: "{HIGH}"')
    .replace("quality_drop: 0.3, calibration: 1", "quality_drop: 5, calibration: 0.3")
    .replace("slice_not_worse: 0.5", "slice_not_worse: 5")
)  # fmt: skip


def at(hour: int) -> datetime:
    return hourly.START + timedelta(hours=hour)


def ticked(folder: Path, params: str) -> tuple[Project, Decision]:
    """A project after the decision on a day whose level has moved."""
    project = hourly.make(folder, params=params, table=hourly.steady_readings(120))
    decision = None
    for hour in (24, 48, 72, DECIDED):
        decision = loop.tick(Session.open(project), at(hour)).decision
    assert decision is not None
    return project, decision


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project, decision = ticked(tmp_path_factory.mktemp("level") / "meters", PARAMS)
    assert (decision.action, decision.reason) == ("recalibrate", Reason.LEVEL), headline(decision)
    return project


def champion(project: Project) -> tuple[str, str]:
    """The version in service and the one before it."""
    terms = Registry.open(project).ledger.terms
    return terms[-1].version, terms[-2].version


def test_the_decision_says_what_moved_and_that_the_models_are_the_same(project: Project) -> None:
    new, old = champion(project)
    body = json.loads(sorted(project.decisions.glob("*.json"))[-1].read_text())
    assert body["headline"].startswith(f"Recalibrate: {new}, predicted/observed high 0.")
    assert f"; the models are those of {old}. Trigger: `high: calibration`" in body["headline"]
    gate = Decision.from_dict(body).gate
    assert {f.rule for f in gate} == {Rule.BETTER, Rule.NOT_WORSE, Rule.SLICES}
    before, after = body["facts"]["calibrators"]["high"]
    assert before < 0.7 and abs(after - 1) < 0.1
    assert body["candidate"] is None  # nothing was trained


def test_it_helps_too_where_the_candidate_that_was_due_knows_nothing_of_the_new_level(tmp_path: Path) -> None:
    """Its judged model has not seen the holdout, in which the level moved."""
    params = PARAMS.replace("retrain: 10d", "retrain: 48h").replace("holdout: 9h", "holdout: 36h")
    params = params.replace("warm_up: 12h", "warm_up: 40h")
    assert params.count("retrain: 48h") == params.count("holdout: 36h") == params.count("warm_up: 40h") == 1
    project, decision = ticked(tmp_path / "meters", params)
    assert (decision.action, decision.reason) == ("recalibrate", Reason.LEVEL), headline(decision)
    assert decision.trigger.due is not None and decision.trigger.due.kind == "interval"
    body = json.loads(sorted(project.decisions.glob("*.json"))[-1].read_text())
    assert body["candidate"] is not None  # judged, and not released
    new, old = champion(project)
    models = [Registry.open(project).load(version).manifest["files"] for version in (new, old)]
    assert all(models[0][name] == models[1][name] for name in models[0] if name.startswith(("models/", "judged/")))


def test_everything_else_of_the_release_is_as_it_was_to_the_byte(project: Project) -> None:
    registry, (new, old) = Registry.open(project), champion(project)
    ours, theirs = (registry.load(version).manifest["files"] for version in (new, old))
    changed = {name for name in ours | theirs if ours.get(name) != theirs.get(name)}
    assert changed == {"calibration.json", "golden.parquet", "reference.parquet"}
    fitted = registry.load(new).calibrators["high"]
    assert at(72) <= fitted.since < fitted.until <= at(DECIDED) and fitted.rows > 200


def test_scores_go_through_the_calibrator_wherever_events_are_scored(project: Project) -> None:
    registry, (new, old) = Registry.open(project), champion(project)
    calibrated, plain = registry.load(new), registry.load(old)
    one = calibrated.calibrators["high"]
    rows = plain.golden
    expected = one.apply(rows["score__high"].to_numpy())
    assert calibrated.golden["score__high"].to_list() == expected.tolist()
    assert calibrated.models["high"].predict(rows).tolist() == expected.tolist()
    assert calibrated.judged["high"].predict(rows).tolist() == one.apply(plain.judged["high"].predict(rows)).tolist()
    held = [bundle.reference["score__high"] for bundle in (plain, calibrated)]
    assert held[0].is_null().to_list() == held[1].is_null().to_list()
    assert held[1].drop_nulls().to_list() == one.apply(held[0].drop_nulls().to_numpy()).tolist()
    parts = contributions(calibrated.models["high"], rows.head(1))
    assert parts is not None and parts.total == pytest.approx(float(log_odds(expected[:1])[0]))
    loop.tick(Session.open(project), at(99))
    last = sorted(project.predictions.glob("*.parquet"))[-1]
    served = pl.read_parquet(last).filter(pl.col("release") == new)
    table = pl.read_parquet(project.worktree.features / last.name)
    features = served.join(table, ["meter", "at"], maintain_order="left")
    assert len(served) > 0
    assert np.array_equal(served["score__high"].to_numpy(), calibrated.models["high"].predict(features))


def test_its_commit_has_nothing_to_do_and_rebuilds_to_the_same_bytes(project: Project, tmp_path: Path) -> None:
    releases, (new, old) = Registry.open(project).ledger, champion(project)
    second, first = releases.release(new), releases.release(old)
    assert second is not None and first is not None
    assert hourly.run(project.root, "rev-parse", f"{second.commit}^") == first.commit
    assert pending_at(project, second, tmp_path / "as released", at(DECIDED)) == []
    assert verify.rebuild(project, Registry.open(project), second, at(DECIDED)) == ""
    assert verify.verify(project, Registry.open(project), second).sentence == "serves; rebuildable"


def test_new_weights_keep_the_calibrator(project: Project) -> None:
    new, _ = champion(project)
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("weight: 2", "weight: 3"))
    hourly.commit(project.root, "a miss is dearer")
    with loop.run_context(project.home, at(99)) as (session, now):
        loop.data(session, now)
        decision = release_weights(session, now)
    registry = Registry.open(project)
    assert decision is not None and decision.versions.champion == new
    assert registry.load(decision.versions.candidate).calibrators == registry.load(new).calibrators


def test_a_rollback_takes_the_calibrator_back(project: Project) -> None:
    old = next(r.version for r in reversed(Registry.open(project).ledger.releases) if not
               Registry.open(project).load(r.version).calibrators)  # fmt: skip
    Registry(project).rollback(Authorship("ann", "too many alerts", at(99)), to=old)
    serving = Registry.open(project).load_champion()
    assert serving is not None and serving.bundle.calibrators == {}
    assert serving.bundle.models["high"].predict(serving.bundle.golden).tolist() == (
        serving.bundle.golden["score__high"].to_list()
    )


def test_what_a_bad_release_predicted_fits_no_calibrator(tmp_path: Path) -> None:
    params = PARAMS.replace("label_horizon: 1h", "label_horizon: 1h, acted_on: true")
    project = hourly.make(tmp_path / "meters", params=params, table=hourly.steady_readings(96))
    for hour in (24, 48, 72):
        loop.tick(Session.open(project), at(hour))
    session = Session.open(project)
    serving = session.registry.load_champion()
    assert serving is not None

    def times() -> pl.Series:
        recent = recent_events(session, serving.bundle, FeatureRows(session.tree), ["high"], at(72))
        return recent.rows["predict_at"]

    bad = (at(66), at(69))
    inside = times().is_between(*bad, closed="left")
    mark = {"number": 1, "kind": CONTAMINATED, "who": "ann", "why": "a slip", "known": at(72)}
    write_record(session.tree, mark | {"version": "v9", "since": bad[0], "until": bad[1]}, "v9")
    assert inside.sum() > 0 and not inside.all()
    assert not times().is_between(*bad, closed="left").any()
    assert len(times()) == (~inside).sum()


def test_where_the_scope_says_none_it_is_left_alone(tmp_path: Path) -> None:
    off = PARAMS.replace("  model: linear\n", "  model: linear\n  calibrate: none\n")
    project, decision = ticked(tmp_path / "meters", off)
    assert decision.action != "recalibrate" and "high: calibration" in decision.trigger.findings
    assert all(not Registry.open(project).load(r.version).calibrators for r in Registry.open(project).ledger.releases)
