"""Start: a whole project from one table that has time in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeostat.cli.verbs import Verb
from homeostat.core.errors import UsageError

if TYPE_CHECKING:
    from homeostat.newproject.making import Draft
    from homeostat.newproject.opening import Address
    from homeostat.newproject.understanding import Asked


@click.command(cls=Verb, short_help="A new project from a table of yours.")
@click.argument("directory", metavar="DIR")
@click.option(
    "--from", "source", required=True, metavar="ADDRESS", help="A CSV or Parquet file, a glob, or a database."
)
@click.option("--query", metavar="SQL", help="What to read from the database; :start and :end in it are a batch's.")
@click.option("--time", metavar="COL", help="The column that says when a row happened.")
@click.option("--label", metavar="COL", help="The column to predict.")
@click.option("--known-at", metavar="COL", help="The column that says when the label became known.")
@click.option("--key", multiple=True, metavar="COL", help="A column that names a row; may be given again.")
@click.option(
    "--context", multiple=True, metavar="NAME=FILE:COLS", help="A further table and the columns to join it by."
)
@click.option(
    "--predict-before", metavar="LENGTH", default="0s", help="How long before its time a row is predicted: 2h."
)
@click.option("--drop", multiple=True, metavar="COL", help="A column to leave out; may be given again.")
@click.option("--positive", metavar="VALUE", help="The value of the label that counts as yes.")
@click.option(
    "--task", type=click.Choice(["binary", "regression", "ranking"]), help="The task, if it is guessed wrong."
)
@click.option("--group", metavar="COL", help="For an order: among which rows.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def new(
    directory: str, source: str, query: str | None, time: str | None, label: str | None, known_at: str | None,
    key: tuple[str, ...], context: tuple[str, ...], predict_before: str, drop: tuple[str, ...], positive: str | None,
    task: str | None, group: str | None, yes: bool,
) -> None:  # fmt: skip
    """Make a project in DIR from a table that has time in it: scope, contracts, features, flows and tests.

    Everything in it is guessed from the table and said in a commented line; what looks wrong with the table is told
    before any model is made.

    Example: homeostat new bikes --from rentals.csv --time when --label rentals
    """
    from homeostat.newproject import making
    from homeostat.newproject.opening import Address
    from homeostat.newproject.understanding import Asked
    from homeostat.scope import parse_duration

    target = Path(directory).absolute()
    making.check_free(target)
    try:
        before = parse_duration(predict_before)
    except ValueError as error:
        raise UsageError(f"--predict-before: {error}") from error
    asked = Asked(
        Address.of(source, query), time, label, known_at, key, drop, positive,
        task or ("ranking" if group else None), group, before,
    )  # fmt: skip
    contexts = [_context(said) for said in context]
    while True:
        made = making.draft(making.project_name(target), asked, contexts, click.echo)
        for line in _guesses(made):
            click.echo(line)
        if yes or not (sys.stdin.isatty() and sys.stdout.isatty()):
            break
        said = click.prompt(
            "Enter writes it; or change a guess, such as drop=COL or label=COL", default="", show_default=False
        )
        if not said:
            break
        asked = _changed(asked, said)
    making.write(made, target)
    click.echo(f"\n{made.project} is in {target}, committed. Next:\n  cd {directory}\n  make run")


def _changed(asked: Asked, said: str) -> Asked:
    """``asked`` with an option that was typed as ``name=value``; as it was where that says nothing."""
    from dataclasses import fields, replace

    name, _, value = said.partition("=")
    name, value = name.strip().lstrip("-").replace("-", "_"), value.strip()
    change: dict[str, Any] = {name: value or None}
    if name in ("drop", "key"):
        change = {name: (*getattr(asked, name), value)}
    if name in {f.name for f in fields(asked)} - {"source", "predict_before"}:
        return replace(asked, **change)
    click.echo(f"{said}: no such option; there are time, label, known-at, key, drop, positive, task and group")
    return asked


def _context(said: str) -> tuple[str, Address, tuple[str, ...]]:
    """``NAME=FILE:COL,COL``.

    Raises:
        UsageError: it says something else.
    """
    from homeostat.newproject.opening import Address

    name, equals, rest = said.partition("=")
    file, colon, columns = rest.rpartition(":")
    if not (name and equals and file and colon and columns):
        raise UsageError(f"--context {said}: write NAME=FILE:COL, or NAME=FILE:COL,COL")
    return name, Address.of(file), tuple(c.strip() for c in columns.split(","))


def _guesses(made: Draft) -> list[str]:
    """What was understood, a line each."""
    from homeostat.newproject.telling import guesses, suspicions

    return [*guesses(made.found, made.choices, made.features), "", *suspicions(made.doubts)]
