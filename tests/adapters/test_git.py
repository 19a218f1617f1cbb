"""Git as the ledger, on real repositories in temporary folders."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from homeostat.adapters import git, worktree
from homeostat.core.errors import EnvironmentFault, UsageError
from homeostat.core.ledger import Register, ReleaseEvent, event_tag, release_tag

NOW = datetime(2024, 3, 1, 5)


ANN = {f"GIT_{role}_{what}": "ann@x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def run(tree: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=tree, env=os.environ | ANN, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make(home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    run(home, "init", "-q", "-b", "main")
    (home / "code.py").write_text("one\n")
    (home / ".gitignore").write_text("/.homeostat/\n*.log\n/data/landed/\n")
    (home / "data" / "amendments").mkdir(parents=True)
    (home / "data" / "amendments" / ".gitkeep").write_text("")
    (home / "data" / "window.yaml").write_text("from: 2024-01-01\n")
    run(home, "add", ".")
    run(home, "commit", "-q", "-m", "start")
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make(tmp_path / "home")


def state(tree: Path) -> tuple[str, str, str]:
    """What a person has: the branch, the index and the files."""
    return run(tree, "rev-parse", "HEAD"), run(tree, "status", "--porcelain"), run(tree, "ls-files", "--stage")


def test_tags_make_a_ledger_and_read_back(home: Path) -> None:
    commit = git.head(home)
    register = Register("v0.1.0", commit, "me", "passed every gate; ümläut", NOW, "hash")
    event = ReleaseEvent(1, "v0.1.0", "promote", commit, "me", "passed", NOW, "hash", ("a.json", "b.json"))
    git.create_tag(home, release_tag("tides", "v0.1.0"), commit, register.message(), NOW)
    git.create_tag(home, event_tag("tides", 1), commit, event.message(), NOW)
    run(home, "tag", "tides-of-my-own")
    run(home, "tag", "tidesandmore@v0.1.0")
    ledger = git.read_ledger(home, "tides")
    assert ledger.releases == (register,)
    assert ledger.events == (event,)
    assert git.read_ledger(home, "winds").events == ()
    assert run(home, "for-each-ref", "--format=%(taggername) %(taggerdate:iso)", "refs/tags/tides@*") == (
        "homeostat 2024-03-01 05:00:00 +0000"
    )


def test_a_tag_that_exists_is_a_lost_race_and_stays(home: Path) -> None:
    commit = git.head(home)
    git.create_tag(home, "tides#prod#1", commit, "{}", NOW)
    before = run(home, "rev-parse", "tides#prod#1")
    with pytest.raises(EnvironmentFault, match="tides#prod#1.*another run created it first"):
        git.create_tag(home, "tides#prod#1", commit, '{"other": 1}', NOW)
    assert run(home, "rev-parse", "tides#prod#1") == before


def test_a_tag_by_hand_is_named(home: Path) -> None:
    run(home, "tag", "tides#prod#1")
    with pytest.raises(EnvironmentFault, match="tides#prod#1"):
        git.read_ledger(home, "tides")


def test_the_worktree_follows_the_branch_and_keeps_its_own_files(home: Path) -> None:
    tree = worktree.ensure(home, "tides", "main", NOW)
    assert tree == home / ".homeostat" / "ledger"
    assert worktree.ensure(home, "tides", "main", NOW) == tree
    (tree / "data" / "window.yaml").write_text("from: 2024-02-01\n")
    (tree / "dvc.lock").write_text("schema: '2.0'\n")
    (tree / "data" / "amendments" / "0001-release.yaml").write_text("kind: release\n")
    (tree / "code.py").write_text("an edit nobody asked for\n")
    last = worktree.commit_kept(tree, "as of February", NOW)
    changed = run(tree, "show", "--name-only", "--format=%an %ae %aI", last).split("\n")
    assert changed[0] == "homeostat homeostat@localhost 2024-03-01T05:00:00+00:00"
    assert set(changed[2:]) == {"data/amendments/0001-release.yaml", "data/window.yaml", "dvc.lock"}

    (home / "code.py").write_text("two\n")
    (home / "data" / "window.yaml").write_text("from: 1999-01-01\n")
    (home / "data" / "amendments" / "0002-correct.yaml").write_text("kind: correct\n")
    run(home, "add", ".")
    run(home, "commit", "-q", "-m", "edit")
    worktree.follow(home, "tides", "main", NOW + timedelta(days=1))
    made = git.head(tree)
    assert run(tree, "rev-parse", "HEAD^1", "HEAD^2").split() == [last, git.head(home)]
    assert run(tree, "status", "--porcelain") == ""
    assert (tree / "code.py").read_text() == "two\n"
    assert (tree / "data" / "window.yaml").read_text() == "from: 2024-02-01\n"
    assert sorted(p.name for p in (tree / "data" / "amendments").glob("*.yaml")) == [
        "0001-release.yaml", "0002-correct.yaml"
    ]  # fmt: skip
    assert (tree / "dvc.lock").is_file()
    worktree.follow(home, "tides", "main", NOW + timedelta(days=2))
    assert git.head(tree) == made


def test_what_is_not_committed_yet_survives_a_sync(home: Path) -> None:
    tree = worktree.ensure(home, "tides", "main", NOW)
    (tree / "data" / "window.yaml").write_text("from: 2024-02-01\n")
    run(home, "commit", "-q", "--allow-empty", "-m", "edit")
    worktree.follow(home, "tides", "main", NOW)
    assert (tree / "data" / "window.yaml").read_text() == "from: 2024-02-01\n"


def test_a_worktree_without_commits_of_its_own_moves_to_the_branch(home: Path) -> None:
    tree = worktree.ensure(home, "tides", "main", NOW)
    (home / "code.py").write_text("two\n")
    run(home, "commit", "-q", "-a", "-m", "edit")
    worktree.follow(home, "tides", "main", NOW)
    assert git.head(tree) == git.head(home)


def test_nothing_to_commit_gives_the_last_commit(home: Path) -> None:
    tree = worktree.ensure(home, "tides", "main", NOW)
    assert worktree.commit_kept(tree, "nothing", NOW) == git.head(home)


def test_a_persons_work_is_left_alone(home: Path) -> None:
    (home / "code.py").write_text("half an idea\n")
    (home / "staged.py").write_text("staged\n")
    run(home, "add", "staged.py")
    (home / "new.py").write_text("new\n")
    before = state(home)
    tree = worktree.ensure(home, "tides", "main", NOW)
    (tree / "dvc.lock").write_text("x\n")
    worktree.commit_kept(tree, "lock", NOW)
    worktree.follow(home, "tides", "main", NOW)
    git.snapshot_commit(home, NOW)
    assert state(home) == before
    assert run(home, "symbolic-ref", "HEAD") == "refs/heads/main"


def test_ids_are_the_same_in_two_repositories_whatever_git_is_told(tmp_path: Path) -> None:
    """A person's hooks, signing, identity and time zone change nothing."""
    made = []
    for name in ("a", "b"):
        home = make(tmp_path / name)
        if name == "b":
            for key, value in [("commit.gpgSign", "true"), ("tag.gpgSign", "true"), ("user.name", "Zoe")]:
                run(home, "config", key, value)
            for hook in ("pre-commit", "post-checkout", "reference-transaction", "commit-msg"):
                path = home / ".git" / "hooks" / hook
                path.parent.mkdir(exist_ok=True)
                path.write_text("#!/bin/sh\nexit 1\n")
                path.chmod(0o755)
        snapshot = git.snapshot_commit(home, NOW)
        copy = git.clone_snapshot(home, snapshot, tmp_path / f"copy-{name}", "main")
        tree = worktree.ensure(copy, "tides", "main", NOW)
        (tree / "dvc.lock").write_text("x\n")
        commit = worktree.commit_kept(tree, "first", NOW)
        git.create_tag(copy, "tides@v0.1.0", commit, "{}", NOW)
        made.append((snapshot, commit, run(copy, "rev-parse", "tides@v0.1.0")))
    assert made[0] == made[1]


