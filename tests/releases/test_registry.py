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
from homeostat.core.authorship import Authorship as By
from homeostat.core.errors import DataError, EnvironmentFault, UsageError
from homeostat.core.findings import Decision
from homeostat.core.ledger import Register, describe
from homeostat.core.policy import Bar
from homeostat.core.rules import Reason
from homeostat.decisions.evidence import Candidate, barred
from homeostat.project.layout import Project
from homeostat.releases import verify
from homeostat.releases.registry import Registry
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
    return Project(root, root)


def day(n: int) -> datetime:
    return NOW + timedelta(days=n)


def test_release_rollback_promote_and_their_history(project: Project) -> None:
    assert Registry.open(project).load_champion() is None
    first, second = candidate(project, "one"), candidate(project, "two")
    made = Registry(project).release(*first, By("ann", "passed", day(0), ("reports/decisions/a.json",)))
    assert (made.version, made.event.number) == ("v0.1.0", 1)
    Registry(project).release(*second, By("ann", "better", day(1)))
    back = Registry(project).rollback(By("bob", "calibration is off", day(2), ("reports/drift/b.json",)))
    assert (back.version, back.sentence) == ("v0.1.0", "rolled back to v0.1.0, v0.2.0 before it: calibration is off")
    Registry(project).promote("v0.2.0", By("ann", "it was the data", day(3)))
    ledger = Registry.open(project).ledger
    assert [(e.action, e.version, e.who, e.why) for e in ledger.events] == [
        ("promote", "v0.1.0", "ann", "passed"),
        ("promote", "v0.2.0", "ann", "better"),
        ("rollback", "v0.1.0", "bob", "calibration is off"),
        ("promote", "v0.2.0", "ann", "it was the data"),
    ]
    assert ledger.events[2].evidence == ("reports/drift/b.json",)
    assert [(r.version, r.commit, r.bundle) for r in ledger.releases] == [("v0.1.0", *first), ("v0.2.0", *second)]
    served = [Registry.open(project).load_champion(day(n)) for n in (-1, 0, 1, 2, 3)]
    assert [found and (found[0].version, found[1].sql[:6]) for found in served] == [
        None, ("v0.1.0", "-- one"), ("v0.2.0", "-- two"), ("v0.1.0", "-- one"), ("v0.2.0", "-- two"),
    ]  # fmt: skip
    assert Registry.open(project).load("v0.1.0").hash == first[1]
    assert hourly.run(project.root, "status", "--porcelain") == ""


def test_what_is_done_already_adds_nothing(project: Project) -> None:
    one, two = candidate(project, "one"), candidate(project, "two")
    Registry(project).release(*one, By("ann", "passed", day(0)))
    tags = git.read_tags(project.home, "meters")
    for again in (
        Registry(project).release(*one, By("ann", "again", day(1))),
        Registry(project).promote("v0.1.0", By("ann", "again", day(1))),
        Registry(project).promote("0.1.0", By("ann", "again", day(1))),
        Registry(project).rollback(By("ann", "again", day(1)), to="v0.1.0"),
    ):
        assert again.sentence == f"v0.1.0 serves already, since {day(0)}; nothing to do"
    assert git.read_tags(project.home, "meters") == tags
    Registry(project).release(*two, By("ann", "passed", day(1)))
    Registry(project).release(*one, By("ann", "the first after all", day(2)))  # a bundle keeps its version
    assert [r.version for r in Registry.open(project).ledger.releases] == ["v0.1.0", "v0.2.0"]
    assert [e.version for e in Registry.open(project).ledger.events] == ["v0.1.0", "v0.2.0", "v0.1.0"]


