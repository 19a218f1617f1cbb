"""Several hosts on one git remote and one DVC remote: two clones, a bare repository, a folder or bucket for bundles."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import pytest
from registered import DAG, candidate, in_front_of_git, start
from troubled_store import Store, Trouble, in_front_of, object_store

from homeostat.adapters import dvc, git, worktree
from homeostat.core.authorship import Authorship as By
from homeostat.core.errors import EnvironmentFault
from homeostat.project.layout import Project
from homeostat.releases import sync as hosts
from homeostat.releases.registry import Registry
from homeostat.serving import sync

NOW = datetime(2024, 3, 5)
REMOTE = "\n['remote \"store\"']\n    url = {url}\n"


def day(n: int) -> datetime:
    return NOW + timedelta(days=n)


def first_host(folder: Path, url: str, more: str = "") -> Project:
    """A project whose scope names a git remote, a bare repository beside it, with bundles at ``url``."""
    root = folder / "ann"
    (root / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".gitignore"):
        shutil.copyfile(hourly.ROOT / name, root / name)
    settings = (root / ".dvc" / "config").read_text().rstrip() + "\n    remote = store" + REMOTE.format(url=url) + more
    (root / ".dvc" / "config").write_text(settings)
    (root / "params.yaml").write_text(hourly.PARAMS + "remote: {git: origin, every: 1s}\n")
    (root / "dvc.yaml").write_text(DAG)
    hourly.run(root, "init", "-q", "-b", "main")
    hourly.commit(root)
    hourly.run(folder, "init", "-q", "--bare", "-b", "main", "shared.git")
    hourly.run(root, "remote", "add", "origin", str(folder / "shared.git"))
    hourly.run(root, "push", "-q", "origin", "main")
    return Project(root, root)


def another_host(first: Project, name: str) -> Project:
    folder = first.root.parent
    hourly.run(folder, "clone", "-q", "shared.git", name)
    return Project(folder / name, folder / name)


@pytest.fixture
def ann(tmp_path: Path) -> Project:
    return first_host(tmp_path, str(tmp_path / "store"))


def released(project: Project, *notes: str) -> None:
    """A release a note, each a day after the one before."""
    made = [candidate(project, note) for note in notes]
    hourly.run(project.root, "push", "-q", "origin", "main")
    for n, one in enumerate(made):
        Registry(project).release(*one, By("ann", "passed", day(n)))


def told(project: Project) -> list[tuple[int, str, str]]:
    return [(e.number, e.version, e.who) for e in Registry.open(project).ledger.events]


@pytest.mark.slow
def test_what_one_host_releases_serves_on_another_without_training(ann: Project) -> None:
    released(ann, "one", "two")
    bob = another_host(ann, "bob")
    assert not (bob.root / ".dvc" / "cache").exists()
    hosts.follow(bob)
    found = Registry.open(bob).load_champion()
    assert found is not None and found[0].version == "v0.2.0" and found[1].sql.startswith("-- two")
    assert found[1].folder.is_relative_to(bob.root)
    Registry(bob).rollback(By("bob", "alerts doubled", day(3)))
    assert told(ann) == [(1, "v0.1.0", "ann"), (2, "v0.2.0", "ann")]
    assert hosts.follow(ann) == ("meters#prod#3",)
    assert hosts.follow(ann) == ()
    assert told(ann) == told(bob) == [(1, "v0.1.0", "ann"), (2, "v0.2.0", "ann"), (3, "v0.1.0", "bob")]
    said = Registry(ann).yank("v0.2.0", By("ann", "wrong prices", day(4)))
    assert said.startswith("yanked v0.2.0")
    with pytest.raises(Exception, match="v0.2.0: yanked by ann: wrong prices"):
        Registry(bob).promote("v0.2.0", By("bob", "again", day(5)))


def test_what_is_done_elsewhere_already_adds_nothing(ann: Project) -> None:
    released(ann, "one", "two")
    bob = another_host(ann, "bob")
    Registry(ann).rollback(By("ann", "bad", day(3)))
    assert "serves already" in Registry(bob).rollback(By("bob", "bad", day(3)), to="v0.1.0").sentence
    assert told(bob) == told(ann)


def test_a_bundle_that_cannot_be_pushed_leaves_no_tag_anywhere(ann: Project) -> None:
    store = ann.root.parent / "store"
    store.write_text("in the way")
    one = candidate(ann, "one")
    with pytest.raises(EnvironmentFault, match="models/bundle cannot be pushed: its remote says: ") as caught:
        Registry(ann).release(*one, By("ann", "passed", NOW))
    assert "\n" not in str(caught.value)
    assert git.read_tags(ann.home, "meters") == git.read_tags(ann.root.parent / "shared.git", "meters") == []
    store.unlink()
    assert Registry(ann).release(*one, By("ann", "passed", NOW)).version == "v0.1.0"


def test_without_a_dvc_remote_nothing_is_released_to_other_hosts(ann: Project) -> None:
    config = ann.root / ".dvc" / "config"
    config.write_text(config.read_text().partition("['remote")[0].replace("    remote = store", ""))
    with pytest.raises(EnvironmentFault, match="dvc has no default remote .dvc remote add --default NAME ADDRESS"):
        Registry(ann).release(*candidate(ann, "one"), By("ann", "passed", NOW))
    assert git.read_tags(ann.home, "meters") == []


def test_a_remote_that_is_down_stops_no_service_and_no_half_switch(ann: Project) -> None:
    released(ann, "one", "two")
    shared = ann.root.parent / "shared.git"
    shared.rename(shared.with_name("away.git"))
    before = git.read_tags(ann.home, "meters")
    for call in (
        lambda: Registry(ann).rollback(By("ann", "why", day(3))),
        lambda: Registry(ann).promote("v0.1.0", By("ann", "why", day(3))),
        lambda: Registry(ann).yank("v0.1.0", By("ann", "why", day(3))),
    ):
        with pytest.raises(EnvironmentFault, match="cannot be reached .*; the release in service stays") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert git.read_tags(ann.home, "meters") == before
    found = Registry.open(ann).load_champion()
    assert found is not None and found[0].version == "v0.2.0"
    shared.with_name("away.git").rename(shared)
    assert Registry(ann).rollback(By("ann", "why", day(3))).version == "v0.1.0"


def test_a_clone_without_the_remote_is_told(ann: Project) -> None:
    hourly.run(ann.root, "remote", "rename", "origin", "upstream")
    with pytest.raises(EnvironmentFault, match="git has no remote 'origin', which the scope names; git remote add"):
        hosts.follow(ann)


def test_a_replay_has_no_part_in_what_serves(ann: Project, tmp_path: Path) -> None:
    released(ann, "one")
    target = git.clone_snapshot(ann.home, git.head(ann.root), tmp_path / "replayed", "main")
    assert hosts.follow(Project(target, target)) == ()


@pytest.mark.parametrize("by", ["the next tick", "the next switch"])
def test_releases_from_before_there_was_a_remote_go_with(ann: Project, by: str) -> None:
    params = ann.root / "params.yaml"
    shared = params.read_text()
    params.write_text(hourly.PARAMS)
    alone = Project(ann.root, ann.root)
    for note, n in (("one", 0), ("two", 1)):
        Registry(alone).release(*candidate(alone, note), By("ann", "passed", day(n)))
    assert git.read_tags(ann.root.parent / "shared.git", "meters") == []
    params.write_text(shared)
    hourly.commit(ann.root, "more hosts")
    hourly.run(ann.root, "push", "-q", "origin", "main")
    if by == "the next tick":
        hosts.catch_up(ann)
        assert git.read_tags(ann.root.parent / "shared.git", "meters") == git.read_tags(ann.home, "meters")
    else:
        Registry(ann).rollback(By("ann", "bad", day(2)))
    bob = another_host(ann, "bob")
    assert told(bob) == told(ann)
    assert Registry.open(bob).load("v0.2.0").sql.startswith("-- two")


def test_two_ledgers_are_told_and_neither_is_touched(ann: Project) -> None:
    released(ann, "one")
    bob = another_host(ann, "bob")
    hourly.run(bob.root, "tag", "-d", "meters#prod#1")
    found = Registry.open(ann).ledger.releases[0]
    git.create_tag(bob.home, "meters#prod#1", found.commit, "{}", NOW)
    before = git.read_tags(bob.home, "meters")
    with pytest.raises(EnvironmentFault, match="tag meters#prod#1: origin has another tag of that name"):
        hosts.follow(bob)
    assert git.read_tags(bob.home, "meters") == before


def test_a_host_that_may_not_push_is_told_and_changes_nothing(ann: Project) -> None:
    released(ann, "one", "two")
    hook = ann.root.parent / "shared.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    before = git.read_tags(ann.home, "meters")
    with pytest.raises(EnvironmentFault, match="origin: refuses tags from here: .*hook declined.*right to push"):
        Registry(ann).rollback(By("ann", "why", day(3)))
    assert git.read_tags(ann.home, "meters") == before


# ---- two at once, and the end of one in between


@pytest.mark.slow
def test_of_two_hosts_at_once_one_wins_and_both_agree(ann: Project, tmp_path: Path) -> None:
    """Both have heard of all that was done before either pushes."""
    released(ann, "one", "two", "three")
    bob = another_host(ann, "bob")
    meet = tmp_path / "meet"
    meet.mkdir()
    wait = f'touch {meet}/$PPID; while [ "$(ls {meet} | wc -l)" -lt 2 ]; do sleep 0.05; done'
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in *mktag*) {wait};; esac')
    processes = [
        start(ann, 'promote("v0.1.0", Authorship("ann", "mine", datetime(2024, 3, 9)))', env),
        start(bob, 'promote("v0.2.0", Authorship("bob", "mine", datetime(2024, 3, 9)))', env),
    ]
    outcomes = [(p.wait(90), *p.communicate()) for p in processes]
    assert sorted(code for code, _, _ in outcomes) == [0, 1], outcomes
    loser = next(err for code, _, err in outcomes if code).splitlines()[-1]
    won = Registry.open(bob if outcomes[0][0] else ann).ledger.events[-1]
    assert f"origin: another host has pushed first: {won.version} serves since 2024-03-09" in loser
    assert f"({won.who}: mine); nothing was changed from here" in loser
    assert told(ann) == told(bob)
    assert [number for number, _, _ in told(ann)] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_host_that_heard_too_little_has_lost(ann: Project, tmp_path: Path) -> None:
    """It is about to push when another host is done."""
    released(ann, "one", "two", "three")
    bob = another_host(ann, "bob")
    here, go = tmp_path / "here", tmp_path / "go"
    wait = f"touch {here}; while [ ! -e {go} ]; do sleep 0.05; done"
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in *"push --quiet"*) {wait};; esac')
    process = start(bob, 'promote("v0.2.0", Authorship("bob", "mine", datetime(2024, 3, 9)))', env)
    assert waited(here.exists, 60)
    Registry(ann).promote("v0.1.0", By("ann", "mine", day(4)))
    go.touch()
    assert process.wait(60) == 1
    assert "origin: another host has pushed first: v0.1.0 serves since 2024-03-09" in process.communicate()[1]
    assert told(ann) == told(bob) and told(ann)[-1] == (4, "v0.1.0", "ann")


KILLS = {
    "before the bundle is pushed": '*"ls-remote"*) [ -e {gone} ] && {{ kill -9 $PPID; sleep 1; }}; touch {gone};;',
    "before the tag is pushed": '*"push --quiet"*) kill -9 $PPID; sleep 1;;',
    "after the release is pushed": '*"update-ref refs/tags/meters@v0.2.0"*) kill -9 $PPID; sleep 1;;',
    "after the event is pushed": '*"update-ref refs/tags/meters#prod#2"*) kill -9 $PPID; sleep 1;;',
}


@pytest.mark.slow
@pytest.mark.parametrize("where", KILLS)
def test_killed_in_between_every_host_has_a_whole_version_and_the_next_run_carries_on(
    ann: Project, tmp_path: Path, where: str
) -> None:
    released(ann, "one")
    bob = another_host(ann, "bob")
    two = candidate(ann, "two")
    case = KILLS[where].format(gone=tmp_path / "gone")
    env = in_front_of_git(tmp_path / "bin", f'case "$*" in {case} esac')
    call = f'release("{two[0]}", "{two[1]}", Authorship("ann", "better", datetime(2024, 3, 6)))'
    process = start(ann, call, env)
    assert process.wait(60) == -signal.SIGKILL, process.stderr and process.stderr.read()
    hosts.follow(bob)
    for version in [r.version for r in Registry.open(bob).ledger.releases]:  # no tag without its bundle
        Registry.open(bob).load(version)
    found = Registry.open(bob).load_champion()
    late = where == "after the event is pushed"
    assert found is not None and found[0].version == ("v0.2.0" if late else "v0.1.0")
    Registry(ann).release(*two, By("ann", "better", day(1)))
    hosts.follow(bob)
    assert told(ann) == told(bob) == [(1, "v0.1.0", "ann"), (2, "v0.2.0", "ann")]


# ---- the service


@pytest.mark.slow
def test_the_service_warns_once_when_no_releases_arrive(ann: Project, caplog: pytest.LogCaptureFixture) -> None:
    released(ann, "one", "two")
    bob = another_host(ann, "bob")
    caplog.set_level("INFO", "homeostat.serving")
    shared = ann.root.parent / "shared.git"
    with sync.following_remote(bob):
        assert sync.failure(bob) == ""
        Registry(ann).rollback(By("ann", "bad", day(3)))
        assert waited(lambda: told(bob) == told(ann))
        shared.rename(shared.with_name("away.git"))
        assert waited(lambda: sync.failure(bob).startswith("origin: cannot be reached"))
        sync.poll(bob)  # once more, and no second line
        found = Registry.open(bob).load_champion()
        assert found is not None and found[0].version == "v0.1.0"
        shared.with_name("away.git").rename(shared)
        assert waited(lambda: sync.failure(bob) == "")
    lines = [r.getMessage() for r in caplog.records]
    assert [line for line in lines if "from other hosts" in line] == ["from other hosts: meters#prod#3"]
    assert len([line for line in lines if "cannot be reached" in line and "keeps serving its release" in line]) == 1
    assert lines[-1] == "the git remote answers again"


def waited(done: object, seconds: float = 30.0) -> bool:
    assert callable(done)
    over = threading.Event()
    for _ in range(int(seconds / 0.1)):
        if done():
            return True
        over.wait(0.1)
    return False


# ---- the ledger's branch


@pytest.mark.slow
def test_hosts_that_both_run_the_loop_take_in_each_others_amendments(ann: Project) -> None:
    trees = []
    for n, host in enumerate((ann, another_host(ann, "bob"))):
        hosts.follow(host)
        worktree.follow(host.home, "meters", "main", NOW)
        tree = host.worktree.root
        (tree / "data" / "amendments").mkdir(parents=True, exist_ok=True)
        (tree / "data" / "amendments" / f"000{n}-forget.yaml").write_text("{}\n")
        dvc.share_cache(tree, host.home)
        worktree.commit_kept(tree, "an amendment", day(n))
        trees.append((host, tree))
    released(ann, "one")
    bob, tree = trees[1]
    hosts.follow(bob)
    worktree.follow(bob.home, "meters", "main", day(5))
    assert sorted(p.name for p in (tree / "data" / "amendments").iterdir()) == ["0000-forget.yaml", "0001-forget.yaml"]
    Registry(bob).release(*candidate(bob, "two"), By("bob", "better", day(6)))
    hosts.follow(ann)
    worktree.follow(ann.home, "meters", "main", day(7))
    names = sorted(p.name for p in (ann.worktree.root / "data" / "amendments").iterdir())
    assert names == ["0000-forget.yaml", "0001-forget.yaml"]
    assert told(ann) == told(bob)


# ---- an object store


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store("bundles") as address:
        yield address


@pytest.mark.slow
def test_bundles_travel_through_an_object_store(bucket: str, tmp_path: Path) -> None:
    ann = first_host(tmp_path, "s3://bundles/meters", f"    endpointurl = {bucket}\n    region = us-east-1\n")
    released(ann, "one", "two")
    bob = another_host(ann, "bob")
    for version, words in (("v0.1.0", "-- one"), ("v0.2.0", "-- two")):
        bundle = Registry.open(bob).load(version)
        assert bundle.sql.startswith(words) and bundle.folder.is_relative_to(bob.root)
    Registry(bob).rollback(By("bob", "bad", day(3)))
    hosts.follow(ann)
    assert told(ann) == told(bob)


@pytest.fixture
def troubled(bucket: str, tmp_path: Path) -> Iterator[tuple[Store, Project]]:
    """A host with one release, and its store, that can be troubled."""
    with in_front_of(bucket) as store:
        address = f"    endpointurl = {store.address}\n    region = us-east-1\n"
        ann = first_host(tmp_path, f"s3://bundles/{tmp_path.name}", address)
        released(ann, "one")
        yield store, ann


def both_have(ann: Project, bob: Project) -> bool:
    """Whether both hosts have two releases, once each, and the second whole."""
    hosts.follow(bob)
    whole = Registry.open(bob).load("v0.2.0").sql.startswith("-- two")
    return whole and told(ann) == told(bob) == [(1, "v0.1.0", "ann"), (2, "v0.2.0", "ann")]


@pytest.mark.slow
@pytest.mark.parametrize(("trouble", "times"), [("503", 2), ("half", 2), ("slow", float("inf"))])
def test_a_store_that_is_in_trouble_for_a_moment_or_slow_changes_nothing(
    troubled: tuple[Store, Project], trouble: Trouble, times: float
) -> None:
    store, ann = troubled
    two = candidate(ann, "two")
    store.begin(trouble, times)
    assert Registry(ann).release(*two, By("ann", "passed", day(1))).version == "v0.2.0"
    assert store.troubled >= 2
    bob = another_host(ann, "bob")
    store.begin(trouble, times)
    assert both_have(ann, bob)
    assert store.troubled >= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "method", "why"),
    [
        ("503", "GET", r"An error occurred \(503\) when calling the ListObjectsV2 operation"),
        ("503", "PUT", r"An error occurred \(503\) when calling the PutObject operation"),
    ],
)
def test_a_release_that_the_store_does_not_take_is_none_and_can_be_made_again(
    troubled: tuple[Store, Project], trouble: Trouble, method: str, why: str
) -> None:
    store, ann = troubled
    two = candidate(ann, "two")
    store.begin(trouble, float("inf"), method)
    with pytest.raises(EnvironmentFault, match=f"models/bundle cannot be pushed: its remote says: {why}") as caught:
        Registry(ann).release(*two, By("ann", "passed", day(1)))
    assert "\n" not in str(caught.value)
    assert store.troubled
    shared = git.read_tags(ann.root.parent / "shared.git", "meters")
    assert len(shared) == 2 and shared == git.read_tags(ann.home, "meters")
    store.begin("")
    Registry(ann).release(*two, By("ann", "passed", day(1)))
    assert both_have(ann, another_host(ann, "bob"))


@pytest.mark.slow
@pytest.mark.parametrize(("trouble", "why"), [("503", r"An error occurred \(503\)"), ("half", "Not enough data")])
def test_a_bundle_that_the_store_does_not_give_is_asked_for_again(
    troubled: tuple[Store, Project], trouble: Trouble, why: str
) -> None:
    store, ann = troubled
    Registry(ann).release(*candidate(ann, "two"), By("ann", "passed", day(1)))
    bob = another_host(ann, "bob")
    hosts.follow(bob)
    store.begin(trouble)
    with pytest.raises(EnvironmentFault, match=f"and its remote says: .*{why}") as caught:
        Registry.open(bob).load("v0.2.0")
    assert "\n" not in str(caught.value)
    assert not list(bob.releases.glob("*"))
    store.begin("")
    assert both_have(ann, bob)
