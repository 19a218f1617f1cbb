"""A decision above the scope's risk waits for a person: approved, declined, unanswered, and void."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import killing
import pytest
from click.testing import CliRunner, Result
from replayed import outcome, same

from homeostat import loop, replay
from homeostat.adapters import git
from homeostat.cli import main
from homeostat.core.authorship import Authorship
from homeostat.core.errors import UsageError
from homeostat.core.headlines import headline
from homeostat.core.rules import Reason, Rule
from homeostat.decisions import history
from homeostat.decisions.approvals import answer_decision
from homeostat.decisions.candidate import judge_candidate
from homeostat.decisions.session import Session
from homeostat.faults.bad_release import reseal, turn_models_around
from homeostat.project.layout import Project, stamp
from homeostat.project.window import read_window
from homeostat.releases import verify
from homeostat.releases.registry import Registry
from homeostat.reports import incident, status
from homeostat.reports.forms import forms
from homeostat.reports.releases import whole_decision

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CLOCK = 'threads: 1\nclock: {start: "2024-03-01T00:00:00"}\n'
WAITS = "approval: {actions: [retrain, roll back], within: 9h, by: [ann, ben]}\n"
PARAMS = hourly.STEADY.replace("threads: 1\n", CLOCK) + WAITS
for _old, _new in {"warm_up: 12h": "warm_up: 30h", "cool_down: 12h": "cool_down: 24h"}.items():
    assert _old in PARAMS, _old
    PARAMS = PARAMS.replace(_old, _new)
TICK = """
import sys
from datetime import datetime
from pathlib import Path
from homeostat import loop
with loop.run_context(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])) as (session, now):
    loop.tick(session, now)
"""
ASKED, DEADLINE = 48, 57  # hours
ASK = f"{stamp(hourly.START + timedelta(hours=ASKED))}.json"


def at(hour: int) -> datetime:
    return hourly.START + timedelta(hours=hour)


def tick(project: Project, hour: int) -> loop.Tick:
    with loop.run_context(project.home, at(hour)) as (session, now):
        return loop.tick(session, now)


def typed(project: Project, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(main, ["-C", str(project.home), *words])


def events(project: Project) -> list[tuple[str, str]]:
    return [(e.action, e.version) for e in Registry.open(project).ledger.events]


def approvals(project: Project) -> list[tuple[bool, int]]:
    """The incidents of decisions that wait: whether each is open, and the hour it was opened."""
    mine = [i for i in history.incidents(project) if i.finding.rule == Rule.APPROVAL]
    return [(i.closed is None, int((i.opened - hourly.START).total_seconds() // 3600)) for i in mine]


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The baseline is in service, and a candidate that passed its gate waits since the last tick."""
    folder = tmp_path_factory.mktemp("waits") / "meters"
    project = hourly.make(folder, params=PARAMS, table=hourly.steady_readings(126))
    tick(project, 24)
    done = tick(project, ASKED)
    assert done.decision is not None and done.decision.reason == Reason.WAITS, headline(done.decision)
    assert [i.finding.rule for i in done.opened] == [Rule.APPROVAL]
    return project


@pytest.fixture
def project(waiting: Project, tmp_path: Path) -> Project:
    return Project.find(killing.copied(waiting.home, tmp_path / "meters"))


def test_it_is_on_record_once_with_who_until_when_and_the_default(project: Project) -> None:
    for hour in (ASKED, 51, 54):
        assert tick(project, hour).opened == ()
    assert events(project) == [("promote", "v0.1.0")]
    assert approvals(project) == [(True, ASKED)]
    assert sorted(p.name for p in project.decisions.iterdir())[1:] == [ASK]
    body = json.loads((project.decisions / ASK).read_text())
    asked = {k: body["facts"]["waits"][k] for k in ("action", "reason", "until", "default", "by")}
    assert asked == {
        "action": "retrain", "reason": "candidate passed", "until": at(DEADLINE).isoformat(), "default": "keep",
        "by": ["ann", "ben"],
    }  # fmt: skip
    assert body["headline"].startswith(
        "Keep v0.1.0: retrain waits for approval until 2024-03-03 09:00; if nobody answers, v0.1.0 stays: the "
        "candidate replaces v0.1.0 (loss: high -"
    )
    assert any("the candidate" in line and "waits for approval" in line
               for line in whole_decision(history.read_decision(project.decisions / ASK)))  # fmt: skip