def test_what_was_yanked_never_serves_again(project: Project) -> None:
    one, two, three = (candidate(project, note) for note in ("one", "two", "three"))
    for number, made in enumerate((one, two, three)):
        Registry(project).release(*made, By("ann", "passed", day(number)))
    with pytest.raises(UsageError, match="v0.3.0: serves now; roll back first"):
        Registry(project).yank("v0.3.0", By("ann", "why", day(3)))
    said = Registry(project).yank("v0.2.0", By("ann", "wrong prices", day(3)))
    assert said == "yanked v0.2.0, which will never serve again: wrong prices"
    assert "already, since" in Registry(project).yank("v0.2.0", By("bob", "again", day(4)))
    for call in (
        lambda: Registry(project).promote("v0.2.0", By("ann", "why", day(4))),
        lambda: Registry(project).rollback(By("ann", "why", day(4)), to="v0.2.0"),
        lambda: Registry(project).release(*two, By("ann", "why", day(4))),
    ):
        with pytest.raises(UsageError, match="v0.2.0: yanked by ann: wrong prices"):
            call()
    again = Candidate(two[1], {}, Decision("release", Reason.PASSED), {}, {}, pl.DataFrame())
    bar = Bar("v0.2.0", day(3), None, "ann", "wrong prices")
    assert barred(Registry.open(project), again, timedelta(days=14), day(4)) == bar
    assert Registry(project).rollback(By("ann", "bad", day(4))).version == "v0.1.0"
    assert [row["what"] for row in describe(Registry.open(project).ledger)].count("yank") == 1


def test_a_release_is_tried_beside_what_serves_until_it_is_promoted_or_taken_back(project: Project) -> None:
    one, two, three = (candidate(project, note) for note in ("one", "two", "three"))
    first = Registry(project).release(*one, By("ann", "passed", day(0)), "canary", 0.1)
    assert first.event.action == "promote"  # there is nothing to try the first beside
    tried = Registry(project).release(*two, By("loop", "better", day(1), ("reports/decisions/b.json",)), "canary", 0.1)
    assert tried.sentence == "v0.2.0 is tried beside v0.1.0 (canary 10%): better"
    assert (tried.event.share, tried.event.evidence) == (0.1, ("reports/decisions/b.json",))
    found = Registry.open(project).load_champion()
    assert found is not None and found[0].version == "v0.1.0"
    again = Registry(project).try_beside("v0.2.0", "canary", 0.1, By("bob", "again", day(2)))
    assert "is tried so already (canary 10%), since" in again.sentence
    Registry(project).try_beside("v0.2.0", "canary", 0.5, By("loop", "well so far", day(2)))
    back = Registry(project).rollback(By("ann", "slow", day(3), ("reports/rollouts/c.json",)))
    assert back.sentence == "v0.1.0 serves everything, v0.2.0 is no longer tried: slow"
    assert Registry.open(project).ledger.rolled_back() == {"v0.2.0"}
    already = Registry(project).rollback(By("ann", "slow", day(3)), to="v0.1.0")
    assert already.sentence.startswith("v0.1.0 serves already")
    Registry(project).release(*three, By("loop", "other", day(4)), "shadow")
    cases = [
        (lambda: Registry(project).try_beside("v0.2.0", "shadow", None, By("a", "w", day(5))), "v0.3.0: is being"),
        (lambda: Registry(project).try_beside("v0.1.0", "shadow", None, By("a", "w", day(5))), "serves everything"),
        (lambda: Registry(project).try_beside("v0.3.0", "shadow", 0.1, By("a", "w", day(5))), "a share of the keys"),
        (lambda: Registry(project).try_beside("v0.3.0", "canary", None, By("a", "w", day(5))), "a share of the keys"),
        (lambda: Registry(project).try_beside("v0.3.0", "canary", 1.0, By("a", "w", day(5))), "a share of the keys"),
        (lambda: Registry(project).try_beside("v0.3.0", "canary", 0.1, By(" ", "w", day(5))), "who is empty"),
        (lambda: Registry(project).yank("v0.3.0", By("a", "w", day(5))), "v0.3.0: is being tried; roll back first"),
    ]
    for call, words in cases:
        with pytest.raises(UsageError, match=words):
            call()
    assert Registry(project).promote("v0.3.0", By("loop", "well", day(6))).version == "v0.3.0"
    assert [(e.what, e.version) for e in Registry.open(project).ledger.events] == [
        ("promote", "v0.1.0"), ("canary 10%", "v0.2.0"), ("canary 50%", "v0.2.0"), ("rollback", "v0.1.0"),
        ("shadow", "v0.3.0"), ("promote", "v0.3.0"),
    ]  # fmt: skip
    served = [Registry.open(project).load_champion(day(n)) for n in range(7)]
    assert [f and f[0].version for f in served] == [*["v0.1.0"] * 6, "v0.3.0"]


