"""The first run of a project, at any time of its history, ends with something in service."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import pytest

from homeostat import loop
from homeostat.core.findings import CANNOT_JUDGE
from homeostat.core.headlines import headline
from homeostat.core.rules import Reason, Rule
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.training import bundle as bundles

pytestmark = pytest.mark.slow
DOUBTFUL = 120  # hours after which every label is the same
STRICT = hourly.PARAMS.replace("beats_baseline: 0.01", "beats_baseline: 0.99")


def at(hours: int) -> datetime:
    return hourly.START + timedelta(hours=hours)


def tick(project: Project, hours: int) -> loop.Tick:
    with loop.run_context(project.home, at(hours)) as (session, now):
        return loop.tick(session, now)


def window_of(project: Project, version: str) -> str:
    """What the commit of a release says of its window."""
    shown = ["git", "-C", str(project.home), "show", f"meters@{version}:data/window.yaml"]
    return subprocess.run(shown, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("hours", [60, 24 * 20])
def test_the_baseline_serves_where_no_model_passes_or_nothing_judges_it(tmp_path: Path, hours: int) -> None:
    project = hourly.make(tmp_path / "meters", params=STRICT)
    decision = tick(project, hours).decision
    assert decision is not None and (decision.action, decision.reason) == ("release", Reason.FIRST)
    why = "fails its gate" if hours == 60 else "cannot be judged"
    assert f", the baseline, is the first in service: the candidate {why}" in headline(decision)
    assert any(f.failed or f.outcome == CANNOT_JUDGE for f in decision.gate)
    champion = Registry.open(project).load_champion()
    assert champion is not None and bundles.is_baseline(champion.bundle.training)
    assert "\nbaseline: true" in window_of(project, "v0.1.0")


def test_after_the_cool_down_a_model_is_tried_again(tmp_path: Path) -> None:
    project = hourly.make(tmp_path / "meters", params=STRICT)
    tick(project, 26)
    later = tick(project, 50).decision
    assert later is not None and later.trigger.due is not None and later.trigger.due.kind == "warm-up"
    assert later.versions.champion == "v0.1.0"


def test_where_labels_are_in_doubt_the_baseline_learns_from_those_before(tmp_path: Path) -> None:
    of_one_class = f"\"load > 6.5 OR event_time >= TIMESTAMP '{at(DOUBTFUL)}'\""
    params = hourly.STEADY.replace("label: load > 6.5", f"label: {of_one_class}")
    project = hourly.make(tmp_path / "meters", params=params, table=hourly.steady_readings(DOUBTFUL + 36))
    decision = tick(project, DOUBTFUL + 36).decision
    assert decision is not None and (decision.action, decision.reason) == ("release", Reason.FIRST)
    assert [f.rule for f in decision.gate if f.failed] == [Rule.LABELS]
    champion = Registry.open(project).load_champion()
    assert champion is not None
    assert datetime.fromisoformat(champion.bundle.training["objectives"]["high"]["to"]) < at(DOUBTFUL + 1)
    assert f"\nlabels_until: {at(DOUBTFUL).isoformat()}" in window_of(project, "v0.1.0")
