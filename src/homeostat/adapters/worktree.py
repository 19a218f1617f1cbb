"""The worktree of scheduled work: branch ``homeostat/<project>``, checked out in ``.homeostat/ledger``.

It follows the branch of the scope and keeps its own window, amendments, ``dvc.lock`` and evaluation; a person's branch,
index and uncommitted work are never touched. Runs of the loop are one at a time: the caller has the project's lock.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from homeostat.adapters.git import TAGS, head, read_refs, tag_patterns
from homeostat.adapters.git_command import (
    NO_COMMIT,
    attempt,
    commit_tree,
    exists,
    ignore_state,
    is_ancestor,
    own_index,
    require_top,
    run,
)
from homeostat.core.errors import EnvironmentFault
from homeostat.project.layout import WORKTREE
from homeostat.project.whole_files import write_bytes, write_text

KEPT = ("data/window.yaml", "data/amendments", "dvc.lock", "reports/evaluation")


def branch_ref(project: str) -> str:
    """The full name of the branch of scheduled work."""
    return f"refs/heads/homeostat/{project}"


def remote_ref(project: str) -> str:
    """Where the scope's remote last had that branch; apart from a clone's own remote-tracking refs."""
    return f"refs/homeostat/seen/{project}"


class Branches(NamedTuple):
    """Where the branches of scheduled work stand; empty for one that is not there."""

    code: str  # the scope's branch, which it follows
    own: str  # its own
    remote: str  # the same on the scope's remote, as it was fetched last


def read_tags_and_branches(home: Path, project: str, branch: str) -> tuple[list[tuple[str, str, str]], Branches]:
    """The tags of the release ledger, each as (tag, commit, message), and the branches: one call of git.

    Raises:
        EnvironmentFault: there is no git or no repository.
    """
    branches = (f"refs/heads/{branch}", branch_ref(project), remote_ref(project))
    rows = read_refs(home, *tag_patterns(project), *branches)
    commits = {ref: commit for ref, commit, _ in rows}
    tags = [(ref.removeprefix(TAGS), commit, text) for ref, commit, text in rows if ref.startswith(TAGS)]
    return tags, Branches(*(commits.get(ref, "") for ref in branches))


def ensure(home: Path, project: str, branch: str, now: datetime) -> Path:
    """The worktree, made where it is missing; a new branch starts at another host's, or else at ``branch``.

    ``now`` is project time.

    Raises:
        EnvironmentFault: no git, no repository, no commit, no such branch, or something else is in the folder.
    """
    require_top(home)
    ref, tree = branch_ref(project), home / WORKTREE
    base = _commit_of(home, branch)
    ignore_state(tree.parent)
    if not exists(home, ref):
        run(home, "update-ref", ref, _on_other_hosts(home, project) or base, NO_COMMIT, now=now)
    if (tree / ".git").is_file():
        at = attempt(tree, "symbolic-ref", "--quiet", "HEAD")
        if at.returncode == 0 and at.stdout.strip() == ref and _unlock(tree):
            return tree
    lost = tree.with_name(f"{tree.name}.lost")
    if tree.exists() and any(tree.iterdir()):
        if not _abandoned(tree):
            raise EnvironmentFault(f"{tree}: in the way of the worktree of scheduled work; move it away and run again")
        if not lost.exists():
            tree.rename(lost)
    shutil.rmtree(tree, ignore_errors=True)
    run(home, "worktree", "prune", now=now)
    forced = ("--force", "--force")  # also where the making of one was interrupted, which leaves a lock
    run(home, "worktree", "add", "--quiet", *forced, str(tree), ref.removeprefix("refs/heads/"), now=now)
    _take_over(lost, tree)
    return tree


def follow(home: Path, project: str, branch: str, now: datetime) -> None:
    """Bring the worktree to the code of ``branch``, in one commit; its own files stay (see ``KEPT``).

    Amendments that only the branch or another host has are added. Parents of the commit: the last one here and theirs.
    """
    tree = ensure(home, project, branch, now)
    base, last, other = _commit_of(home, branch), head(tree), _on_other_hosts(home, project)
    new = [commit for commit in (base, other) if commit and not is_ancestor(home, commit, last)]
    if not new:
        return
    content = _merged(tree, base, new)
    newest = new[-1]
    nothing_own = content == run(tree, "rev-parse", f"{newest}^{{tree}}") and is_ancestor(home, last, newest)
    if nothing_own and all(is_ancestor(home, commit, newest) for commit in new):
        commit = newest
    else:
        message = f"follow {branch}" if new == [base] else f"follow {branch} and the other hosts"
        commit = commit_tree(tree, content, (last, *new), message, now)
    # The files first: where this is interrupted the branch still stands at the last commit, and it is done again.
    run(tree, "read-tree", "--reset", "-u", commit, now=now)
    run(tree, "update-ref", "HEAD", commit, last, now=now)


def commit_kept(tree: Path, message: str, now: datetime, also: tuple[str, ...] = ()) -> str:
    """Commit the worktree's own files (see ``KEPT``) and those of ``also``, nothing else; the commit's id.

    Where none of them has changed, no commit is made and the last one's id is returned.
    """
    last = head(tree)
    with own_index(tree) as env:
        run(tree, "read-tree", last, env=env)
        _add_kept(tree, env)
        if also:
            run(tree, "add", "--force", "--", *also, env=env)
        content = run(tree, "write-tree", env=env)
    if content == run(tree, "rev-parse", f"{last}^{{tree}}"):
        return last
    commit = commit_tree(tree, content, (last,), message, now)
    run(tree, "update-ref", "HEAD", commit, last, now=now)
    run(tree, "reset", "--quiet", now=now)
    return commit


def restore(tree: Path, path: Path) -> None:
    """Make one of the worktree's own files what its last commit has."""
    write_text(run(tree, "show", f"HEAD:{path.relative_to(tree).as_posix()}") + "\n", path)