def test_what_cannot_be_is_refused_in_one_line_and_adds_nothing(project: Project) -> None:
    with pytest.raises(UsageError, match="nothing serves yet"):
        Registry(project).rollback(By("ann", "why", NOW))
    commit, made = candidate(project, "one")
    Registry(project).release(commit, made, By("ann", "passed", NOW))
    other = candidate(project, "two")
    tags = git.read_tags(project.home, "meters")
    cases = [
        (lambda: Registry(project).promote("v0.9.0", By("ann", "why", NOW)), UsageError, "v0.9.0: no such release"),
        (lambda: Registry.open(project).load("v0.9.0"), UsageError, "no such release"),
        (lambda: Registry(project).rollback(By("ann", "why", NOW)), UsageError, "no version to go back to from v0.1.0"),
        (lambda: Registry(project).rollback(By("ann", "why", NOW), to="v7.0.0"), UsageError, "no such release"),
        (lambda: Registry(project).promote("v0.1.0", By("ann", "  ", NOW)), UsageError, "why is empty"),
        (lambda: Registry(project).rollback(By("", "why", NOW)), UsageError, "who is empty"),
        (lambda: Registry(project).release(*other, By("ann", "", NOW)), UsageError, "why is empty"),
        (lambda: Registry(project).release(other[0], "0" * 64, By("ann", "why", NOW)), DataError, "not 000000000000"),
        (lambda: Registry(project).release("f" * 40, other[1], By("ann", "why", NOW)), EnvironmentFault, "f" * 12),
    ]
    for call, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert git.read_tags(project.home, "meters") == tags
    assert list(project.releases.glob(".*")) == []


def test_a_version_that_never_served_is_promoted_not_rolled_back_to(project: Project) -> None:
    one, two = candidate(project, "one"), candidate(project, "two")
    Registry(project).release(*one, By("ann", "passed", NOW))
    register = Register("v0.2.0", two[0], "ann", "kept for later", NOW, two[1])
    git.create_tag(project.home, "meters@v0.2.0", two[0], register.message(), NOW)
    with pytest.raises(UsageError, match="never served"):
        Registry(project).rollback(By("ann", "why", NOW), to="v0.2.0")
    assert Registry(project).promote("v0.2.0", By("ann", "now", NOW)).event.number == 2


def test_a_release_that_answers_otherwise_never_serves(project: Project) -> None:
    """The golden rows were sealed with other scores than the models give: another machine, another version, a bug."""
    one = candidate(project, "one")
    Registry(project).release(*one, By("ann", "passed", NOW))
    folder = project.root / "prepared"
    prepare(folder, "two")
    golden = pl.read_parquet(folder / "golden.parquet")
    nudged = golden.with_columns(pl.col("score__high") * (1 + 2**-52))
    write_table(nudged, folder / "golden.parquet")
    made = bundle.seal(folder, "meters", {})
    dvc.reproduce(project.root)
    commit = hourly.commit(project.root, "two")
    with pytest.raises(DataError, match="rehearsal failed: score__high of golden row 0 is") as caught:
        Registry(project).release(commit, made, By("ann", "passed", NOW))
    assert "\n" not in str(caught.value)
    assert [r.version for r in Registry.open(project).ledger.releases] == ["v0.1.0"]
    found = Registry.open(project).load_champion()
    assert found is not None and found[0].version == "v0.1.0"


def test_an_unpacked_release_that_was_spoilt_is_unpacked_again(project: Project) -> None:
    one = candidate(project, "one")
    Registry(project).release(*one, By("ann", "passed", NOW))
    folder = project.releases / one[1]
    for spoil in ("features.sql", "manifest.json"):
        (folder / spoil).write_text("spoilt")
        found = Registry.open(project).load_champion()
        assert found is not None and found[1].sql.startswith("-- one")
    registry = Registry.open(project)
    registry.load_champion()
    shutil.rmtree(folder)
    found = registry.load_champion()  # it is loaded already
    assert found is not None and found[1].hash == one[1] and folder.is_dir()


