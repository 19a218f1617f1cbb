"""The status, on one screen or as a page."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeostat.cli.app import Moment, Until, Verb, actor, ask_why, project, who, working
from homeostat.cli.completion import drifts, incidents
from homeostat.cli.terminal import say
from homeostat.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeostat.project.layout import Project


@click.command(cls=Verb, short_help="The release in service, its quality, open problems, what runs next.")
@click.option("--page", is_flag=True, help="Write the report (HTML) too, and print its path.")
@click.option(
    "--drift", metavar="TIME", is_flag=False, flag_value="last", shell_complete=drifts,
    help="Write the page of the last record of drift, or of that at TIME.",
)  # fmt: skip
@click.option("--evidently", is_flag=True, help="With --drift: draw Evidently's own page of it too.")
@click.option(
    "--workspace", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="With --drift: add every record, or that of TIME, to a workspace of `evidently ui`.",
)  # fmt: skip
@click.option(
    "--incident", metavar="NUMBER", is_flag=False, flag_value="worst", shell_complete=incidents,
    help="The incident of that number on one screen; without a number the worst that is open.",
)  # fmt: skip
@click.option("--snooze", metavar="LENGTH|TIME", type=Until(), help="With --incident: put it off until then.")
@click.option("--owner", metavar="NAME", help="With --incident: who has it.")
@click.option("--why", metavar="TEXT", help="With --snooze or --owner: the reason, kept for good.")
@who
def status(
    page: bool = False, drift: str | None = None, evidently: bool = False, workspace: Path | None = None,
    incident: str | None = None,
    snooze: timedelta | datetime | None = None, owner: str | None = None,
    why: str | None = None, who: str | None = None,
) -> None:  # fmt: skip
    """The release in service, its quality, open problems, the last decisions, what runs next.

    Example: homeostat status --page
    """
    from homeostat.reports import status as statuses

    of = project()
    number = None if incident == "worst" else incident
    if snooze is not None or owner is not None:
        if incident is None:
            raise UsageError("--snooze and --owner are about one incident; name it with --incident NUMBER")
        _answer(of, number, snooze, owner, why, who)
    if incident is not None:
        return _show_incident(of, number)
    click.echo(statuses.text(statuses.read(of)))  # styled line by line, from printable text
    if page:
        from homeostat.reports.html import write_report

        say(f"page       {write_report(of, of.report_page)}")
    if workspace is not None:
        _fill_workspace(of, drift or "last", workspace)
    if drift is not None or evidently:
        _draw_drift(of, drift or "last", evidently)
    return None


def _answer(
    of: Project, number: str | None, snooze: timedelta | datetime | None, owner: str | None, why: str | None,
    who: str | None,
) -> None:  # fmt: skip
    from homeostat.monitoring.answers import answer_incident
    from homeostat.project.clock import clock_now
    from homeostat.reports.incident import number_of

    if snooze is not None:
        why = ask_why(click.get_current_context(), None, why)
    now = clock_now(of)
    until = now + snooze if isinstance(snooze, timedelta) else snooze
    answer_incident(of, number_of(of, number), actor(of, who), why or "", now, until, owner or "")


def _show_incident(of: Project, number: str | None) -> None:
    from homeostat.reports import incident
    from homeostat.reports import status as statuses

    screen = incident.read(of, number)
    if screen is None:
        return say("no incident is on record: nothing has failed yet")
    click.echo(statuses.screen_text(incident.lines(screen)))
    return None


def _draw_drift(of: Project, time: str, evidently: bool) -> None:
    """Write the page of the drift of that time, and Evidently's own if it is asked for; print where they are."""
    from homeostat.monitoring.recorded_drift import draw_evidently, read_drift
    from homeostat.releases.registry import Registry
    from homeostat.reports.drift import write_page

    drift = read_drift(working(of), Registry.open(of), _time(time))
    if evidently:
        say(f"evidently  {draw_evidently(drift)}")
    say(f"drift      {write_page(drift, of.scope.project)}")


def _fill_workspace(of: Project, time: str, folder: Path) -> None:
    """Add the record of that time, or every one, to Evidently's workspace; print the command that shows it."""
    from homeostat.monitoring.recorded_drift import add_to_workspace, read_drift, recorded_times
    from homeostat.releases.registry import Registry

    tree, registry = working(of), Registry.open(of)
    times: Sequence[datetime | None] = [_time(time)] if time != "last" else recorded_times(tree)
    for at in times or [None]:
        add_to_workspace(read_drift(tree, registry, at), of.scope.project, folder)
    say(f"workspace  {folder}; DO_NOT_TRACK=1 evidently ui --workspace {folder} shows it on http://127.0.0.1:8000")


def _time(text: str) -> datetime | None:
    """The time that was typed; None for the last."""
    return None if text == "last" else Moment().convert(text, None, click.get_current_context())
