"""Data: review what is quarantined, and fix it; each fix is an amendment that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeostat.cli.app import Verbs, actor, my_turn, project, who, why, working
from homeostat.cli.completion import quarantined_batches, sources
from homeostat.cli.terminal import say
from homeostat.core.errors import UsageError
from homeostat.core.text import count

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.source_scope import Source

WIDTH = 120  # of a table of rows


@click.group(cls=Verbs, invoke_without_command=True, short_help="Review quarantined data, and fix it.")
@click.pass_context
def data(context: click.Context) -> None:
    """Quarantined rows and batches, and fixing them; lists them without a subcommand.

    Example: homeostat data review
    """
    if context.invoked_subcommand is None:
        context.invoke(review)


@data.command()
@click.argument("source", required=False, shell_complete=sources)
@click.argument("batch", required=False, shell_complete=quarantined_batches)
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="Lines to list.")
def review(source: str | None = None, batch: str | None = None, last: int = 20) -> None:
    """List what is missing, quarantined or in doubt, marks, and events left to a person; of a batch, its rows.

    Example: homeostat data review readings 2024-03-01
    """
    of = project()
    tree = working(of)
    if source is not None:
        _declared(of, source)
    if source is not None and batch is not None:
        return _show_rows(tree, source, batch)
    from homeostat.data.batch import sentences
    from homeostat.decisions.history import not_accepted

    if source is None:
        from homeostat.data.contamination import read_marks

        for mark in read_marks(tree):
            say(mark.sentence)
    if source in (None, of.scope.events.source):
        from homeostat.data.label_amendments import read_label_amendments
        from homeostat.monitoring import for_people

        for line in for_people.lines(of, last):
            say(line)
        for labels in read_label_amendments(tree):
            if labels.differ:
                say(labels.sentence)
    lines = list(sentences(b for b in not_accepted(tree) if source in (None, b.source)))
    for line in lines[-last:]:
        say(line)
    if not lines:
        say("nothing is quarantined or missing")
    elif len(lines) > last:
        say(f"and {len(lines) - last} before; --last {len(lines)} lists them all")
    return None


@data.command("release-rows")
@click.argument("source", shell_complete=sources)
@click.argument("batch", shell_complete=quarantined_batches)
@click.option("--key", "keys", multiple=True, metavar="A,B,..", help="One row's key; again for more. All if not given.")
@why
@who
def release_rows(source: str, batch: str, keys: tuple[str, ...], why: str, who: str | None) -> None:
    """Accept a batch in doubt, or quarantined rows.

    Example: homeostat data release-rows readings 2024-03-01 --why "the gust was real"
    """
    from homeostat.data import amendments

    of = project()
    rows = [_key(key, _declared(of, source)) for key in keys] or None
    tree = working(of)
    with my_turn() as (of, now):
        made = amendments.release_rows(tree, source, batch, rows, actor(of, who), why, now)
    _report(of, made)


@data.command()
@click.argument("source", shell_complete=sources)
@click.argument("batch", shell_complete=quarantined_batches)
@click.argument("file", type=click.Path(path_type=Path))
@why
@who
def correct(source: str, batch: str, file: Path, why: str, who: str | None) -> None:
    """Replace a batch by a corrected file (Parquet or CSV); the original is kept.

    Example: homeostat data correct readings 2024-03-01 fixed.csv --why "sensor was off by ten"
    """
    from homeostat.data import amendments

    of = project()
    _declared(of, source)
    with my_turn() as (of, now):
        made = amendments.correct_batch(working(of), source, batch, file, actor(of, who), why, now)
    _report(of, made)


@data.command()
@click.argument("mark", type=click.IntRange(min=1))
@why
@who
def clear(mark: int, why: str, who: str | None) -> None:
    """Remove a mark, so that the events which a rolled-back release predicted train again.

    Example: homeostat data clear 3 --why "nobody acted on those alerts"
    """
    from homeostat.data.contamination import clear_mark

    with my_turn() as (of, now):
        made = clear_mark(working(of), mark, actor(of, who), why, now)
    if made is None:
        say(f"mark {mark} was taken away before; nothing to do")
    else:
        say(f"kept as {made}; the next candidate trains on its events again")


def _declared(of: Project, source: str) -> Source:
    if source not in of.scope.sources:
        raise UsageError(f"{source}: no such source; the scope names {', '.join(of.scope.sources)}")
    return of.scope.sources[source]


def _key(text: str, source: Source) -> list[Any]:
    """A row's key from ``a,b``, in the types of the key's columns."""
    parts = text.split(",")
    if len(parts) != len(source.key):
        raise UsageError(f"--key {text}: the key is {','.join(source.key)}; give one value each")
    return list(_typed(text, parts, source))


def _typed(text: str, parts: list[str], source: Source) -> Iterator[Any]:
    readers: dict[str, Any] = {
        "string": str, "integer": int, "float": float, "time": datetime.fromisoformat,
        "boolean": {"true": True, "false": False}.__getitem__,
    }  # fmt: skip
    for column, part in zip(source.key, parts, strict=True):
        kind = source.columns[column]
        try:
            yield readers[kind](part)
        except (ValueError, KeyError):
            raise UsageError(f"--key {text}: {column} is a {kind}, and {part!r} is not; correct it") from None


def _show_rows(tree: Project, source: str, batch: str) -> None:
    """The quarantined rows of a batch with their reasons, or else its outcome and its first and last accepted rows."""
    from homeostat.decisions import history

    batches = {b.label: b for b in history.batches(tree) if b.source == source}
    if batch not in batches:
        there = f"there are {min(batches)} to {max(batches)}" if batches else "none has come"
        raise UsageError(f"{source} {batch}: no such batch; {there}")
    quarantined, accepted = (folder / source / f"{batch}.parquet" for folder in (tree.quarantine, tree.accepted))
    import polars as pl

    if quarantined.is_file():
        rows = pl.read_parquet(quarantined)
        for reason, many in rows["reason"].value_counts(sort=True).iter_rows():
            say(f"{count(many, 'row')}: {reason}")
        rows = rows.drop("reason")
    else:
        say(batches[batch].sentence)
        if not accepted.is_file():
            return
        rows = pl.read_parquet(accepted)
    with pl.Config(tbl_rows=20, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_width_chars=WIDTH):
        say(str(rows))


def _report(of: Project, made: Path) -> None:
    say(f"kept as {made}; the next tick applies it: homeostat -C {of.home} run data")
