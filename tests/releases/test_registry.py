"""Deployment on a real repository: git tags, the DVC cache, and a stage that copies a bundle made by hand."""

from __future__ import annotations

import os
import shutil
import signal
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest
from registered import DAG, candidate, in_front_of_git, prepare, start

from homeostat.adapters import dvc, git, worktree
from homeostat.adapters.parquet import write_table
from homeostat.core.errors import DataError, EnvironmentFault, UsageError
from homeostat.core.findings import Decision, Reason
from homeostat.core.ledger import describe
from homeostat.core.policy import Bar
from homeostat.decisions.evidence import Candidate, barred
from homeostat.project.layout import Project
from homeostat.releases import registry, verify
from homeostat.training import bundle

NOW = datetime(2024, 3, 5)






@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "meters"
    (root / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".gitignore"):
        shutil.copyfile(hourly.ROOT / name, root / name)
    (root / "params.yaml").write_text(hourly.PARAMS)
    (root / "dvc.yaml").write_text(DAG)
    hourly.run(root, "init", "-q", "-b", "main")
    hourly.commit(root)
    registry._loaded.clear()
    return Project(root, root)


def day(n: int) -> datetime:
    return NOW + timedelta(days=n)


def test_release_rollback_promote_and_their_history(project: Project) -> None:
    assert registry.serving(project) is None
    first, second = candidate(project, "one"), candidate(project, "two")
    made = registry.release(project, *first, "passed", "ann", day(0), ["reports/decisions/a.json"])
    assert (made.version, made.event.number) == ("v0.1.0", 1)
    registry.release(project, *second, "better", "ann", day(1))
    back = registry.rollback(project, "calibration is off", "bob", day(2), evidence=["reports/drift/b.json"])
    assert (back.version, back.sentence) == ("v0.1.0", "rolled back to v0.1.0, v0.2.0 before it: calibration is off")
    registry.promote(project, "v0.2.0", "it was the data", "ann", day(3))
    ledger = registry.ledger(project)
    assert [(e.action, e.version, e.who, e.why) for e in ledger.events] == [
        ("promote", "v0.1.0", "ann", "passed"),
        ("promote", "v0.2.0", "ann", "better"),
        ("rollback", "v0.1.0", "bob", "calibration is off"),
        ("promote", "v0.2.0", "ann", "it was the data"),
    ]
    assert ledger.events[2].evidence == ("reports/drift/b.json",)
    assert [(r.version, r.commit, r.bundle) for r in ledger.releases] == [("v0.1.0", *first), ("v0.2.0", *second)]
    served = [registry.serving(project, day(n)) for n in (-1, 0, 1, 2, 3)]
    assert [found and (found[0].version, found[1].sql[:6]) for found in served] == [
        None, ("v0.1.0", "-- one"), ("v0.2.0", "-- two"), ("v0.1.0", "-- one"), ("v0.2.0", "-- two"),
    ]  # fmt: skip
    assert registry.restore(project, "v0.1.0").hash == first[1]
    assert hourly.run(project.root, "status", "--porcelain") == ""


def test_what_is_done_already_adds_nothing(project: Project) -> None:
    one, two = candidate(project, "one"), candidate(project, "two")
    registry.release(project, *one, "passed", "ann", day(0))
    tags = git.read_tags(project.home, "meters")
    for again in (
        registry.release(project, *one, "again", "ann", day(1)),
        registry.promote(project, "v0.1.0", "again", "ann", day(1)),
        registry.promote(project, "0.1.0", "again", "ann", day(1)),
        registry.rollback(project, "again", "ann", day(1), to="v0.1.0"),
    ):
        assert again.sentence == f"v0.1.0 serves already, since {day(0)}; nothing to do"
    assert git.read_tags(project.home, "meters") == tags
    registry.release(project, *two, "passed", "ann", day(1))
    registry.release(project, *one, "the first after all", "ann", day(2))  # a bundle keeps its version
    assert [r.version for r in registry.ledger(project).releases] == ["v0.1.0", "v0.2.0"]
    assert [e.version for e in registry.ledger(project).events] == ["v0.1.0", "v0.2.0", "v0.1.0"]


