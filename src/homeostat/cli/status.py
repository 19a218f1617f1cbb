"""The status, on one screen or as a page."""

from __future__ import annotations

import click

from homeostat.cli.app import Verb, project
from homeostat.cli.terminal import say


@click.command(cls=Verb, short_help="The release in service, its quality, open problems, what runs next.")
@click.option("--page", is_flag=True, help="Write the report page too, and print its path.")
def status(page: bool = False) -> None:
    """The release in service, its quality, open problems, the last decisions, what runs next.

    Example: homeostat status --page
    """
    from homeostat.reports import status as statuses

    of = project()
    click.echo(statuses.text(statuses.read(of)))  # styled line by line, from printable text
    if page:
        from homeostat.reports.html import write_report

        say(f"page       {write_report(of, of.report_page)}")
