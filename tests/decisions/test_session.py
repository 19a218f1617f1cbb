"""A session keeps across ticks what it has read, and at each tick finds what others did in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import hourly
import pytest
from registered import in_front_of_git

from homeostat import loop, replay
from homeostat.adapters import git
from homeostat.core.errors import EnvironmentFault
from homeostat.core.ledger import Register, release_tag
from homeostat.decisions.session import Session
from homeostat.project.layout import stamp
from homeostat.project.window import read_window

pytestmark = pytest.mark.slow
PARAMS = hourly.PARAMS.replace("decide: 2h, retrain: 4h", "decide: 24h, retrain: 24h")
FIRST, SECOND = (hourly.START + timedelta(hours=hours) for hours in (1, 2))  # no decision is due


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """That of a replay, after its first tick."""
    of = hourly.make(tmp_path / "meters", params=PARAMS)
    session = Session.open(replay.prepare(of, hourly.START, SECOND, "short"))
    loop.tick(session, FIRST)
    return session


def test_a_quiet_tick_calls_git_once(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "calls"
    monkeypatch.setenv("PATH", in_front_of_git(tmp_path / "bin", f'echo "$*" >> {log}')["PATH"])
    loop.tick(session, SECOND)
    (call,) = log.read_text().splitlines()
    assert "for-each-ref" in call


def test_records_are_read_when_it_is_opened(session: Session) -> None:
    record = session.project.decisions / f"{stamp(FIRST)}.json"
    record.parent.mkdir(parents=True)
    record.write_text("damaged")
    loop.tick(session, SECOND)
    with pytest.raises(EnvironmentFault, match=f"{record.name}: damaged"):
        Session.open(session.project)


def test_a_tag_of_another_run_is_in_the_ledger_at_the_next_tick(session: Session) -> None:
    assert session.registry.ledger.releases == ()
    home = session.project.home
    release = Register("v0.1.0", git.head(home), "ann", "by hand", FIRST, "0" * 64)
    git.create_tag(home, release_tag("meters", "v0.1.0"), release.commit, release.message(), FIRST)
    loop.tick(session, SECOND)
    assert session.registry.ledger.releases == (release,)


def test_a_commit_on_the_scopes_branch_is_in_force_at_the_next_tick(session: Session) -> None:
    params = session.project.home / "params.yaml"
    params.write_text(params.read_text().replace("capacity: 2", "capacity: 3"))
    hourly.commit(session.project.home, "more alerts")
    assert session.tree.scope.costs.capacity == 2
    loop.tick(session, SECOND)
    assert session.tree.scope.costs.capacity == 3
    window = read_window(session.tree)
    assert (session.stands_at, window.start, window.as_of) == (SECOND, hourly.START, SECOND)
