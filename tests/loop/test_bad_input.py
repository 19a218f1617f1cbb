"""Bad input to a replay that is under way: one clear line, nothing lost, and after the fix the next run carries on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest
from click.testing import CliRunner
from small_disk import fill, small_disk
from steps import read_verdict

from homeostat import loop, replay
from homeostat.adapters import git
from homeostat.cli import main
from homeostat.core.periods import Period
from homeostat.core.rules import Rule
from homeostat.decisions.session import Session
from homeostat.project.clock import next_tick, stands_at
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry

TICK = timedelta(hours=3)
START, END = hourly.START, hourly.START + timedelta(days=3)
READINGS = hourly.steady_readings()
NO_DECISIONS = hourly.STEADY.replace("decide: 24h, retrain: 10d", "decide: 30d, retrain: 30d").replace(
    "threads: 1\n", 'threads: 1\nclock: {start: "2024-03-01T00:00:00"}\n'
)


@dataclass(frozen=True)
class Site:
    """A project whose source is a file that somebody else delivers, and a replay of it that is under way."""

    folder: Project
    source: Path
    replayed: Project

    def run(self, *, code: int = 0) -> str:
        """Go on with the replay by its command; what it says, to standard error where it fails."""
        args = ["replay", "--from", "2024-03-01", "--to", "2024-03-03", "--name", "days", "-C", str(self.folder.home)]
        return said(*args, code=code)

    def refused(self) -> str:
        before = landed(self.replayed), stands_at(self.replayed)
        line = self.run(code=1)
        assert line.startswith("homeostat: ") and len(line.splitlines()) == 1, line
        assert (landed(self.replayed), stands_at(self.replayed)) == before
        return line

    def one_tick(self) -> tuple[loop.Tick, Period]:
        """The next tick, by itself, and the period of the batch that came with it."""
        now = next_tick(self.replayed)
        ticks: list[loop.Tick] = []
        replay.replay(self.replayed, START, now, ticks.append)
        (tick,) = ticks
        return tick, Period(now - TICK, now, f"{now - TICK:%Y-%m-%dT%H}")


def said(*args: str, code: int = 0) -> str:
    run = CliRunner().invoke(main, list(args))
    assert run.exit_code == code, run.output
    return run.stdout if code == 0 else run.stderr


def landed(project: Project) -> dict[str, bytes]:
    return {p.stem: p.read_bytes() for p in sorted((project.worktree.landed / "readings").glob("*.parquet"))}


def due(period: Period) -> pl.DataFrame:
    return READINGS.filter(pl.col("at").is_between(period.start, period.end, closed="left")).sort("meter", "at")


def site(place: Path, params: str = NO_DECISIONS) -> Site:
    source = place / "delivered.csv"
    hourly.write(READINGS, source)
    params = params.replace("path: readings.csv", f"path: {source}")
    folder = hourly.make(place / "meters", params=params, table=READINGS.head(1))
    return Site(folder, source, replay.prepare(folder, START, END, "days"))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Tests each spoil it, fix it and take it a tick further."""
    made = site(tmp_path_factory.mktemp("bad"))
    made.one_tick()
    return made


# ---- files