def test_the_status_and_the_incident_say_what_to_type(project: Project) -> None:
    first = status.read(project).open[0]
    assert first.alerts
    assert first.text.startswith("approval, since 2024-03-03: to retrain waits for the approval of ann or ben until")
    assert first.command == "homeostat approve 2024-03-03T00:00 --why TEXT"
    screen = incident.read(project, None)
    assert screen is not None and screen.incident.finding.rule == Rule.APPROVAL
    commands = [command.text for command in incident.commands(screen)]
    assert commands[1:3] == ["homeostat approve 1 --why TEXT", "homeostat approve 1 --decline --why TEXT"]
    form = forms(screen, "0001.html", "seal")
    assert 'value="approve"' in form and 'value="decline"' in form


def test_what_is_approved_is_done_by_the_next_tick_as_it_was_judged(project: Project) -> None:
    tick(project, 51)
    assert "approval.by in params.yaml names ann, ben" in typed(
        project, "approve", "1", "--why", "x", "--who", "eve"
    ).stderr  # fmt: skip
    done = typed(project, "approve", "2024-03-03", "--why", "looks right", "--who", "ann")
    assert done.exit_code == 0 and "noted; the next tick acts on it" in done.stdout, done.output
    item = status.read(project).open[0]
    assert not item.alerts and "ann approved it: looks right; the next tick acts on it" in item.progress
    decision = tick(project, 54).approval
    assert decision is not None and (decision.action, decision.reason) == ("retrain", Reason.PASSED)
    assert headline(decision).startswith("Retrain: v0.2.0 replaces v0.1.0 (loss: high -")
    assert headline(decision).endswith("Approved by ann: looks right.")
    assert events(project)[1:] == [("promote", "v0.2.0")] and approvals(project) == [(False, ASKED)]
    made = Registry.open(project).ledger.releases[-1]
    decided = history.decision_of(project, made)
    assert decided is not None and (decided.at, decided.decision) == (at(54), decision)
    assert json.loads((project.decisions / ASK).read_text())["candidate"]["bundle"] == made.bundle
    tree = project.home.parent / "as released"
    git.add_worktree(project.home, tree, made.commit, at(54))
    assert read_window(Project(tree, tree)).as_of == at(ASKED) and read_window(project.worktree).as_of == at(54)
    assert verify.rebuild(project, Registry.open(project), made, at(54)) == ""
    tick(project, 57)
    assert len(events(project)) == 2 and "nothing of it waits" in typed(project, "approve", "1", "--why", "x").stderr


def test_what_is_declined_is_not_done(project: Project) -> None:
    typed(project, "approve", "1", "--why", "looks right", "--who", "ann")
    typed(project, "approve", "1", "--decline", "--why", "the meters were changed", "--who", "ben")  # the last counts
    decision = tick(project, 51).approval
    assert decision is not None and decision.reason == Reason.DECLINED
    assert "Keep v0.1.0: ben declined to retrain, as decided on 2024-03-03 00:00: the meters" in headline(decision)
    assert events(project) == [("promote", "v0.1.0")] and approvals(project) == [(False, ASKED)]
    shown = status.text(status.read(project), 300)
    assert "ben declined to retrain" in shown and "nothing open" in shown
    following = tick(project, 72).decision
    assert following is not None and following.reason == Reason.DECLINED  # not asked again before the cool-down is over


def test_unanswered_the_champion_stays(project: Project) -> None:
    assert tick(project, 54).approval is None
    decision = tick(project, DEADLINE).approval
    assert decision is not None and decision.reason == Reason.UNANSWERED
    assert headline(decision).startswith("Keep v0.1.0: nobody approved to retrain, as decided on 2024-03-03 00:00")
    assert events(project) == [("promote", "v0.1.0")] and approvals(project) == [(False, ASKED)]


def test_on_prefects_page_it_is_answered_by_a_flow(project: Project) -> None:
    def answer(who: str, why: str) -> str:
        with loop.run_context(project.home, at(51)) as (session, now):
            return answer_decision(session, now, "decline", who, why)

    with pytest.raises(UsageError, match="say who answers, and why"):
        answer("ann", " ")
    with pytest.raises(UsageError, match="eve: may not answer this; approval.by"):
        answer("eve", "odd data")
    assert "the next tick acts on it" in answer("ann", "odd data")
    assert any("ann declined it: odd data" in item.progress for item in status.read(project).open)
    assert tick(project, 51).approval is not None
    with pytest.raises(UsageError, match="no decision waits for approval"):
        answer("ann", "odd data")


