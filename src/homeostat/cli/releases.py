"""Releases: list, show, verify, compare and yank them; promote and roll back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeostat.cli.app import Moment, Percent, Verb, Verbs, actor, my_turn, project, who, why, working
from homeostat.cli.completion import CANDIDATE, WEIGHTS, decisions, promotable, versions
from homeostat.cli.terminal import say
from homeostat.core.authorship import Authorship
from homeostat.core.errors import DataError, HomeostatError, UsageError
from homeostat.core.headlines import headline
from homeostat.core.text import count

if TYPE_CHECKING:
    from homeostat.core.ledger import Beside, Ledger, Register, ReleaseEvent
    from homeostat.project.layout import Project
    from homeostat.releases.registry import Switch


@click.group(cls=Verbs, invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="List each continuation, not only the full retrains.")
@click.pass_context
def releases(context: click.Context, every: bool) -> None:
    """Every release: its state, the loss it promised and the one observed; then the events, and what newer models gain.

    ``show`` has the evidence of the decision that made a release, ``card`` is its model card.

    Example: homeostat releases show v0.3.0
    """
    if context.invoked_subcommand is not None:
        return
    from homeostat.reports.releases import history, table, worth_of_freshness

    of = project()
    ledger = _ledger(of)
    if not ledger.releases:
        say("no release yet; the loop makes the first one: homeostat run lifecycle, or homeostat up")
        return
    for line in (*table(of, ledger, every), "", *history(ledger, every)):
        say(line)
    if worth := worth_of_freshness(of, ledger):
        say(f"\n{worth}")


@releases.command()
@click.argument("version", shell_complete=versions)
def show(version: str) -> None:
    """One release: who made it, why and on what evidence, when it was in service, and what it promised.

    Example: homeostat releases show v0.3.0
    """
    from homeostat.decisions.history import decision_of, promised
    from homeostat.releases.registry import Registry
    from homeostat.reports.releases import evidence, observed

    of = project()
    registry = Registry.open(of)
    ledger = registry.ledger
    release = _registered(ledger, version)
    say(f"{release.version}  made {release.at} by {release.who}: {release.why}")
    say(f"  commit {release.commit}\n  bundle {release.bundle}")
    for path in release.evidence:
        say(f"  evidence {path}")
    for line in _in_service(ledger, release):
        say(f"  {line}")
    try:
        for line in promised(registry.load(release.version).evaluation):
            say(f"  promised {line}")
    except HomeostatError as error:
        say(f"  promised: cannot be read here, {error}")
    say(f"  observed {observed(of, release.version)}")
    if (decided := decision_of(of, release)) is not None:
        for line in ("", *evidence(decided.decision)):
            say(line)


@releases.command()
@click.argument("version", shell_complete=versions)
@click.option("--markdown", is_flag=True, help="Write it as Markdown, for a wiki or a review.")
def card(version: str, markdown: bool) -> None:
    """Write the model card of a release, and print its path: purpose, data, quality, limits, approvals, the way back.

    Example: homeostat releases card v0.3.0 --markdown
    """
    from homeostat.project.whole_files import write_text
    from homeostat.reports import card_page

    of = project()
    written = card_page.card_of(of, version)
    path = card_page.page_of(of, written.version)
    text = card_page.markdown(written) if markdown else card_page.html(written)
    say(f"card  {write_text(text, path.with_suffix('.md') if markdown else path)}")


@releases.command()
@click.argument("version", required=False, shell_complete=versions)
@click.option("--rebuild", is_flag=True, help="Rebuild it at its commit, which takes minutes, and compare.")
def verify(version: str | None, rebuild: bool) -> None:
    """Check that each release, or one, can serve (every file by its hash, golden requests) and be rebuilt.

    Example: homeostat releases verify v0.3.0 --rebuild
    """
    from homeostat.project.clock import clock_now
    from homeostat.releases import verify as verified
    from homeostat.releases.registry import Registry

    of = project()
    registry = Registry.open(of)
    ledger = registry.ledger
    releases = [_registered(ledger, version)] if version else list(ledger.releases)
    bad = 0
    for release in releases:
        checked = verified.verify(of, registry, release)
        text = checked.sentence
        if rebuild and not (checked.rebuildable or checked.planted):
            checked = replace(checked, rebuildable=verified.rebuild(of, registry, release, clock_now(of)))
            text = checked.sentence + ("" if checked.rebuildable else ", and was: the same to the last bit")
        say(f"{release.version}  {text}  ({release.bundle[:12]})")
        bad += bool(checked.rebuildable or (checked.serves and ledger.yanked(release.version) is None))
    if bad:
        raise DataError(f"{bad} of {count(len(releases), 'release')} not reliable; see above, and RUNBOOK.md")


@releases.command()
@click.argument("one", shell_complete=versions)
@click.argument("other", shell_complete=versions)
def compare(one: str, other: str) -> None:
    """Two releases side by side: what each promised, with intervals, and how they differ.

    Example: homeostat releases compare v0.2.0 v0.3.0
    """
    from homeostat.releases.diff import lines
    from homeostat.releases.registry import Registry

    registry = Registry.open(project())
    releases = [_registered(registry.ledger, version) for version in (one, other)]
    bundles = [registry.load(release.version) for release in releases]
    for line in lines(bundles[0], bundles[1], (releases[0].version, releases[1].version)):
        say(line)


@releases.command()
@click.argument("version", shell_complete=versions)
@why
@who
def yank(version: str, why: str, who: str | None) -> None:
    """Bar a release from service for good: no promote and no rollback puts it back.

    Example: homeostat releases yank v0.3.0 --why "trained on last year's prices"
    """
    from homeostat.releases.registry import Registry

    with my_turn() as (of, now):
        say(Registry(of).yank(version, authorship(of, who, why, now)))


@releases.command()
@click.argument("prediction")
def explain(prediction: str) -> None:
    """One prediction of the service, by its id: its release, each feature's contribution, and whether it is reproduced.

    Example: homeostat releases explain 83b6f6ab5230517fa5e7c2e1
    """
    from homeostat.serving.explain import explain as derive
    from homeostat.serving.explain import lines

    explanation = derive(project(), prediction)
    for line in lines(explanation):
        say(line)
    if not explanation.same:
        raise DataError(f"{prediction}: is not reproduced as it was given; see above")


@releases.command()
@click.argument("when", nargs=-1, required=True, shell_complete=decisions)
def decision(when: tuple[str, ...]) -> None:
    """One decision whole: its headline and the table of evidence; WHEN is its time, or its day, as the status shows it.

    Example: homeostat releases decision 2013-01-14
    """
    from homeostat.decisions.history import decided_at
    from homeostat.reports.releases import whole_decision

    text = " ".join(when)
    time = Moment().convert(text, None, click.get_current_context())
    for number, decided in enumerate(decided_at(project(), time, whole_day=len(text) == len("2013-01-14"))):
        for line in (*([""] if number else []), *whole_decision(decided)):
            say(line)


@releases.command("served-at")
@click.argument("time", type=Moment())
def served_at(time: datetime) -> None:
    """Which release was in service at a time (UTC).

    Example: homeostat releases served-at 2013-07-04T18:00
    """
    ledger = _ledger(project())
    event = ledger.served_at(time)
    if event is None:
        raise UsageError(f"nothing was in service at {time}; `homeostat releases` lists the events")
    say(f"{event.version} since {event.at} ({event.what} by {event.who}: {event.why})")
    if (tried := ledger.beside_at(time)) is not None:
        say(f"beside it {tried.version} since {tried.at} ({tried.what} by {tried.who}: {tried.why})")


@releases.command()
@click.argument("version", shell_complete=versions)
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The folder; an export there is replaced.")
def export(version: str, to: Path) -> None:
    """A release as a folder that predicts on a device: ONNX models, a small runner, a page, and no Homeostat.

    Example: homeostat releases export v0.3.0 --to on-device
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed; pip install 'homeostat[device]'") from error
    from homeostat.device.export import export as write
    from homeostat.device.export import lines
    from homeostat.releases.registry import Registry

    of = project()
    registry = Registry.open(of)
    release = _registered(registry.ledger, version)
    for line in lines(write(of, registry.load(release.version), release.version, to.absolute(), of.scope.device)):
        say(line)


