"""The status, on one screen or as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from homeostat.cli.app import Moment, Verb, project, working
from homeostat.cli.completion import drifts, incidents
from homeostat.cli.terminal import say

if TYPE_CHECKING:
    from homeostat.project.layout import Project


@click.command(cls=Verb, short_help="The release in service, its quality, open problems, what runs next.")
@click.option("--page", is_flag=True, help="Write the report page too, and print its path.")
@click.option(
    "--drift", metavar="TIME", is_flag=False, flag_value="last", shell_complete=drifts,
    help="Write the page of the last record of drift, or of that at TIME.",
)  # fmt: skip
@click.option("--evidently", is_flag=True, help="With --drift: draw Evidently's own page of it too.")
@click.option(
    "--incident", metavar="NUMBER", is_flag=False, flag_value="worst", shell_complete=incidents,
    help="The incident of that number on one screen; without a number the worst that is open.",
)  # fmt: skip
def status(
    page: bool = False, drift: str | None = None, evidently: bool = False, incident: str | None = None
) -> None:
    """The release in service, its quality, open problems, the last decisions, what runs next.

    Example: homeostat status --page
    """
    from homeostat.reports import status as statuses

    of = project()
    if incident is not None:
        return _show_incident(of, None if incident == "worst" else incident)
    click.echo(statuses.text(statuses.read(of)))  # styled line by line, from printable text
    if page:
        from homeostat.reports.html import write_report

        say(f"page       {write_report(of, of.report_page)}")
    if drift is not None or evidently:
        _draw_drift(of, drift or "last", evidently)
    return None


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

    at = None if time == "last" else Moment().convert(time, None, click.get_current_context())
    drift = read_drift(working(of), Registry.open(of), at)
    if evidently:
        say(f"evidently  {draw_evidently(drift)}")
    say(f"drift      {write_page(drift, of.scope.project)}")