def restore_followed(tree: Path) -> None:
    """Make the files that the worktree follows what its last commit has; its own (see ``KEPT``) stay as they are."""
    own = [f":(exclude){name}" for name in KEPT]
    changed = run(tree, "diff", "--name-only", "-z", "HEAD", "--", ".", *own).split("\0")
    if names := [name for name in changed if name]:
        run(tree, "checkout", "HEAD", "--", *names)


def _merged(tree: Path, base: str, new: list[str]) -> str:
    """The tree of ``base`` with the worktree's own files and the amendments of ``new`` commits; its id."""
    with own_index(tree) as env:
        run(tree, "read-tree", base, env=env)
        _add_kept(tree, env)
        for commit in new:
            listed = run(tree, "ls-tree", "-r", "--name-only", "-z", commit, "--", "data/amendments").split("\0")
            missing = [name for name in listed if name and not (tree / name).exists()]
            if missing:
                run(tree, "checkout", commit, "--", *missing, env=env)
        return run(tree, "write-tree", env=env)


def _add_kept(tree: Path, env: Mapping[str, str]) -> None:
    """Make the index have ``KEPT`` as in the worktree, ignored or not, without what is missing."""
    run(tree, "rm", "-r", "--cached", "--quiet", "--force", "--ignore-unmatch", "--", *KEPT, env=env)
    present = [p for p in KEPT if (tree / p).is_file() or ((tree / p).is_dir() and any((tree / p).iterdir()))]
    if present:
        run(tree, "add", "--force", "--", *present, env=env)


def _on_other_hosts(home: Path, project: str) -> str:
    """The branch's last commit on the remote, as far as it was fetched; empty where there is none."""
    return attempt(home, "rev-parse", "--verify", "--quiet", remote_ref(project)).stdout.strip()


def _commit_of(home: Path, branch: str) -> str:
    done = attempt(home, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
    if done.returncode:
        head(home)
        raise EnvironmentFault(f"{home}: no git branch {branch!r}; create it, or name another in params.yaml")
    return done.stdout.strip()


def _abandoned(tree: Path) -> bool:
    """Whether the folder is a worktree whose creation or removal was interrupted, not a person's files."""
    if not (tree / ".git").is_file():
        return False
    private = attempt(tree, "rev-parse", "--absolute-git-dir")
    return private.returncode != 0 or _is_in_the_making(Path(private.stdout.strip()))


def _is_in_the_making(private: Path) -> bool:
    """Whether git has not yet checked out all of a worktree; it has a lock on it until then."""
    return (private / "locked").is_file()


def _unlock(tree: Path) -> bool:
    """Remove locks that a killed run left: the caller has the project's lock, so no other run is at work here.

    False where the worktree itself was not made to its end.
    """
    private = Path(run(tree, "rev-parse", "--absolute-git-dir"))
    for name in ("index.lock", "HEAD.lock"):
        (private / name).unlink(missing_ok=True)
    return not _is_in_the_making(private)


def _take_over(lost: Path, tree: Path) -> None:
    """Bring amendments, which no commit may have yet, from a worktree that was lost to the one in its place."""
    for path in (lost / "data" / "amendments").glob("*"):
        if path.is_file() and not (tree / "data" / "amendments" / path.name).exists():
            write_bytes(path.read_bytes(), tree / "data" / "amendments" / path.name)
    shutil.rmtree(lost, ignore_errors=True)
