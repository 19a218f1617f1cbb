"""Serve: the HTTP service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from homeostat.cli.app import Verb, project

MOST_WORKERS = 256


class Length(click.ParamType[timedelta]):
    """A length of time: 45m, 2h or 1d."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from homeostat.project.value_types import parse_duration

        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Workers(click.ParamType[tuple[int, int]]):
    """A number of processes, or the least and the most: 2, or 1..8."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        least, dots, most = str(value).partition("..")
        try:
            ends = int(least), int(most if dots else least)
        except ValueError:
            self.fail(f"{value!r} is no number of processes; write 2, or 1..8", param, ctx)
        if not 1 <= ends[0] <= ends[1] <= MOST_WORKERS:
            self.fail(f"{value}: write 1 to {MOST_WORKERS}, and the smaller number first, such as 1..8", param, ctx)
        return ends


@click.command(cls=Verb, short_help="Answer requests over HTTP until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8471, show_default=True, help="0: any that is free.")
@click.option(
    "--workers", type=Workers(), default="1", show_default=True,
    help="Processes on the port; 1..8: from one to eight, more as requests wait and fewer when they do not.",
)  # fmt: skip
@click.option("--fresh", type=Length(), help="How old a precomputed answer may be; a tick if not given.")
def serve(host: str, port: int, workers: tuple[int, int], fresh: timedelta | None) -> None:
    """Answer requests over HTTP by the release in service; a promote or rollback switches every worker.

    Example: homeostat serve --workers 1..4
    """
    from homeostat.serving import server

    server.serve(project(), host, port, workers, fresh, click.echo)
