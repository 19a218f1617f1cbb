"""All that the commands print goes through here, so that no value of the data can steer the terminal."""

from __future__ import annotations

import click

from homeostat.core.text import printable


def say(text: object = "", err: bool = False, nl: bool = True, **style: bool | str) -> None:
    """Print a line (its end only if ``nl``), on standard error if ``err``; ``style`` as ``click.style`` takes it."""
    line = printable(str(text))
    click.echo(click.style(line, **style) if style else line, err=err, nl=nl)  # type: ignore[arg-type]
