"""Git: the tags that are the release ledger, and repositories and worktrees made from a commit.

Nothing here touches a person's branch, index or files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from homeostat.adapters.git_command import (
    EMAIL,
    NAME,
    NO_COMMIT,
    attempt,
    commit_tree,
    epoch,
    exists,
    fault,
    ignore_state,
    own_index,
    require_top,
    run,
)
from homeostat.core.errors import EnvironmentFault, UsageError
from homeostat.core.ledger import Ledger, fold

TAGS = "refs/tags/"

# ---- the release ledger


def read_tags(home: Path, project: str) -> list[tuple[str, str, str]]:
    """Every ``(tag, commit, message)`` of the project's ledger, in one call of git."""
    rows = read_refs(home, *tag_patterns(project))
    return [(ref.removeprefix(TAGS), commit, message) for ref, commit, message in rows]


def read_refs(home: Path, *patterns: str) -> list[tuple[str, str, str]]:
    """The full name, the commit and, of an annotated tag, the message of every ref that matches, in one call of git."""
    form = "%(refname)%00%(objectname)%00%(*objectname)%00%(if)%(*objectname)%(then)%(contents)%(end)%00"
    fields = run(home, "for-each-ref", f"--format={form}", *patterns).split("\0")
    rows = zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    return [(ref.strip("\n"), peeled or own, message) for ref, own, peeled, message in rows]


def read_ledger(home: Path, project: str) -> Ledger:
    """The release ledger, folded from the tags."""
    return fold(project, read_tags(home, project))


def tag_patterns(project: str) -> tuple[str, str]:
    """The full names of the ledger's tags."""
    return f"{TAGS}{project}@*", f"{TAGS}{project}#*"


def create_tag(home: Path, name: str, commit: str, message: str, now: datetime) -> None:
    """Create an annotated tag.

    Raises:
        EnvironmentFault: a tag of that name exists: another run was first.
    """
    set_tag(home, name, tag_object(home, name, commit, message, now))


def tag_object(home: Path, name: str, commit: str, message: str, now: datetime) -> str:
    """The object of an annotated tag to which no name points yet; its id."""
    header = f"object {commit}\ntype commit\ntag {name}\ntagger {NAME} <{EMAIL}> {epoch(now)} +0000\n\n"
    return run(home, "mktag", text=f"{header}{message.rstrip()}\n")


def tag_ids(home: Path, project: str, names: Iterable[str]) -> dict[str, str]:
    """The objects that these tags point at."""
    form = "--format=%(refname:strip=2) %(objectname)"
    by_name = dict(line.split(" ") for line in run(home, "for-each-ref", form, *tag_patterns(project)).splitlines())
    return {name: by_name[name] for name in names}


def set_tag(home: Path, name: str, tag_id: str) -> None:
    """Let a tag's name point at its object.

    Raises:
        EnvironmentFault: a tag of that name exists: another run was first.
    """
    ref = f"refs/tags/{name}"
    done = attempt(home, "update-ref", ref, tag_id, NO_COMMIT)
    if done.returncode:
        if attempt(home, "rev-parse", "--verify", "--quiet", ref).stdout.strip() == tag_id:
            return  # the same tag, fetched meanwhile from the remote that it was pushed to
        if exists(home, ref):
            raise EnvironmentFault(f"tag {name}: another run created it first; look at it, then run again")
        raise fault(home, done)


# ---- the repository


def head(tree: Path) -> str:
    """The commit that is checked out in ``tree``.

    Raises:
        EnvironmentFault: no git, no repository, or no commit yet.
    """
    done = attempt(tree, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if done.returncode:
        run(tree, "rev-parse", "--git-dir")  # the clearer error, if there is no repository
        raise EnvironmentFault(f"{tree}: no commit yet; commit the project first: git add . && git commit")
    return done.stdout.strip()


def file_at(home: Path, commit: str, path: str) -> str | None:
    """The text of a file at a commit; None where that has no such file."""
    done = attempt(home, "show", "--end-of-options", f"{commit}:{path}")
    return None if done.returncode else done.stdout


def common_folder(home: Path) -> Path:
    """Where the repository keeps its tags, whichever worktree ``home`` is."""
    return Path(run(home, "rev-parse", "--path-format=absolute", "--git-common-dir"))


def user_name(home: Path) -> str:
    """The user's name in git's settings; empty where there is none."""
    return attempt(home, "config", "user.name").stdout.strip()


def begin(folder: Path, branch: str, message: str, now: datetime) -> str:
    """Make ``folder`` a repository with one commit of all that is in it and not ignored; the commit's id."""
    run(folder, "init", "--quiet", "--template=", f"--initial-branch={branch}", ".")
    _keep_settings_apart(folder)
    run(folder, "add", "--all", ".")
    run(folder, "commit", "--quiet", "--message", message, now=now)
    return head(folder)


def _keep_settings_apart(folder: Path) -> None:
    """Have the repository ignore what its own files say, and no more, and keep ends of lines as they are.

    DVC and a person's git read these settings too: a global ignore of data/ or *.lock would keep the ledger from them.
    """
    run(folder, "config", "core.excludesFile", os.devnull)
    run(folder, "config", "core.autocrlf", "false")


def add_worktree(home: Path, tree: Path, commit: str, now: datetime) -> None:
    """A worktree at ``commit``, on no branch."""
    ignore_state(tree.parent)
    run(home, "worktree", "add", "--quiet", "--force", "--detach", str(tree), commit, now=now)


def remove_worktree(home: Path, tree: Path, now: datetime) -> None:
    """Remove a worktree with everything in it, if it exists."""
    shutil.rmtree(tree, ignore_errors=True)
    run(home, "worktree", "prune", now=now)


# ---- snapshots


def snapshot_commit(home: Path, at: datetime) -> str:
    """A commit of the folder as it is, tracked files and new ones that are not ignored; on no branch, without parents.

    Its id follows from the content and ``at`` alone.
    """
    require_top(home)
    with own_index(home) as env:
        index = Path(run(home, "rev-parse", "--absolute-git-dir")) / "index"
        if index.is_file():
            shutil.copyfile(index, env["GIT_INDEX_FILE"])  # lists unchanged files, and tracked ones that are ignored
        run(home, "add", "--all", ".", env=env)
        content = run(home, "write-tree", env=env)
    return commit_tree(home, content, (), "the folder as it was", at)


def clone_snapshot(home: Path, commit: str, target: Path, branch: str) -> Path:
    """A repository at ``target`` with ``commit`` alone, checked out on ``branch``; no tags, no remote.

    Raises:
        UsageError: something is at ``target`` already.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target}: there already; remove it or choose another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    passing = f"refs/homeostat/passing/{commit}"
    run(target.parent, "init", "--quiet", "--template=", f"--initial-branch={branch}", str(target))
    _keep_settings_apart(target)
    try:
        run(home, "update-ref", passing, commit)
        run(target, "fetch", "--quiet", "--no-tags", str(home), f"{passing}:refs/heads/{branch}", "--update-head-ok")
    finally:
        run(home, "update-ref", "-d", passing)
    run(target, "reset", "--quiet", "--hard")
    run(target, "config", "homeostat.replay", "true")
    return target