def test_what_was_yanked_never_serves_again(project: Project) -> None:
    one, two, three = (candidate(project, note) for note in ("one", "two", "three"))
    for number, made in enumerate((one, two, three)):
        registry.release(project, *made, "passed", "ann", day(number))
    with pytest.raises(UsageError, match="v0.3.0: serves now; roll back first"):
        registry.yank(project, "v0.3.0", "why", "ann", day(3))
    said = registry.yank(project, "v0.2.0", "wrong prices", "ann", day(3))
    assert said == "yanked v0.2.0, which will never serve again: wrong prices"
    assert "already, since" in registry.yank(project, "v0.2.0", "again", "bob", day(4))
    for call in (
        lambda: registry.promote(project, "v0.2.0", "why", "ann", day(4)),
        lambda: registry.rollback(project, "why", "ann", day(4), to="v0.2.0"),
        lambda: registry.release(project, *two, "why", "ann", day(4)),
    ):
        with pytest.raises(UsageError, match="v0.2.0: yanked by ann: wrong prices"):
            call()
    again = Candidate(two[1], {}, Decision("release", Reason.PASSED), {}, {})
    assert barred(project, registry.ledger(project), again, day(4)) == Bar(
        "v0.2.0", day(3), None, "ann", "wrong prices"
    )
    assert registry.rollback(project, "bad", "ann", day(4)).version == "v0.1.0"
    assert [row["what"] for row in describe(registry.ledger(project))].count("yank") == 1


def test_a_release_is_tried_beside_what_serves_until_it_is_promoted_or_taken_back(project: Project) -> None:
    one, two, three = (candidate(project, note) for note in ("one", "two", "three"))
    first = registry.release(project, *one, "passed", "ann", day(0), (), "canary", 0.1)
    assert first.event.action == "promote"  # there is nothing to try the first beside
    tried = registry.release(project, *two, "better", "loop", day(1), ["reports/decisions/b.json"], "canary", 0.1)
    assert tried.sentence == "v0.2.0 is tried beside v0.1.0 (canary 10%): better"
    assert (tried.event.share, tried.event.evidence) == (0.1, ("reports/decisions/b.json",))
    found = registry.serving(project)
    assert found is not None and found[0].version == "v0.1.0"
    again = registry.try_beside(project, "v0.2.0", "canary", 0.1, "again", "bob", day(2))
    assert "is tried so already (canary 10%), since" in again.sentence
    registry.try_beside(project, "v0.2.0", "canary", 0.5, "well so far", "loop", day(2))
    back = registry.rollback(project, "slow", "ann", day(3), evidence=["reports/rollouts/c.json"])
    assert back.sentence == "v0.1.0 serves everything, v0.2.0 is tried no more: slow"
    assert registry.ledger(project).rolled_back() == {"v0.2.0"}
    already = registry.rollback(project, "slow", "ann", day(3), to="v0.1.0")
    assert already.sentence.startswith("v0.1.0 serves already")
    registry.release(project, *three, "other", "loop", day(4), (), "shadow")
    cases = [
        (lambda: registry.try_beside(project, "v0.2.0", "shadow", None, "w", "a", day(5)), "v0.3.0: is being tried"),
        (lambda: registry.try_beside(project, "v0.1.0", "shadow", None, "w", "a", day(5)), "serves everything"),
        (lambda: registry.try_beside(project, "v0.3.0", "shadow", 0.1, "w", "a", day(5)), "a share of the keys"),
        (lambda: registry.try_beside(project, "v0.3.0", "canary", None, "w", "a", day(5)), "a share of the keys"),
        (lambda: registry.try_beside(project, "v0.3.0", "canary", 1.0, "w", "a", day(5)), "a share of the keys"),
        (lambda: registry.try_beside(project, "v0.3.0", "canary", 0.1, "w", " ", day(5)), "who is empty"),
        (lambda: registry.yank(project, "v0.3.0", "w", "a", day(5)), "v0.3.0: is being tried; roll back first"),
    ]
    for call, words in cases:
        with pytest.raises(UsageError, match=words):
            call()
    assert registry.promote(project, "v0.3.0", "well", "loop", day(6)).version == "v0.3.0"
    assert [(e.what, e.version) for e in registry.ledger(project).events] == [
        ("promote", "v0.1.0"), ("canary 10%", "v0.2.0"), ("canary 50%", "v0.2.0"), ("rollback", "v0.1.0"),
        ("shadow", "v0.3.0"), ("promote", "v0.3.0"),
    ]  # fmt: skip
    served = [registry.serving(project, day(n)) for n in range(7)]
    assert [f and f[0].version for f in served] == [*["v0.1.0"] * 6, "v0.3.0"]


