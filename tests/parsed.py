"""A command line read by the one that would run it, and not run."""

from __future__ import annotations

import shlex

import click

from homeostat.cli import main


def parsed(command: str) -> click.Context:
    """The context of the verb that the command names.

    Raises:
        click.UsageError: there is no such verb, noun or option, or a value is none of its kind.
    """
    name, *rest = shlex.split(command)
    verb: click.Command = main
    context: click.Context | None = None
    while True:
        context = verb.make_context(name, rest, parent=context)
        if not isinstance(verb, click.Group):
            return context
        rest = [*context._protected_args, *context.args]
        if not rest:
            return context
        _, found, rest = verb.resolve_command(context, rest)
        assert found is not None
        name, verb = found.name or "", found
