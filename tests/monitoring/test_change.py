"""The look of the alarm budget on a real project: which windows are on record, and what is said of the last."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest
from click.testing import CliRunner

from homeostat import loop
from homeostat.adapters.dask import executor_of
from homeostat.checks.alarms import check_alarms
from homeostat.cli import main
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.data.known_at import FAR
from homeostat.decisions.session import Session
from homeostat.monitoring.change import Units, check_change, record_windows
from homeostat.project.clock import move_on
from homeostat.project.layout import Project
from homeostat.project.scale_scope import Scale
from homeostat.releases.registry import Registry
from homeostat.reports import status

HOUR = timedelta(hours=1)
CHANGED = hourly.START + 66 * HOUR
END = hourly.START + 72 * HOUR
SOON = hourly.START + 40 * HOUR  # twenty windows, which are not enough
BUDGET = hourly.PARAMS + "alarms: {false_pages: 1, in: 1d}\n"


def made_in(folder: Path) -> Project:
    """Three days of events, of which the last six hours have another phase."""
    table = hourly.readings(72).with_columns(
        phase=pl.when(pl.col("at") >= CHANGED).then(pl.col("phase") + 9).otherwise(pl.col("phase"))
    )
    params = BUDGET.replace("columns: {meter", "history: off\n    columns: {meter")
    project = hourly.make(folder, params=params, table=table)
    loop.begin(Session.open(project), hourly.START)
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With features, and nothing in service."""
    made = made_in(tmp_path_factory.mktemp("change") / "meters")
    loop.data(Session.open(made), END)
    return made


def look(project: Project, now: datetime, first: bool = True) -> list[Finding]:
    """``first``: at windows of which none is on record yet."""
    tree = project.worktree
    if first:
        (tree.quality / "windows.parquet").unlink(missing_ok=True)
    return check_change(tree, Registry.open(project), now, lambda: {"phase": 1.0})


def test_a_change_that_lasts_pages_and_names_its_column(project: Project) -> None:
    (before,), (after,) = look(project, CHANGED), look(project, END)
    assert (before.outcome, after.outcome) == ("pass", "fail")
    assert sentence(after).startswith("phase (")
    assert re.search(r"limit [\d.]+ for 1 false page in 24 h, from \d+ looks", sentence(after))


def test_until_history_is_long_enough_it_says_when_the_budget_can_be_promised(project: Project) -> None:
    (early,) = look(project, SOON)
    assert early.outcome == "too few to say"
    ready = datetime.fromisoformat(early.facts["not_before"])
    assert SOON < ready < CHANGED
    assert f"1 false page in 24 h cannot be promised before {ready:%Y-%m-%d}" in sentence(early)
    assert look(project, ready - 2 * HOUR)[0].outcome == "too few to say"
    assert look(project, ready)[0].outcome == "pass"


def test_a_round_is_looked_at_once_however_often_something_is_decided_in_it(project: Project) -> None:
    path = project.quality / "windows.parquet"
    assert look(project, CHANGED)
    kept = path.read_bytes()
    assert look(project, CHANGED, first=False)  # the same run, after it was interrupted
    assert look(project, CHANGED + HOUR, first=False) == []
    assert path.read_bytes() == kept


def test_windows_are_summed_up_again_where_features_change(project: Project) -> None:
    units = Units(project.worktree, Registry.open(project))
    before = record_windows(units, END, END)
    sql = project.worktree.features_sql
    text = sql.read_text()
    sql.write_text(text + "\n-- another reading\n")
    after = record_windows(units, END, END)
    sql.write_text(text)
    assert before["made_of"].unique().to_list() != after["made_of"].unique().to_list()
    assert before.drop("made_of", "at").sort(pl.all()).equals(after.drop("made_of", "at").sort(pl.all()))


def test_a_batch_in_doubt_is_no_measure_of_what_is_usual(project: Project) -> None:
    units = Units(project.worktree, Registry.open(project))
    (*_, unit) = units.between(hourly.START, CHANGED)
    path = project.worktree.features / f"{unit.labels[0]}.parquet"
    sound, rows = path.read_bytes(), units.rows(unit)
    pl.read_parquet(path).with_columns(known__high=pl.lit(FAR, pl.Datetime("us"))).write_parquet(path)
    left = units.rows(unit)
    path.write_bytes(sound)
    assert len(left) == len(rows) * (len(unit.labels) - 1) / len(unit.labels)


def test_the_proof_says_what_it_rests_on(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.home)
    run = CliRunner().invoke(main, ["check", "alarms", "--histories", "2", "--beside", "1"])
    assert run.exit_code == 0, run.output
    pages = r"\d+ pages? in \d+ evaluations, [\d.]+ in 24 h, at most [\d.]+"
    assert re.search(rf"2 simulated histor\w+ without a change: {pages}", run.output)
    assert "stock Evidently, half of the columns" in run.output


def test_the_proof_is_the_same_on_workers(project: Project) -> None:
    units = Units(project.worktree, Registry.open(project))
    alone = [*check_alarms(units, 3, 0)]
    with executor_of(Scale(workers=2)) as executor:
        assert [*check_alarms(units, 3, 0, executor)] == alone
    assert any("3 simulated histories without a change" in line for line in alone)


def test_the_loop_pages_about_it_and_the_status_puts_it_first(tmp_path: Path) -> None:
    made = made_in(tmp_path / "meters")
    move_on(made, hourly.START)
    ticks = [loop.tick(Session.open(made), hourly.START + hours * HOUR) for hours in (60, 66, 70, 72)]
    decisions = [tick.decision for tick in ticks[1:] if tick.decision]
    outcomes = [f.outcome for decision in decisions for f in decision.findings if f.rule == Rule.CHANGE]
    assert outcomes == ["pass", "fail", "fail"]
    assert ["change" in {i.problem for i in tick.opened} for tick in ticks[1:]] == [False, True, False]
    assert all("change" not in decision.trigger.findings for decision in decisions)
    assert "!! change, since 2024-03-03: phase (" in status.text(status.read(made), 120)


def test_without_a_budget_nothing_is_recorded(tmp_path: Path) -> None:
    made = hourly.make(tmp_path / "meters")
    assert check_change(made, Registry(made), END, dict) == []
    assert not (made.quality / "windows.parquet").exists()