@click.command(cls=Verb)
@click.argument("version", shell_complete=promotable)
@click.option("--canary", type=Percent(), help="Have it answer this share of the keys first: 5%.")
@click.option("--shadow", is_flag=True, help="Have it score the requests first, without answering.")
@why
@who
def promote(version: str, canary: float | None, shadow: bool, why: str, who: str | None) -> None:
    """Put a release in service. It is rehearsed first; one that cannot answer never serves.

    VERSION may be `candidate`, the one evaluated last, or `weights`, the champion's models with the committed weights
    and costs of the scope; each is first registered as the next version.

    With --canary or --shadow the champion stays; the loop takes each further step, or rolls the release back.

    Example: homeostat promote v0.3.0 --why "checked by hand on last week"
    """
    if shadow and canary is not None:
        raise UsageError("--canary and --shadow are two ways; give one")
    beside: Beside | None = "shadow" if shadow else "canary" if canary is not None else None
    with my_turn() as (of, now):
        if beside is not None and working(of).scope.rollout is None:
            raise UsageError(
                "params.yaml: no rollout, so nothing says when a step may go on; add it as `new` drafts it"
            )
        say(_promoted(of, version, beside, canary, authorship(of, who, why, now)).sentence)


def _promoted(of: Project, version: str, beside: Beside | None, share: float | None, by: Authorship) -> Switch:
    if version == CANDIDATE:
        from homeostat.decisions.candidate import release_candidate
        from homeostat.decisions.session import Session

        return release_candidate(Session.open(of), by, beside, share)
    if version == WEIGHTS:
        if beside is not None:
            raise UsageError("weights: a person puts them in service at once; leave out --canary and --shadow")
        return _promoted_weights(of, by)
    from homeostat.releases.registry import Registry

    registry = Registry(of)
    return registry.promote(version, by) if beside is None else registry.try_beside(version, beside, share, by)