def test_a_snapshot_is_the_folder_as_it_is(home: Path, tmp_path: Path) -> None:
    (home / "code.py").write_text("edited\n")
    (home / "new.py").write_text("new\n")
    (home / "noise.log").write_text("ignored\n")
    (home / "data" / "window.yaml").unlink()
    git.create_tag(home, "tides@v0.1.0", git.head(home), "{}", NOW)
    copy = git.clone_snapshot(home, git.snapshot_commit(home, NOW), tmp_path / "deep" / "copy", "trunk")
    assert (copy / "code.py").read_text() == "edited\n"
    assert (copy / "new.py").is_file()
    assert not (copy / "noise.log").exists()
    assert not (copy / "data" / "window.yaml").exists()
    assert run(copy, "status", "--porcelain") == ""
    assert run(copy, "symbolic-ref", "HEAD") == "refs/heads/trunk"
    assert run(copy, "rev-list", "--count", "HEAD") == "1"
    assert run(copy, "tag") == ""
    assert run(copy, "remote") == ""
    assert run(home, "for-each-ref", "refs/homeostat") == ""
    run(copy, "fsck", "--full")
    with pytest.raises(UsageError, match="there already"):
        git.clone_snapshot(home, git.snapshot_commit(home, NOW), copy, "trunk")


def test_a_snapshot_leaves_the_worktree_out(home: Path) -> None:
    (home / ".gitignore").write_text("")
    worktree.ensure(home, "tides", "main", NOW)
    listed = run(home, "ls-tree", "-r", "--name-only", git.snapshot_commit(home, NOW))
    assert ".homeostat" not in listed


