"""Git: the tags that are the ledger, the worktree of scheduled work, snapshots for replays.

Every object made here has a fixed identity and project time, and is made without hooks, signing or editor, so the same
content at the same time has the same id on any machine. Nothing here touches a person's branch, index or files.
The ledger's worktree belongs to the loop, whose runs are one at a time: the caller holds the project's lock.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from homeostat.core.errors import EnvironmentFault, UsageError
from homeostat.core.ledger import Ledger, fold

NAME, EMAIL = "homeostat", "homeostat@localhost"
KEPT = ("data/window.yaml", "data/amendments", "dvc.lock", "reports/evaluation")
PLAIN = {
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "i18n.commitEncoding": "UTF-8",
    "gc.auto": "0",
    "advice.detachedHead": "false",
}
NOWHERE = "0" * 40
LEDGER = Path(".homeostat") / "ledger"
_followed: dict[Path, tuple[str, str]] = {}  # where both branches were when this process last brought them together


def read_tags(home: Path, project: str) -> list[tuple[str, str, str]]:
    """Every ``(tag, commit, message)`` of the project's ledger, in one call of git."""
    form = "%(refname:strip=2)%00%(objectname)%00%(*objectname)%00%(if)%(*objectname)%(then)%(contents)%(end)%00"
    wanted = (f"refs/tags/{project}@*", f"refs/tags/{project}#*")
    fields = _git(home, "for-each-ref", f"--format={form}", *wanted).split("\0")
    rows = zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    return [(tag.strip("\n"), peeled or own, message) for tag, own, peeled, message in rows]


def read_ledger(home: Path, project: str) -> Ledger:
    """The release ledger as the tags tell it."""
    return fold(project, read_tags(home, project))


def create_tag(home: Path, name: str, commit: str, message: str, now: datetime) -> None:
    """Create an annotated tag.

    Raises:
        EnvironmentFault: a tag of that name is there already: another run was first.
    """
    set_tag(home, name, tag_object(home, name, commit, message, now))


def tag_object(home: Path, name: str, commit: str, message: str, now: datetime) -> str:
    """The object of an annotated tag, which no name points at yet; its id."""
    head = f"object {commit}\ntype commit\ntag {name}\ntagger {NAME} <{EMAIL}> {_epoch(now)} +0000\n\n"
    return _git(home, "mktag", text=f"{head}{message.rstrip()}\n")


def tag_ids(home: Path, project: str, names: Iterable[str]) -> dict[str, str]:
    """The objects that these tags point at."""
    wanted = (f"refs/tags/{project}@*", f"refs/tags/{project}#*")
    lines = _git(home, "for-each-ref", "--format=%(refname:strip=2) %(objectname)", *wanted).splitlines()
    found = dict(line.split(" ") for line in lines)
    return {name: found[name] for name in names}


def set_tag(home: Path, name: str, made: str) -> None:
    """Let a tag's name point at its object.

    Raises:
        EnvironmentFault: a tag of that name is there already: another run was first.
    """
    done = _try(home, "update-ref", f"refs/tags/{name}", made, NOWHERE)
    if done.returncode:
        if _try(home, "rev-parse", "--verify", "--quiet", f"refs/tags/{name}").stdout.strip() == made:
            return  # the very same, fetched meanwhile from where it was pushed to
        if _exists(home, f"refs/tags/{name}"):
            raise EnvironmentFault(f"tag {name}: another run created it first; look at it, then run again")
        raise _fault(home, done)


def begin(folder: Path, branch: str, message: str, now: datetime) -> str:
    """Make ``folder`` a repository of its own with one commit of all that is in it and not ignored; the commit's id."""
    _git(folder, "init", "--quiet", "--template=", f"--initial-branch={branch}", ".")
    _git(folder, "add", "--all", ".")
    _git(folder, "commit", "--quiet", "--message", message, now=now)
    return head(folder)