def _promoted_weights(of: Project, by: Authorship) -> Switch:
    from homeostat import loop
    from homeostat.decisions.reweigh import release_weights
    from homeostat.decisions.session import Session
    from homeostat.releases.registry import Switch

    session = Session.open(of)
    loop.begin(session, by.at)
    decision = release_weights(session, by.at, by)
    if decision is None:
        tried, branch = session.registry.ledger.rollout, of.scope.branch
        if tried is not None:
            raise UsageError(f"weights: {tried.version} is being tried; promote it, or roll back to end that, first")
        raise UsageError(f"weights: branch {branch} has those of the release in service; commit others there first")
    return Switch(session.registry.ledger.events[-1], headline(decision))


@click.command(cls=Verb, short_help="Go back to the last healthy release.")
@click.option(
    "--to", metavar="VERSION", shell_complete=versions, help="The version to go back to; the last healthy one if none."
)
@why
@who
def rollback(to: str | None, why: str, who: str | None) -> None:
    """Go back to the last healthy release, or to a named one: everything of a release goes back together.

    While a canary or shadow is being tried, it ends that one, and the champion stays.

    Example: homeostat rollback --why "alerts doubled overnight"
    """
    from homeostat.releases.registry import Registry

    with my_turn() as (of, now):
        say(Registry(of).rollback(authorship(of, who, why, now), to).sentence)


def authorship(of: Project, who: str | None, why: str, now: datetime) -> Authorship:
    """Who acts and why, with what is on record now."""
    return Authorship(actor(of, who), why, now, tuple(at_hand(of)))


def at_hand(of: Project) -> list[str]:
    """What was on record when a person acted: the last decision, the last step of a rollout, the open incidents."""
    last = [path for folder in (of.decisions, of.rollouts) for path in sorted(folder.glob("*.json"))[-1:]]
    incidents = [path for path in sorted(of.incidents.glob("*.json")) if _open(path)]
    return [of.cited(path) for path in (*last, *incidents)]


def _open(incident: Path) -> bool:
    try:
        return json.loads(incident.read_text())["closed"] is None
    except (ValueError, KeyError, TypeError):
        return False  # a damaged record keeps nobody from rolling back


def _in_service(ledger: Ledger, release: Register) -> Iterator[str]:
    """A line a time in which the release was in service or tried, with its evidence; then why it was yanked."""
    for event, until in _spans(ledger):
        if event.version == release.version:
            did = "tried " if event.beside else "served"
            why = f": {event.why}" if (event.at, event.who) != (release.at, release.who) else ""
            yield f"{did} {event.at} to {until or 'now'} ({event.what} by {event.who}{why})"
            yield from (f"  evidence {path}" for path in event.evidence)
    if (barred := ledger.yanked(release.version)) is not None:
        yield f"yanked {barred.at} by {barred.who}: {barred.why}"


def _spans(ledger: Ledger) -> Iterator[tuple[ReleaseEvent, datetime | None]]:
    """Each event with the time until which it was in force: a step of a rollout ends with the next event."""
    for place, event in enumerate(ledger.events):
        later = ledger.events[place + 1 :]
        yield event, next((e.at for e in later if event.beside or not e.beside), None)


def _ledger(of: Project) -> Ledger:
    from homeostat.adapters.git import read_ledger

    return read_ledger(of.home, of.scope.project)


def _registered(ledger: Ledger, version: str) -> Register:
    release = ledger.release(version if version.startswith("v") else f"v{version}")
    if release is None:
        raise UsageError(f"{version}: no such release; `homeostat releases` lists them")
    return release
