"""Candidates of a holdout as long as the rhythm of retraining, and of labels that are of one class from a day on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest

from homeostat import loop, replay
from homeostat.core.findings import CANNOT_JUDGE, Decision
from homeostat.core.rules import Reason, Rule
from homeostat.core.sentences import sentence
from homeostat.decisions import history
from homeostat.decisions.candidate import judge_candidate
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
START = hourly.START
OFTEN = hourly.STEADY
for _old, _new in {
    "label_horizon: 1h": "label_horizon: 0s", "holdout: 9h": "holdout: 12h", "warm_up: 12h": "warm_up: 24h",
    "decide: 24h": "decide: 12h", "retrain: 10d": "retrain: 12h", "not_worse: 0.05": "not_worse: 0.2, ask_after: 1",
}.items():  # fmt: skip
    assert _old in OFTEN, _old
    OFTEN = OFTEN.replace(_old, _new)
DOUBTED = START + timedelta(hours=60)  # from when on every label is positive


@dataclass(frozen=True)
class Judged:
    project: Project
    opened: tuple[str, ...]  # sentences of incidents

    def decision(self, hour: int) -> Decision:
        return next(d.decision for d in history.decisions(self.project) if d.at == START + timedelta(hours=hour))

    @property
    def events(self) -> list[tuple[str, int]]:
        """Each version put in service, and the hour."""
        return [(e.version, (e.at - START) // timedelta(hours=1)) for e in Registry.open(self.project).ledger.events]


def replayed(folder: Path, params: str, table: pl.DataFrame, hours: int) -> Judged:
    last = START + timedelta(hours=hours)
    project = replay.prepare(hourly.make(folder, params=params, table=table), START, last, "short")
    ticks: list[loop.Tick] = []
    replay.replay(project, START, last, ticks.append)
    return Judged(project, tuple(incident.sentence for tick in ticks for incident in tick.opened))


@pytest.fixture(scope="module")
def often(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return replayed(tmp_path_factory.mktemp("often") / "meters", OFTEN, hourly.steady_readings(72), 72)


def test_a_candidate_judged_by_what_the_champion_learned_last_is_the_same_model(often: Judged) -> None:
    first, again = often.decision(24), often.decision(36)
    assert (first.action, first.reason) == ("retrain", Reason.PASSED)
    assert (again.action, again.reason) == ("nothing", Reason.CANNOT_JUDGE)
    (same,) = [f for f in again.gate if f.outcome == CANNOT_JUDGE]
    assert (same.rule, same.facts["champion"]) == (Rule.SAME_MODEL, "v0.2.0")
    assert not any(f.rule in (Rule.NOT_WORSE, Rule.BETTER) for f in again.gate)


def test_the_first_model_has_to_be_better_and_a_newer_one_no_worse(often: Judged) -> None:
    first, newer = often.decision(24), often.decision(48)
    (better,) = [f for f in first.gate if f.rule == Rule.BETTER]
    assert better.outcome == "pass" and better.facts["loss"] == "weighted loss"  # the champion is a baseline
    assert not any(f.rule == Rule.BETTER for f in newer.gate)
    (not_worse,) = [f for f in newer.gate if f.rule == Rule.NOT_WORSE]
    assert len(not_worse.facts["groups"]) >= 4 and not_worse.limit == 0.2
    assert (newer.action, not_worse.outcome) == ("retrain", "pass")
    assert often.events[:3] == [("v0.1.0", 12), ("v0.2.0", 24), ("v0.3.0", 48)]


def test_a_person_is_asked_and_the_next_release_ends_it(often: Judged) -> None:
    (asked,) = [line for line in often.opened if line.startswith("unjudged candidates")]
    assert "1 candidate in a row could not be judged, the last for `same model`" in asked
    assert "`homeostat promote candidate --why TEXT`" in asked
    (incident,) = [i for i in history.incidents(often.project) if i.finding.rule == Rule.UNJUDGED]
    assert (incident.opened - START) // timedelta(hours=1) == 36
    assert incident.passes == 1 and sentence(incident.finding)  # at 48 hours; at 60 it is the same model again


def test_nothing_that_learned_from_labels_of_one_class_is_released(tmp_path: Path) -> None:
    """Retrained every six hours, of a level that would suit a model of the one class: the champion goes on."""
    params = OFTEN.replace("decide: 12h", "decide: 6h").replace("retrain: 12h", "retrain: 6h")
    high = pl.when(pl.col("at") < DOUBTED).then(pl.col("load")).otherwise(pl.max_horizontal("load", pl.lit(7.0)))
    table = hourly.steady_readings(84, meters=24).with_columns(high.alias("load"))
    judged = replayed(tmp_path / "meters", params, table, 84)
    since = f"{DOUBTED:%Y-%m-%dT%H}"
    assert f"high: labels: cannot be trusted since {since}" in "\n".join(judged.opened)
    version, hour = judged.events[-1]
    registry = Registry.open(judged.project)
    trained = registry.load(version).training["objectives"]["high"]
    assert version != "v0.1.0" and hour <= 60 and datetime.fromisoformat(trained["to"]) < DOUBTED
    for hours in (66, 72, 78, 84):
        decision = judged.decision(hours)
        assert (decision.action, decision.reason) == ("nothing", Reason.LABELS)
        assert decision.versions.champion == version
    later = f"{DOUBTED + timedelta(hours=9):%Y-%m-%dT%H}"
    assert set(pl.read_parquet(judged.project.predictions / f"{later}.parquet")["release"]) == {version}


def test_the_first_model_waits_while_labels_are_of_one_class(tmp_path: Path) -> None:
    params = OFTEN.replace("decide: 12h", "decide: 6h").replace("warm_up: 24h", "warm_up: 66h")
    high = pl.when(pl.col("at") < DOUBTED).then(pl.col("load")).otherwise(pl.max_horizontal("load", pl.lit(7.0)))
    table = hourly.steady_readings(84, meters=24).with_columns(high.alias("load"))
    judged = replayed(tmp_path / "meters", params, table, 84)
    assert {judged.decision(hours).reason for hours in (66, 72, 78, 84)} == {Reason.LABELS}
    registry = Registry.open(judged.project)
    assert registry.ledger.champion is not None
    served = registry.load(registry.ledger.champion.version).training["objectives"]["high"]
    assert served["kind"] == "heuristic" and datetime.fromisoformat(served["to"]) < DOUBTED


def test_another_recipe_is_judged_by_what_its_alerts_cost(often: Judged) -> None:
    """After the replay the scope lists one feature less; a person asks what the gate would say of that."""
    project, now = often.project, START + timedelta(hours=75)
    path = project.home / "params.yaml"
    path.write_text(path.read_text().replace("features: [last_load]", "features: [phase]"))
    hourly.commit(project.home)
    with loop.run_context(project.home, now) as (session, at):
        loop.data(session, at)
        decision = judge_candidate(session, at)
    (better,) = [f for f in decision.findings if f.rule == Rule.BETTER]
    assert better.facts["loss"] == "cost of 1,000 events" and better.outcome == "fail"
    assert better.value is not None and better.value > 0
    assert "refit" not in better.facts  # the champion in service has learned all of these rows but one batch
    assert (decision.action, decision.reason) == ("keep", Reason.FAILED)