@pytest.mark.parametrize("call", [worktree.ensure, worktree.follow])
@pytest.mark.parametrize("damage", ["removed", "half made", "lock left"])
def test_a_damaged_worktree_is_made_again(home: Path, damage: str, call: Callable[..., object]) -> None:
    tree = worktree.ensure(home, "tides", "main", NOW)
    (tree / "dvc.lock").write_text("x\n")
    last = worktree.commit_kept(tree, "lock", NOW)
    if damage == "removed":
        subprocess.run(["rm", "-r", str(tree)], check=True)
    elif damage == "half made":
        subprocess.run(["rm", "-r", str(home / ".git" / "worktrees")], check=True)
    elif damage == "lock left":
        (home / ".git" / "worktrees" / "ledger" / "index.lock").write_text("")
    call(home, "tides", "main", NOW)
    assert git.head(tree) == last
    (tree / "dvc.lock").write_text("y\n")
    assert worktree.commit_kept(tree, "lock", NOW) != last


def test_called_from_a_hook_the_folder_still_says_which_repository(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    git.create_tag(home, "tides@v0.1.0", git.head(home), "{}", NOW)
    monkeypatch.undo()
    assert run(other, "tag") == ""
    assert run(home, "tag") == "tides@v0.1.0"


def test_each_fault_is_one_line_that_says_what_to_do(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty, bare = tmp_path / "empty", tmp_path / "bare"
    empty.mkdir()
    bare.mkdir()
    run(bare, "init", "-q")
    inner = home / "inner"
    inner.mkdir()
    in_the_way = make(tmp_path / "in-the-way")
    (in_the_way / ".homeostat" / "ledger").mkdir(parents=True)
    (in_the_way / ".homeostat" / "ledger" / "mine.txt").write_text("mine\n")
    switched = make(tmp_path / "switched")
    run(worktree.ensure(switched, "tides", "main", NOW), "switch", "-q", "-c", "mine")
    cases = [
        (lambda: git.head(empty), "not a git repository; run git init"),
        (lambda: git.read_tags(empty, "tides"), "not a git repository"),
        (lambda: git.snapshot_commit(empty, NOW), "not a git repository"),
        (lambda: git.head(bare), "no commit yet"),
        (lambda: worktree.ensure(bare, "tides", "main", NOW), "no commit yet"),
        (lambda: worktree.ensure(home, "tides", "trunk", NOW), "no git branch 'trunk'"),
        (lambda: worktree.ensure(inner, "tides", "main", NOW), "inside the git repository"),
        (lambda: worktree.ensure(in_the_way, "tides", "main", NOW), "in the way"),
        (lambda: worktree.follow(switched, "tides", "main", NOW), "in the way"),
        (lambda: worktree.follow(home, "tides", "trunk", NOW), "no git branch 'trunk'"),
        (lambda: git.head(tmp_path / "nowhere"), "no such folder"),
        (lambda: git.create_tag(home, "tides#prod#1", "f" * 40, "{}", NOW), "git mktag failed"),
    ]
    for call, words in cases:
        with pytest.raises(EnvironmentFault, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert (in_the_way / ".homeostat" / "ledger" / "mine.txt").is_file()
    monkeypatch.setenv("PATH", str(empty))
    with pytest.raises(EnvironmentFault, match="install the package git"):
        git.head(home)


def test_a_persons_own_settings_keep_nothing_from_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = tmp_path / "person"
    (person / "attributes").parent.mkdir()
    (person / "ignore").write_text("*.lock\ndata/\n.*\n*.json\n")
    (person / "attributes").write_text("* text=auto eol=crlf\n")
    (person / ".gitconfig").write_text(
        f"[core]\n\tautocrlf = true\n\tsafecrlf = true\n\texcludesFile = {person}/ignore\n"
        f"\tattributesFile = {person}/attributes\n[commit]\n\tgpgSign = true\n"
    )
    monkeypatch.setenv("HOME", str(person))
    home = tmp_path / "my próject, 1"
    files = {"dvc.lock": "a: 1\n", "data/window.yaml": "b: 2\n", ".dvc/config": "c\n", "expectations/x.json": "{}\n"}
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    commit = git.begin(home, "main", "start", NOW)
    assert set(run(home, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")) - {""} == set(files)
    copy = git.clone_snapshot(home, git.snapshot_commit(home, NOW), tmp_path / "copy", "main")
    assert {name: (copy / name).read_bytes().decode() for name in files} == files
    (copy / "dvc.lock").write_text("a: 2\n")
    assert run(copy, "status", "--short") == "M dvc.lock"  # a person's own git sees it too, and so does DVC
