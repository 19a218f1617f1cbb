"""Deployment: put a release in service, take it back, and read what serves.

The ledger's tags are the truth, and creating the next-numbered one is the switch: before it the old version serves,
after it the new. A release is rehearsed before its tag is made, so one that cannot answer never serves.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.adapters import dvc, git, remote
from homeostat.adapters.import_graph import work_hash
from homeostat.adapters.parquet import write_text
from homeostat.core.errors import DataError, EnvironmentFault, UsageError
from homeostat.core.ledger import (
    Act,
    Beside,
    Ledger,
    Register,
    ReleaseEvent,
    Yank,
    event_tag,
    is_release,
    release_tag,
    yank_tag,
)

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.training.bundle import Bundle

_loaded: dict[Path, Bundle] = {}


@dataclass(frozen=True)
class Switch:
    """What serves now, and a sentence on what was done about it."""

    event: ReleaseEvent
    sentence: str

    @property
    def version(self) -> str:
        return self.event.version


def ledger(project: Project) -> Ledger:
    """The release ledger of the project."""
    return git.read_ledger(project.home, project.scope.project)


def follow(project: Project) -> tuple[str, ...]:
    """Take over what other hosts have released since, where the scope names a git remote; the tags that are new here.

    Raises:
        EnvironmentFault: the remote cannot be reached or is none, or its ledger is another one.
    """
    name = _remote(project)
    return remote.fetch(project.home, name, project.scope.project).new if name else ()


def catch_up(project: Project) -> None:
    """As ``follow``, and give the remote what it lacks: releases from before there was one.

    Raises:
        EnvironmentFault: as ``follow``, or the remotes take nothing.
    """
    name = _remote(project)
    if name is not None and (lacking := remote.fetch(project.home, name, project.scope.project).lacking):
        _push(project, name, lacking, {})


def release(
    project: Project, commit: str, bundle_hash: str, why: str, who: str, now: datetime, evidence: Sequence[str] = (),
    beside: Beside | None = None, share: float | None = None,
) -> Switch:  # fmt: skip
    """Register the bundle at ``commit`` as the next version and promote it; a bundle that is registered keeps its own.

    ``beside``: what serves goes on, and the version begins as ``try_beside`` has it; the first version serves at once.

    Raises:
        EnvironmentFault: another run was first, or the commit or its bundle cannot be found.
        DataError: the bundle is not the one named, or does not answer as it did when it was sealed.
        UsageError: who or why is empty.
    """
    _need_words(who, why)
    _agree(project)
    known = ledger(project)
    found = next((r for r in known.releases if r.bundle == bundle_hash), None)
    if found is None:
        found = Register(known.next_version(), commit, who, why, now, bundle_hash, tuple(evidence))
        _rehearse(project, found)
        _publish(project, release_tag(known.project, found.version), commit, found.message(), now)
    if beside is None or known.champion is None or known.champion.version == found.version:
        return promote(project, found.version, why, who, now, evidence)
    return try_beside(project, found.version, beside, share, why, who, now, evidence)


def promote(project: Project, version: str, why: str, who: str, now: datetime, evidence: Sequence[str] = ()) -> Switch:
    """Put a registered version in service; where it serves already, nothing is added.

    Raises:
        EnvironmentFault: another run was first, or the bundle cannot be found.
        DataError: the bundle is damaged, or does not answer as it did when it was sealed.
        UsageError: there is no such version, or who or why is empty.
    """
    _need_words(who, why)
    _agree(project)
    known = ledger(project)
    found = _registered(known, version)
    return _serving_already(known, found.version) or _switch(project, known, found, "promote", why, who, now, evidence)


def try_beside(
    project: Project, version: str, act: Beside, share: float | None, why: str, who: str, now: datetime,
    evidence: Sequence[str] = (),
) -> Switch:  # fmt: skip
    """Have a version answer ``share`` of the keys (canary) or score unseen (shadow) beside what serves.

    Raises:
        UsageError: there is no such version, nothing serves, it serves already, another is being tried, the share is
            none, or who or why is empty.
        EnvironmentFault: another run was first, or the bundle cannot be found.
        DataError: the bundle is damaged, or does not answer as it did when it was sealed.
    """
    _need_words(who, why)
    _agree(project)
    known = ledger(project)
    found = _registered(known, version)
    if (act == "canary") != (share is not None) or not 0 < (0.5 if share is None else share) < 1:
        raise UsageError("a canary answers a share of the keys between 0 and 100%, a shadow none; correct it")
    if known.champion is None:
        raise UsageError(f"{known.project}: nothing serves yet to try {found.version} beside; promote it")
    if (already := known.champion.version) == found.version:
        raise UsageError(f"{already}: serves everything already; to take it out of service roll back")
    on = known.rollout
    if on is not None and on.version != found.version:
        raise UsageError(f"{on.version}: is being tried ({on.what}); promote it, or roll back to end that, first")
    if on is not None and (on.action, on.share) == (act, share):
        return Switch(on, f"{on.version} is tried so already ({on.what}), since {on.at}; nothing to do")
    return _switch(project, known, found, act, why, who, now, evidence, share)


def rollback(
    project: Project, why: str, who: str, now: datetime, to: str | None = None, evidence: Sequence[str] = ()
) -> Switch:
    """Go back to ``to``, or to the last version that served before and was not rolled back from.

    While a challenger is tried beside what serves it is the one to take back, and what serves stays. Said again in the
    same words, as after a command that was interrupted, it adds nothing.

    Raises:
        UsageError: nothing serves, there is nothing to go back to, ``to`` never served, or who or why is empty.
        EnvironmentFault: another run was first, or the bundle cannot be found.
        DataError: the bundle is damaged, or does not answer as it did when it was sealed.
    """
    _need_words(who, why)
    _agree(project)
    known = ledger(project)
    if known.champion is None:
        raise UsageError(
            f"{known.project}: nothing serves yet, so there is nothing to roll back; release a version first"
        )
    last = known.events[-1]
    if to is None and (last.action, last.who, last.why) == ("rollback", who, why) and last == known.champion:
        said = f"{last.version} serves already, since {last.at}, rolled back to for just that reason; nothing to do"
        return Switch(last, f"{said} (to go further back name a version with --to, or say why)")
    wanted = to or (known.champion.version if known.rollout else known.previous_healthy())
    if wanted is None:
        raise UsageError(
            f"{known.project}: no version to go back to from {known.champion.version}, none before it is healthy; "
            "promote another or name one with --to"
        )
    found = _registered(known, wanted)
    already = _serving_already(known, found.version)
    if already is not None:
        return already
    if all(event.version != found.version for event in known.events):
        raise UsageError(f"{found.version}: never served, so it is nothing to go back to; promote it instead")
    return _switch(project, known, found, "rollback", why, who, now, evidence)


def yank(project: Project, version: str, why: str, who: str, now: datetime, evidence: Sequence[str] = ()) -> str:
    """Bar a release from service for good; a sentence on what was done.

    Raises:
        UsageError: there is no such version, it serves, or who or why is empty.
        EnvironmentFault: another run was first.
    """
    _need_words(who, why)
    _agree(project)
    known = ledger(project)
    found = _registered(known, version)
    if (already := known.yanked(found.version)) is not None:
        return f"{found.version} is yanked already, since {already.at} by {already.who}; nothing to do"
    if known.champion is not None and known.champion.version == found.version:
        raise UsageError(f"{found.version}: serves now; roll back first, then yank it")
    if known.rollout is not None and known.rollout.version == found.version:
        raise UsageError(f"{found.version}: is being tried; roll back first, then yank it")
    made = Yank(found.version, found.commit, who, why, now, found.bundle, tuple(evidence))
    _publish(project, yank_tag(known.project, found.version), found.commit, made.message(), now)
    return f"yanked {found.version}, which will never serve again: {why}"


def serving(project: Project, at: datetime | None = None) -> tuple[ReleaseEvent, Bundle] | None:
    """What serves, or served ``at`` a time, and its bundle; None before the first release.

    Raises:
        EnvironmentFault: the cache lacks the bundle.
        DataError: the bundle there is not the one released.
    """
    known = ledger(project)
    event = known.champion if at is None else known.served_at(at)
    return None if event is None else (event, _unpacked(project, event.commit, event.bundle))


def restore(project: Project, version: str) -> Bundle:
    """The bundle of any registered version.

    Raises:
        UsageError: there is no such version.
    """
    found = _registered(ledger(project), version)
    return _unpacked(project, found.commit, found.bundle)


def _switch(
    project: Project, known: Ledger, found: Register, action: Act, why: str, who: str, now: datetime,
    evidence: Sequence[str], share: float | None = None,
) -> Switch:  # fmt: skip
    if (barred := known.yanked(found.version)) is not None:
        raise UsageError(f"{found.version}: yanked by {barred.who}: {barred.why}; it never serves again, take another")
    _rehearse(project, found)
    event = ReleaseEvent(
        known.next_number(), found.version, action, found.commit, who, why, now, found.bundle, tuple(evidence), share
    )
    _publish(project, event_tag(known.project, event.number), event.commit, event.message(), now)
    return Switch(event, f"{_done(event, known)}: {why}")


def _done(event: ReleaseEvent, known: Ledger) -> str:
    """What an event did to what served before it."""
    served = known.champion.version if known.champion else ""
    if event.beside:
        return f"{event.version} is tried beside {served} ({event.what})"
    if event.version == served:
        tried = known.rollout.version if known.rollout else "nothing"
        return f"{served} serves everything, {tried} is tried no more"
    done = "promoted" if event.action == "promote" else "rolled back to"
    return f"{done} {event.version}{f', {served} before it' if served else ''}"


# ---- hosts


def _remote(project: Project) -> str | None:
    """The git remote on which hosts agree, if the scope names one and this is no replay."""
    named = project.scope.remote
    return None if named is None else remote.name_of(project.home, named.git)


def _agree(project: Project) -> None:
    """Know what other hosts did before anything is switched.

    Raises:
        EnvironmentFault: the remote cannot be reached or is none, or its ledger is another one.
    """
    try:
        follow(project)
    except remote.Unreachable as error:
        raise EnvironmentFault(f"{error}; what serves goes on and nothing was changed; run again when it is") from error


def _publish(project: Project, tag: str, commit: str, message: str, now: datetime) -> None:
    """Make a tag of the ledger. With a remote: the bundle goes there first, then the tag, and only then it is here.

    Tags from before there was a remote go with it.

    Raises:
        EnvironmentFault: another run or host was first, or the remote takes nothing.
    """
    name, home, of = _remote(project), project.home, project.scope.project
    if name is None:
        git.create_tag(home, tag, commit, message, now)
        return
    try:
        lacking = remote.fetch(home, name, of).lacking
        made = git.tag_object(home, tag, commit, message, now)
        _push(project, name, lacking, {tag: (commit, made)})
    except remote.Outrun as error:
        raise _outrun(project, error) from error
    git.set_tag(home, tag, made)


def _push(project: Project, name: str, lacking: Sequence[str], new: Mapping[str, tuple[str, str]]) -> None:
    """Push tags that are here and tags that are ``new`` (commit and object), after the bundles they stand for."""
    home, of = project.home, project.scope.project
    commits = {tag: commit for tag, commit, _ in git.read_tags(home, of) if tag in lacking}
    for tag, commit in (commits | {tag: commit for tag, (commit, _) in new.items()}).items():
        if is_release(tag):
            dvc.push_out(home, commit, _bundle_path(project))
    remote.push(home, name, of, git.tag_ids(home, of, lacking) | {tag: made for tag, (_, made) in new.items()})


def _outrun(project: Project, error: EnvironmentFault) -> EnvironmentFault:
    """What the host that was first has done."""
    follow(project)
    champion = ledger(project).champion
    serves = f"{champion.version} serves since {champion.at} ({champion.who}: {champion.why})" if champion else ""
    return EnvironmentFault(f"{error}: {serves}; nothing was changed from here; look at it, then run again")


def _bundle_path(project: Project) -> str:
    return project.bundle.relative_to(project.root).as_posix()


def _serving_already(known: Ledger, version: str) -> Switch | None:
    champion = known.champion
    if champion is None or champion.version != version or known.rollout is not None:
        return None
    return Switch(champion, f"{version} serves already, since {champion.at}; nothing to do")


def _registered(known: Ledger, version: str) -> Register:
    wanted = version if version.startswith("v") else f"v{version}"
    found = known.release(wanted)
    if found is None:
        have = ", ".join(r.version for r in known.releases[-3:]) or "none"
        raise UsageError(f"{version}: no such release; `homeostat releases` lists them (the last: {have})")
    return found


def _need_words(who: str, why: str) -> None:
    for name, said in (("who", who), ("why", why)):
        if not said.strip():
            raise UsageError(
                f"{name} is empty: a change of what serves keeps who did it and why; say it in a few words"
            )


def _rehearse(project: Project, found: Register) -> None:
    """Rehearse a release, unless it was by the same code and versions on this machine: then its files are verified.

    So a rollback, whose release has served before, needs no model loaded, which takes seconds.
    """
    bundle = _unpacked(project, found.commit, found.bundle)
    note = _note(project, found.bundle)
    if not note.is_file() or note.read_text() != _standing():
        rehearse(project, bundle, found.version)


def _note(project: Project, bundle_hash: str) -> Path:
    """What the last rehearsal of a bundle that went well stood on."""
    return project.state / "rehearsed" / bundle_hash


def _standing() -> str:
    """What a rehearsal's outcome stands on besides the bundle: the machine, the versions, and the code that scores."""
    lines = [f"python {platform.python_version()}", f"machine {platform.node()} {platform.machine()}"]
    lines += [f"code and tools {work_hash('homeostat.training.golden')}"]
    return "\n".join(lines) + "\n"


