"""Look: the status, on one screen or as a page."""

from __future__ import annotations

import click

from homeostat.cli.app import Verb, project


@click.command(cls=Verb, short_help="What serves, how it does, what is open, what runs next.")
@click.option("--page", is_flag=True, help="Write the report page too, and say where.")
def status(page: bool = False) -> None:
    """What serves, since when, how it does, what is open, what was decided, what runs next.

    Example: homeostat status --page
    """
    from homeostat.reports import status as statuses

    found = project()
    click.echo(statuses.text(statuses.read(found)))
    if page:
        from homeostat.reports.html import write_report

        click.echo(f"page       {write_report(found, found.report_page)}")