def test_what_cannot_be_is_refused_in_one_line_and_adds_nothing(project: Project) -> None:
    with pytest.raises(UsageError, match="nothing serves yet"):
        registry.rollback(project, "why", "ann", NOW)
    commit, made = candidate(project, "one")
    registry.release(project, commit, made, "passed", "ann", NOW)
    other = candidate(project, "two")
    tags = git.read_tags(project.home, "meters")
    cases = [
        (lambda: registry.promote(project, "v0.9.0", "why", "ann", NOW), UsageError, "v0.9.0: no such release"),
        (lambda: registry.restore(project, "v0.9.0"), UsageError, "no such release"),
        (lambda: registry.rollback(project, "why", "ann", NOW), UsageError, "no version to go back to from v0.1.0"),
        (lambda: registry.rollback(project, "why", "ann", NOW, to="v7.0.0"), UsageError, "no such release"),
        (lambda: registry.promote(project, "v0.1.0", "  ", "ann", NOW), UsageError, "why is empty"),
        (lambda: registry.rollback(project, "why", "", NOW), UsageError, "who is empty"),
        (lambda: registry.release(project, *other, "", "ann", NOW), UsageError, "why is empty"),
        (lambda: registry.release(project, other[0], "0" * 64, "why", "ann", NOW), DataError, "not 000000000000"),
        (lambda: registry.release(project, "f" * 40, other[1], "why", "ann", NOW), EnvironmentFault, "f" * 12),
    ]
    for call, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert git.read_tags(project.home, "meters") == tags
    assert list(project.releases.glob(".*")) == []


def test_a_version_that_never_served_is_promoted_not_rolled_back_to(project: Project) -> None:
    one, two = candidate(project, "one"), candidate(project, "two")
    registry.release(project, *one, "passed", "ann", NOW)
    register = registry.Register("v0.2.0", two[0], "ann", "kept for later", NOW, two[1])
    git.create_tag(project.home, "meters@v0.2.0", two[0], register.message(), NOW)
    with pytest.raises(UsageError, match="never served"):
        registry.rollback(project, "why", "ann", NOW, to="v0.2.0")
    assert registry.promote(project, "v0.2.0", "now", "ann", NOW).event.number == 2


def test_a_release_that_answers_otherwise_never_serves(project: Project) -> None:
    """The golden rows were sealed with other scores than the models give: another machine, another version, a bug."""
    one = candidate(project, "one")
    registry.release(project, *one, "passed", "ann", NOW)
    folder = project.root / "prepared"
    prepare(folder, "two")
    golden = pl.read_parquet(folder / "golden.parquet")
    nudged = golden.with_columns(pl.col("score__high") * (1 + 2**-52))
    write_table(nudged, folder / "golden.parquet")
    made = bundle.seal(folder, "meters", {})
    dvc.reproduce(project.root)
    commit = hourly.commit(project.root, "two")
    with pytest.raises(DataError, match="rehearsal failed: score__high of golden row 0 is") as caught:
        registry.release(project, commit, made, "passed", "ann", NOW)
    assert "\n" not in str(caught.value)
    assert [r.version for r in registry.ledger(project).releases] == ["v0.1.0"]
    found = registry.serving(project)
    assert found is not None and found[0].version == "v0.1.0"


