"""The git remote on which several hosts agree: release tags and the ledger's branch, fetched and pushed.

The remote is the fence between hosts: a tag is pushed before it is made here, all of a switch in one push, so the first
host wins its number and no other ever serves what lost. Nothing is forced, nothing is taken from the remote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from homeostat.adapters.git import _exists, _git, _is_ancestor, _try, ledger_ref, seen_ref
from homeostat.core.errors import EnvironmentFault

PATIENCE = 20.0  # seconds for the remote to answer; a fetch of a few tags takes one
TAGS = "refs/tags/"


class Unreachable(EnvironmentFault):
    """The remote does not answer: what serves goes on, and nothing can be switched."""


class Outrun(EnvironmentFault):
    """Another host has pushed first."""


@dataclass(frozen=True)
class Heard:
    """What a look at the remote came to: tags that are new here, and tags that it lacks."""

    new: tuple[str, ...]
    lacking: tuple[str, ...]


def name_of(home: Path, name: str) -> str | None:
    """The remote, as the scope names it; None in a replay, which has no part in what serves.

    Raises:
        EnvironmentFault: this clone has no such remote.
    """
    if _try(home, "config", "--get", "homeostat.replay").stdout.strip() == "true":
        return None
    if _try(home, "remote", "get-url", name).returncode:
        fix = f"git remote add {name} ADDRESS, or take remote out of params.yaml"
        raise EnvironmentFault(f"{home}: git has no remote {name!r}, which the scope names; {fix}")
    return name


def fetch(home: Path, name: str, project: str) -> Heard:
    """Bring what the remote has of the ledger here; one question, and a fetch only where something is new.

    Raises:
        Unreachable: it does not answer.
        EnvironmentFault: a tag is another one there.
    """
    there, here = _there(home, name, project), _here(home, project)
    tags = {ref for ref in there if ref.startswith(TAGS)}
    new = sorted(tags - here.keys(), key=lambda ref: ("#" in ref, ref))  # no event before the release that it names
    differing = next((ref for ref in sorted(tags & here.keys()) if there[ref] != here[ref]), None)
    if differing is not None:
        tag = differing.removeprefix(TAGS)
        raise EnvironmentFault(
            f"tag {tag}: is another one on {name} than here, and nothing is taken over; look at both, and delete the "
            f"wrong one (here: git tag -d '{tag}')"
        )
    if new or there.get(ledger_ref(project)) != here.get(seen_ref(project)):
        kept = [f"+{ledger_ref(project)}:{seen_ref(project)}"] if ledger_ref(project) in there else []
        wanted = [*kept, *(f"{ref}:{ref}" for ref in new)]
        _far(home, name, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", name, *wanted)
    lacking = sorted(ref for ref in here if ref.startswith(TAGS) and ref not in there)
    return Heard(_short(new), _short(lacking))


def push(home: Path, name: str, project: str, tags: Mapping[str, str]) -> None:
    """Push tag objects by name, and the ledger's branch where there is one; all of it or nothing.

    Raises:
        Outrun: a name is taken there, or the branch has moved on.
        Unreachable: it does not answer.
        EnvironmentFault: it takes none of it.
    """
    named = [f"{oid}:{TAGS}{tag}" for tag, oid in tags.items()]
    own = [f"{ledger_ref(project)}:{ledger_ref(project)}"] if _goes_on(home, project) else []
    done = _try(home, "push", "--quiet", "--porcelain", "--atomic", name, *named, *own, timeout=PATIENCE)
    if not done.returncode:
        return
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("!")]
    if not said:
        raise _unreachable(name, done.stderr)
    outrun = ("already exists", "fetch first", "non-fast-forward", "stale info", "cannot lock ref", "reference already")
    if any(word in line for line in (*said, *done.stderr.splitlines()) for word in outrun):
        raise Outrun(f"{name}: another host has pushed first")
    why = said[0].split("\t")[-1]
    raise EnvironmentFault(f"{name}: takes no tags from here: {why}; give this host the right to push, then run again")


def _goes_on(home: Path, project: str) -> bool:
    """Whether the ledger's branch is here and goes on from what the remote has; if not, the next tick joins them."""
    own, last = ledger_ref(project), seen_ref(project)
    return _exists(home, own) and (not _exists(home, last) or _is_ancestor(home, last, own))


def _there(home: Path, name: str, project: str) -> dict[str, str]:
    told = _far(home, name, "ls-remote", name, *_patterns(project), ledger_ref(project))
    rows = (line.split("\t") for line in told.splitlines())
    return {ref: oid for oid, ref in rows if not ref.endswith("^{}")}


def _here(home: Path, project: str) -> dict[str, str]:
    form = "--format=%(refname) %(objectname)"
    lines = _git(home, "for-each-ref", form, *_patterns(project), seen_ref(project)).splitlines()
    return dict(line.split(" ") for line in lines)


def _patterns(project: str) -> tuple[str, str]:
    return f"{TAGS}{project}@*", f"{TAGS}{project}#*"


def _far(home: Path, name: str, *args: str) -> str:
    done = _try(home, *args, timeout=PATIENCE)
    if done.returncode:
        raise _unreachable(name, done.stderr)
    return done.stdout


def _unreachable(name: str, stderr: str) -> Unreachable:
    said = [line.strip() for line in stderr.splitlines() if line.strip()]
    line = next((s for s in said if s.startswith(("fatal:", "ssh:", "error:"))), said[0] if said else "no answer")
    return Unreachable(f"{name}: cannot be reached ({line.split(':', 1)[-1].strip()})")


def _short(refs: Iterable[str]) -> tuple[str, ...]:
    return tuple(ref.removeprefix(TAGS) for ref in refs)