def head(tree: Path) -> str:
    """The commit that is checked out in ``tree``.

    Raises:
        EnvironmentFault: no git, no repository, or no commit yet.
    """
    found = _try(tree, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if found.returncode:
        _git(tree, "rev-parse", "--git-dir")  # the clearer error, if there is no repository
        raise EnvironmentFault(f"{tree}: no commit yet; commit the project first: git add . && git commit")
    return found.stdout.strip()


def common_folder(home: Path) -> Path:
    """Where the repository keeps its tags, whichever worktree ``home`` is."""
    return Path(_git(home, "rev-parse", "--path-format=absolute", "--git-common-dir"))


def user_name(home: Path) -> str:
    """Who git says works here; empty where it has not been told."""
    return _try(home, "config", "user.name").stdout.strip()


def has_ledger(home: Path, project: str) -> bool:
    """Whether the branch of scheduled work is there, here or on another host: false before the first tick."""
    if _exists(home, ledger_ref(project)) or _exists(home, seen_ref(project)):
        return True
    _git(home, "rev-parse", "--git-dir")  # the clearer error, if there is no repository
    return False


def ensure_ledger_tree(home: Path, project: str, branch: str, now: datetime) -> Path:
    """The worktree ``.homeostat/ledger`` on branch ``homeostat/<project>``, made where it is missing.

    A new branch starts at another host's, or at ``branch``; afterwards ``sync_ledger_tree`` follows it. ``now`` is
    project time.

    Raises:
        EnvironmentFault: no git, no repository, no commit, no such branch, or the folder is somebody else's.
    """
    _require_top(home)
    ref = ledger_ref(project)
    base = _branch(home, branch)
    tree = home / LEDGER
    _ignore_state(tree.parent)
    if not _exists(home, ref):
        _git(home, "update-ref", ref, _elsewhere(home, project) or base, NOWHERE, now=now)
    if (tree / ".git").is_file():
        at = _try(tree, "symbolic-ref", "--quiet", "HEAD")
        if at.returncode == 0 and at.stdout.strip() == ref:
            _unlock(tree)
            return tree
    if tree.exists() and any(tree.iterdir()) and not _abandoned(tree):
        raise EnvironmentFault(f"{tree}: in the way of the ledger's worktree; move it away and run again")
    shutil.rmtree(tree, ignore_errors=True)
    _git(home, "worktree", "prune", now=now)
    _git(home, "worktree", "add", "--quiet", "--force", str(tree), ref.removeprefix("refs/heads/"), now=now)
    return tree


def add_worktree(home: Path, tree: Path, commit: str, now: datetime) -> None:
    """A worktree of its own at ``commit``, on no branch."""
    _ignore_state(tree.parent)
    _git(home, "worktree", "add", "--quiet", "--force", "--detach", str(tree), commit, now=now)


def remove_worktree(home: Path, tree: Path, now: datetime) -> None:
    """Take a worktree away with all that is in it, if it is there."""
    shutil.rmtree(tree, ignore_errors=True)
    _git(home, "worktree", "prune", now=now)


def sync_ledger_tree(home: Path, project: str, branch: str, now: datetime) -> str:
    """Bring the ledger's worktree to the code of ``branch``; the id of its last commit.

    The commit is the tree of ``branch`` with the ledger's own window, amendments, ``dvc.lock`` and evaluation;
    amendments that only the branch or another host has are taken in. Parents: the last ledger commit and these.
    """
    there = (home / LEDGER / ".git").is_file()
    if there and (found := _stand(home, project, branch)) == _followed.get(home):
        return found[1]
    last = _follow(home, project, branch, now)
    _followed[home] = _stand(home, project, branch)
    return last


def _stand(home: Path, project: str, branch: str) -> tuple[str, str]:
    """Where the branch and the ledger's branch are, here and elsewhere, in one call; empty for what is missing."""
    refs = (f"refs/heads/{branch}", ledger_ref(project))
    lines = _git(home, "for-each-ref", "--format=%(refname) %(objectname)", *refs, seen_ref(project)).splitlines()
    at = dict(line.split(" ") for line in lines)
    own = at.pop(refs[1], "")
    return " ".join([at.pop(refs[0], ""), *at.values()]), own


def _follow(home: Path, project: str, branch: str, now: datetime) -> str:
    tree = ensure_ledger_tree(home, project, branch, now)
    base, last = _branch(home, branch), head(tree)
    elsewhere = _elsewhere(home, project)
    fresh = [one for one in (base, elsewhere) if one and not _is_ancestor(home, one, last)]
    if not fresh:
        return last
    with _index(tree) as env:
        _git(tree, "read-tree", base, env=env)
        _take(tree, KEPT, env)
        for one in fresh:
            listed = _git(tree, "ls-tree", "-r", "--name-only", "-z", one, "--", "data/amendments").split("\0")
            theirs = [name for name in listed if name and not (tree / name).exists()]
            if theirs:
                _git(tree, "checkout", one, "--", *theirs, env=env)
        content = _git(tree, "write-tree", env=env)
    nothing_own = content == _git(tree, "rev-parse", f"{fresh[-1]}^{{tree}}") and _is_ancestor(home, last, fresh[-1])
    whole = nothing_own and all(_is_ancestor(home, one, fresh[-1]) for one in fresh)
    told = f"follow {branch}" if fresh == [base] else f"follow {branch} and the other hosts"
    made = fresh[-1] if whole else _commit(tree, content, (last, *fresh), told, now)
    _git(tree, "update-ref", "HEAD", made, last, now=now)
    _git(tree, "reset", "--quiet", "--hard", now=now)
    return made


def ledger_ref(project: str) -> str:
    """The full name of the ledger's branch."""
    return f"refs/heads/homeostat/{project}"


def seen_ref(project: str) -> str:
    """Where what was last seen of the ledger's branch on the scope's remote is kept, apart from a clone's own refs."""
    return f"refs/homeostat/seen/{project}"


def _elsewhere(home: Path, project: str) -> str:
    """The ledger's last commit by another host, as far as it was fetched; empty where there is none."""
    return _try(home, "rev-parse", "--verify", "--quiet", seen_ref(project)).stdout.strip()


def commit_ledger(tree: Path, message: str, now: datetime) -> str:
    """Commit the ledger's window, amendments, ``dvc.lock`` and evaluation, nothing else; the commit's id.

    Where none of them has changed, no commit is made and the last one's id is returned.
    """
    last = head(tree)
    with _index(tree) as env:
        _git(tree, "read-tree", last, env=env)
        _take(tree, KEPT, env)
        content = _git(tree, "write-tree", env=env)
    if content == _git(tree, "rev-parse", f"{last}^{{tree}}"):
        return last
    made = _commit(tree, content, (last,), message, now)
    _git(tree, "update-ref", "HEAD", made, last, now=now)
    _git(tree, "reset", "--quiet", now=now)
    return made


def snapshot_commit(home: Path, at: datetime) -> str:
    """A commit of the folder as it is, tracked files and new ones that are not ignored; on no branch, without parents.

    Its id follows from the content and ``at`` alone.
    """
    _require_top(home)
    with _index(home) as env:
        real = Path(_git(home, "rev-parse", "--absolute-git-dir")) / "index"
        if real.is_file():
            shutil.copyfile(real, env["GIT_INDEX_FILE"])  # knows what is unchanged, and what is tracked though ignored
        _git(home, "add", "--all", ".", env=env)
        content = _git(home, "write-tree", env=env)
    return _commit(home, content, (), "the folder as it was", at)


def clone_snapshot(home: Path, commit: str, target: Path, branch: str) -> Path:
    """A repository of its own at ``target``: ``commit`` alone, checked out on ``branch``; no tags, no remote.

    Raises:
        UsageError: something is at ``target`` already.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target}: there already; remove it or choose another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    passing = f"refs/homeostat/passing/{commit}"
    _git(target.parent, "init", "--quiet", "--template=", f"--initial-branch={branch}", str(target))
    try:
        _git(home, "update-ref", passing, commit)
        _git(target, "fetch", "--quiet", "--no-tags", str(home), f"{passing}:refs/heads/{branch}", "--update-head-ok")
    finally:
        _git(home, "update-ref", "-d", passing)
    _git(target, "reset", "--quiet", "--hard")
    _git(target, "config", "homeostat.replay", "true")
    return target


def _take(tree: Path, paths: tuple[str, ...], env: Mapping[str, str]) -> None:
    """Make the index hold ``paths`` as they are in the worktree, ignored or not, missing ones gone."""
    _git(tree, "rm", "-r", "--cached", "--quiet", "--force", "--ignore-unmatch", "--", *paths, env=env)
    present = [p for p in paths if (tree / p).is_file() or ((tree / p).is_dir() and any((tree / p).iterdir()))]
    if present:
        _git(tree, "add", "--force", "--", *present, env=env)


def _commit(tree: Path, content: str, parents: tuple[str, ...], message: str, now: datetime) -> str:
    named = [word for parent in parents for word in ("-p", parent)]
    return _git(tree, "commit-tree", content, *named, text=message.rstrip() + "\n", now=now)


@contextmanager
def _index(tree: Path) -> Iterator[dict[str, str]]:
    """An index of our own, so that a crash leaves no lock and a person's staged work stays as it is."""
    _git(tree, "rev-parse", "--git-dir")
    with tempfile.TemporaryDirectory(prefix="homeostat-index-") as folder:
        yield {"GIT_INDEX_FILE": str(Path(folder) / "index")}


def _branch(home: Path, branch: str) -> str:
    found = _try(home, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
    if found.returncode:
        head(home)
        raise EnvironmentFault(f"{home}: no git branch {branch!r}; create it, or name another in params.yaml")
    return found.stdout.strip()


def _require_top(home: Path) -> None:
    top = Path(_git(home, "rev-parse", "--show-toplevel"))
    if top.resolve() != home.resolve():
        raise EnvironmentFault(f"{home}: inside the git repository {top}; a project has its own: run git init in it")


def _ignore_state(state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    note = state / ".gitignore"
    if not note.is_file():
        note.write_text("*\n")


def _abandoned(tree: Path) -> bool:
    """Whether the folder is a worktree whose making or administration was interrupted, not somebody's files."""
    return (tree / ".git").is_file() and _try(tree, "rev-parse", "--git-dir").returncode != 0


def _unlock(tree: Path) -> None:
    """Remove what a killed run left: the caller holds the project's lock, so nobody is at work in this tree."""
    private = Path(_git(tree, "rev-parse", "--absolute-git-dir"))
    for name in ("index.lock", "HEAD.lock"):
        (private / name).unlink(missing_ok=True)


def _is_ancestor(home: Path, older: str, newer: str) -> bool:
    return _try(home, "merge-base", "--is-ancestor", older, newer).returncode == 0


def _exists(home: Path, ref: str) -> bool:
    return _try(home, "show-ref", "--verify", "--quiet", ref).returncode == 0


def _epoch(now: datetime) -> int:
    # Git knows no time before 1970. Nothing reads times from git: events say their own, and numbers order them.
    return max(0, int(now.replace(tzinfo=UTC).timestamp()))


def _environment(env: Mapping[str, str] | None, now: datetime | None) -> dict[str, str]:
    # A hook or an alias that called us may have set GIT_DIR and the like: the folder alone says which repository.
    # How a remote is reached, and settings, are the caller's.
    kept = ("GIT_CONFIG", "GIT_SSH", "GIT_ASKPASS", "GIT_PROXY")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(kept)}
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in
           (("NAME", NAME), ("EMAIL", EMAIL), *([("DATE", f"@{_epoch(now)} +0000")] if now else []))}  # fmt: skip
    return {**inherited, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **who, **(env or {})}


def _try(
    tree: Path, *args: str, env: Mapping[str, str] | None = None, text: str | None = None, now: datetime | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    plain = [word for key, value in PLAIN.items() for word in ("-c", f"{key}={value}")]
    command = ["git", *plain, *args]
    try:
        return subprocess.run(
            command, cwd=tree, env=_environment(env, now), input=text or "", capture_output=True, text=True,
            encoding="utf-8", errors="surrogateescape", check=False, timeout=timeout,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return subprocess.CompletedProcess(command, 124, "", f"fatal: no answer within {error.timeout:g} seconds")
    except FileNotFoundError as error:
        if not tree.is_dir():
            raise EnvironmentFault(f"{tree}: no such folder; name a project folder with -C DIR") from error
        raise EnvironmentFault("git: not found; install the package git") from error


def _git(
    tree: Path, *args: str, env: Mapping[str, str] | None = None, text: str | None = None, now: datetime | None = None
) -> str:
    done = _try(tree, *args, env=env, text=text, now=now)
    if done.returncode:
        raise _fault(tree, done)
    return done.stdout.rstrip("\n")


def _fault(tree: Path, done: subprocess.CompletedProcess[str]) -> EnvironmentFault:
    said = done.stderr.strip().splitlines()
    line = next((s for s in said if s.startswith(("fatal:", "error:"))), said[-1] if said else "no word from git")
    if "not a git repository" in line:
        return EnvironmentFault(f"{tree}: not a git repository; run git init there and commit the project")
    if "dubious ownership" in line:
        return EnvironmentFault(f"{tree}: owned by somebody else; git config --global --add safe.directory {tree}")
    verb = next(word for word in done.args[1 + 2 * len(PLAIN) :] if not word.startswith("-"))
    said_line = line.split(":", 1)[-1].strip()
    return EnvironmentFault(f"{tree}: git {verb} failed: {said_line}; fix that and run again")
