"""The status, on one screen or as a page."""

from __future__ import annotations

import click

from homeostat.cli.app import Verb, project


@click.command(cls=Verb, short_help="The release in service, its quality, open problems, what runs next.")
@click.option("--page", is_flag=True, help="Write the report page too, and print its path.")
def status(page: bool = False) -> None:
    """The release in service, its quality, open problems, the last decisions, what runs next.

    Example: homeostat status --page
    """
    from homeostat.reports import status as statuses

    of = project()
    click.echo(statuses.text(statuses.read(of)))
    if page:
        from homeostat.reports.html import write_report

        click.echo(f"page       {write_report(of, of.report_page)}")
