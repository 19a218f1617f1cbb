"""The status, on one screen or as a page."""

from __future__ import annotations

import click

from homeostat.cli.app import Moment, Verb, project, working
from homeostat.cli.completion import drifts
from homeostat.cli.terminal import say


@click.command(cls=Verb, short_help="The release in service, its quality, open problems, what runs next.")
@click.option("--page", is_flag=True, help="Write the report page too, and print its path.")
@click.option(
    "--drift", metavar="TIME", is_flag=False, flag_value="last", shell_complete=drifts,
    help="Draw Evidently's report of the last record of drift, or of that at TIME.",
)  # fmt: skip
def status(page: bool = False, drift: str | None = None) -> None:
    """The release in service, its quality, open problems, the last decisions, what runs next.

    Example: homeostat status --page
    """
    from homeostat.reports import status as statuses

    of = project()
    click.echo(statuses.text(statuses.read(of)))  # styled line by line, from printable text
    if page:
        from homeostat.reports.html import write_report

        say(f"page       {write_report(of, of.report_page)}")
    if drift is not None:
        from homeostat.monitoring.drift_page import draw_drift
        from homeostat.releases.registry import Registry

        at = None if drift == "last" else Moment().convert(drift, None, click.get_current_context())
        say(f"drift      {draw_drift(working(of), Registry.open(of), at)}")
