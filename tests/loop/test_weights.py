"""New weights in the scope: a release of the same models, made from the champion's commit whatever has come since."""

from __future__ import annotations

import json
from pathlib import Path

import hourly
import pytest
from first_release import at, in_service
from registered import pending_at

from homeostat import loop
from homeostat.checks import weights as checked
from homeostat.core.authorship import Authorship
from homeostat.core.errors import EnvironmentFault, UsageError
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.rules import Rule
from homeostat.decisions.evidence import previous_version
from homeostat.decisions.reweigh import release_weights
from homeostat.faults.bad_release import reseal, turn_models_around
from homeostat.project.layout import Project
from homeostat.releases import verify
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
LATER = 34  # hours
MODELS = ("models/", "judged/", "baseline/", "features.sql", "training.json", "reference.parquet")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A model in service since ``FIRST``, and data up to ``LATER``."""
    project = in_service(tmp_path_factory.mktemp("weights") / "meters")
    with loop.run_context(project.home, at(LATER)) as (session, now):
        loop.data(session, now)
        session.complete(now)
    return project


def commit(project: Project, old: str, new: str) -> None:
    params = project.root / "params.yaml"
    assert old in params.read_text()
    params.write_text(params.read_text().replace(old, new))
    hourly.commit(project.root, new)


def deploy(project: Project, hour: int = LATER) -> Decision | None:
    with loop.run_context(project.home, at(hour)) as (session, now):
        loop.data(session, now)
        return release_weights(session, now)


def models(project: Project, version: str) -> dict[str, str]:
    files = Registry.open(project).load(version).manifest["files"]
    return {name: content for name, content in files.items() if name.startswith(MODELS)}


def test_where_nothing_changed_nothing_is_released(project: Project) -> None:
    assert deploy(project) is None
    commit(project, "goal: know the next", "goal: to know the next")
    assert deploy(project) is None


def test_other_weights_are_released_with_the_same_models(project: Project) -> None:
    commit(project, "weight: 2", "weight: 3")
    decision = deploy(project)
    assert decision is not None
    text = "Release: v0.2.0, weights changed: high 2 -> 3; the models are those of v0.1.0."
    assert headline(decision) == text
    registry = Registry.open(project)
    assert registry.ledger.champion is not None and registry.ledger.champion.version == "v0.2.0"
    assert registry.load("v0.2.0").scope.objectives["high"].weight == 3
    assert models(project, "v0.1.0") == models(project, "v0.2.0")
    golden = [registry.load(version).golden for version in ("v0.1.0", "v0.2.0")]
    assert golden[0]["score__high"].equals(golden[1]["score__high"])
    assert golden[1]["risk"].to_list() == (3 * golden[1]["score__high"]).to_list()
    assert deploy(project) is None


def test_only_what_weights_bear_on_is_judged_again(project: Project) -> None:
    (path,) = project.weights.glob("*.json")
    kept = json.loads(path.read_text())
    gate = Decision.from_dict(kept).gate
    assert gate[0].rule == Rule.PAYS and "carried" not in gate[0].facts
    assert [f.facts.get("carried") for f in gate[1:]] == ["v0.1.0"] * (len(gate) - 1)
    assert Rule.BEATS_BASELINE in {f.rule for f in gate[1:]}
    made = Registry.open(project).ledger.releases[-1]
    assert made.evidence == (project.cited(path),) and kept["headline"] == made.why


def test_its_commit_has_nothing_to_do_and_rebuilds_to_the_same_bytes(project: Project, tmp_path: Path) -> None:
    first, second = Registry.open(project).ledger.releases
    assert hourly.run(project.root, "rev-parse", f"{second.commit}^") == first.commit
    changed = hourly.run(project.root, "diff", "--name-only", first.commit, second.commit).split()
    assert sorted(changed) == [
        "dvc.lock", "params.yaml", "reports/evaluation/evaluation.json", "reports/evaluation/metrics.json"
    ]
    assert pending_at(project, second, tmp_path / "as released", at(LATER)) == []
    assert verify.rebuild(project, Registry.open(project), second, at(LATER)) == ""


def test_what_was_rolled_back_stays_out_until_a_person_says_so_or_the_scope_has_others(project: Project) -> None:
    assert Registry(project).rollback(Authorship("bob", "too many alerts", at(LATER))).version == "v0.1.0"
    assert deploy(project) is None
    with loop.run_context(project.home, at(LATER)) as (session, now):
        loop.begin(session, now)
        again = release_weights(session, now, Authorship("ann", "the desk has more people", now))
    assert again is not None and again.versions.candidate == "v0.2.0"  # the same bytes keep their version
    assert Registry(project).rollback(Authorship("bob", "too many alerts", at(LATER)), "v0.1.0").version == "v0.1.0"
    commit(project, "capacity: 2", "capacity: 3")
    decision = deploy(project)
    assert decision is not None and "high 2 -> 3, costs.capacity 2 -> 3" in headline(decision)
    assert len(list(project.weights.glob("*.json"))) == 3  # the clock stood still: none has replaced another


def test_the_loop_would_go_back_past_the_same_models(project: Project) -> None:
    """To a version that only weights tell apart there is no going back: it scores as the champion does."""
    registry = Registry.open(project)
    assert registry.ledger.previous_healthy() == "v0.1.0"
    assert previous_version(registry) == ""


def test_going_back_to_the_old_weights_is_a_release_too(project: Project) -> None:
    commit(project, "weight: 3", "weight: 2")
    commit(project, "capacity: 3", "capacity: 2")
    decision = deploy(project)
    assert decision is not None and decision.versions.candidate == "v0.1.0"  # whose very bytes they make


def test_the_sweep_marks_the_weights_of_the_folder_and_writes_others(project: Project) -> None:
    lines = list(checked.page(project, checked.swept(project)))
    champion = Registry.open(project).ledger.champion
    assert champion is not None and [line.split()[:2] for line in lines if "<-" in line] == [["*", "2"]]
    assert sum(line.endswith(f"<- params.yaml, {champion.version}") for line in lines) == 1
    assert [line for line in lines if line.endswith("<- params.yaml")] == []
    by = {line.split("  ")[0]: line.split()[-6:] for line in lines if " CI" not in line}
    assert "a score above 0.5" in by and "100.0" in by["an oracle"]
    assert lines[-1] == "high: alone worth an alert above a score of 0.333, by weight 2"
    written = list(checked.write(project, {"high": 4.0}))
    line = "  high: {task: binary, label: load > 5, known: read, weight: 2, features: [phase, hour, last_load]}"
    assert [row for row in written if row.startswith(("-  ", "+  "))] == [f"-{line}", f"+{line.replace('2,', '4,')}"]
    assert Project.find(project.root).scope.objectives["high"].weight == 4
    assert "already" in list(checked.write(Project.find(project.root), {"high": 4.0}))[0]
    hourly.run(project.root, "checkout", "--", "params.yaml")


def test_a_person_who_has_nothing_to_promote_hears_it(project: Project) -> None:
    with loop.run_context(project.home, at(LATER)) as (session, now):
        loop.begin(session, now)
        assert release_weights(session, now, Authorship("ann", "again", now)) is None
    with pytest.raises(UsageError, match="nothing serves yet"):
        checked.swept(hourly.make(project.home.parent / "empty"))


def test_a_release_whose_commit_makes_other_models_keeps_its_weights_and_stops_no_loop(project: Project) -> None:
    made = reseal(project, Registry.open(project).load("v0.1.0"), turn_models_around, fault="flipped")
    first = Registry.open(project).ledger.releases[0]
    Registry(project).release(first.commit, made, Authorship("ann", "a slip", at(LATER)))
    commit(project, "weight: 2", "weight: 9")
    assert deploy(project) is None
    with loop.run_context(project.home, at(LATER)) as (session, now):
        loop.begin(session, now)
        with pytest.raises(EnvironmentFault, match="makes other models than it has; retrain"):
            release_weights(session, now, Authorship("ann", "all the same", now))