def test_an_unpacked_release_that_was_spoilt_is_unpacked_again(project: Project) -> None:
    one = candidate(project, "one")
    registry.release(project, *one, "passed", "ann", NOW)
    folder = project.releases / one[1]
    for spoil in ("features.sql", "manifest.json"):
        (folder / spoil).write_text("spoilt")
        registry._loaded.clear()
        found = registry.serving(project)
        assert found is not None and found[1].sql.startswith("-- one")
    shutil.rmtree(folder)
    found = registry.serving(project)  # this process has seen it before
    assert found is not None and found[1].hash == one[1] and folder.is_dir()


def test_the_ledgers_tree_deploys_for_its_main_checkout(project: Project) -> None:
    candidate(project, "one")
    tree = worktree.ensure(project.home, "meters", "main", NOW)
    dvc.share_cache(tree, project.home)
    scheduled = project.ledger
    prepare(tree / "prepared", "two")
    made = bundle.load(tree / "prepared").hash
    dvc.reproduce(tree)
    commit = worktree.commit_kept(tree, "two", NOW)
    registry.release(scheduled, commit, made, "passed", "loop", NOW)
    found = registry.serving(project)
    assert found is not None and found[1].sql.startswith("-- two")
    assert found[1].folder == project.home / ".homeostat" / "releases" / made


# ---- other processes: a git in front of git, which stops them where it matters







KILLS = {
    "before the release is registered": "*mktag*) [ -e {gone} ] || {{ touch {gone}; kill -9 $PPID; }};;",
    "as its tag is made": '*"update-ref refs/tags/meters@"*) kill -9 $PPID; sleep 1;;',
    "after it is registered": '*"update-ref refs/tags/meters#"*) kill -9 $PPID; exit 1;;',
}


@pytest.mark.slow
@pytest.mark.parametrize("where", KILLS)
def test_killed_in_between_the_old_version_serves_and_the_next_run_carries_on(
    project: Project, tmp_path: Path, where: str
) -> None:
    one, two = candidate(project, "one"), candidate(project, "two")
    registry.release(project, *one, "passed", "ann", NOW)
    case = KILLS[where].format(gone=tmp_path / "gone")
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in {case} esac')
    call = f'release(Project(root, root), "{two[0]}", "{two[1]}", "better", "ann", datetime(2024, 3, 6))'
    process = start(project, call, env)
    assert process.wait(60) == -signal.SIGKILL, process.stderr and process.stderr.read()
    registry._loaded.clear()
    found = registry.serving(project)
    assert found is not None and found[0].version in ("v0.1.0", "v0.2.0")
    assert found[1].sql.startswith("-- one" if found[0].version == "v0.1.0" else "-- two")
    registry.release(project, *two, "better", "ann", day(2))
    ledger = registry.ledger(project)
    assert [r.version for r in ledger.releases] == ["v0.1.0", "v0.2.0"]
    assert [e.version for e in ledger.events] == ["v0.1.0", "v0.2.0"]


STEPS = {
    "a canary": 'try_beside(Project(root, root), "v0.2.0", "canary", 0.1, "try it", "ann", datetime(2024, 3, 7))',
    "the next step": 'try_beside(Project(root, root), "v0.2.0", "canary", 0.5, "go on", "ann", datetime(2024, 3, 7))',
    "the end": 'promote(Project(root, root), "v0.2.0", "all of it", "ann", datetime(2024, 3, 7))',
    "an abort": 'rollback(Project(root, root), "slow", "ann", datetime(2024, 3, 7))',
}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_step_that_is_killed_is_there_whole_or_not_at_all(
    project: Project, tmp_path: Path, step: str, moment: str
) -> None:
    """Killed before its tag is made, or as soon as it is; said again, the step is done once."""
    one, two = (candidate(project, note) for note in ("one", "two"))
    registry.release(project, *one, "passed", "ann", NOW)
    registry.release(project, *two, "passed", "ann", NOW)
    registry.rollback(project, "not yet", "ann", NOW)
    if step != "a canary":
        registry.try_beside(project, "v0.2.0", "canary", 0.1, "try it", "ann", day(1))
    before = registry.ledger(project).events
    real = shutil.which("git")
    done = f'{real} "$@" && kill -9 $PPID; exit 1' if moment == "after" else "kill -9 $PPID; exit 1"
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in *"update-ref refs/tags/meters#"*) {done};; esac')
    process = start(project, STEPS[step], env)
    assert process.wait(60) == -signal.SIGKILL, process.stderr and process.stderr.read()
    events = registry.ledger(project).events
    assert events[: len(before)] == before and len(events) == len(before) + (moment == "after")
    again = start(project, STEPS[step], dict(os.environ))
    assert again.wait(60) == 0, again.stderr and again.stderr.read()
    found = registry.ledger(project).events
    assert len(found) == len(before) + 1
    assert (found[-1].who, found[-1].at) == ("ann", datetime(2024, 3, 7))