def rehearse(project: Project, bundle: Bundle, version: str) -> None:
    """Answer the golden requests and hold features, scores and decisions to what was sealed, bit for bit; note success.

    Raises:
        DataError: it differs.
    """
    from homeostat.training import golden

    off = next(golden.differences(bundle), None)
    if off is not None:
        raise DataError(
            f"{version}: rehearsal failed: {off}; what serves stays: run the code and versions that made it, or train "
            "again"
        )
    write_text(_standing(), _note(project, bundle.hash))


# ---- unpacked releases


def _unpacked(project: Project, commit: str, bundle_hash: str) -> Bundle:
    """The bundle of that hash, from this process, from its folder, or from the DVC cache at ``commit``."""
    from homeostat.training import bundle as bundles

    folder = project.releases / bundle_hash
    held = _loaded.get(folder)
    if held is not None and folder.is_dir():
        return held
    try:
        bundle = bundles.load(folder, bundle_hash)
    except DataError:  # absent, or damaged since: what was released is in the cache
        _unpack(project, commit, bundle_hash, folder)
        bundle = bundles.load(folder, bundle_hash)
    _loaded[folder] = bundle
    return bundle


def _unpack(project: Project, commit: str, bundle_hash: str, folder: Path) -> None:
    """Fill ``folder`` whole or not at all: the copy is verified beside it, then put in its place."""
    from homeostat.training import bundle as bundles

    fresh = folder.with_name(f".{bundle_hash}.{os.getpid()}")
    project.releases.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        dvc.restore_out(project.home, commit, _bundle_path(project), fresh)
        bundles.load(fresh, bundle_hash)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(fresh, folder)
    except OSError as error:
        if not folder.is_dir():  # else another process has just put it there
            raise EnvironmentFault(
                f"{folder}: cannot be written: {error.strerror}; free the disk and run again"
            ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