def test_the_ledgers_tree_deploys_for_its_main_checkout(project: Project) -> None:
    candidate(project, "one")
    tree = worktree.ensure(project.home, "meters", "main", NOW)
    dvc.share_cache(tree, project.home)
    scheduled = project.worktree
    prepare(tree / "prepared", "two")
    made = bundle.load(tree / "prepared").hash
    dvc.reproduce(tree)
    commit = worktree.commit_kept(tree, "two", NOW)
    Registry(scheduled).release(commit, made, By("loop", "passed", NOW))
    found = Registry.open(project).load_champion()
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
    Registry(project).release(*one, By("ann", "passed", NOW))
    case = KILLS[where].format(gone=tmp_path / "gone")
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in {case} esac')
    call = f'release("{two[0]}", "{two[1]}", Authorship("ann", "better", datetime(2024, 3, 6)))'
    process = start(project, call, env)
    assert process.wait(60) == -signal.SIGKILL, process.stderr and process.stderr.read()
    found = Registry.open(project).load_champion()
    assert found is not None and found[0].version in ("v0.1.0", "v0.2.0")
    assert found[1].sql.startswith("-- one" if found[0].version == "v0.1.0" else "-- two")
    Registry(project).release(*two, By("ann", "better", day(2)))
    ledger = Registry.open(project).ledger
    assert [r.version for r in ledger.releases] == ["v0.1.0", "v0.2.0"]
    assert [e.version for e in ledger.events] == ["v0.1.0", "v0.2.0"]


STEPS = {
    "a canary": 'try_beside("v0.2.0", "canary", 0.1, Authorship("ann", "try it", datetime(2024, 3, 7)))',
    "the next step": 'try_beside("v0.2.0", "canary", 0.5, Authorship("ann", "go on", datetime(2024, 3, 7)))',
    "the end": 'promote("v0.2.0", Authorship("ann", "all of it", datetime(2024, 3, 7)))',
    "an abort": 'rollback(Authorship("ann", "slow", datetime(2024, 3, 7)))',
}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_step_that_is_killed_is_there_whole_or_not_at_all(
    project: Project, tmp_path: Path, step: str, moment: str
) -> None:
    """Killed before its tag is made, or as soon as it is; said again, the step is done once."""
    one, two = (candidate(project, note) for note in ("one", "two"))
    Registry(project).release(*one, By("ann", "passed", NOW))
    Registry(project).release(*two, By("ann", "passed", NOW))
    Registry(project).rollback(By("ann", "not yet", NOW))
    if step != "a canary":
        Registry(project).try_beside("v0.2.0", "canary", 0.1, By("ann", "try it", day(1)))
    before = Registry.open(project).ledger.events
    real = shutil.which("git")
    done = f'{real} "$@" && kill -9 $PPID; exit 1' if moment == "after" else "kill -9 $PPID; exit 1"
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in *"update-ref refs/tags/meters#"*) {done};; esac')
    process = start(project, STEPS[step], env)
    assert process.wait(60) == -signal.SIGKILL, process.stderr and process.stderr.read()
    events = Registry.open(project).ledger.events
    assert events[: len(before)] == before and len(events) == len(before) + (moment == "after")
    again = start(project, STEPS[step], dict(os.environ))
    assert again.wait(60) == 0, again.stderr and again.stderr.read()
    found = Registry.open(project).ledger.events
    assert len(found) == len(before) + 1
    assert (found[-1].who, found[-1].at) == ("ann", datetime(2024, 3, 7))


