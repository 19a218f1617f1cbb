"""The business's figure as it is read from its own source, joined with the release that served at the time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from readings import PARAMS, START
from recorded import recorded

from homeostat.cli import main
from homeostat.core.errors import ScopeError
from homeostat.monitoring.business import business_blocks, check_business
from homeostat.project import scope as scopes
from homeostat.project.layout import Project

OWN = "business: {source: readings, value: load * 2, better: higher}\n"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    of = recorded(tmp_path_factory.mktemp("business") / "meters")
    (of.home / "params.yaml").write_text(PARAMS + OWN)
    return Project(of.root, of.home)


def test_a_block_has_both_figures_of_the_same_time(project: Project) -> None:
    blocks = business_blocks(project, START + 2 * DAY)
    assert len(blocks) > 3 and {block.release for block in blocks} == {"v0.1.0"}
    rows = pl.concat(map(pl.read_parquet, sorted((project.worktree.accepted / "readings").glob("*.parquet"))))
    first, second = blocks[0].start, blocks[1].start
    inside = rows.filter(pl.col("at") >= first, pl.col("at") < second)
    assert blocks[0].business == pytest.approx(2 * inside["load"].mean())
    assert all(("high", "log_loss") in block.metrics for block in blocks)
    assert business_blocks(project, START) == []


def test_one_release_alone_is_compared_with_nothing(project: Project) -> None:
    assert [finding.outcome for finding in check_business(project, START + 2 * DAY)] == ["too few to say"]


def test_two_releases_are_compared(project: Project) -> None:
    """The later one predicts what will be, and the business's figure is made to fall under it, or to rise."""
    for path in sorted(project.predictions.glob("*.parquet")):
        table = pl.read_parquet(path)
        label = pl.read_parquet(project.worktree.features / path.name).select("meter", "at", y="label__high")
        later = pl.col("event_time") >= START + DAY / 2
        score = pl.when(later).then(0.01 + 0.98 * pl.col("y")).otherwise("score__high")
        release = pl.when(later).then(pl.lit("v0.2.0")).otherwise(pl.lit("v0.1.0"))
        table = table.join(label, on=["meter", "at"]).with_columns(release.alias("release"), score.alias("score__high"))
        table.drop("y").write_parquet(path)
    params = project.home / "params.yaml"
    for after, outcome in ((1, "fail"), (19, "pass")):
        made = f"CASE WHEN hour(event_time) < 12 THEN 9 ELSE {after} END + 0.01 * load"
        params.write_text(PARAMS + OWN.replace("load * 2", made))
        (finding,) = check_business(Project(project.root, project.home), START + 2 * DAY)
        assert finding.outcome == outcome
    params.write_text(PARAMS + OWN)


def test_the_command_ranks_metrics_and_releases(project: Project) -> None:
    run = CliRunner().invoke(main, ["check", "business", "-C", str(project.home)])
    assert run.exit_code == 0, run.output
    assert "load * 2 of readings, higher is better" in run.output
    assert "by the business" in run.output and "high: log loss" in run.output


def test_without_one_there_is_nothing_to_compare(project: Project, tmp_path: Path) -> None:
    plain = recorded(tmp_path / "meters")
    assert check_business(plain, START + DAY) == []
    run = CliRunner().invoke(main, ["check", "business", "-C", str(plain.home)])
    assert run.exit_code == 2 and "no business metric; add business:" in run.stderr


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        (OWN.replace("source: readings", "source: sales"), "business.source: names 'sales', which is no source with"),
        (OWN.replace("higher", "bigger"), "business.better: 'bigger' is not one of higher or lower"),
        (OWN.replace("value: load * 2, ", ""), "business.value: is missing; add it"),
    ],
)
def test_a_mistake_is_named(own: str, problem: str) -> None:
    with pytest.raises(ScopeError, match=problem):
        scopes.parse(PARAMS + own)
