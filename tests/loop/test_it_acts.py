"""The loop by itself: a release with its sign flipped and a bad spell of data, planted in a short replay."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import hourly
import polars as pl
import pytest

from homeostat import loop, replay
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.policy import alarming
from homeostat.core.rules import Reason, Rule
from homeostat.decisions import act, pending
from homeostat.decisions.candidate import judge_candidate
from homeostat.decisions.decide import weigh
from homeostat.decisions.session import Session
from homeostat.decisions.weighed import Weighed
from homeostat.faults import Fault
from homeostat.features.tables import mature, read_features
from homeostat.monitoring import champion
from homeostat.monitoring.labels import check_labels
from homeostat.project.layout import Project, stamp
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
START = hourly.START
BAD = ("2024-03-02T03", "2024-03-02T06")  # batches, of three hours each
FLIPPED, NEXT, LAST = (START + timedelta(hours=h) for h in (42, 48, 72))
BAD_RELEASE = Fault("bad-release", FLIPPED - timedelta(hours=1))


@dataclass(frozen=True)
class Acted:
    """A replay that has run, each of its ticks, and what the loop made of one look by two stored drift records."""

    project: Project
    ticks: tuple[loop.Tick, ...]
    by_its_own: Weighed
    by_another: Weighed

    def at(self, now: datetime) -> loop.Tick:
        return next(tick for tick in self.ticks if tick.now == now)


def spoilt(table: pl.DataFrame) -> pl.DataFrame:
    """Loads that no meter can have, in the batches of ``BAD``."""
    since, until = datetime.fromisoformat(f"{BAD[0]}:00"), datetime.fromisoformat(f"{BAD[-1]}:00") + timedelta(hours=3)
    bad = pl.col("at").is_between(since, until, closed="left")
    return table.with_columns(pl.when(bad).then(pl.col("load") + 500).otherwise("load").alias("load"))


@pytest.fixture(scope="module")
def acted(tmp_path_factory: pytest.TempPathFactory) -> Acted:
    folder = tmp_path_factory.mktemp("acts") / "meters"
    of = hourly.make(folder, params=hourly.STEADY, table=spoilt(hourly.steady_readings()), severity="critical")
    project = replay.prepare(of, START, LAST, "short")
    ticks: list[loop.Tick] = []
    replay.replay(project, START, FLIPPED, ticks.append)
    leave_drift_record(project, FLIPPED)  # of the good release
    replay.replay(project, START, NEXT - timedelta(hours=3), ticks.append, [BAD_RELEASE])
    own, other = by_two_records(project)
    replay.replay(project, START, LAST, ticks.append)
    return Acted(project, tuple(ticks), own, other)


def by_two_records(project: Project) -> tuple[Weighed, Weighed]:
    """What the loop would do at ``NEXT``, before anything is done: by the drift record of the flipped release, and with
    that of the good one in its place.
    """
    session = Session.open(project)
    loop.data(session, NEXT)
    loop.predict(session, NEXT)
    leave_drift_record(project, NEXT)
    own = weighed(session)
    stored, good = (project.drift / f"{stamp(at)}.json" for at in (NEXT, FLIPPED))
    calm = json.loads(good.read_text()) | {"release": json.loads(stored.read_text())["release"]}
    stored.write_text(json.dumps(calm))
    return own, weighed(session)


def weighed(session: Session) -> Weighed:
    """What is decided at ``NEXT`` by what is on record."""
    serving = session.registry.load_champion()
    assert serving is not None
    at_once = (*session.switch.findings(session.registry, NEXT), *check_labels(session.tree, session.labels, NEXT))
    check = champion.check_champion(session.tree, session.registry, serving, at_once, NEXT)
    return weigh(session, NEXT, check, FeatureRows(session.tree))


def leave_drift_record(project: Project, now: datetime) -> None:
    tree, serving = project.worktree, Registry.open(project).load_champion()
    assert serving is not None
    champion.record_drift(tree, serving, FeatureRows(tree), now)


def test_the_loop_rolls_a_flipped_release_back_and_cites_why(acted: Acted) -> None:
    ledger = Registry.open(acted.project).ledger
    assert [(e.action, e.version, e.who, e.at) for e in ledger.events] == [
        ("promote", "v0.1.0", "homeostat", START + timedelta(hours=24)),
        ("promote", "v0.2.0", BAD_RELEASE.who, FLIPPED),
        ("rollback", "v0.1.0", "homeostat", NEXT),  # the first decision after it
    ]
    decision = acted.at(NEXT).decision
    record = f"reports/drift/{stamp(NEXT)}.json"
    assert decision is not None and decision.action == "roll back"
    assert headline(decision).startswith("Roll back: v0.1.0 replaces v0.2.0 (loss: high -")
    assert headline(decision).endswith(" %). Trigger: `high: score drift`.")
    assert record in decision.evidence and decision.trigger.findings == ("high: score drift",)
    (compared,) = [c for c in decision.comparisons if c.version == "v0.1.0"]
    assert (compared.other, compared.objective) == ("v0.2.0", "high") and compared.loss < compared.other_loss
    assert json.loads((acted.project.home / record).read_text())["release"] == "v0.2.0"
    assert {f.rule for f in decision.findings if alarming(f)} == {Rule.SCORE_DRIFT}
    assert all(f.evidence == (record,) for f in decision.findings if alarming(f))
    assert ledger.events[-1].why == headline(decision) and record in ledger.events[-1].evidence
    kept = json.loads((acted.project.decisions / f"{stamp(NEXT)}.json").read_text())
    assert (kept["action"], kept["headline"], kept["release"]) == ("roll back", headline(decision), "v0.2.0")
    assert Decision.from_dict(kept) == decision


def test_a_rollback_that_was_cut_short_once_it_was_done_is_not_done_again(acted: Acted) -> None:
    record = acted.project.decisions / f"{stamp(NEXT)}.json"
    events, kept = Registry.open(acted.project).ledger.events, record.read_bytes()
    record.rename(record.with_suffix(pending.PLAN))  # as a kill between its tag and its record leaves it
    assert loop.decide(Session.open(acted.project), NEXT).action == "roll back"
    assert (Registry.open(acted.project).ledger.events, record.read_bytes()) == (events, kept)
    record.rename(record.with_suffix(pending.PLAN))
    act.settle(Session.open(acted.project), LAST)  # the next run, at another time
    assert record.read_bytes() == kept
    undone = record.with_name(f"{stamp(FLIPPED)}{pending.PLAN}")
    undone.write_bytes(kept.replace(NEXT.isoformat().encode(), FLIPPED.isoformat().encode()))
    act.settle(Session.open(acted.project), LAST)
    assert sorted(p.name for p in acted.project.decisions.iterdir()) == [
        f"{stamp(START + timedelta(hours=h))}.json" for h in (24, 48, 72)
    ]


def test_the_old_version_predicts_again(acted: Acted) -> None:
    paths = sorted(acted.project.predictions.glob("*.parquet"))
    rows = pl.concat(pl.read_parquet(p).select("predict_at", "release") for p in paths)
    by_flipped = rows.filter(pl.col("release") == "v0.2.0")["predict_at"]
    assert (by_flipped.min(), by_flipped.max()) == (FLIPPED, NEXT - timedelta(minutes=49))
    assert set(rows.filter(pl.col("predict_at") >= NEXT)["release"]) == {"v0.1.0"}
    after = acted.at(LAST).decision
    assert after is not None and after.action == "nothing", after


def test_the_loop_quarantines_the_bad_spell_and_says_so_once(acted: Acted) -> None:
    project, day = acted.project, datetime(2024, 3, 2)
    for label in BAD:
        assert not (project.worktree.accepted / "readings" / f"{label}.parquet").is_file()
        held = pl.read_parquet(project.worktree.quarantine / "readings" / f"{label}.parquet")
        assert held["load"].min() > 400 and held["reason"].str.contains("Load is in kW").all()
    assert [(t.now, i.problem) for t in acted.ticks for i in t.opened if i.finding.rule == Rule.BATCH] == [
        (day + timedelta(hours=6), "readings: batch")
    ]
    incident = json.loads((project.incidents / "0001.json").read_text())
    times = {k: datetime.fromisoformat(incident[k]) - day for k in ("opened", "last_failed", "closed")}
    assert times == {"opened": timedelta(hours=6), "last_failed": timedelta(hours=9), "closed": timedelta(hours=15)}
    words = "readings: batch: 2024-03-02T06 is quarantined: 36 rows: Load is in kW. (observed: "
    assert incident["sentence"].startswith(words)


def test_nothing_learns_from_the_bad_spell(acted: Acted) -> None:
    ledger = acted.project.worktree
    assert acted.at(NEXT).decision == acted.by_its_own.decision and acted.by_its_own.candidate is None  # of drift
    with loop.run_context(acted.project.home, LAST) as (session, now):
        judge_candidate(session, now)
    assert read_features(ledger, BAD).is_empty()
    training = json.loads((ledger.candidate / "training.json").read_text())
    told = training["objectives"]["high"]
    assert training["as_of"] == LAST.isoformat()
    assert told["from"] < BAD[0] < told["holdout"]["from"]  # the spell lies inside what it was trained on
    rows = read_features(ledger).filter(pl.col("event_time") < LAST)
    assert rows["last_load"].max() < 10  # nor is a bad value any other event's feature
    assert told["rows"] == len(mature(rows, "high", ledger.scope, LAST)) == 12 * 71 + 1 - 2 * 36


def test_another_drift_record_is_another_decision(acted: Acted) -> None:
    assert acted.by_its_own.decision.action == "roll back"
    assert acted.by_its_own.started == "drift"
    other = acted.by_another.decision
    assert other.action == "nothing" and acted.by_another.candidate is None
    assert (other.reason, other.versions.champion) == (Reason.NOTHING_DUE, "v0.2.0")
