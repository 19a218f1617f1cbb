"""What every verb has in common: where it works, who acts, and one line for whatever goes wrong."""

from __future__ import annotations

import errno
import gc
import math
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeostat.cli.terminal import say
from homeostat.core.errors import HomeostatError, UsageError

if TYPE_CHECKING:
    from homeostat.faults import Fault
    from homeostat.project.layout import Project

STOPPED = 130
FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def _folder(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta["homeostat.folder"] = value


def _verbose(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and isinstance(root := context.find_root().command, Verbs):
        root.verbose = True


def _everywhere() -> list[click.Parameter]:
    """The options that every verb takes."""
    where = "The project's folder, if it is not this one."
    return [
        click.Option(["-C", "folder"], metavar="DIR", expose_value=False, callback=_folder, help=where),
        click.Option(
            ["-v", "--verbose"], is_flag=True, expose_value=False, callback=_verbose, help="Show details of an error."
        ),
    ]


def _whole(help: str | None) -> str | None:
    """A help text whose example stays on one line, to be copied."""
    return help and re.sub(r"\n\n( *)Example: ", "\n\n\\1\b\n\\1Example: ", help)


class Verb(click.Command):
    """A command with the options that every verb takes."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _everywhere()
        self.help = _whole(self.help)


class Verbs(click.Group):
    """A group of verbs; whatever goes wrong in one ends in one line and an exit code."""

    command_class = Verb
    group_class = type
    verbose = False

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _everywhere()
        self.help = _whole(self.help)

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the day, not of the alphabet

    def main(self, args: Any = None, prog_name: Any = None, *, standalone_mode: bool = True, **settings: Any) -> Any:  # type: ignore[override]
        self.verbose = False
        gc.set_threshold(50_000)  # imports make much and throw away little: looking for it takes a tenth of a rollback
        try:
            with _noting_ctrl_c() as pressed:
                code: Any = super().main(args, prog_name or "homeostat", standalone_mode=False, **settings)
        except Exception as raised:
            error = KeyboardInterrupt() if pressed else raised
            if self.verbose and not isinstance(raised, click.ClickException | click.Abort):
                traceback.print_exc()
            line, code = describe_error(error)
            say(f"homeostat: {line}", err=True)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


@contextmanager
def _noting_ctrl_c() -> Iterator[list[int]]:
    """Not empty once Ctrl-C was pressed: a tool that it interrupts may raise something of its own."""
    pressed: list[int] = []

    def note(number: int, _: Any) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def describe_error(error: BaseException) -> tuple[str, int]:
    """An error in one line, with the fix, and the exit code."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            return "stopped; nothing is lost, run again to carry on", STOPPED
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "homeostat"
            return f"{_one_line(error.format_message()).rstrip('.')}; see {path} --help", error.exit_code
        case click.ClickException():
            return _one_line(error.format_message()), error.exit_code
        case UsageError():
            return _one_line(str(error)), 2
        case HomeostatError():
            return _one_line(str(error)), 1
    cause = next((c for c in _causes(error) if isinstance(c, OSError) and c.errno in FULL + CLOSED), None)
    if "No space left on device" in str(error) or (cause is not None and cause.errno in FULL):
        where = f"{cause.filename}: " if cause is not None and cause.filename else ""
        return f"{where}the disk is full; free some space and run again, nothing is lost", 1
    if cause is not None:
        return f"{cause.filename or 'a file'}: no permission; give yourself access to it and run again", 1
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {str(error.strerror).lower()}; fix that and run again", 1
    if isinstance(error, MemoryError):
        return "out of memory; end other programs and run again, nothing is lost", 1
    return f"a bug in homeostat: {_bug(error)}; run again with -v for details, and report it", 1


def _causes(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    return chain


def _bug(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "homeostat" in Path(f.filename).parts and f.filename != __file__]
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{place}: {_one_line(str(error)) or 'no message'}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def project() -> Project:
    """The project that the verb is about: of ``-C DIR``, or of the current folder.

    Raises:
        ScopeError: it is no project, or one that an earlier version made.
    """
    from homeostat.project.layout import Project
    from homeostat.scaffold.migrate.check_project import check_project

    named = Project.find(folder())
    check_project(named.root)
    return named


def folder() -> Path:
    """The folder of ``-C DIR``, or the current one."""
    return Path(click.get_current_context().meta.get("homeostat.folder", "."))


@contextmanager
def my_turn() -> Iterator[tuple[Project, datetime]]:
    """The project, locked for this verb, and its time; a line is printed while another run has the lock."""
    from homeostat.project.run_context import run_context

    with run_context(project().root, say=lambda line: say(line, err=True)) as locked:
        yield locked


def working(of: Project) -> Project:
    """The tree in which the loop keeps its data: the worktree of scheduled work once there is one."""
    from homeostat.project.layout import working_tree

    return working_tree(of)


def actor(of: Project, given: str | None) -> str:
    """Who acts: as given, else git's user, else login@host."""
    from homeostat.adapters import git

    return given or git.user_name(of.home) or _login()


def _login() -> str:
    import pwd
    import socket

    try:
        login = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that nobody has
        login = f"user {os.getuid()}"
    return f"{login}@{socket.gethostname()}"


def ask_why(context: click.Context, option: click.Parameter | None, value: str | None) -> str:
    """The reason; a terminal prompts for it where it was not given."""
    if value is None and sys.stdin.isatty():
        value = click.prompt("why", err=True)
    if value is None:
        hint = None if option else "'--why'"
        raise click.MissingParameter(ctx=context, param=option, param_type="option", param_hint=hint)
    return value


why = click.option("--why", metavar="TEXT", callback=ask_why, help="The reason, kept for good.")
who = click.option("--who", metavar="NAME", help="Who acts; git's user.name if not given, else login@host.")


class Moment(click.ParamType[datetime]):
    """A day or a time in UTC: 2013-05-01 or 2013-05-01T12:00."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write 2013-05-01 or 2013-05-01T12:00, in UTC", param, ctx)
        if time.tzinfo is not None:
            self.fail(f"{value!r} has an offset; write the time in UTC, without one", param, ctx)
        return time


class Until(click.ParamType["timedelta | datetime"]):
    """A length of project time from now, 2d, or a time in UTC, 2013-05-01T12:00."""

    name = "length or time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | datetime:
        from homeostat.project.value_types import parse_duration

        try:
            return value if isinstance(value, timedelta) else parse_duration(value)
        except ValueError:
            return Moment().convert(value, param, ctx)


class Percent(click.ParamType[float]):
    """A share between 0 and 100%: 5% or 0.05."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            share = float(f"{value}".removesuffix("%")) / (100 if f"{value}".endswith("%") else 1)
        except ValueError:
            self.fail(f"{value!r} is no share; write 5% or 0.05", param, ctx)
        if not 0 < share < 1:
            self.fail(f"{value!r} is not between 0 and 100%; for all promote without it", param, ctx)
        return share


class Values(click.ParamType[dict[str, float]]):
    """Names with a number each: late=3,costs.alert=2."""

    name = "name=value,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        if isinstance(value, dict):
            return value
        values: dict[str, float] = {}
        for part in value.split(","):
            name, sign, number = (word.strip() for word in part.partition("="))
            try:
                values[name] = float(number)
            except ValueError:
                sign = ""
            if not (name and sign and math.isfinite(values[name])):
                self.fail(f"{part!r} is no name with a number; write late=3,costs.alert=2", param, ctx)
        return values


class FaultAt(click.ParamType["Fault | str"]):
    """A fault that a replay injects, and when: bad-release@2013-05-01, in UTC; or ``all``."""

    name = "name@time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fault | str:
        from homeostat import faults

        return value if value == faults.ALL or isinstance(value, faults.Fault) else faults.parse(value)
