"""The referee over years of findings and evidence that chance chooses: it never goes back and forth.

The ledger is a real one, and what the loop requests each week is requested here: what starts a decision, whether a
candidate is fitted, what bars it, and the action. Nobody edits code or scope, and nobody asks for anything.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from homeostat.core.evaluation import Compared, Comparison
from homeostat.core.findings import Decision, Due, Finding, Interval, Option, Versions
from homeostat.core.intervals import Measure
from homeostat.core.ledger import Act, Ledger, Register, ReleaseEvent
from homeostat.core.policy import (
    OWN_FAULT,
    Evidence,
    barred_by,
    decide_action,
    is_cooling,
    noted,
    starts_decision,
    wants_candidate,
)
from homeostat.core.rules import Reason, Rule

WEEK = timedelta(days=7)
COOL_DOWN, RETRAIN = 2 * WEEK, 4 * WEEK
START = datetime(2024, 1, 1)
RULES = (Rule.QUALITY, Rule.AGAINST_BASELINE, Rule.CALIBRATION, Rule.DRIFT_SHARE, Rule.SCORE_DRIFT, Rule.MISSING,
         Rule.LABELS, Rule.SWITCH)  # fmt: skip
MADE = ("code", "scope")


@dataclass
class World:
    """What chance says of each week, and what was done so far."""

    chance: random.Random
    ledger: Ledger = Ledger("meters")
    baselines: set[str] = field(default_factory=set)
    candidate: datetime | None = None
    drift: datetime | None = None
    wanted: int = 0  # candidates that findings asked for since the last change in service
    fitted: list[int] = field(default_factory=list)
    signs: dict[int, set[Rule]] = field(default_factory=dict)  # by the number of the event that they led to

    def findings(self, baseline: bool) -> tuple[Finding, ...]:
        found = []
        for rule in RULES:
            if baseline and rule in (Rule.QUALITY, Rule.AGAINST_BASELINE):  # it is as good as itself
                continue
            fails = self.chance.random() < 0.25
            since = "2024-01-01" if rule == Rule.LABELS else ""
            found.append(Finding(rule, "high", "fail" if fails else "pass", 0.2, 0.1, since=since))
        return noted(found)

    def compared(self) -> dict[str, Comparison]:
        share = self.chance.choice([-0.4, -0.01, 0.0, 0.4])
        measure = Measure(share, share - 0.05, share + 0.05)
        return {"high": Comparison("log_loss", 200, Compared(900, 0.4, 0.4, measure))}

    def gate(self) -> Decision:
        passed = self.chance.random() < 0.5
        return Decision("release" if passed else "keep", Reason.PASSED if passed else Reason.FAILED, Versions())

    def options(self, baseline: bool) -> tuple[Option, ...]:
        share = self.chance.choice([-0.2, 0.2])
        option = Option("fall back", "", 900, 80.0, None, share, Interval(share - 0.1, share + 0.1, 0.9))
        return () if baseline else (option,)

    def serve(self, action: Act, version: str, now: datetime) -> None:
        event = ReleaseEvent(self.ledger.next_number(), version, action, "c", "homeostat", "w", now, version)
        releases = self.ledger.releases
        if self.ledger.release(version) is None:
            releases = (*releases, Register(version, "c", "homeostat", "w", now, version))
        self.ledger = replace(self.ledger, releases=releases, events=(*self.ledger.events, event))
        self.fitted.append(self.wanted)
        self.wanted = 0


def due_at(world: World, now: datetime, baseline: bool) -> Due | None:
    assert world.candidate is not None
    rest = COOL_DOWN if baseline else RETRAIN
    return Due("interval", world.candidate) if now - world.candidate >= rest else None


def week(world: World, now: datetime) -> None:
    ledger = world.ledger
    assert ledger.champion is not None
    baseline = ledger.champion.version in world.baselines
    findings = world.findings(baseline)
    backs = [event.at for event in ledger.events if event.action == "rollback"]
    last = max([*backs, *([world.drift] if world.drift else [])], default=None)
    signs, due = starts_decision(findings, now, last, COOL_DOWN), due_at(world, now, baseline)
    evidence = Evidence(ledger.champion.version, 0.95, previous_version=ledger.previous_healthy() or "", due=due)
    doubt = any(f.failed and f.rule == Rule.LABELS for f in findings)
    if (signs or due) and not doubt:
        evidence = replace(evidence, options=world.options(baseline), cooling=is_cooling(ledger, now, COOL_DOWN))
        if evidence.previous_version:
            evidence = replace(evidence, previous=world.compared())
        if wants_candidate(signs, due, world.candidate, now, COOL_DOWN, world.wanted >= 4):
            world.candidate, world.wanted = now, world.wanted + (due is None)
            barred = barred_by(MADE, MADE, "left", backs[-1], now, COOL_DOWN) if backs else None
            evidence = replace(evidence, gate=world.gate(), candidate_previous=world.compared(), barred=barred)
    decision = decide_action(findings, evidence, 0.05)
    if signs and all(f.rule in (Rule.DRIFT_SHARE, Rule.SCORE_DRIFT, Rule.MISSING) for f in signs):
        world.drift = now
    world.signs[ledger.next_number()] = {f.rule for f in signs}
    if decision.action == "roll back":
        world.serve("rollback", evidence.previous_version, now)
    elif decision.action == "retrain":
        world.serve("promote", ledger.next_version(), now)
    elif decision.action == "fall back":
        world.baselines.add(ledger.next_version())
        world.candidate = now
        world.serve("rollback", ledger.next_version(), now)


def run(seed: int, weeks: int = 150) -> World:
    world = World(random.Random(seed), candidate=START)
    world.baselines.add("v0.1.0")
    world.serve("promote", "v0.1.0", START)
    for number in range(1, weeks):
        week(world, START + number * WEEK)
    return world


@pytest.mark.parametrize("seed", range(60))
def test_it_never_goes_back_and_forth(seed: int) -> None:
    """Within a cool-down nothing is released; and after going back the loop goes only further back, for good reason."""
    world = run(seed)
    events = world.ledger.events
    for place, event in enumerate(events[1:], 1):
        for later in events[place + 1 :]:
            if later.at - event.at < COOL_DOWN:
                assert later.action == "rollback", (seed, event, later)
                assert later.version != event.version, (seed, event, later)
                if event.action == "rollback":
                    assert later.version != events[place - 1].version, (seed, event, later)
                    assert world.signs[later.number] & OWN_FAULT, (seed, event, later)
    assert max(world.fitted) <= 4 and world.wanted <= 4


def test_chance_brings_about_every_action() -> None:
    """The property above would hold of a loop that does nothing."""
    actions, fallbacks = [], 0
    for seed in range(60):
        world = run(seed)
        actions += [event.action for event in world.ledger.events[1:]]
        fallbacks += len(world.baselines) - 1
    assert actions.count("promote") > 300 and actions.count("rollback") > 300 and fallbacks > 100
