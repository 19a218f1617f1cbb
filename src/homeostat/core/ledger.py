"""The release ledger: every release and every change in service, folded from tags by their number, never by clock.

A tag ``<project>@v0.3.0`` registers a release, ``<project>@v0.3.0!`` yanks it for good, and ``<project>#prod#7`` is the
seventh event in service. The message of each is JSON. Nothing is ever deleted: a rollback is one more event.

A release is in service, as the champion, from a ``promote`` or a ``rollback`` on. A ``canary`` or a ``shadow`` puts a
challenger beside it: the rollout, which the next promote or rollback ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args

from homeostat.core.errors import EnvironmentFault

Whole = Literal["promote", "rollback"]  # the release is the champion from then on
Beside = Literal["canary", "shadow"]  # a challenger for a share of the keys, or one that scores without answering
Act = Whole | Beside
STAGE = "prod"
_TAG = re.compile(r"(?P<project>[^@#]+)(@v(?P<version>\d+\.\d+\.\d+)(?P<yank>!)?|#(?P<stage>[a-z]+)#(?P<number>\d+))")


@dataclass(frozen=True)
class Register:
    """A release came to be: a version, the commit that makes it, and the hash of its bundle."""

    version: str
    commit: str
    who: str
    why: str
    at: datetime
    bundle: str
    evidence: tuple[str, ...] = ()

    def message(self) -> str:
        """The tag's message: JSON, sorted; the commit is the tag's own target."""
        return _message(self, action="register")


@dataclass(frozen=True)
class Yank:
    """A release must never serve again."""

    version: str
    commit: str
    who: str
    why: str
    at: datetime
    bundle: str
    evidence: tuple[str, ...] = ()

    def message(self) -> str:
        """The tag's message: JSON, sorted; the commit is the tag's own target."""
        return _message(self, action="yank")


@dataclass(frozen=True)
class ReleaseEvent:
    """A release began to serve, whole or beside the one that does; ``share`` is the share of keys of a canary."""

    number: int
    version: str
    action: Act
    commit: str
    who: str
    why: str
    at: datetime
    bundle: str
    evidence: tuple[str, ...] = ()
    share: float | None = None

    def message(self) -> str:
        """The tag's message: JSON, sorted; number and commit are the tag's own name and target."""
        return _message(self)

    @property
    def beside(self) -> bool:
        """Whether another release went on serving."""
        return self.action in get_args(Beside)

    @property
    def what(self) -> str:
        """What was done, in words.

        >>> ReleaseEvent(3, "v0.2.0", "canary", "c", "ann", "why", datetime(2024, 1, 1), "b", share=0.05).what
        'canary 5%'
        """
        return self.action if self.share is None else f"{self.action} {100 * self.share:g}%"


@dataclass(frozen=True)
class Span:
    """A time in which one release served whole, and maybe another was tried beside it."""

    champion: ReleaseEvent
    rollout: ReleaseEvent | None
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Ledger:
    """Releases in order of version, events in order of number."""

    project: str
    releases: tuple[Register, ...] = ()
    events: tuple[ReleaseEvent, ...] = ()
    yanks: tuple[Yank, ...] = ()

    @property
    def champion(self) -> ReleaseEvent | None:
        """The event that put the release in service there.

        A release that was yanked is never in service again: then it is the last one before that is healthy.
        """
        whole = self.terms
        if not whole or self.yanked(whole[-1].version) is None:
            return whole[-1] if whole else None
        barred = self.rolled_back()
        return next((e for e in reversed(whole) if e.version not in barred and not self.yanked(e.version)), None)

    @property
    def terms(self) -> tuple[ReleaseEvent, ...]:
        """The events from each of which a release served whole until the next."""
        return tuple(e for e in self.events if not e.beside)

    @property
    def rollout(self) -> ReleaseEvent | None:
        """The event of the challenger that is tried beside the champion, if one is."""
        last = self.events[-1] if self.events else None
        return last if last and last.beside and not self.yanked(last.version) else None

    def release(self, version: str) -> Register | None:
        return next((r for r in self.releases if r.version == version), None)

    def yanked_bundle(self, bundle: str) -> Yank | None:
        """Why no release of these very bytes may serve, or None."""
        return next((y for y in self.yanks if y.bundle == bundle), None)

    def yanked(self, version: str) -> Yank | None:
        """Who yanked the version, and why, if anybody did."""
        return next((y for y in self.yanks if y.version == version), None)

    def rolled_back(self) -> frozenset[str]:
        """Versions that were rolled back from, in a rollout too, and have not been put back since."""
        marked: set[str] = set()
        serving = tried = ""
        for event in self.events:
            if event.action == "rollback":
                marked |= {serving, tried}
            marked.discard(event.version)
            serving, tried = (serving, event.version) if event.beside else (event.version, "")
        return frozenset(marked - {""})

    def barred(self) -> frozenset[str]:
        """Versions that the loop does not go back to: those rolled back from, and those yanked."""
        return self.rolled_back() | {yank.version for yank in self.yanks}

    def state(self, version: str) -> str:
        """The state of a release, in a word or two."""
        if self.yanked(version) is not None:
            return "yanked"
        if self.champion is not None and self.champion.version == version:
            return "in service"
        if self.rollout is not None and self.rollout.version == version:
            return f"in rollout, {self.rollout.what}"
        if version in self.rolled_back():
            return "rolled back"
        return "replaced" if any(e.version == version for e in self.terms) else "never in service"

    def previous_healthy(self, is_alike: Callable[[str], bool] = lambda version: False) -> str | None:
        """The version to go back to: the last before the champion that was neither rolled back from nor yanked.

        One that ``is_alike`` the champion is passed over: to go back to it would change nothing that matters.
        """
        champion = self.champion
        if champion is None:
            return None
        barred = self.barred() | {champion.version}
        healthy = dict.fromkeys(e.version for e in reversed(self.terms) if e.version not in barred)
        return next((version for version in healthy if not is_alike(version)), None)

    def served_at(self, time: datetime) -> ReleaseEvent | None:
        """The event by which a release served at ``time`` (naive UTC); None before the first."""
        return next((e for e in reversed(self.terms) if e.at <= time), None)

    def beside_at(self, time: datetime) -> ReleaseEvent | None:
        """The event by which a challenger was tried beside it at ``time``, if one was."""
        last = next((e for e in reversed(self.events) if e.at <= time), None)
        return last if last and last.beside else None

    def spans(self, after: datetime = datetime.min) -> tuple[Span, ...]:
        """The champion, and the challenger beside it, from each change on to the next; those that end after a time."""
        changes = sorted({e.at for e in self.events} | {y.at for y in self.yanks})
        spans = []
        for since, until in zip(changes, [*changes[1:], datetime.max], strict=False):
            if until <= after:
                continue
            then = replace(
                self,
                events=tuple(e for e in self.events if e.at <= since),
                yanks=tuple(y for y in self.yanks if y.at <= since),
            )
            if then.champion is not None:
                spans.append(Span(then.champion, then.rollout, since, until))
        return tuple(spans)

    def rollout_began(self) -> datetime | None:
        """When the first step of the rollout that is on began."""
        if self.rollout is None:
            return None
        last = self.terms[-1].number if self.terms else 0
        return next(e.at for e in self.events if e.number > last and e.version == self.rollout.version)

    def next_version(self, continues: str = "") -> str:
        """One minor version above the highest; of one that ``continues`` a release a patch above its line's.

        >>> Ledger("tides").next_version()
        'v0.1.0'
        """
        if not self.releases:
            return "v0.1.0"
        if continues:
            line = release_line(continues)
            last = max(_parts(r.version)[2] for r in self.releases if release_line(r.version) == line)
            return f"{line}.{last + 1}"
        major, minor, _ = max(_parts(r.version) for r in self.releases)
        return f"v{major}.{minor + 1}.0"

    @property
    def last_change(self) -> ReleaseEvent | None:
        """The last event, but for those that put a continuation in service: these are no change that is waited for."""
        return next((e for e in reversed(self.events) if e.action == "rollback" or not is_continued(e.version)), None)

    def version_of(self, bundle: str) -> str:
        """The version that a bundle was released as; empty where it was not."""
        return next((r.version for r in self.releases if r.bundle == bundle), "")

    def next_number(self) -> int:
        """One above the highest: creating that tag is the fence between two runs."""
        return self.events[-1].number + 1 if self.events else 1


def release_line(version: str) -> str:
    """What a full retrain and its continuations have in common.

    >>> release_line("v0.5.3"), release_line("v0.5.0")
    ('v0.5', 'v0.5')
    """
    return version.rpartition(".")[0]


def first_of_line(ledger: Ledger, version: str) -> str:
    """The full retrain that a release continues, by however many continuations; itself where it continues none."""
    line = release_line(version)
    return next(r.version for r in ledger.releases if release_line(r.version) == line)


def is_continued(version: str) -> bool:
    """Whether a release continues the models of another of its line.

    >>> is_continued("v0.5.3"), is_continued("v0.5.0")
    (True, False)
    """
    return not version.endswith(".0")


Item = TypeVar("Item", Register, Yank)


def release_tag(project: str, version: str) -> str:
    """The tag that registers a release.

    >>> release_tag("tides", "v0.3.0")
    'tides@v0.3.0'
    """
    return f"{project}@{version}"


def is_release(tag: str) -> bool:
    """Whether a tag of the ledger registers a release.

    >>> [is_release(tag) for tag in ("tides@v0.3.0", "tides@v0.3.0!", "tides#prod#7")]
    [True, False, False]
    """
    match = _TAG.fullmatch(tag)
    return match is not None and bool(match["version"]) and not match["yank"]


def yank_tag(project: str, version: str) -> str:
    """The tag that bars a release from service.

    >>> yank_tag("tides", "v0.3.0")
    'tides@v0.3.0!'
    """
    return f"{project}@{version}!"


def event_tag(project: str, number: int) -> str:
    """The tag of one event in service.

    >>> event_tag("tides", 7)
    'tides#prod#7'
    """
    return f"{project}#{STAGE}#{number}"


def fold(project: str, tags: Iterable[tuple[str, str, str]]) -> Ledger:
    """Read the ledger from ``(tag, commit, message)``; tags outside the grammar or of another project are not ours.

    Raises:
        EnvironmentFault: a tag of the grammar has another message, or is of a version that was never registered.
    """
    releases: list[Register] = []
    events: list[ReleaseEvent] = []
    yanks: list[Yank] = []
    for tag, commit, message in tags:
        match = _TAG.fullmatch(tag)
        if match is None or match["project"] != project or match["stage"] not in (None, STAGE):
            continue
        body = _body(tag, message)
        if match["yank"]:
            yanks.append(_released(Yank, tag.rstrip("!"), commit, body))
        elif match["version"]:
            releases.append(_released(Register, tag, commit, body))
        else:
            events.append(_event(tag, int(match["number"]), commit, body))
    registered = {r.version for r in releases}
    for event in events:
        if event.version not in registered:
            name = event_tag(project, event.number)
            raise EnvironmentFault(f"tag {name}: serves {event.version}, which has no tag; fetch the missing tags")
    return Ledger(
        project,
        tuple(sorted(releases, key=lambda r: _parts(r.version))),
        tuple(sorted(events, key=lambda e: e.number)),
        tuple(sorted(yanks, key=lambda y: _parts(y.version))),
    )


def describe(ledger: Ledger) -> list[dict[str, str]]:
    """One row a release and one an event, oldest first, as a person reads them."""
    rows: list[tuple[datetime, int, str, str, Register | ReleaseEvent | Yank]] = [
        (r.at, 0, release_tag(ledger.project, r.version), "register", r) for r in ledger.releases
    ]
    rows += [(e.at, e.number, event_tag(ledger.project, e.number), e.what, e) for e in ledger.events]
    last = len(rows)
    rows += [(y.at, last, yank_tag(ledger.project, y.version), "yank", y) for y in ledger.yanks]
    now = {event_tag(ledger.project, e.number) for e in (ledger.champion, ledger.rollout) if e}
    return [
        {
            "tag": tag, "what": what, "version": item.version, "at": item.at.isoformat(sep=" "), "who": item.who,
            "why": item.why, "bundle": item.bundle[:12], "serves": "now" if tag in now else "",
        }
        for _, _, tag, what, item in sorted(rows, key=lambda row: row[:3])
    ]  # fmt: skip


def _parts(version: str) -> tuple[int, int, int]:
    major, minor, patch = version.removeprefix("v").split(".")
    return int(major), int(minor), int(patch)


def _message(item: Register | ReleaseEvent | Yank, **more: str) -> str:
    body = asdict(item) | {"at": item.at.isoformat(), "evidence": list(item.evidence)} | more
    fields = {k: v for k, v in body.items() if k not in ("commit", "number") and (k, v) != ("share", None)}
    return json.dumps(fields, indent=1, sort_keys=True)


def _body(tag: str, message: str) -> dict[str, Any]:
    try:
        body = json.loads(message)
        return body | {"at": datetime.fromisoformat(body["at"]), "evidence": tuple(body.get("evidence", ()))}
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(tag) from error


def _released(kind: type[Item], tag: str, commit: str, body: dict[str, Any]) -> Item:
    body = {k: v for k, v in body.items() if k != "action"} | {"commit": commit}
    try:
        item = kind(**body)
    except TypeError as error:
        raise _unreadable(tag) from error
    if item.version != tag.rpartition("@")[2]:
        raise _unreadable(tag)
    return item


def _event(tag: str, number: int, commit: str, body: dict[str, Any]) -> ReleaseEvent:
    try:
        event = ReleaseEvent(**(body | {"number": number, "commit": commit}))
    except TypeError as error:
        raise _unreadable(tag) from error
    if event.action not in (*get_args(Whole), *get_args(Beside)):
        raise _unreadable(tag)
    share = event.share
    if (event.action == "canary") != (isinstance(share, float) and 0 < share < 1):
        raise _unreadable(tag)
    return event


def _unreadable(tag: str) -> EnvironmentFault:
    fix = f"update Homeostat if a newer one made it, else delete it (git tag -d '{tag}') or rename it"
    return EnvironmentFault(f"tag {tag}: its message is no release event; {fix}")