def test_an_answer_that_comes_too_late_is_refused(project: Project) -> None:
    tick(project, 54)
    (project.state / "tick").write_text(at(DEADLINE).isoformat())  # no run of the loop since, and time goes on
    late = typed(project, "approve", "1", "--why", "x", "--who", "ann")
    assert late.exit_code == 2 and "waited until 2024-03-03 09:00; the next tick keeps the champion" in late.stderr


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("evaluated again", "another was made at 2024-03-03 03:00:00"),
        ("edited", "params.yaml changed since the candidate of 2024-03-03 00:00:00"),
        ("promoted", "v0.2.0 is in service now"),
    ],
)
def test_where_it_rests_on_what_changed_it_is_void_and_says_so(project: Project, change: str, why: str) -> None:
    typed(project, "approve", "1", "--why", "looks right", "--who", "ann")
    if change == "evaluated again":
        with loop.run_context(project.home, at(51)) as (session, now):
            loop.data(session, now)
            judge_candidate(session, now)
    elif change == "edited":
        params = project.home / "params.yaml"
        params.write_text(params.read_text().replace("holdout: 9h", "holdout: 8h"))
        hourly.commit(project.home, "judge by less")
    else:
        made = reseal(project, Registry.open(project).load("v0.1.0"), turn_models_around, fault="other")
        Registry(project).release(git.head(project.worktree.root), made, Authorship("ben", "by hand", at(50)))
    decision = tick(project, 51).approval
    assert decision is not None and decision.reason == Reason.VOID
    assert "the decision of 2024-03-03 00:00 to retrain is void: " in headline(decision) and why in headline(decision)
    assert approvals(project) == [(False, ASKED)]
    assert ("promote", "v0.2.0") not in events(project) or change == "promoted"


def test_a_rollback_of_a_bad_release_is_done_where_nobody_answers(project: Project) -> None:
    """Known good first: its default is to go back. Meanwhile no other decision changes anything, nor asks again."""
    typed(project, "approve", "1", "--why", "looks right", "--who", "ann")
    tick(project, 51)
    bad = reseal(project, Registry.open(project).load("v0.2.0"), turn_models_around, fault="flipped")
    Registry(project).release(git.head(project.worktree.root), bad, Authorship("ann", "a slip", at(51)))
    asked = tick(project, 72).decision
    assert asked is not None and asked.reason == Reason.WAITS and asked.facts["waits"]["action"] == "roll back"
    assert "if nobody answers, it is done: v0.2.0 replaces v0.3.0" in headline(asked)
    with loop.run_context(project.home, at(75)) as (session, now):
        again = loop.retrain(session, now, "new prices")
    assert again.reason == Reason.APPROVAL_FIRST and events(project)[-1] == ("promote", "v0.3.0")
    decision = tick(project, 81).approval
    assert decision is not None and decision.action == "roll back"
    assert headline(decision).endswith("Nobody answered until 2024-03-04 09:00.")
    assert events(project)[-1] == ("rollback", "v0.2.0")
    assert approvals(project) == [(False, ASKED), (False, 72)]


def test_killed_while_it_acts_it_ends_as_undisturbed(project: Project, tmp_path: Path) -> None:
    """The tick that carries out an approval, in a process of its own that is killed as it begins a write."""
    typed(project, "approve", "1", "--why", "looks right", "--who", "ann")
    plain, cut = (killing.copied(project.home, tmp_path / name / "meters") for name in ("plain", "cut"))
    undisturbed = killing.run([str(plain), at(51).isoformat()], plain.parent, code=TICK)
    assert undisturbed.code == 0, undisturbed.errors
    ends = killing.kill_often(
        [str(cut), at(51).isoformat()], cut.parent, 3, random.Random("waits"), undisturbed.writes, code=TICK
    )  # fmt: skip
    assert ends[-1].code == 0 and any(end.killed for end in ends), ends
    assert killing.contents(cut) == killing.contents(plain)
    assert events(Project.find(cut))[1:] == [("promote", "v0.2.0")]


def test_a_replay_takes_the_default_and_ends_alike(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=PARAMS, table=hourly.steady_readings(63))
    ends = []
    for name, cuts in (("whole", (63,)), ("in parts", (48, 51, 57, 63))):
        replayed = replay.prepare(of, hourly.START, at(63), name)
        for hour in cuts:
            replay.replay(replayed, hourly.START, at(hour), lambda _: None)
        ends.append(replayed)
    same(*map(outcome, ends))
    assert (ends[0].approvals / ASK).read_bytes() == (ends[1].approvals / ASK).read_bytes()
    decided = history.read_decision(ends[0].approvals / ASK)
    assert (decided.at, decided.decision.reason) == (at(DEADLINE), Reason.UNANSWERED)
    assert Session.open(ends[0]).decisions[-1].at == at(ASKED)