@pytest.mark.slow
def test_killed_while_unpacking_nothing_half_made_is_read(project: Project) -> None:
    one = candidate(project, "one")
    registry.release(project, *one, "passed", "ann", NOW)
    whole, half = project.releases / one[1], project.releases / f".{one[1]}.99999"
    shutil.move(whole, half)
    (half / "features.sql").unlink()
    registry._loaded.clear()
    found = registry.serving(project)
    assert found is not None and found[1].folder == whole and found[1].sql.startswith("-- one")


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        'rollback(Project(root, root), "mine", "bob", datetime(2024, 3, 9))',
        'try_beside(Project(root, root), "v0.2.0", "canary", 0.1, "mine", "bob", datetime(2024, 3, 9))',
    ],
)
def test_of_two_at_once_one_wins(project: Project, tmp_path: Path, call: str) -> None:
    """Both have read the ledger before either makes its tag."""
    one, two, three = (candidate(project, note) for note in ("one", "two", "three"))
    registry.release(project, *one, "passed", "ann", day(0))
    registry.release(project, *two, "passed", "ann", day(1))
    registry.release(project, *three, "passed", "ann", day(2))
    meet = tmp_path / "meet"
    meet.mkdir()
    wait = f'touch {meet}/$PPID; while [ "$(ls {meet} | wc -l)" -lt 2 ]; do sleep 0.05; done'
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in *mktag*) {wait};; esac')
    calls = [
        'promote(Project(root, root), "v0.1.0", "mine", "ann", datetime(2024, 3, 9))',
        call,
    ]
    processes = [start(project, call, env) for call in calls]
    outcomes = [(p.wait(90), *p.communicate()) for p in processes]
    assert sorted(code for code, _, _ in outcomes) == [0, 1]
    loser = next(err for code, _, err in outcomes if code)
    assert "EnvironmentFault: tag meters#prod#4: another run created it first" in loser.splitlines()[-1]
    ledger = registry.ledger(project)
    assert [e.number for e in ledger.events] == [1, 2, 3, 4]
    winner = next(out for code, out, _ in outcomes if not code)
    assert ledger.events[-1].version in winner


def test_whether_a_release_can_be_counted_on(project: Project) -> None:
    one, two = candidate(project, "one"), candidate(project, "two")
    for n, made in enumerate((one, two)):
        registry.release(project, *made, "passed", "ann", day(n))
    params = project.root / "params.yaml"
    params.write_text(hourly.PARAMS.replace("path: readings.csv", "url: sqlite:///x.db\n    query: SELECT 1"))
    registry.yank(project, "v0.1.0", "wrong prices", "ann", day(3))
    project = Project(project.root, project.root)
    known = registry.ledger(project)
    first, second = (verify.verify(project, known, release) for release in known.releases)
    assert first.sentence.startswith("DOES NOT SERVE: yanked by ann: wrong prices; NOT REBUILDABLE: ")
    assert second.serves == ""
    assert f"commit {two[0][:12]} has no data/landed" in second.rebuildable
    shutil.rmtree(project.root / ".dvc" / "cache")
    shutil.rmtree(project.releases)
    registry._loaded.clear()
    lost = verify.verify(project, known, known.releases[1])
    assert f"the cache lacks models/bundle of {two[0][:12]}" in lost.serves
