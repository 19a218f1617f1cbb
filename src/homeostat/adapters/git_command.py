"""Running git so that the same content at the same project time gets the same id on any machine.

Identity and time are fixed; hooks, signing, editors and a person's settings of messages play no part.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from homeostat.core.errors import EnvironmentFault
from homeostat.project.whole_files import write_text

NAME, EMAIL = "homeostat", "homeostat@localhost"
SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.eol": "lf",
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "i18n.commitEncoding": "UTF-8",
    "gc.auto": "0",
    "advice.detachedHead": "false",
}
NO_COMMIT = "0" * 40  # as the expected old value of a ref: it must not exist


def run(
    tree: Path, *args: str, env: Mapping[str, str] | None = None, text: str | None = None, now: datetime | None = None
) -> str:
    """The output of a git command, without line ends; ``text`` is its input, ``now`` the time of what it makes.

    Raises:
        EnvironmentFault: it failed.
    """
    done = attempt(tree, *args, env=env, text=text, now=now)
    if done.returncode:
        raise fault(tree, done)
    return done.stdout.rstrip("\n")


def attempt(
    tree: Path, *args: str, env: Mapping[str, str] | None = None, text: str | None = None, now: datetime | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """A git command that may fail; ``timeout`` in seconds counts as a failure.

    Raises:
        EnvironmentFault: there is no git, or no such folder.
    """
    settings = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
    command = ["git", *settings, *args]
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


def fault(tree: Path, done: subprocess.CompletedProcess[str]) -> EnvironmentFault:
    """The error of a git command that failed, with the fix where the cause is a common one."""
    lines = done.stderr.strip().splitlines()
    last = lines[-1] if lines else "git gave no reason"
    line = next((s for s in lines if s.startswith(("fatal:", "error:"))), last)
    if "not a git repository" in line:
        return EnvironmentFault(f"{tree}: not a git repository; run git init there and commit the project")
    if "dubious ownership" in line:
        return EnvironmentFault(f"{tree}: owned by somebody else; git config --global --add safe.directory {tree}")
    verb = next(word for word in done.args[1 + 2 * len(SETTINGS) :] if not word.startswith("-"))
    return EnvironmentFault(f"{tree}: git {verb} failed: {line.split(':', 1)[-1].strip()}; fix that and run again")


def exists(home: Path, ref: str) -> bool:
    """Whether there is a ref of that full name."""
    return attempt(home, "show-ref", "--verify", "--quiet", ref).returncode == 0


def is_ancestor(home: Path, older: str, newer: str) -> bool:
    """Whether one commit is an ancestor of another, or the same."""
    return attempt(home, "merge-base", "--is-ancestor", older, newer).returncode == 0


def commit_tree(tree: Path, content: str, parents: tuple[str, ...], message: str, now: datetime) -> str:
    """A commit of a tree object, on no branch; its id."""
    named = [word for parent in parents for word in ("-p", parent)]
    return run(tree, "commit-tree", content, *named, text=message.rstrip() + "\n", now=now)


@contextmanager
def own_index(tree: Path) -> Iterator[dict[str, str]]:
    """The environment for an index of our own: a crash leaves no lock, and a person's staged work stays as it is."""
    run(tree, "rev-parse", "--git-dir")
    with tempfile.TemporaryDirectory(prefix="homeostat-index-") as folder:
        yield {"GIT_INDEX_FILE": str(Path(folder) / "index")}


def require_top(home: Path) -> None:
    """Check that the project is a repository of its own.

    Raises:
        EnvironmentFault: it lies inside another.
    """
    top = Path(run(home, "rev-parse", "--show-toplevel"))
    if top.resolve() != home.resolve():
        raise EnvironmentFault(f"{home}: inside the git repository {top}; a project has its own: run git init in it")


def ignore_state(state: Path) -> None:
    """Make the folder of operational state, with everything in it ignored by git."""
    state.mkdir(parents=True, exist_ok=True)
    write_text("*\n", state / ".gitignore")


def epoch(now: datetime) -> int:
    """Seconds for git, which has no time before 1970. No time is read back: events state their own, numbers order them.

    >>> epoch(datetime(1970, 1, 2))
    86400
    """
    return max(0, int(now.replace(tzinfo=UTC).timestamp()))


def _environment(env: Mapping[str, str] | None, now: datetime | None) -> dict[str, str]:
    # A hook or an alias that called us may have set GIT_DIR and the like: the folder alone says which repository.
    # How a remote is reached, and settings, are the caller's.
    kept = ("GIT_CONFIG", "GIT_SSH", "GIT_ASKPASS", "GIT_PROXY")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(kept)}
    identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in
                (("NAME", NAME), ("EMAIL", EMAIL), *([("DATE", f"@{epoch(now)} +0000")] if now else []))}  # fmt: skip
    return {**inherited, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **identity, **(env or {})}