@pytest.mark.slow
def test_killed_while_unpacking_nothing_half_made_is_read(project: Project) -> None:
    one = candidate(project, "one")
    Registry(project).release(*one, By("ann", "passed", NOW))
    whole, half = project.releases / one[1], project.releases / f".{one[1]}.99999"
    shutil.move(whole, half)
    (half / "features.sql").unlink()
    found = Registry.open(project).load_champion()
    assert found is not None and found[1].folder == whole and found[1].sql.startswith("-- one")


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        'rollback(Authorship("bob", "mine", datetime(2024, 3, 9)))',
        'try_beside("v0.2.0", "canary", 0.1, Authorship("bob", "mine", datetime(2024, 3, 9)))',
    ],
)
def test_of_two_at_once_one_wins(project: Project, tmp_path: Path, call: str) -> None:
    """Both have read the ledger before either makes its tag."""
    one, two, three = (candidate(project, note) for note in ("one", "two", "three"))
    Registry(project).release(*one, By("ann", "passed", day(0)))
    Registry(project).release(*two, By("ann", "passed", day(1)))
    Registry(project).release(*three, By("ann", "passed", day(2)))
    meet = tmp_path / "meet"
    meet.mkdir()
    wait = f'touch {meet}/$PPID; while [ "$(ls {meet} | wc -l)" -lt 2 ]; do sleep 0.05; done'
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in *mktag*) {wait};; esac')
    calls = [
        'promote("v0.1.0", Authorship("ann", "mine", datetime(2024, 3, 9)))',
        call,
    ]
    processes = [start(project, call, env) for call in calls]
    outcomes = [(p.wait(90), *p.communicate()) for p in processes]
    assert sorted(code for code, _, _ in outcomes) == [0, 1]
    loser = next(err for code, _, err in outcomes if code)
    assert "EnvironmentFault: tag meters#prod#4: another run created it first" in loser.splitlines()[-1]
    ledger = Registry.open(project).ledger
    assert [e.number for e in ledger.events] == [1, 2, 3, 4]
    winner = next(out for code, out, _ in outcomes if not code)
    assert ledger.events[-1].version in winner


def test_whether_a_release_can_be_counted_on(project: Project) -> None:
    one, two = candidate(project, "one"), candidate(project, "two")
    for n, made in enumerate((one, two)):
        Registry(project).release(*made, By("ann", "passed", day(n)))
    params = project.root / "params.yaml"
    params.write_text(hourly.PARAMS.replace("path: readings.csv", "url: sqlite:///x.db\n    query: SELECT 1"))
    Registry(project).yank("v0.1.0", By("ann", "wrong prices", day(3)))
    project = Project(project.root, project.root)
    registry = Registry.open(project)
    first, second = (verify.verify(project, registry, release) for release in registry.ledger.releases)
    assert first.sentence.startswith("DOES NOT SERVE: yanked by ann: wrong prices; NOT REBUILDABLE: ")
    assert second.serves == ""
    assert f"commit {two[0][:12]} has no data/landed" in second.rebuildable
    shutil.rmtree(project.root / ".dvc" / "cache")
    shutil.rmtree(project.releases)
    lost = verify.verify(project, registry, registry.ledger.releases[1])
    assert f"the cache lacks models/bundle of {two[0][:12]}" in lost.serves


def test_what_was_damaged_is_restored_and_said_once(project: Project) -> None:
    made = candidate(project, "one")
    Registry(project).release(*made, By("ann", "passed", day(0)))
    (project.releases / made[1] / "params.yaml").write_text("project: other\n")
    first, second = (verify.verify(project, Registry.open(project), Registry.open(project).ledger.releases[0])
                     for _ in range(2))  # fmt: skip
    assert first.serves == "" and "; restored from the DVC cache: " in first.sentence
    assert "params.yaml is damaged, its hash differs from the manifest's" in first.restored
    assert second.restored == "" and "restored" not in second.sentence


def test_a_release_that_a_drill_planted_is_not_called_rebuildable(project: Project) -> None:
    made = candidate(project, "one")
    Registry(project).release(*made, By("drill bad-release@2024-03-01", "a drill", day(0)))
    registry = Registry.open(project)
    checked = verify.verify(project, registry, registry.ledger.releases[0])
    assert checked.sentence == "serves; planted by drill bad-release@2024-03-01, so no commit makes it"
