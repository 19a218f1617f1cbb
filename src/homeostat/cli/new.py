"""``homeostat new``: a whole project from one time-stamped table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeostat.cli.app import Verb, folder
from homeostat.cli.migrate import migrate_project
from homeostat.cli.terminal import say
from homeostat.core.errors import UsageError

QUIT = "quit"

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from homeostat.scaffold.draft.create import Draft
    from homeostat.scaffold.profile.context import ContextRequest
    from homeostat.scaffold.profile.request import Request


@click.command(cls=Verb, short_help="A new project from a table of yours.")
@click.argument("directory", metavar="[DIR]", required=False)
@click.option(
    "--from", "source", metavar="ADDRESS",
    help="A CSV, JSON, Parquet, Excel or Arrow file, a folder or glob, or a database.",
)
@click.option("--query", metavar="SQL", help="What to read from the database; :start and :end in it are a batch's.")
@click.option("--time", metavar="COL", help="The column that says when a row happened.")
@click.option("--label", metavar="COL", help="The column to predict.")
@click.option("--known-at", metavar="COL", help="The column that says when the label became known.")
@click.option("--key", multiple=True, metavar="COL", help="A column that identifies a row; may be given again.")
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
@click.option("--group", metavar="COL", help="For a ranking: the column that its rows share.")
@click.option("--period", metavar="LENGTH", help="How long a batch is: 7d; by default by the density of the rows.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--migrate", is_flag=True, help="Migrate a project of an earlier version to this one.")
def new(directory: str | None, source: str | None, yes: bool, migrate: bool, **_: object) -> None:
    """Make a project in DIR from a time-stamped table: scope, contracts, features, flows and tests.

    Each guess from the table is a commented line in it; issues with the table are reported before a model is made.
    In a project that is there already, options without --from make its draft again and show the changes; lines that
    were edited by hand stay.
    With --migrate: rewrite the files that homeostat owns in a project of an earlier version, after showing the changes.

    Example: homeostat new bikes --from rentals.csv --time when --label rentals
    """
    from homeostat.scaffold.draft import create

    if migrate:
        migrate_project(Path(directory) if directory else folder(), yes)
        return
    if directory is not None and source is None and (Path(directory) / "params.yaml").is_file():
        _redraft(Path(directory).absolute(), yes)
        return
    if directory is None or source is None:
        raise UsageError("name a new folder and a table: homeostat new DIR --from ADDRESS; see homeostat new --help")
    target = Path(directory).absolute()
    create.check_free(target)
    request, contexts = _asked(click.get_current_context().params)
    interactive = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    make = _agreed_draft if interactive else _draft
    project = make(create.project_name(target), request, contexts)
    create.write(project, target)
    say(f"\n{project.project} is in {target}, committed. Next:\n  cd {directory}\n  make run")


def _length(option: str, text: str) -> timedelta:
    from homeostat.project.value_types import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def _redraft(target: Path, yes: bool) -> None:
    """Make the draft of the project in ``target`` again, with the options of this command over those of the first."""
    from homeostat.cli.migrate import agree
    from homeostat.scaffold.draft import create
    from homeostat.scaffold.migrate import redraft
    from homeostat.scaffold.migrate.migrate_project import Migration, write_migration

    commit, typed = redraft.first_options(target)
    given = click.get_current_context()
    by_person = {name: value for name, value in given.params.items() if _typed(given, name)}
    if not by_person:
        raise UsageError(f"{target}: a project already; name what to change, such as --period 7d, or a new folder")
    first = new.make_context("new", [str(target), *typed], resilient_parsing=True).params
    draft = _draft(create.project_name(target), *_asked({**first, **by_person}))
    changes = redraft.plan_redraft(target, commit, draft)
    if not changes:
        say(f"{target}: nothing to change")
        return
    for change in changes:
        say(change.diff if not change.path.endswith(".html") else f"{change.path}: drawn again\n", nl=False)
    agree(len(changes), yes)
    write_migration(target, Migration(tuple(changes), (), ()))
    say(f"{draft.project} is drafted again, not committed. Next:\n  git commit -a\n  make run")


def _typed(context: click.Context, name: str) -> bool:
    """Whether a person gave this option, other than where and how to write."""
    typed = context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    return typed and name not in ("directory", "yes", "migrate")


def _asked(options: Mapping[str, Any]) -> tuple[Request, list[ContextRequest]]:
    """What the options of this verb ask for."""
    from homeostat.scaffold.profile.request import Address, Request

    group, task, period = options["group"], options["task"], options["period"]
    request = Request(
        Address.of(options["source"], options["query"]), options["time"], options["label"], options["known_at"],
        tuple(options["key"]), tuple(options["drop"]), options["positive"], task or ("ranking" if group else None),
        group, _length("--predict-before", options["predict_before"]), _length("--period", period) if period else None,
    )  # fmt: skip
    return request, [_context(text) for text in options["context"]]


def _draft(name: str, request: Request, contexts: Sequence[ContextRequest]) -> Draft:
    from homeostat.scaffold.draft import create
    from homeostat.scaffold.draft.summary import issue_lines, summary_lines

    draft = create.draft(name, request, contexts, click.echo)
    summary = summary_lines(draft.profile, draft.roles, draft.plan, draft.features)
    for line in (*summary, "", *issue_lines(draft.issues)):
        say(line)
    return draft


def _agreed_draft(name: str, request: Request, contexts: Sequence[ContextRequest]) -> Draft:
    """A draft that the person at the terminal accepts, after any number of changes; errors are shown as well."""
    while True:
        draft = None
        try:
            draft = _draft(name, request, contexts)
        except UsageError as error:
            say(str(error))
        invitation = "Enter writes it; or change a guess" if draft else "Type a change"
        prompt = f"{invitation}, such as label=COL, drop=COL or key=COL; {QUIT} stops"
        answer = click.prompt(prompt, "", show_default=False).strip()
        if answer.lower() == QUIT:
            raise UsageError("stopped, and nothing was written; run it again when you are ready")
        if answer:
            request = _changed(request, answer)
        elif draft is not None:
            return draft


def _changed(request: Request, text: str) -> Request:
    """The request with an option typed as ``name=value``; unchanged, with a line that says why, where it is not one.

    ``drop`` and ``key`` add a column; with no value they remove all of theirs.
    """
    from dataclasses import fields, replace

    from homeostat.project.value_types import parse_duration

    name, equals, value = text.partition("=")
    name, value = name.strip().lstrip("-").replace("-", "_"), value.strip()
    if not equals or name not in {f.name for f in fields(request)} - {"source"}:
        options = ", ".join(f.name.replace("_", "-") for f in fields(request) if f.name != "source")
        say(f"{text}: is no change; write NAME=VALUE with one of {options}")
        return request
    if name in ("drop", "key"):
        columns: dict[str, Any] = {name: (*getattr(request, name), value) if value else ()}
        return replace(request, **columns)
    if name in ("predict_before", "period"):
        try:
            length = parse_duration(value or "0s")
        except ValueError as error:
            say(f"{name.replace('_', '-')}: {error}")
            return request
        lengths: dict[str, Any] = {name: length if length or name == "predict_before" else None}
        return replace(request, **lengths)
    change: dict[str, Any] = {name: value or None}
    if name == "group" and value and request.task is None:
        change["task"] = "ranking"
    return replace(request, **change)


def _context(text: str) -> ContextRequest:
    """``NAME=FILE:COL,COL``.

    Raises:
        UsageError: it is something else.
    """
    from homeostat.scaffold.profile.request import Address

    name, equals, rest = text.partition("=")
    file, colon, columns = rest.rpartition(":")
    if not (name and equals and file and colon and columns):
        raise UsageError(f"--context {text}: write NAME=FILE:COL, or NAME=FILE:COL,COL")
    return name, Address.of(file), tuple(c.strip() for c in columns.split(","))
