"""Start: a whole project from one table that has time in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeostat.cli.app import Verb
from homeostat.core.errors import UsageError

ENOUGH = "quit"

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    from homeostat.project.value_types import parse_duration

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
    talk = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    made = _agreed(making.project_name(target), asked, contexts) if talk else _drafted(
        making.project_name(target), asked, contexts)  # fmt: skip
    making.write(made, target)
    click.echo(f"\n{made.project} is in {target}, committed. Next:\n  cd {directory}\n  make run")


def _drafted(project: str, asked: Asked, contexts: Sequence[tuple[str, Address, tuple[str, ...]]]) -> Draft:
    from homeostat.newproject import making

    made = making.draft(project, asked, contexts, click.echo)
    for line in _guesses(made):
        click.echo(line)
    return made


def _agreed(project: str, asked: Asked, contexts: Sequence[tuple[str, Address, tuple[str, ...]]]) -> Draft:
    """A draft that the person at the terminal takes; what cannot be is told, and asked again."""
    while True:
        made = None
        try:
            made = _drafted(project, asked, contexts)
        except UsageError as error:
            click.echo(str(error))
        wanted = "Enter writes it; or change a guess" if made else "Say what to change"
        said = click.prompt(f"{wanted}, such as label=COL, drop=COL or key=COL; {ENOUGH} stops", "", show_default=False)
        if said.strip().lower() == ENOUGH:
            raise UsageError("stopped, and nothing was written; run it again when you know")
        if not said.strip() and made is not None:
            return made
        if said.strip():
            asked = _changed(asked, said)


def _changed(asked: Asked, said: str) -> Asked:
    """``asked`` with an option that was typed as ``name=value``; as it was where that says nothing.

    ``drop`` and ``key`` add a column; with no value they take all of theirs back.
    """
    from dataclasses import fields, replace

    from homeostat.project.value_types import parse_duration

    name, equals, value = said.partition("=")
    name, value = name.strip().lstrip("-").replace("-", "_"), value.strip()
    if not equals or name not in {f.name for f in fields(asked)} - {"source"}:
        known = ", ".join(f.name.replace("_", "-") for f in fields(asked) if f.name != "source")
        click.echo(f"{said}: is no change; write NAME=VALUE with one of {known}")
        return asked
    if name in ("drop", "key"):
        columns: dict[str, Any] = {name: (*getattr(asked, name), value) if value else ()}
        return replace(asked, **columns)
    if name == "predict_before":
        try:
            return replace(asked, predict_before=parse_duration(value or "0s"))
        except ValueError as error:
            click.echo(f"predict-before: {error}")
            return asked
    change: dict[str, Any] = {name: value or None}
    if name == "group" and value and asked.task is None:
        change["task"] = "ranking"
    return replace(asked, **change)


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
