"""The registry: put a release in service, take it back, and know which one is in service.

The ledger's tags are the truth, and creating the next-numbered one is the switch: before it the old version serves,
after it the new. A release is rehearsed before its tag is made, so one that cannot answer never serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from homeostat.adapters import git, remote
from homeostat.core.authorship import Authorship
from homeostat.core.errors import EnvironmentFault, UsageError
from homeostat.core.ledger import (
    Act,
    Beside,
    Ledger,
    Register,
    ReleaseEvent,
    Yank,
    event_tag,
    fold,
    release_tag,
    yank_tag,
)
from homeostat.project.layout import Project
from homeostat.releases import sync
from homeostat.releases.bundle_store import BundleStore
from homeostat.releases.rehearsal import Rehearsals
from homeostat.training.bundle import Bundle, is_baseline


@dataclass(frozen=True)
class Switch:
    """The event in force, and a sentence on what was done."""

    event: ReleaseEvent
    sentence: str

    @property
    def version(self) -> str:
        return self.event.version


class Serving(NamedTuple):
    """A release in service: the event that put it there, and its bundle."""

    event: ReleaseEvent
    bundle: Bundle


class Registry:
    """The releases of one project: the ledger as it was folded last, and the bundles that it names.

    A change first reads the tags again, here and on the scope's git remote, and then adds to the ledger what it made.
    Otherwise the ledger is as old as the last ``open``, ``refresh`` or ``refold``.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._bundles = BundleStore(project)
        self._rehearsals = Rehearsals(project)
        self.ledger = Ledger(project.scope.project)

    @classmethod
    def open(cls, project: Project) -> Registry:
        """The registry with the ledger as the tags have it now: one git process.

        Raises:
            EnvironmentFault: there is no git, no repository, or a tag cannot be read.
        """
        registry = cls(project)
        registry.refresh()
        return registry

    def refresh(self) -> None:
        """Read the tags again: one git process."""
        self.refold(git.read_tags(self._project.home, self.ledger.project))

    def refold(self, tags: Sequence[tuple[str, str, str]]) -> None:
        """Take over the tags as they were just read, each as (tag, commit, message)."""
        self.ledger = fold(self.ledger.project, tags)

    # ---- bundles

    def load(self, version: str) -> Bundle:
        """The bundle of any registered version, verified; those used last stay loaded.

        Raises:
            UsageError: there is no such version.
            EnvironmentFault: the cache lacks the bundle.
            DataError: the bundle there is not the one released.
        """
        release = self.registered(version)
        return self._bundles.load(release.commit, release.bundle)

    def restored(self, version: str) -> str:
        """Why its bundle was unpacked again when it was loaded; empty where it was whole."""
        return self._bundles.restored.get(self.registered(version).bundle, "")

    def load_champion(self, at: datetime | None = None) -> Serving | None:
        """The release in service, now or ``at`` a time; None before the first.

        Raises:
            EnvironmentFault, DataError: as ``load``.
        """
        event = self.ledger.champion if at is None else self.ledger.served_at(at)
        return None if event is None else Serving(event, self._bundles.load(event.commit, event.bundle))

    def load_first_learned(self) -> Bundle | None:
        """The first release whose models learned: the one that is never retrained.

        Raises:
            EnvironmentFault, DataError: as ``load``.
        """
        bundles = (self.load(release.version) for release in self.ledger.releases)
        return next((bundle for bundle in bundles if not is_baseline(bundle.training)), None)

    def rehearse(self, bundle: Bundle, version: str) -> None:
        """Rehearse a bundle, whether it was before or not.

        Raises:
            DataError: it does not answer as it did when it was sealed.
        """
        self._rehearsals.rehearse(bundle, version)

    # ---- changes

    def release(
        self, commit: str, bundle_hash: str, by: Authorship, beside: Beside | None = None, share: float | None = None,
        continues: str = "",
    ) -> Switch:  # fmt: skip
        """Register the bundle at ``commit`` as the next version and promote it; one that is registered keeps its own.

        ``continues``: the version whose models it continues, and whose line it is of.
        ``beside``: the champion stays, and the version begins as ``try_beside`` has it; the first serves at once.

        Raises:
            EnvironmentFault: another run was first, or the commit or its bundle cannot be found.
            DataError: the bundle is not the one named, or does not answer as it did when it was sealed.
        """
        self._agree()
        release = self._registered_as(bundle_hash) or self._register(commit, bundle_hash, by, continues)
        champion = self.ledger.champion
        if beside is None or champion is None or champion.version == release.version:
            return self._promoted(release, by)
        return self._tried_beside(release, beside, share, by)

    def fall_back(self, commit: str, bundle_hash: str, by: Authorship) -> Switch:
        """Register the baseline in the bundle at ``commit``, if it is not yet, and take the champion back for it.

        Raises:
            EnvironmentFault, DataError: as ``release``.
        """
        self._agree()
        release = self._registered_as(bundle_hash) or self._register(commit, bundle_hash, by)
        return self._serving_already(release) or self._switch(release, "rollback", by)

    def promote(self, version: str, by: Authorship) -> Switch:
        """Put a registered version in service; where it serves already, nothing is added.

        Raises:
            EnvironmentFault: another run was first, or the bundle cannot be found.
            DataError: the bundle is damaged, or does not answer as it did when it was sealed.
            UsageError: there is no such version.
        """
        self._agree()
        return self._promoted(self.registered(version), by)

    def try_beside(self, version: str, act: Beside, share: float | None, by: Authorship) -> Switch:
        """Have a version answer ``share`` of the keys (canary) or score without answering (shadow) beside the champion.

        Raises:
            UsageError: there is no such version, nothing serves, it serves already, another is being tried, or the
                share is none.
            EnvironmentFault, DataError: as ``promote``.
        """
        self._agree()
        return self._tried_beside(self.registered(version), act, share, by)

    def rollback(self, by: Authorship, to: str | None = None) -> Switch:
        """Go back to ``to``, or to the last version that served before and was not rolled back from.

        While a challenger is tried beside the champion it is the one to take back, and the champion stays. Where the
        last event is a rollback by the same person nothing is added, so that a command repeated after it was
        interrupted goes back once: to go further back ``to`` names the version.

        Raises:
            UsageError: nothing serves, there is nothing to go back to, or ``to`` never served.
            EnvironmentFault, DataError: as ``promote``.
        """
        self._agree()
        ledger, champion = self.ledger, self.ledger.champion
        if champion is None:
            raise UsageError(
                f"{ledger.project}: nothing serves yet, so there is nothing to roll back; release a version first"
            )
        last = ledger.events[-1]
        if to is None and (last.action, last.who) == ("rollback", by.who) and last == champion:
            done = f"{last.version} serves already, since {last.at}, rolled back to by {by.who}; nothing to do"
            return Switch(last, f"{done} (to go further back name a version with --to)")
        wanted = to or (champion.version if ledger.rollout else ledger.previous_healthy())
        if wanted is None:
            raise UsageError(
                f"{ledger.project}: no version to go back to from {champion.version}, none before it is healthy; "
                "promote another or name one with --to"
            )
        release = self.registered(wanted)
        already = self._serving_already(release)
        if already is not None:
            return already
        if all(event.version != release.version for event in ledger.events):
            raise UsageError(f"{release.version}: never served, so it is nothing to go back to; promote it instead")
        return self._switch(release, "rollback", by)

    def yank(self, version: str, by: Authorship) -> str:
        """Bar a release from service for good; a sentence on what was done.

        Raises:
            UsageError: there is no such version, or it serves or is being tried.
            EnvironmentFault: another run was first.
        """
        self._agree()
        ledger, release = self.ledger, self.registered(version)
        if (already := ledger.yanked(release.version)) is not None:
            return f"{release.version} is yanked already, since {already.at} by {already.who}; nothing to do"
        for event, state in ((ledger.champion, "serves now"), (ledger.rollout, "is being tried")):
            if event is not None and event.version == release.version:
                raise UsageError(f"{release.version}: {state}; roll back first, then yank it")
        yank = Yank(release.version, release.commit, by.who, by.why, by.at, release.bundle, by.evidence)
        self._publish(yank_tag(ledger.project, yank.version), yank, by.at)
        self.ledger = replace(ledger, yanks=(*ledger.yanks, yank))
        return f"yanked {release.version}, which will never serve again: {by.why}"

    def _registered_as(self, bundle_hash: str) -> Register | None:
        return next((r for r in self.ledger.releases if r.bundle == bundle_hash), None)

    def _register(self, commit: str, bundle_hash: str, by: Authorship, continues: str = "") -> Register:
        ledger = self.ledger
        release = Register(ledger.next_version(continues), commit, by.who, by.why, by.at, bundle_hash, by.evidence)
        self._rehearse_once(release)
        self._publish(release_tag(ledger.project, release.version), release, by.at)
        self.ledger = replace(ledger, releases=(*ledger.releases, release))
        return release

    def _promoted(self, release: Register, by: Authorship) -> Switch:
        return self._serving_already(release) or self._switch(release, "promote", by)

    def _tried_beside(self, release: Register, act: Beside, share: float | None, by: Authorship) -> Switch:
        champion, on = self.ledger.champion, self.ledger.rollout
        if (act == "canary") != (share is not None) or not 0 < (0.5 if share is None else share) < 1:
            raise UsageError("a canary answers a share of the keys between 0 and 100%, a shadow none; correct it")
        if champion is None:
            raise UsageError(f"{self.ledger.project}: nothing serves yet to try {release.version} beside; promote it")
        if champion.version == release.version:
            raise UsageError(f"{release.version}: serves everything already; to take it out of service roll back")
        if on is not None and on.version != release.version:
            raise UsageError(f"{on.version}: is being tried ({on.what}); promote it, or roll back to end that, first")
        if on is not None and (on.action, on.share) == (act, share):
            return Switch(on, f"{on.version} is tried so already ({on.what}), since {on.at}; nothing to do")
        return self._switch(release, act, by, share)

    def _switch(self, release: Register, action: Act, by: Authorship, share: float | None = None) -> Switch:
        ledger, version = self.ledger, release.version
        if (yank := ledger.yanked(version)) is not None:
            raise UsageError(f"{version}: yanked by {yank.who}: {yank.why}; it never serves again, take another")
        self._rehearse_once(release)
        event = ReleaseEvent(
            ledger.next_number(), version, action, release.commit, by.who, by.why, by.at, release.bundle, by.evidence,
            share,
        )  # fmt: skip
        self._publish(event_tag(ledger.project, event.number), event, by.at)
        self.ledger = replace(ledger, events=(*ledger.events, event))
        return Switch(event, f"{_done(event, ledger)}: {by.why}")

    def _rehearse_once(self, release: Register) -> None:
        self._rehearsals.once(self._bundles.load(release.commit, release.bundle), release.version)

    def registered(self, version: str) -> Register:
        """The release of that version.

        Raises:
            UsageError: there is no such version.
        """
        release = self.ledger.release(version if version.startswith("v") else f"v{version}")
        if release is None:
            have = ", ".join(r.version for r in self.ledger.releases[-3:]) or "none"
            raise UsageError(f"{version}: no such release; `homeostat releases` lists them (the last: {have})")
        return release

    def _serving_already(self, release: Register) -> Switch | None:
        champion = self.ledger.champion
        if champion is None or champion.version != release.version or self.ledger.rollout is not None:
            return None
        return Switch(champion, f"{release.version} serves already, since {champion.at}; nothing to do")

    # ---- tags

    def _agree(self) -> None:
        """Read what other hosts and other runs did before anything is switched.

        Raises:
            EnvironmentFault: the remote cannot be reached or is none, or its ledger is another one.
        """
        try:
            sync.follow(self._project)
        except remote.Unreachable as error:
            kept = "the release in service stays and nothing was changed; run again when it can be"
            raise EnvironmentFault(f"{error}; {kept}") from error
        self.refresh()

    def _publish(self, tag: str, item: Register | ReleaseEvent | Yank, at: datetime) -> None:
        try:
            sync.publish(self._project, tag, item.commit, item.message(), at)
        except remote.Outrun as error:
            raise self._outrun(error) from error

    def _outrun(self, error: EnvironmentFault) -> EnvironmentFault:
        """The error, with what the host that was first has done."""
        sync.follow(self._project)
        self.refresh()
        champion = self.ledger.champion
        serves = f"{champion.version} serves since {champion.at} ({champion.who}: {champion.why})" if champion else ""
        return EnvironmentFault(f"{error}: {serves}; nothing was changed from here; look at it, then run again")


def _done(event: ReleaseEvent, before: Ledger) -> str:
    """What an event changed, by the ledger before it."""
    served = before.champion.version if before.champion else ""
    if event.beside:
        return f"{event.version} is tried beside {served} ({event.what})"
    if event.version == served:
        tried = before.rollout.version if before.rollout else "nothing"
        return f"{served} serves everything, {tried} is no longer tried"
    done = "promoted" if event.action == "promote" else "rolled back to"
    return f"{done} {event.version}{f', {served} before it' if served else ''}"
