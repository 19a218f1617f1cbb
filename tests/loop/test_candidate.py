"""A candidate that a person asks for: evaluated without a release, then released by a person, with the same records."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import hourly
import pytest

from homeostat import loop
from homeostat.adapters import git
from homeostat.core.authorship import Authorship
from homeostat.core.errors import UsageError
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.decisions.candidate import judge_candidate, release_candidate
from homeostat.decisions.history import decision_of
from homeostat.decisions.session import Session
from homeostat.project.layout import Project, stamp
from homeostat.project.window import read_window
from homeostat.releases import verify
from homeostat.releases.registry import Registry, Switch
from homeostat.scheduling.publish import sentence

pytestmark = pytest.mark.slow
EVALUATED, LATER = 6, 9  # hours


def at(hour: int) -> datetime:
    return hourly.START + timedelta(hours=hour)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return hourly.make(tmp_path_factory.mktemp("candidate") / "meters")


def evaluate(project: Project, hour: int) -> Decision:
    with loop.run_context(project.home, at(hour)) as (session, now):
        loop.data(session, now)
        return judge_candidate(session, now)


def release(project: Project, hour: int) -> Switch:
    return release_candidate(Session.open(project), Authorship("ann", "checked by hand", at(hour)))


def test_one_that_nobody_evaluated_cannot_be_released(project: Project) -> None:
    with pytest.raises(UsageError, match="no candidate has been evaluated yet; `homeostat run evaluation` makes"):
        release(project, 1)


def test_an_evaluation_releases_nothing_and_says_so(project: Project) -> None:
    decision = evaluate(project, EVALUATED)
    assert Registry.open(project).ledger.releases == ()
    command = "`homeostat promote candidate --why TEXT` releases it now"
    line = f"Nothing in service: the candidate passes its gate and would be released; {command}."
    assert decision.action == "keep" and sentence(decision) == line
    kept = json.loads((project.candidates / f"{stamp(at(EVALUATED))}.json").read_text())
    assert Decision.from_dict(kept) == decision and kept["headline"] == headline(decision)


def test_a_person_releases_it_later_as_it_was_evaluated(project: Project) -> None:
    """Ticks since then have brought in data: the commit has the window of the evaluation, the folder its own."""
    with loop.run_context(project.home, at(LATER)) as (session, now):
        loop.data(session, now)
        session.complete(now)
    assert release(project, LATER).sentence == "promoted v0.1.0: checked by hand"
    registry = Registry.open(project)
    (made,) = registry.ledger.releases
    assert f"reports/candidates/{stamp(at(EVALUATED))}.json" in made.evidence
    decided = decision_of(project, made)
    assert decided is not None and decided.at == at(EVALUATED)
    assert read_window(project.worktree).as_of == at(LATER)
    tree = project.home / "as released"
    git.add_worktree(project.home, tree, made.commit, at(LATER))
    assert read_window(Project(tree, tree)).as_of == at(EVALUATED)
    checked = verify.verify(project, registry, made)
    assert checked.sentence == "serves; rebuildable"
    assert verify.rebuild(project, registry, made, at(LATER)) == ""


def test_again_it_adds_nothing(project: Project) -> None:
    assert "v0.1.0 serves already" in release(project, LATER).sentence
    assert len(Registry.open(project).ledger.events) == 1


def test_one_whose_inputs_have_changed_is_refused_with_what_changed(project: Project) -> None:
    evaluate(project, LATER)
    tree = project.worktree.root
    params = (tree / "params.yaml").read_text()
    (tree / "params.yaml").write_text(params.replace("holdout: 12h", "holdout: 11h"))
    hourly.run(tree, "commit", "--quiet", "--message", "half a day less", "params.yaml")  # as where the branch moved on
    try:
        with pytest.raises(
            UsageError, match="params.yaml changed since the candidate of 2024-03-01 09:00:00; `homeostat"
        ):
            release(project, LATER)
    finally:
        hourly.run(tree, "reset", "--quiet", "--soft", "HEAD~1")
        hourly.run(tree, "checkout", "HEAD", "--", "params.yaml")
    assert read_window(project.worktree).as_of == at(LATER)


def test_one_that_another_replaced_is_refused(project: Project) -> None:
    manifest = project.worktree.bundle / "manifest.json"
    before = manifest.read_bytes()
    manifest.unlink()
    manifest.write_bytes(before + b"\n")
    with pytest.raises(UsageError, match="is not the candidate of 2024-03-01 09:00:00 any more"):
        release(project, LATER)