def edited(which: int, old: str, new: str) -> Callable[[Path], None]:
    """A line of the file (0: the header) with one thing in it changed."""

    def edit(path: Path) -> None:
        lines = path.read_text().splitlines(keepends=True)
        assert old in lines[which]
        lines[which] = lines[which].replace(old, new)
        path.write_text("".join(lines))

    return edit


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "no file {path}; put it there or correct sources.readings.path"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "no file {path}; put it there"),
    "empty": (lambda path: path.write_bytes(b""), "{path} is empty; deliver it again"),
    "header only": (lambda path: path.write_bytes(path.read_bytes().split(b"\n")[0]), "{path} has no rows; deliver"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-12]), "{path} is not a whole CSV file"),
    "not text": (lambda path: path.write_bytes(b"PAR1\x00\xff\xfe" * 50), "{path}"),
    "renamed time": (edited(0, "at,", "when,"), "no column 'at' (it has meter, when, load, phase), which says when"),
    "no time": (edited(-1, "2024-03-03T", "2024-33-03T"), "at is '2024-33-03T23:11:00', which is not time"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_used_stops_the_tick_in_one_line(days: Site, case: str) -> None:
    spoil, words = FILES[case]
    good = days.source.read_bytes()
    spoil(days.source)
    try:
        line = days.refused()
    finally:
        if days.source.is_dir():
            days.source.rmdir()
        days.source.write_bytes(good)
    assert "readings: " in line and words.format(path=days.source) in line
    assert not line.startswith("homeostat: a bug")
    _, period = days.one_tick()
    assert pl.read_parquet(days.replayed.worktree.landed / "readings" / f"{period.label}.parquet").equals(due(period))


def test_a_row_from_the_future_waits_for_its_time(days: Site) -> None:
    row = READINGS.tail(1).with_columns(at=pl.lit(END + timedelta(days=9), pl.Datetime("us")))
    hourly.write(pl.concat([READINGS, row]), days.source)
    tick, period = days.one_tick()
    hourly.write(READINGS, days.source)
    assert [(j.label, j.verdict.status) for j in tick.data.batches] == [(period.label, "accepted")]
    assert max(landed(days.replayed)) == period.label


def test_rows_with_one_key_are_held_and_the_rest_goes_on(days: Site) -> None:
    now = next_tick(days.replayed)
    batch = due(Period(now - TICK, now, ""))
    hourly.write(pl.concat([READINGS, batch.head(1).with_columns(pl.col("load") + 1)]), days.source)
    tick, period = days.one_tick()
    hourly.write(READINGS, days.source)
    (judged,) = tick.data.batches
    assert (judged.verdict.status, judged.verdict.rows_accepted, judged.verdict.rows_quarantined) == ("accepted", 35, 2)
    held = pl.read_parquet(days.replayed.worktree.quarantine / "readings" / f"{period.label}.parquet")
    assert held["reason"].str.contains("none is surer than the other").all()
    features = pl.read_parquet(days.replayed.worktree.features / f"{period.label}.parquet")
    assert len(features) == 35


def test_a_batch_from_the_future_is_held_whole_until_it_is_corrected(days: Site, tmp_path: Path) -> None:
    _, period = days.one_tick()
    where = ("--who", "ann", "-C", str(days.replayed.home))
    wrong, right = tmp_path / "wrong.csv", tmp_path / "right.csv"
    hourly.write(due(period).with_columns(pl.col("at") + timedelta(days=365)), wrong)
    hourly.write(due(period), right)
    said("data", "correct", "readings", period.label, str(wrong), "--why", "a year off", *where)
    tick, _ = days.one_tick()
    verdict = next(j.verdict for j in tick.data.batches if j.label == period.label)
    assert (verdict.status, verdict.rows_accepted) == ("quarantined", 0)
    assert [f.facts["side"] for f in verdict.failed if f.rule == Rule.PERIOD] == ["after"]
    assert [i.problem for i in tick.opened] == ["readings: batch"]
    said("data", "correct", "readings", period.label, str(right), "--why", "the right year", *where)
    tick, _ = days.one_tick()
    assert next(j.verdict for j in tick.data.batches if j.label == period.label).status == "accepted"


# ---- the project


def test_a_scope_that_contradicts_itself_stops_it(days: Site) -> None:
    path = days.folder.root / "params.yaml"
    good = path.read_text()
    path.write_text(good.replace("holdout: 9h", "holdout: 13h"))
    try:
        line = days.refused()
    finally:
        path.write_text(good)
    assert "params.yaml:" in line
    assert "windows.warm_up: must be longer than windows.holdout (13h)" in line
    days.one_tick()


def test_without_git_it_says_how_to_mend_it(days: Site) -> None:
    kept = (days.folder.home / ".git").rename(days.folder.home / "git")
    try:
        line = days.refused()
    finally:
        kept.rename(days.folder.home / ".git")
    assert "not a git repository; run git init there and commit the project" in line
    days.one_tick()


def test_it_ends_like_one_that_met_nothing_bad(days: Site, tmp_path: Path) -> None:
    assert "ticks to go" in days.run()
    assert stands_at(days.replayed) == END
    other = site(tmp_path)
    other.run()
    held = [label for label in landed(other.replayed) if landed(days.replayed)[label] != landed(other.replayed)[label]]
    assert len(landed(other.replayed)) == 24
    assert len(held) == 1  # the batch with one key twice; it came so
    assert read_verdict(days.replayed.worktree, "readings", held[0]).rows_quarantined == 2


# ---- a dirty tree, and scheduled work


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below the folder but git's and DVC's own and our state."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not {".git", ".dvc", ".homeostat"} & set(p.relative_to(folder).parts)
    }


