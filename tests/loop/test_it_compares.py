"""A release with its sign flipped, in a project whose holdout has blocks enough to compare releases by their scores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import hourly
import polars as pl
import pytest

from homeostat import loop, replay
from homeostat.core.headlines import headline
from homeostat.core.rules import Reason, Rule
from homeostat.core.sentences import sentence
from homeostat.faults import Fault
from homeostat.project.layout import Project, stamp
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
START = hourly.START
FLIPPED, NOTICED, LAST = (START + timedelta(hours=h) for h in (36, 42, 72))
BAD_RELEASE = Fault("bad-release", FLIPPED - timedelta(hours=1))
PARAMS = hourly.STEADY.replace("block: 1h", "block: 3h").replace("holdout: 9h", "holdout: 15h")
PARAMS = (
    PARAMS.replace("reference_rows: 200", "reference_rows: 2000")
    .replace("min_slice: 80", "min_slice: 30")
    .replace("warm_up: 12h", "warm_up: 16h")
)


@dataclass(frozen=True)
class Compared:
    project: Project
    ticks: tuple[loop.Tick, ...]

    def at(self, now: datetime) -> loop.Tick:
        return next(tick for tick in self.ticks if tick.now == now)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    of = hourly.make(tmp_path_factory.mktemp("compares") / "meters", params=PARAMS, table=hourly.steady_readings())
    project = replay.prepare(of, START, LAST, "short", faults=[BAD_RELEASE])
    ticks: list[loop.Tick] = []
    replay.replay(project, START, LAST, ticks.append, [BAD_RELEASE])
    return Compared(project, tuple(ticks))


def test_a_release_that_is_not_the_one_judged_is_left_before_the_rhythm_decides(compared: Compared) -> None:
    """In its first batch that it scored whole; the rhythm would have decided six hours later."""
    assert [(e.action, e.version, e.at) for e in Registry.open(compared.project).ledger.events] == [
        ("promote", "v0.1.0", START + timedelta(hours=24)),
        ("promote", "v0.2.0", FLIPPED),
        ("rollback", "v0.1.0", NOTICED),
    ]
    decision = compared.at(NOTICED).decision
    assert decision is not None and decision.reason == Reason.NOT_AS_JUDGED
    assert headline(decision).startswith(
        "Roll back: v0.1.0 replaces v0.2.0, whose scores are not those that were judged"
    )
    (finding,) = [f for f in decision.findings if f.rule == Rule.SWITCH]
    assert finding.failed and sentence(finding).startswith("rank correlation -")
    assert [i.problem for i in compared.at(NOTICED).opened][0] == "high: scores since the switch"


def test_the_first_release_starts_none(compared: Compared) -> None:
    early = [tick for tick in compared.ticks if tick.now < FLIPPED]
    assert [tick.now for tick in early if tick.decision is not None] == [START + timedelta(hours=24)]


def test_its_incident_ends_once_the_good_release_is_back(compared: Compared) -> None:
    bodies = [json.loads(path.read_text()) for path in sorted(compared.project.incidents.glob("*.json"))]
    (incident,) = [body for body in bodies if body["finding"]["rule"] == Rule.SWITCH]
    assert datetime.fromisoformat(incident["closed"]) == NOTICED + timedelta(hours=6)


def test_each_round_of_decisions_leaves_one_record_of_quality(compared: Compared) -> None:
    paths = sorted(compared.project.quality.glob("*.json"))
    assert [path.stem for path in paths] == [stamp(START + timedelta(hours=h)) for h in (42, 48, 72)]
    assert [json.loads(path.read_text())["until"][:13] for path in paths] == [
        "2024-03-02T00", "2024-03-03T00", "2024-03-04T00",
    ]  # fmt: skip
    last = json.loads(paths[-1].read_text())
    (estimate,) = last["estimates"]
    assert (estimate["objective"], estimate["metric"], estimate["rows"]) == ("high", "log_loss", 12 * 24)
    assert (estimate["half"], estimate["until"]) == (None, LAST.isoformat())
    (grade,) = last["grades"]
    assert grade["until"] == (START + timedelta(hours=48)).isoformat() and 0 < grade["value"] < 2
    windows = {w["objective"]: w for w in last["windows"]}
    assert set(windows) == {"high", "money"} and windows["high"]["release"] == "v0.1.0"
    decision = compared.at(LAST).decision
    assert decision is not None and compared.project.cited(paths[-1]) in decision.evidence


def test_labels_are_on_record_batch_by_batch(compared: Compared) -> None:
    table = pl.read_parquet(compared.project.quality / "labels.parquet")
    assert table["label"].to_list() == sorted(p.stem for p in compared.project.worktree.features.glob("*.parquet"))[:23]
    assert (table["labelled"] == table["events"]).sum() == 23
