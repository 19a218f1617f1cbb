"""Labels that the service received: the loop trains on them and judges by them from when they came, never before."""

from __future__ import annotations

from datetime import datetime, timedelta

import hourly
import polars as pl
import pytest
from click.testing import CliRunner

from homeostat import loop
from homeostat.cli import main
from homeostat.core.errors import DataError
from homeostat.data.amendments import read_records
from homeostat.data.workspace import Workspace
from homeostat.decisions.session import Session
from homeostat.features.tables import mature, read_features
from homeostat.features.window import build_window
from homeostat.monitoring import outcomes
from homeostat.project.layout import Project
from homeostat.serving.label_log import LabelLog
from homeostat.serving.requests import Label
from homeostat.training.train import train

HOUR = timedelta(hours=1)
SILENT = ("m4", "m5")  # meters whose load never comes with the source
SENT, AFTER = hourly.START + 6.5 * HOUR, hourly.START + 7 * HOUR


def label(meter: int, hour: int, value: float) -> Label:
    return Label((f"m{meter}", hourly.START + timedelta(hours=hour, minutes=meter)), "high", value, None)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    load = pl.when(pl.col("meter").is_in(SILENT)).then(None).otherwise("load").alias("load")
    return hourly.make(tmp_path_factory.mktemp("labels") / "meters", table=hourly.readings().with_columns(load))


def tick(project: Project, now: datetime) -> loop.Tick:
    session = Session.open(project)
    loop.begin(session, hourly.START)
    return loop.tick(session, now)


def sent(project: Project, labels: list[Label], now: datetime) -> list[str]:
    return [answer["status"] for answer in LabelLog(project).keep(project.scope, labels, now)]


def known(project: Project) -> dict[tuple[str, datetime], tuple[float, datetime]]:
    """The labels in the features, with when each became known."""
    table = read_features(project.worktree).drop_nulls("label__high")
    return {(m, a): (y, k) for m, a, y, k in table.select("meter", "at", "label__high", "known__high").iter_rows()}


def records(project: Project) -> list[dict[str, object]]:
    return read_records(project.worktree, "labels")


def test_they_train_and_judge_from_when_they_came(project: Project) -> None:
    tick(project, hourly.START + 6 * HOUR)
    before = known(project)
    assert not {m for m, _ in before} & set(SILENT)
    theirs, at = next(iter(before.items()))
    labels = [label(4, hour, float(hour % 2)) for hour in range(5)]
    ahead = label(4, 6, 1.0)  # its batch has not come yet
    wrong = Label(theirs, "high", 1.0 - at[0], None)
    same = Label(list(before)[1], "high", list(before.values())[1][0], None)
    assert sent(project, [*labels, wrong, same], SENT) == ["kept"] * 7
    assert sent(project, [ahead], AFTER - timedelta(minutes=5)) == ["kept"]
    done = tick(project, AFTER)

    after = known(project)
    assert {k: v for k, v in after.items() if k in before} == before, "the source's label counts, and when it was known"
    assert {k: v for k, v in after.items() if k[0] == "m4"} == {
        one.key: (one.value, SENT) for one in labels
    }, "known when received, not when the event was"
    scope = project.scope
    rows = read_features(project.worktree)
    for now, many in ((SENT, 0), (SENT + HOUR / 60, 5)):
        assert (mature(rows, "high", scope, now)["meter"] == "m4").sum() == many

    told = [line for line in done.data.remarks if "differ from the source's" in line]
    assert len(told) == 1 and "1 of the labels received by /labels" in told[0] and "homeostat data correct" in told[0]
    assert {raw["who"] for raw in records(project)} == {"/labels"}
    assert CliRunner().invoke(main, ["data", "review", "-C", str(project.home)]).output.count("differ from") == 1


def test_they_are_put_on_record_once_and_a_changed_one_again(project: Project) -> None:
    """The one that waited for its batch comes with it."""
    many = len(records(project))
    done = tick(project, AFTER + HOUR)
    assert [line for line in done.data.remarks if "differ" in line] == []
    key = label(4, 6, 1.0).key
    assert known(project)[key] == (1.0, AFTER - timedelta(minutes=5))
    assert len(records(project)) == many + 1
    tick(project, AFTER + 2 * HOUR)
    assert len(records(project)) == many + 1
    assert sent(project, [label(4, 2, 1.0)], AFTER + 2.5 * HOUR) == ["changed"]
    tick(project, AFTER + 3 * HOUR)
    assert known(project)[label(4, 2, 1.0).key] == (1.0, AFTER + 2.5 * HOUR)
    assert len(records(project)) == many + 2


def test_the_stage_makes_the_same_and_the_next_model_learns_from_them(project: Project) -> None:
    tree = project.worktree
    predicted = outcomes.rows(project).filter(pl.col("meter") == "m4")
    assert predicted["label__high"].null_count() == len(predicted) > 0
    at = predicted["at"][0]
    sent(project, [Label(("m4", at), "high", 1.0, None)], AFTER + 3.5 * HOUR)
    tick(project, AFTER + 4 * HOUR)
    observed = outcomes.rows(project).filter(pl.col("meter") == "m4").drop_nulls("label__high")
    assert observed["at"].to_list() == [at], "what the release in service is judged by"

    before = {path.name: path.read_bytes() for path in tree.features.glob("*.parquet")}
    build_window(Workspace(tree))
    assert {path.name: path.read_bytes() for path in tree.features.glob("*.parquet")} == before
    for path in tree.features.glob("*"):
        path.unlink()
    build_window(Workspace(tree))
    assert {path.name: path.read_bytes() for path in tree.features.glob("*.parquet")} == before
    rows = mature(read_features(tree), "high", project.scope, AFTER + 4 * HOUR)
    assert (rows["meter"] == "m4").sum() == 7
    assert train(tree)["objectives"]["high"]["rows"] == len(rows)


def test_what_no_event_has_waits_and_a_damaged_file_is_refused(project: Project) -> None:
    many = len(records(project))
    assert sent(project, [Label(("m9", hourly.START), "high", 1.0, None)], AFTER + 4.5 * HOUR) == ["kept"]
    tick(project, AFTER + 5 * HOUR)
    assert len(records(project)) == many
    path = next(project.worktree.amendments.glob("*-labels-*.parquet"))
    data = path.read_bytes()
    path.write_bytes(data[:-1])

    with pytest.raises(DataError, match=f"{path.name}: is gone, or changed since it was recorded; restore it from git"):
        tick(project, AFTER + 6 * HOUR)
    path.write_bytes(data)