def test_a_replay_runs_the_folder_as_it_is_and_leaves_it_and_scheduled_work_alone(tmp_path: Path) -> None:
    folder = hourly.make(tmp_path / "meters", params=NO_DECISIONS, table=READINGS)
    committed = folder.features_sql.read_text()
    loop.tick(Session.open(folder), START + TICK)
    folder.features_sql.write_text(committed.replace("max_by(r.load", "2 * max_by(r.load"))
    (folder.root / "notes.txt").write_text("staged")
    hourly.run(folder.root, "add", "notes.txt")
    (folder.root / "draft.txt").write_text("new")
    looks = [lambda: tree(folder.home), lambda: tree(folder.worktree.root),
             lambda: hourly.run(folder.home, "status", "--porcelain"), lambda: hourly.run(folder.home, "show-ref"),
             lambda: hourly.run(folder.home, "diff", "--cached"), lambda: git.head(folder.worktree.root),
             lambda: stands_at(folder)]  # fmt: skip
    before = [look() for look in looks]
    replayed = replay.prepare(folder, START, END, None)
    replay.replay(replayed, START, START + 2 * TICK, lambda _: None)
    assert [look() for look in looks] == before
    assert (replayed.root / "draft.txt").read_text() == "new" and (replayed.root / "notes.txt").is_file()
    label = "2024-03-01T03"
    doubled = pl.read_parquet(replayed.worktree.features / f"{label}.parquet")["last_load"]
    loop.tick(Session.open(folder), START + 2 * TICK)  # scheduled work goes on by what is committed
    plain = pl.read_parquet(folder.worktree.features / f"{label}.parquet")["last_load"]
    assert doubled.equals(2 * plain)
    assert folder.worktree.features_sql.read_text() == committed
    again = replay.prepare(folder, START, END, None)
    assert again.home == replayed.home  # the same folder as it is: the same replay, to carry on with
    (folder.root / "draft.txt").write_text("newer")
    assert replay.prepare(folder, START, END, None).home != replayed.home


# ---- a full disk


FULL = ("the disk is full; free some space", "No space left on device")


@pytest.mark.slow
def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        full = site(disk)
        full.one_tick()
        for left in (0, 8_192, 40_960, 81_920):
            fill(disk / "ballast", left)
            line = full.run(code=1)
            assert len(line.splitlines()) == 1 and any(words in line for words in FULL), line
            (disk / "ballast").unlink()
        full.run()
        whole = site(tmp_path)
        whole.run()
        ends = [
            {name: data for name, data in tree(s.replayed.worktree.root / "data").items() if name.endswith(".parquet")}
            for s in (full, whole)
        ]
        assert len(ends[0]) == 3 * 24  # landed, accepted, features
        assert ends[0] == ends[1]


@pytest.mark.slow
def test_a_disk_that_fills_within_a_decision_loses_nothing_either(tmp_path: Path) -> None:
    params = NO_DECISIONS.replace("decide: 30d", "decide: 12h").replace("min_slice: 80", "min_slice: 30")
    params = params.replace("holdout: 9h", "holdout: 5h").replace("warm_up: 12h", "warm_up: 6h")
    with small_disk(tmp_path / "disk", "30m") as disk:
        full = site(disk, params)
        for _ in range(3):
            full.one_tick()
        for left in (100_000, 300_000):
            fill(disk / "ballast", left)
            line = full.run(code=1)
            assert len(line.splitlines()) == 1 and any(words in line for words in FULL), line
            assert stands_at(full.replayed) == START + 3 * TICK
            (disk / "ballast").unlink()
        tick, _ = full.one_tick()
        assert tick.decision is not None and tick.decision.action == "release"
        serving = Registry.open(full.replayed).ledger.champion
        assert serving is not None and (serving.version, serving.at) == ("v0.1.0", START + 4 * TICK)
