"""The git remote on which several hosts agree: release tags and the branch of scheduled work, fetched and pushed.

The remote is the fence between hosts: a tag is pushed before it is made here, everything of a switch in one push, so
the first host wins its number and no other ever serves what lost. Nothing is forced, nothing is deleted on the remote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from homeostat.adapters.git import TAGS, tag_patterns
from homeostat.adapters.git_command import attempt, exists, is_ancestor, run
from homeostat.adapters.worktree import branch_ref, remote_ref
from homeostat.core.errors import EnvironmentFault

TIMEOUT = 20.0  # seconds for the remote to answer; a fetch of a few tags takes one
LOST = ("already exists", "fetch first", "non-fast-forward", "stale info", "cannot lock ref", "reference already")


class Unreachable(EnvironmentFault):
    """The remote does not answer: the release in service stays, and nothing can be switched."""


class Outrun(EnvironmentFault):
    """Another host has pushed first."""


@dataclass(frozen=True)
class Fetched:
    """Tags that are new here, and tags that the remote lacks."""

    new: tuple[str, ...]
    lacking: tuple[str, ...]


def name_of(home: Path, name: str) -> str | None:
    """The remote that the scope names; None in a replay, which has no part in what is released.

    Raises:
        EnvironmentFault: this clone has no such remote.
    """
    if attempt(home, "config", "--get", "homeostat.replay").stdout.strip() == "true":
        return None
    if attempt(home, "remote", "get-url", name).returncode:
        fix = f"git remote add {name} ADDRESS, or take remote out of params.yaml"
        raise EnvironmentFault(f"{home}: git has no remote {name!r}, which the scope names; {fix}")
    return name


def fetch(home: Path, name: str, project: str) -> Fetched:
    """Fetch tags and branch from the remote: one listing, and a fetch only where something is new.

    Raises:
        Unreachable: it does not answer.
        EnvironmentFault: it has another tag of the same name.
    """
    theirs, ours = _refs_there(home, name, project), _refs_here(home, project)
    tags = {ref for ref in theirs if ref.startswith(TAGS)}
    new = sorted(tags - ours.keys(), key=lambda ref: ("#" in ref, ref))  # a release before the events that name it
    differing = next((ref for ref in sorted(tags & ours.keys()) if theirs[ref] != ours[ref]), None)
    if differing is not None:
        tag = differing.removeprefix(TAGS)
        raise EnvironmentFault(
            f"tag {tag}: {name} has another tag of that name than this clone, and nothing is fetched; look at both, "
            f"and delete the wrong one (here: git tag -d '{tag}')"
        )
    branch = branch_ref(project)
    if new or theirs.get(branch) != ours.get(remote_ref(project)):
        wanted = [f"+{branch}:{remote_ref(project)}"] if branch in theirs else []
        wanted += [f"{ref}:{ref}" for ref in new]
        _ask(home, name, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", name, *wanted)
    lacking = sorted(ref for ref in ours if ref.startswith(TAGS) and ref not in theirs)
    return Fetched(_short(new), _short(lacking))


def push(home: Path, name: str, project: str, tags: Mapping[str, str]) -> None:
    """Push tag objects by name, and the branch of scheduled work where there is one; all of it or nothing.

    Raises:
        Outrun: a name is taken there, or the branch has moved on.
        Unreachable: it does not answer.
        EnvironmentFault: it refuses.
    """
    refs = [f"{tag_id}:{TAGS}{tag}" for tag, tag_id in tags.items()]
    if _continues(home, project):
        refs.append(f"{branch_ref(project)}:{branch_ref(project)}")
    done = attempt(home, "push", "--quiet", "--porcelain", "--atomic", name, *refs, timeout=TIMEOUT)
    if not done.returncode:
        return
    rejected = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("!")]
    if not rejected:
        raise _unreachable(name, done.stderr)
    if any(phrase in line for line in (*rejected, *done.stderr.splitlines()) for phrase in LOST):
        raise Outrun(f"{name}: another host has pushed first")
    why = rejected[0].split("\t")[-1]
    raise EnvironmentFault(f"{name}: refuses tags from here: {why}; give this host the right to push, then run again")


def _continues(home: Path, project: str) -> bool:
    """Whether the branch continues the one on the remote; if not, the next tick merges them."""
    ours, theirs = branch_ref(project), remote_ref(project)
    return exists(home, ours) and (not exists(home, theirs) or is_ancestor(home, theirs, ours))


def _refs_there(home: Path, name: str, project: str) -> dict[str, str]:
    listing = _ask(home, name, "ls-remote", name, *tag_patterns(project), branch_ref(project))
    rows = (line.split("\t") for line in listing.splitlines())
    return {ref: object_id for object_id, ref in rows if not ref.endswith("^{}")}


def _refs_here(home: Path, project: str) -> dict[str, str]:
    form = "--format=%(refname) %(objectname)"
    lines = run(home, "for-each-ref", form, *tag_patterns(project), remote_ref(project)).splitlines()
    return dict(line.split(" ") for line in lines)


def _ask(home: Path, name: str, *args: str) -> str:
    done = attempt(home, *args, timeout=TIMEOUT)
    if done.returncode:
        raise _unreachable(name, done.stderr)
    return done.stdout


def _unreachable(name: str, stderr: str) -> Unreachable:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    first = lines[0] if lines else "no answer"
    line = next((s for s in lines if s.startswith(("fatal:", "ssh:", "error:"))), first)
    return Unreachable(f"{name}: cannot be reached ({line.split(':', 1)[-1].strip()})")


def _short(refs: Iterable[str]) -> tuple[str, ...]:
    return tuple(ref.removeprefix(TAGS) for ref in refs)
