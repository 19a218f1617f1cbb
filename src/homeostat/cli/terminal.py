"""All that the commands print goes through here, so that no value of the data can steer the terminal."""

from __future__ import annotations

import click

from homeostat.core.text import printable


def say(text: object = "", err: bool = False, **style: bool | str) -> None:
    """Print a line, on standard error if ``err``; ``style`` as ``click.style`` takes it."""
    click.echo(click.style(printable(str(text)), **style) if style else printable(str(text)), err=err)  # type: ignore[arg-type]
