"""Every fault of the data tried on a judged history: found and named, with nothing written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import depot
import hourly
import polars as pl
import pytest
from click.testing import CliRunner

from homeostat.cli import main
from homeostat.core.errors import UsageError
from homeostat.faults import trials as trials_module
from homeostat.faults.damage import DAMAGES
from homeostat.faults.label_trials import LABEL_FAULTS, LabelTrial
from homeostat.faults.trials import Trial, table, try_all, undamaged
from homeostat.project.layout import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return depot.judged(tmp_path_factory.mktemp("depot"))


@pytest.fixture(scope="module")
def trials(project: Project) -> list[Trial]:
    return list(try_all(project, 2, "large"))


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_faults_are_found_and_named(trials: list[Trial]) -> None:
    of_data = {name for name, damage in DAMAGES.items() if not damage.of_world}
    assert of_data - {t.fault for t in trials} <= {"correlation-flip"}  # no two columns of the depot are related
    assert sum(t.detected for t in trials) >= 0.95 * len(trials)
    assert sum(t.right for t in trials) >= 0.85 * len(trials)
    assert all(t.acted_right for t in trials if t.after is not None)


def test_nothing_is_written_and_chance_is_the_seeds(project: Project, trials: list[Trial]) -> None:
    before = files(project.root)
    again = list(try_all(project, 2, "large"))
    assert again == trials and files(project.root) == before


def test_days_as_they_came_are_judged_too(project: Project) -> None:
    judged, failed = undamaged(project)
    assert judged == depot.LAST - 28 and failed == 0


def test_a_finding_under_another_name_is_not_right() -> None:
    right = Trial("null-surge", "parcels", "d", ("load",), 0, ("missing values",), named=True)
    assert right.right
    assert not Trial("null-surge", "parcels", "d", ("load",), 0, ("missing values",), named=False).right
    assert not Trial("null-surge", "parcels", "d", ("load",), 0, ("stuck values",), named=True).right
    assert Trial("truncated-batch", "parcels", "d", (), 0, ("lost hours",)).right


@pytest.mark.parametrize(
    ("fault", "action", "right"),
    [
        ("sign-flip", "quarantined", True),
        ("sign-flip", "in doubt", True),
        ("sign-flip", "accepted", False),
        ("sign-flip", "missing", False),
        ("missing-batch", "missing", True),
        ("missing-batch", "quarantined", False),
        ("late-batch", "missing, then accepted", True),
        ("late-batch", "missing", False),
        ("partial-batch", "in doubt, then in doubt", False),
    ],
)
def test_an_action_is_right_by_the_table_of_faults(fault: str, action: str, right: bool) -> None:
    assert Trial(fault, "parcels", "d", (), 0, ("freshness",), action=action).acted_right is right
    assert not Trial(fault, "parcels", "d", (), None, (), action=action).acted_right  # it was not found


def test_what_is_no_fault_is_right_where_nothing_is_found() -> None:
    quiet = Trial("season-only-drift", "parcels", "d", ())
    assert quiet.right and quiet.acted_right
    loud = replace(quiet, after=0, kinds=("moved values",), action="in doubt")
    assert not loud.right and not loud.acted_right


def test_a_draw_that_changes_nothing_is_drawn_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the columns drawn stay as they are: no trial is of such a draw, and none is left out."""
    flip = DAMAGES["sign-flip"]

    def half(rows: pl.DataFrame, columns: Sequence[str], size: float, chance: random.Random) -> pl.DataFrame:
        return rows if columns[0] in ("load", "delay") else flip.change(rows, columns, size, chance)

    monkeypatch.setattr(trials_module, "DAMAGES", {"sign-flip": replace(flip, change=half)})
    drawn = list(try_all(project, 4, "large"))
    assert [t.columns for t in drawn] == [("temp",)] * 4


def test_the_table_counts_by_fault() -> None:
    found = Trial("sign-flip", "parcels", "d", ("load",), 1, ("sign flip",), named=True, action="in doubt")
    asks = LabelTrial("flipped-labels", "late", "d", 3, ("implausible rate",), "ask", 4)
    missed = Trial("sign-flip", "parcels", "d", ("load",))
    lines = list(table([found, missed], (10, 1), "small", [asks, LabelTrial("flipped-labels", "late", "d")]))
    assert lines[0].split()[:3] == ["fault,", "small", "tried"]
    assert " ".join(lines[1].split()) == "sign-flip 2 50 % 50 % 50 % 1 3.0 sign flip 1, nothing 1"
    assert " ".join(lines[2].split()) == "flipped-labels 2 50 % 50 % 50 % 3 7.0 implausible rate 1, nothing 1"
    assert lines[4] == "as they came: 1 batch of 10 at fault (10 %)"


def test_a_short_history_is_refused(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters")
    with pytest.raises(UsageError, match="no source has 33 accepted batches in this range; choose a longer one"):
        list(try_all(of, 1, "middle"))


@pytest.mark.slow
def test_the_command_prints_the_table(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=hourly.STEADY, table=hourly.steady_readings(120))
    last = hourly.START + timedelta(days=4)
    of_range = ["-C", str(of.root), "replay", "--from", f"{hourly.START:%Y-%m-%d}", "--to", f"{last:%Y-%m-%d}"]
    run = CliRunner().invoke(main, [*of_range, "--fault", "all", "--tries", "1"])
    assert run.exit_code == 0, run.output
    assert "missing-batch" in run.stdout and "as they came: " in run.stdout
    no_slice_is_large_enough = {"poisoned-slice"}
    assert {name for name in LABEL_FAULTS if name not in run.stdout} == no_slice_is_large_enough
    both = CliRunner().invoke(main, [*of_range, "--fault", "all", "--fault", f"bad-release@{last:%Y-%m-%d}"])
    assert both.exit_code == 2 and "--fault all: tried by itself" in both.stderr
