"""The loop begins a release as a canary or in shadow, and takes each step or takes the release back, by itself."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest
from asked import turned

from homeostat import loop, replay
from homeostat.adapters import git
from homeostat.core.authorship import Authorship
from homeostat.core.rollout import in_canary, rollout_alarm
from homeostat.core.rules import Reason, Rule
from homeostat.core.sentences import sentence
from homeostat.decisions import pending, rollout_evidence
from homeostat.decisions.session import Session
from homeostat.faults.bad_release import reseal
from homeostat.project.layout import Project, stamp
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
START = hourly.START
LEARNED = START + timedelta(hours=48)  # the first decision after the warm-up
METERS = 48  # so many that which of them a canary is given, which the hash of its bundle deals, makes no odds


def at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


@dataclass(frozen=True)
class Tried:
    """A replay that has run, each of its ticks, and the bundle of a bad release that was tried in its course."""

    project: Project
    ticks: tuple[loop.Tick, ...]

    def at(self, hours: int) -> loop.Tick:
        return next(tick for tick in self.ticks if tick.now == at(hours))


def try_flipped(project: Project, now: datetime, share: float | None) -> str:
    """Try the champion with its scores turned around; it passes its rehearsal. Its version."""
    found = Registry.open(project).load_champion()
    assert found is not None

    made = reseal(project, found[1], turned, fault=str(share), code="a slip")
    commit = git.head(project.worktree.root)
    act = "shadow" if share is None else "canary"
    return Registry(project).release(commit, made, Authorship("ann", "a slip of the hand", now), act, share).version


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    folder = tmp_path_factory.mktemp("tries") / "meters"
    params = hourly.STEADY + hourly.ROLLOUT.replace("at once", "canary")
    of = hourly.make(folder, params=params, table=hourly.steady_readings(96, meters=METERS))
    project = replay.prepare(of, START, at(96), "short")
    ticks: list[loop.Tick] = []
    replay.replay(project, START, at(51), ticks.append)
    try_flipped(project, at(51), None)
    replay.replay(project, START, at(57), ticks.append)
    try_flipped(project, at(57), 0.4)
    replay.replay(project, START, at(69), ticks.append)
    loop.retrain(Session.open(project), at(69), "somebody asked")
    replay.replay(project, START, at(90), ticks.append)
    return Tried(project, tuple(ticks))


def rows_of(project: Project) -> pl.DataFrame:
    paths = sorted(project.predictions.glob("*.parquet"))
    return pl.concat([pl.read_parquet(p) for p in paths], how="diagonal_relaxed")


def test_what_is_bad_is_taken_back_and_what_is_well_becomes_the_champion(tried: Tried) -> None:
    events = Registry.open(tried.project).ledger.events
    assert [(e.what, e.version, e.who) for e in events] == [
        ("promote", "v0.1.0", "homeostat"),
        ("shadow", "v0.2.0", "ann"),
        ("rollback", "v0.1.0", "homeostat"),
        ("canary 40%", "v0.3.0", "ann"),
        ("rollback", "v0.1.0", "homeostat"),
        ("canary 30%", "v0.4.0", "homeostat"),  # the loop's own candidate begins as the scope says
        ("canary 60%", "v0.4.0", "homeostat"),
        ("promote", "v0.4.0", "homeostat"),
    ]
    for event in (e for e in events if e.who != "ann"):
        assert event.why and all((tried.project.home / path).is_file() for path in event.evidence)
        assert f"{stamp(event.at)}.json" in {Path(path).name for path in event.evidence}
    for event in (events[2], events[4], *events[6:]):
        record = json.loads((tried.project.home / event.evidence[0]).read_text())
        assert (record["headline"], record["at"]) == (event.why, event.at.isoformat())
        rules = {(f["rule"], f["subject"]) for f in record["findings"]}
        assert rules >= {("enough events", ""), ("scores", "high"), ("errors", "")}
        assert event.evidence == (f"reports/rollouts/{stamp(event.at)}.json",)


def test_a_release_that_is_taken_back_alerts_once_and_then_it_is_over(tried: Tried) -> None:
    alerts = [i for tick in tried.ticks for i in tick.opened if i.finding.rule == Rule.ROLLOUT]
    assert [i.problem for i in alerts] == ["v0.2.0: rollout", "v0.3.0: rollout"]
    assert alerts[0].finding.facts["failed"] == ["high: scores"]
    found = [json.loads(path.read_text()) for path in sorted(tried.project.incidents.glob("*.json"))]
    assert all(i["closed"] for i in found if i["finding"]["rule"] == "rollout")
    assert found[0]["sentence"] == "v0.2.0: rollout: taken back, v0.1.0 answers all; failed high: scores"


def test_nothing_else_is_decided_meanwhile(tried: Tried) -> None:
    decision = tried.at(72).decision
    assert decision is not None and decision.action == "nothing"
    assert (decision.reason, decision.versions.candidate) == (Reason.ROLLOUT_FIRST, "v0.4.0")


def test_prediction_rows_stand_for_the_requests(tried: Tried) -> None:
    rows, events = rows_of(tried.project), Registry.open(tried.project).ledger.events
    assert rows.select("meter", "at").is_duplicated().sum() == 0
    for event, until in ((events[3], events[4].at), (events[5], events[6].at), (events[6], events[7].at)):
        part = rows.filter(pl.col("predict_at") >= event.at, pl.col("predict_at") < until)
        inside = [in_canary(key, event.bundle, event.share or 0) for key in part.select("meter", "at").iter_rows()]
        assert part.height and 0 < sum(inside) < part.height
        assert part["release"].to_list() == [event.version if one else "v0.1.0" for one in inside]
    shadow = rows.filter(pl.col("predict_at") >= events[1].at, pl.col("predict_at") < events[2].at)
    assert set(shadow["release"]) == {"v0.1.0"} and set(shadow["challenger"]) == {"v0.2.0"}
    assert not (shadow["shadow__high"] == shadow["score__high"]).any()
    rest = rows.filter(pl.col("predict_at") < events[1].at)
    assert rest["challenger"].null_count() == rest.height > 0


def test_losses_are_compared_where_labels_have_come(tried: Tried) -> None:
    """Of the shadow on the same events, of the canary on its own against the rest; read again as of later."""
    known = Registry.open(tried.project).ledger
    for number, rows in ((2, 20), (4, 15)):
        then = replace(known, events=known.events[:number])
        measured = rollout_evidence.measure(tried.project.worktree, Registry.open(tried.project), then, at(90))
        (found,) = measured.quality.values()
        assert found.overall.rows >= rows or found.overall.loss is None
        if number == 2:
            assert found.overall.rows == rows_of(tried.project)["shadow__high"].count()


def test_a_step_that_was_cut_short_is_done_once(tried: Tried) -> None:
    project = tried.project
    events = Registry.open(project).ledger.events
    record = project.rollouts / f"{stamp(events[6].at)}.json"
    kept = record.read_bytes()
    record.rename(record.with_suffix(pending.PLAN))  # as a kill between its tag and its record leaves it
    decision = loop.advance_rollout(Session.open(project), events[6].at)
    assert decision is not None and decision.action == "advance"
    assert (Registry.open(project).ledger.events, record.read_bytes()) == (events, kept)
    record.rename(record.with_suffix(pending.PLAN))
    assert loop.advance_rollout(Session.open(project), at(93)) is None  # the next run, at another time
    assert record.read_bytes() == kept
    undone = project.rollouts / f"{stamp(at(91))}{pending.PLAN}"  # decided, and cut short before it was done
    undone.write_bytes(kept.replace(events[6].at.isoformat().encode(), at(91).isoformat().encode()))
    assert loop.advance_rollout(Session.open(project), at(93)) is None
    assert not undone.exists() and Registry.open(project).ledger.events == events


def test_a_step_without_events_alerts(tried: Tried) -> None:
    project = tried.project
    first = try_flipped(project, at(90), 0.01)
    waiting = loop.advance_rollout(Session.open(project), at(93))
    assert waiting is not None and waiting.action == "hold" and rollout_alarm(waiting).outcome == "pass"
    stuck = loop.advance_rollout(Session.open(project), at(104))
    assert stuck is not None and stuck.action == "hold"
    finding = rollout_alarm(stuck)
    assert (finding.rule, finding.subject, finding.outcome) == (Rule.ROLLOUT, first, "fail")
    assert "promote it or roll back to end this" in sentence(finding) and finding.evidence == stuck.evidence


def test_a_release_that_is_gone_is_taken_back(tried: Tried) -> None:
    """After the test above, which leaves one that waits: its bundle is in no cache."""
    project = tried.project
    on = Registry.open(project).ledger.rollout
    assert on is not None
    shutil.rmtree(project.releases / on.bundle)
    gone = loop.advance_rollout(Session.open(project), at(105))
    assert gone is not None and gone.action == "roll back"
    assert [f.rule for f in gone.findings if f.failed] == [Rule.LOADS]
    assert gone.versions.candidate == on.version
    assert Registry.open(project).ledger.rollout is None
