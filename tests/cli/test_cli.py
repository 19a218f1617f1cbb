"""The command line: every verb on a small project, and one line for whatever goes wrong."""

from __future__ import annotations

import errno
import os
import pty
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import hourly
import polars as pl
import pytest
from click.testing import CliRunner, Result
from parsed import parsed
from readings import PARAMS
from recorded import empty, recorded

from homeostat.cli import main
from homeostat.cli.app import Verbs, describe_error
from homeostat.core.errors import DataError, UsageError
from homeostat.project.layout import Project


def homeostat(*args: str | Path, code: int = 0, env: dict[str, str | None] | None = None) -> str:
    """What the command says; to standard error where it fails."""
    run: Result = CliRunner().invoke(main, [str(a) for a in args], env=env)
    assert run.exit_code == code, run.output
    return run.stdout if code == 0 else run.stderr


def refused(*args: str | Path, code: int = 1, env: dict[str, str | None] | None = None) -> str:
    said = homeostat(*args, code=code, env=env)
    assert len(said.splitlines()) == 1
    assert said.startswith("homeostat: ")
    return said


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return recorded(tmp_path_factory.mktemp("cli") / "meters")


# ---- help


def verbs(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from verbs(command, *path, name)


@pytest.mark.parametrize("path", [(), *verbs(main)], ids=" ".join)
def test_every_verb_has_help_with_one_example_and_takes_a_folder(path: tuple[str, ...]) -> None:
    said = homeostat(*path, "--help")
    example = [line.strip() for line in said.splitlines() if line.strip().startswith("Example: homeostat")]
    assert len(example) == 1
    assert "-C DIR" in said
    verb = parsed(example[0].removeprefix("Example: "))  # knows every option, and takes every value
    assert verb.command_path.startswith(" ".join(["homeostat", *path]))


def test_the_verbs_are_few() -> None:
    planned = {
        "new",
        "run",
        "up",
        "serve",
        "status",
        "replay",
        "releases",
        "promote",
        "rollback",
        "approve",
        "check",
        "data",
    }
    assert set(main.commands) <= planned


def test_version() -> None:
    assert re.fullmatch(r"homeostat \d+\.\d+\.\d+\n", homeostat("--version"))


# ---- looking


def test_the_bare_command_is_the_status(project: Project) -> None:
    assert homeostat("-C", project.home) == homeostat("status", "-C", project.home)
    assert "v0.1.0 since 2024-03-01 18:00" in homeostat("-C", project.home)


def test_the_page_is_written_when_it_is_asked_for(project: Project) -> None:
    said = homeostat("-C", project.home, "status", "--page")
    assert said.splitlines()[-1] == f"page       {project.report_page}"
    assert "<!doctype html>" in project.report_page.read_text()


def test_releases_oldest_first(project: Project) -> None:
    stand, _, done = homeostat("releases", "-C", project.home).partition("\n\n")
    assert [" ".join(line.split()[:4]) for line in stand.splitlines()[1:]] == [
        "v0.1.0 2024-03-01 06:00 in", "v0.2.0 2024-03-01 12:00 rolled",
    ]  # fmt: skip
    lines = done.splitlines()
    assert [line.split()[2] for line in lines] == ["meters#prod#1", "meters#prod#2", "meters#prod#3"]  # made with them
    assert lines[-1].endswith("rollback v0.1.0, said <the loop>  <- in service")


@pytest.mark.parametrize(
    ("time", "said"),
    [("2024-03-01T06:00", "v0.1.0"), ("2024-03-01T13:00", "v0.2.0"), ("2024-03-02", "v0.1.0")],
)
def test_what_served_at_a_time(project: Project, time: str, said: str) -> None:
    assert homeostat("releases", "served-at", time, "-C", project.home).startswith(said)


WHEN = [
    ("2024-03-01",),
    ("2024-03-01T18:00",),
    ("2024-03-01", "18:00"),
    ("2024-03-01 18:00:00",),
    ("2024-03-01T180000",),
]


@pytest.mark.parametrize("when", WHEN, ids=" ".join)
def test_a_decision_is_printed_whole_by_any_time_that_is_shown(project: Project, when: tuple[str, ...]) -> None:
    lines = homeostat("releases", "decision", *when, "-C", project.home).splitlines()
    heads = [line for line in lines if re.match(r"2024-03-01 \d\d:00  ", line)]
    head = "2024-03-01 18:00  Roll back: v0.1.0 replaces v0.2.0 (loss: high -22.5 %). Trigger: `high: calibration`."
    assert heads[-1] == head
    assert len(heads) == (3 if when == ("2024-03-01",) else 1)
    rest = lines[lines.index(head) + 1 :]
    assert re.fullmatch(r"what +value +limit +95 % CI +outcome", rest[1])
    assert any(re.fullmatch(r"high: calibration +1\.60 +0.65 to 1.35 +1\.30 to 1\.90 +fail", line) for line in rest)
    assert rest[-2:] == [
        "evidence  reports/drift/2024-03-01T180000.json",
        "drift     homeostat status --drift 2024-03-01T18:00 draws it, column by column",
    ]


# ---- data


def test_what_is_quarantined_is_listed_with_its_reason(project: Project) -> None:
    lines = homeostat("data", "-C", project.home).splitlines()
    assert lines == homeostat("data", "review", "readings", "-C", project.home).splitlines()
    assert len(lines) == 2
    assert "quarantined (1 of 10 rows): 1 row: Load is in kW." in lines[0]
    rows = homeostat("data", "review", "readings", "2024-03-01T05", "-C", project.home)
    assert rows.splitlines()[0] == "1 row: Load is in kW."
    assert "900.0" in rows
    accepted = homeostat("data", "review", "readings", "2024-03-01T06", "-C", project.home)
    assert accepted.splitlines()[0] == "readings 2024-03-01T06 accepted" and "m1" in accepted


def test_rows_are_released_and_a_batch_is_corrected_by_one_command(tmp_path: Path) -> None:
    of = recorded(tmp_path / "meters")
    given = ("readings", "2024-03-01T05", "--who", "ann", "-C", of.home)
    key = "m1,2024-03-01T05:01:00"
    said = homeostat("data", "release-rows", *given, "--key", key, "--why", "it was real")
    made = of.worktree.amendments / "0001-release-readings-2024-03-01T05.yaml"
    assert said.startswith(f"kept as {made}")
    assert "it was real" in made.read_text()
    fixed = tmp_path / "fixed.csv"
    pl.read_parquet(of.worktree.landed / "readings" / "2024-03-01T05.parquet").with_columns(
        pl.col("load").clip(0, 99)
    ).write_csv(fixed, datetime_format="%Y-%m-%dT%H:%M:%S")
    homeostat("data", "correct", "readings", "2024-03-01T05", fixed, *given[2:], "--why", "a digit too many")
    assert sorted(p.name for p in of.worktree.amendments.glob("*.yaml")) == [
        "0001-release-readings-2024-03-01T05.yaml", "0002-correct-readings-2024-03-01T05.yaml",
    ]  # fmt: skip


def test_who_acts_is_git_s_user_where_none_is_given(tmp_path: Path) -> None:
    of = recorded(tmp_path / "meters")
    subprocess.run(["git", "config", "user.name", "Ann of Git"], cwd=of.home, check=True)
    given = ("data", "release-rows", "readings", "2024-03-01T05", "--why", "it was real", "-C", of.home)
    homeostat(*given)
    assert "Ann of Git" in next(of.worktree.amendments.glob("*.yaml")).read_text()
    subprocess.run(["git", "config", "--unset", "user.name"], cwd=of.home, check=True)
    homeostat(*given, env={"USER": None, "LOGNAME": None})
    login = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
    assert login in max(of.worktree.amendments.glob("*.yaml")).read_text()


def test_a_reason_is_asked_for_at_a_terminal_and_needed_elsewhere(tmp_path: Path) -> None:
    of = recorded(tmp_path / "meters")
    given = ["data", "release-rows", "readings", "2024-03-01T05", "--who", "ann", "-C", str(of.home)]
    assert "--why" in refused(*given, code=2)
    command = [sys.executable, "-c", "from homeostat.cli import main; main()", *given]
    terminal, ours = pty.openpty()
    with subprocess.Popen(command, stdin=ours, stdout=ours, stderr=ours) as process:
        os.close(ours)
        os.write(terminal, b"it was real\n")
        assert process.wait(60) == 0
    os.close(terminal)
    assert "it was real" in max(of.worktree.amendments.glob("*.yaml")).read_text()


# ---- checks


def test_the_scope_is_printed_and_a_problem_ends_it(tmp_path: Path) -> None:
    of = empty(tmp_path / "meters")
    assert "PROBLEMS\n  None found." in homeostat("check", "scope", "-C", of.home)
    (of.root / "params.yaml").write_text(PARAMS.replace("load > 5", "lod > 5"))
    assert "1 problem in the scope: see the end of the page" in refused("check", "scope", "-C", of.home)


def test_contracts_show_what_an_edit_would_have_done(project: Project) -> None:
    path = project.contracts / "readings.json"
    before = path.read_text()
    try:
        path.write_text(before.replace('"max_value": 100', '"max_value": 20'))
        said = homeostat("check", "contracts", "-C", project.home)
    finally:
        path.write_text(before)
    assert said.splitlines()[0].startswith("readings: would have quarantined 3 of 23 batches, 67 rows")
    assert "on record: quarantined 0 of 23 batches, 1 row" in said


# ---- bad input


BAD = [
    (("-C", "/nowhere"), 1, "/nowhere: no params.yaml here; run in a project folder or name one with -C DIR"),
    (("frobnicate",), 2, "No such command 'frobnicate'; see homeostat --help"),
    (("status", "--fast"), 2, "No such option"),
    (("releases", "show"), 2, "Missing argument 'VERSION'; see homeostat releases show --help"),
    (("promote", "v0.1.0"), 2, "Missing option '--why'; see homeostat promote --help"),
    (("replay", "--from", "2024-03-01"), 2, "Missing option '--to'"),
    (("replay", "--from", "2024-03-01", "--to", "soon"), 2, "'soon' is no time; write 2013-05-01"),
    (("replay", "--from", "2024-03-01T00:00+01:00", "--to", "2024-03-02"), 2, "has an offset; write the time in UTC"),
    (("releases", "served-at", "2024-13-01"), 2, "'2024-13-01' is no time"),
    (("releases", "served-at", "2023-01-01"), 2, "nothing was in service at 2023-01-01"),
    (("releases", "decision", "soon"), 2, "'soon' is no time"),
    (("releases", "decision", "2024-03-05"), 2, "no decision is on record for this time; the nearest is of 2024"),
    (("promote", "candidate", "--why", "x", "--who", "ann"), 2, "is not the candidate of 2024-03-01 12:00:00 any more"),
    (("releases", "show", "v9.0.0"), 2, "v9.0.0: no such release; `homeostat releases` lists them"),
    (("releases", "verify", "9.0.0"), 2, "9.0.0: no such release"),
    (("promote", "v9.0.0", "--why", "x", "--who", "ann"), 2, "v9.0.0: no such release"),
    (("promote", "v0.2.0", "--why", " ", "--who", "ann"), 2, "why is empty"),
    (("rollback", "--to", "v9.0.0", "--why", "x", "--who", "ann"), 2, "v9.0.0: no such release"),
    (("replay", "--from", "2024-03-02", "--to", "2024-03-01"), 2, "holds no tick; give --from before --to"),
    (("replay", "--from", "2024-03-01", "--to", "2024-03-02", "--name", "../x"), 2, "--name ../x: begin with"),
    (("data", "review", "weather"), 2, "weather: no such source; the scope names readings"),
    (("data", "review", "readings", "2024-03-09T06"), 2, "no such batch; there are 2024-03-01T00 to 2024-03-01T23"),
    (("data", "release-rows", "readings", "2024-03-01T06", "--why", "x", "--who", "ann"), 2, "no row of it is quarant"),
    (
        ("data", "release-rows", "readings", "2024-03-01T05", "--key", "m1", "--why", "x", "--who", "ann"),
        2,
        "--key m1: the key is meter,at; give one value each",
    ),
    (
        ("data", "release-rows", "readings", "2024-03-01T05", "--key", "m1,noon", "--why", "x", "--who", "ann"),
        2,
        "--key m1,noon: at is a time, and 'noon' is not; correct it",
    ),
    (("data", "correct", "readings", "2024-03-01T05", "/nowhere.csv", "--why", "x", "--who", "ann"), 1, "/nowhere.csv"),
    (("run", "frobnicate"), 1, "flows"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "code", "said"), BAD, ids=[" ".join(args) for args, _, _ in BAD])
def test_bad_input_ends_in_one_line(project: Project, args: tuple[str, ...], code: int, said: str) -> None:
    given = args if "-C" in args else (*args, "-C", str(project.home))
    assert said in refused(*given, code=code)


def test_an_empty_scope_is_one_line_with_its_line_number(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("")
    assert "params.yaml:1: is empty; a scope starts with `project: NAME`" in refused("-C", tmp_path)
    (tmp_path / "params.yaml").write_text("project: x\nprojekt: y\n")
    assert "params.yaml:2: projekt: unknown key; did you mean project?" in refused("-C", tmp_path)


def test_a_folder_that_is_no_repository_says_how_it_becomes_one(tmp_path: Path) -> None:
    of = empty(tmp_path / "meters")
    shutil.rmtree(of.home / ".git")
    assert "not a git repository; run git init there" in refused("-C", of.home)


def test_a_machine_without_git_names_the_package(project: Project, tmp_path: Path) -> None:
    assert "git: not found; install the package git" in refused("-C", project.home, env={"PATH": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(project: Project) -> None:
    project.report_page.unlink(missing_ok=True)
    project.report_page.parent.chmod(0o500)
    try:
        said = refused("status", "--page", "-C", project.home)
    finally:
        project.report_page.parent.chmod(0o700)
    assert "no permission; give yourself access to it and run again" in said


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    of = empty(tmp_path / "meters")
    (of.home / "reports").write_text("")
    assert f"{of.home / 'reports'}: file exists; fix that" in refused("status", "--page", "-C", of.home)


def raising(error: BaseException) -> Callable[..., None]:
    def verb() -> None:
        raise error

    return verb


WRONG = [
    (DataError("readings: a\n  line"), 1, "readings: a line"),
    (UsageError("no"), 2, "no"),
    (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 1, "/data/x: the disk is full; free some space"),
    (RuntimeError("IO Error: No space left on device"), 1, "the disk is full; free some space and run again"),
    (PermissionError(errno.EACCES, "denied", "/data/x"), 1, "/data/x: no permission; give yourself access"),
    (MemoryError(), 1, "out of memory"),
    (KeyboardInterrupt(), 130, "stopped; nothing is lost, run again to carry on"),
    (ValueError("off by\none"), 1, "a bug in homeostat: ValueError"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "code", "said"), WRONG, ids=[type(error).__name__ for error, _, _ in WRONG])
def test_whatever_is_raised_ends_in_one_line(error: BaseException, code: int, said: str) -> None:
    group = Verbs("homeostat")
    group.command("break")(raising(error))
    run = CliRunner().invoke(group, ["break"])
    assert run.exit_code == code
    assert run.stderr.strip().splitlines()[-1].startswith(f"homeostat: {said}")
    assert "Traceback" not in run.stderr


def test_details_are_shown_when_they_are_asked_for() -> None:
    group = Verbs("homeostat")
    group.command("break")(raising(ValueError("off by one")))
    for args in (["break", "-v"], ["-v", "break"]):
        run = CliRunner().invoke(group, args)
        assert "Traceback (most recent call last)" in run.stderr
        assert run.stderr.splitlines()[-1].startswith("homeostat: a bug in homeostat: ValueError: off by one;")


def test_a_full_disk_is_recognised_by_the_cause() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/data/y")
        except OSError as cause:
            raise RuntimeError("writing failed") from cause
    except RuntimeError as error:
        assert describe_error(error) == ("/data/y: the disk is full; free some space and run again, nothing is lost", 1)


# ---- once round, on a real loop

DAILY = "decide: 24h, retrain: 24h"


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A day of the hourly project replayed by the command: the baseline is released at noon, a model at midnight."""
    params = hourly.PARAMS.replace("decide: 2h, retrain: 4h", "decide: 12h, retrain: 12h")
    of = hourly.make(tmp_path_factory.mktemp("cli") / "meters", params=params)
    said = homeostat("replay", "--from", "2024-03-01", "--to", "2024-03-01", "--name", "day", "-C", of.home)
    return Project.find(of.state / "replays" / "day"), said


@pytest.mark.slow
def test_a_replay_ends_with_a_table_and_a_page(replayed: tuple[Project, str]) -> None:
    project, said = replayed
    lines = said.splitlines()
    assert lines[0].startswith("replay of 2024-03-01 to 2024-03-01 in ")
    assert lines[0].endswith("24 ticks to go")
    assert lines[1] == "2024-03-01 12:00  release  v0.1.0, the baseline, is the first in service"
    retrain = r"2024-03-02 00:00  retrain  v0\.2\.0 replaces v0\.1\.0 \(loss: high -\S+ %\)"
    assert any(re.fullmatch(retrain, line) for line in lines)
    assert any(line.startswith("data       ") for line in lines)
    assert f"page       {project.report_page}" in lines
    assert project.report_page.is_file()
    assert lines[-2:] == [f"next       homeostat -C {project.home}", f"           homeostat -C {project.home} releases"]


@pytest.mark.slow
def test_a_replay_that_is_done_is_done_and_other_inputs_ask_for_a_name(replayed: tuple[Project, str]) -> None:
    project, _ = replayed
    folder = project.home.parents[2]
    again = homeostat("replay", "--from", "2024-03-01", "--to", "2024-03-01", "--name", "day", "-C", folder)
    assert "0 ticks to go" in again
    other = ("replay", "--from", "2024-03-01", "--to", "2024-03-02", "--name", "day", "-C", str(folder))
    assert "a replay of other inputs; choose another --name" in refused(*other, code=2)


@pytest.mark.slow
def test_a_release_is_shown_verified_rolled_back_and_promoted(replayed: tuple[Project, str]) -> None:
    project, _ = replayed
    where = ("-C", str(project.home))
    shown = homeostat("releases", "show", "v0.2.0", *where)
    assert "served 2024-03-02 00:00:00 to now" in shown
    assert "promised high: log loss" in shown
    assert re.search(r"\nhigh: not worse than champion +-\S+ % ", shown)
    assert [" ".join(line.split()[1:3]) for line in homeostat("releases", "verify", *where).splitlines()] == [
        "serves; rebuildable", "serves; rebuildable",
    ]  # fmt: skip
    assert "rebuildable, and was: the same to the last bit" in homeostat(
        "releases", "verify", "v0.2.0", "--rebuild", *where
    )
    assert not (project.state / "rebuilt").exists()
    shutil.rmtree(project.releases)
    restored = homeostat("releases", "verify", *where).splitlines()
    assert all(re.search("rebuildable; restored from the DVC cache: .* was not there", line) for line in restored)
    assert "not measured yet" in homeostat(*where)
    said = homeostat("rollback", "--why", "a drill", "--who", "ann", *where)
    assert said == "rolled back to v0.1.0, v0.2.0 before it: a drill\n"
    assert re.search(r"v0\.1\.0 since \S+ \S+, rolled back to by ann", homeostat(*where))
    assert "promoted v0.2.0" in homeostat("promote", "v0.2.0", "--why", "drill over", "--who", "ann", *where)
    assert "serves already" in homeostat("promote", "0.2.0", "--why", "again", "--who", "ann", *where)


def test_ctrl_c_is_ctrl_c_whatever_a_tool_makes_of_it() -> None:
    def verb() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise RuntimeError("a tool's own words") from error

    group = Verbs("homeostat")
    group.command("break")(verb)
    run = CliRunner().invoke(group, ["break"])
    assert (run.exit_code, run.stderr) == (130, "homeostat: stopped; nothing is lost, run again to carry on\n")


@pytest.mark.slow
def test_ctrl_c_ends_a_replay_in_one_line_and_it_carries_on(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=hourly.PARAMS.replace("decide: 2h, retrain: 4h", DAILY))
    command = ["replay", "--from", "2024-03-01", "--to", "2024-03-01", "--name", "cut", "-C", str(of.home)]
    code = "import sys; from homeostat.cli import main; main()"
    run = subprocess.Popen(
        [sys.executable, "-u", "-c", code, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    worktree = Project(of.state / "replays" / "cut", of.state / "replays" / "cut").worktree
    deadline = time.monotonic() + 120
    while len(list((worktree.accepted / "readings").glob("*.parquet"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 130
    assert said.strip().splitlines() == ["homeostat: stopped; nothing is lost, run again to carry on"]
    again = homeostat(*command).splitlines()
    left = re.search(r"(\d+) ticks to go$", again[0])
    assert left is not None
    assert 0 < int(left[1]) < 24
    assert "data       144 rows accepted, 0 quarantined" in again
