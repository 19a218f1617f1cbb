"""Run: the schedules, one flow now, or the loop over history."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeostat.cli.app import FaultAt, Moment, Verb, project
from homeostat.cli.completion import faults as faults_offered
from homeostat.cli.completion import flows
from homeostat.cli.terminal import say
from homeostat.core.errors import UsageError
from homeostat.core.text import count, printable

if TYPE_CHECKING:
    from homeostat.faults import Fault
    from homeostat.faults.trials import Size
    from homeostat.loop import Tick


@click.command(cls=Verb, short_help="Run one flow now.")
@click.argument("flow", shell_complete=flows)
@click.option("--now", type=Moment(), help="The time to run as of, in UTC; the project's own if not given.")
def run(flow: str, now: datetime | None) -> None:
    """Run one flow now, in this process; the last line says what came of it.

    Example: homeostat run data
    """
    from homeostat.scheduling.up import run_flow

    answer = run_flow(project(), flow, now)
    from homeostat.scheduling.publish import sentence

    say(sentence(answer))


@click.command(cls=Verb, short_help="Run the schedules until Ctrl-C.")
def up() -> None:
    """Run the schedules on the project's clock until Ctrl-C, and print the address of the live pages.

    Example: homeostat up
    """
    from homeostat.adapters import allocators

    allocators.hold_few_objects()
    from homeostat.scheduling import up as serving

    serving.up(project(), say)


@click.command(cls=Verb, short_help="Replay history through the loop.")
@click.option("--from", "first", type=Moment(), required=True, help="First day.")
@click.option("--to", "last", type=Moment(), required=True, help="Last day, whole.")
@click.option("--name", help="Name of the replay; from the range and the folder if not given.")
@click.option("--force", is_flag=True, help="Replace a replay of that name.")
@click.option("--fault", "faults", type=FaultAt(), multiple=True, shell_complete=faults_offered,
              help="Inject a fault, to see what the loop does: NAME@TIME; may be repeated. "
              "all: try every fault of data and labels.")  # fmt: skip
@click.option("--tries", type=click.IntRange(1, 1000), default=10, show_default=True,
              help="With --fault all: how often each is tried.")  # fmt: skip
@click.option("--size", type=click.Choice(["small", "middle", "large"]), default="middle", show_default=True,
              help="With --fault all: how large each is.")  # fmt: skip
def replay(
    first: datetime, last: datetime, name: str | None, force: bool, faults: tuple[Fault | str, ...], tries: int,
    size: Size,
) -> None:  # fmt: skip
    """Replay history through the loop on a simulated clock, with this folder's files; ends with a table and a report.

    An interrupted replay carries on when it is run again. With --fault it is a drill, and reports what became of the
    fault. With --fault all, only the data are replayed, and the table says which faults would be found.

    Example: homeostat replay --from 2013-01-01 --to 2013-12-31
    """
    from homeostat.adapters import allocators

    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"--name {name}: begin with a letter or digit, then letters, digits, ., - and _")
    timed = tuple(fault for fault in faults if not isinstance(fault, str))
    if timed != faults and timed:
        raise UsageError("--fault all: tried by itself, on a history without other faults; leave the others out")
    allocators.hold_few_frames()
    if faults and not timed:
        _try_all(first, last, name, force, tries, size)
    else:
        _replay(first, last, name, force, timed)


def _try_all(first: datetime, last: datetime, name: str | None, force: bool, tries: int, size: Size) -> None:
    """Replay the data alone, and print what would be found of every fault of them."""
    from homeostat import replay as replays
    from homeostat.adapters.dask import executor_of
    from homeostat.faults import label_trials, trials
    from homeostat.project.layout import working_tree
    from homeostat.project.lock import one_run

    of = project()
    start, end = replays.span(of, first, last)
    replayed = replays.prepare(of, start, end, name, force)
    with one_run(replayed, say), executor_of(replayed.scope.scale) as executor:
        say(f"data of {first:%Y-%m-%d} to {last:%Y-%m-%d} in {_from_here(replayed.home)}")
        replays.take_in_data(replayed, end, executor)
        tree = working_tree(replayed)
        labels = label_trials.try_labels(tree, tries, trials.SIZES.index(size), executor)
        tried = trials.try_all(tree, tries, size, executor)
        for line in trials.table(tried, trials.undamaged(tree), size, labels):
            say(line)


def _replay(first: datetime, last: datetime, name: str | None, force: bool, faults: tuple[Fault, ...]) -> None:
    from homeostat import replay as replays
    from homeostat.project.lock import one_run
    from homeostat.reports.html import write_report
    from homeostat.reports.results import results, table

    of = project()
    start, end = replays.span(of, first, last)
    replayed = replays.prepare(of, start, end, name, force, faults)
    with one_run(replayed, say):
        todo = len(replays.ticks(replayed, start, end))
        span = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
        say(f"replay of {span} in {_from_here(replayed.home)}: {count(todo, 'tick')} to go")
        with _watching(todo) as (watch, announce):
            done = replays.replay(replayed, start, end, watch, faults, announce)
    outcome = results(replayed)
    page = write_report(replayed, replayed.report_page, outcome)
    for line in table(outcome):
        say(line)
    say("")
    if done.ticks:
        spent = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in done.seconds.most_common())
        say(f"time       {spent}; largest process {done.peak:.2f} GB")
    for fault in faults:
        say(f"drill      {fault}: {fault.outcome(replayed, outcome.ledger)}")
    here = f"homeostat -C {_from_here(replayed.home)}"
    say(f"page       {_from_here(page)}\nnext       {here}\n           {here} releases")


def _from_here(path: Path) -> Path:
    """As short as it can be typed from this folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


Announce = Callable[[datetime, str], None]


@contextmanager
def _watching(ticks: int) -> Iterator[tuple[Callable[[Tick], None], Announce]]:
    """Print a line an event, above a progress bar in a terminal.

    Yields what is called with each tick, and what is called with a fault that was injected.
    """
    printed: set[str] = set()  # a table without time is validated at every tick, with the same line
    if not sys.stdout.isatty():
        yield (lambda tick: _print(tick, printed, say)), _announcing(say)
        return
    from rich import progress
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    columns = (
        progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(), progress.TextColumn("left"), progress.TimeRemainingColumn(),
    )  # fmt: skip
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=ticks)

        def watch(tick: Tick) -> None:
            _print(tick, printed, lambda line: console.print(printable(line)))
            bar.update(task, advance=1, description=f"{tick.now:%Y-%m-%d %H:%M}")

        yield watch, _announcing(lambda line: console.print(printable(line)))


def _announcing(say: Callable[[str], None]) -> Announce:
    return lambda now, sentence: say(f"{now:%Y-%m-%d %H:%M}  drill  {sentence}")


def _print(tick: Tick, printed: set[str], echo: Callable[[str], None]) -> None:
    from homeostat.cli.tick_lines import lines

    for line in lines(tick):
        if line not in printed:
            printed.add(line)
            echo(f"{tick.now:%Y-%m-%d %H:%M}  {line}")
