"""Marks on what a release predicted that was rolled back: by ledgers as they may be, and cleared by a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import hourly
import pytest

from homeostat.core.errors import DataError, UsageError
from homeostat.core.ledger import Act, Ledger, ReleaseEvent
from homeostat.data.amendments import read_amendments
from homeostat.data.contamination import clear_mark, left_out, mark_rolled_back, read_marks
from homeostat.project.layout import Project

START = datetime(2024, 3, 1)
ACTED_ON = hourly.PARAMS.replace("label_horizon: 1h", "label_horizon: 1h, acted_on: true")
BAD = "the scores were turned around"


def at(days: int) -> datetime:
    return START + timedelta(days=days)


def ledger(*steps: tuple[Act, str]) -> Ledger:
    """One event a day."""
    events = tuple(
        ReleaseEvent(n, version, act, "c", "homeostat", BAD, at(n), version, share=0.1 if act == "canary" else None)
        for n, (act, version) in enumerate(steps)
    )
    return Ledger("meters", (), events)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "meters"
    folder.mkdir()
    (folder / "params.yaml").write_text(ACTED_ON)
    return Project(folder, folder)


@pytest.mark.parametrize(
    ("steps", "marked"),
    [
        ([("promote", "v1"), ("promote", "v2")], []),
        ([("promote", "v1"), ("promote", "v2"), ("rollback", "v1")], [("v2", 1, 2)]),
        ([("promote", "v1"), ("promote", "v2"), ("rollback", "v1"), ("promote", "v2")], [("v2", 1, 2)]),
        (
            [("promote", "v1"), ("promote", "v2"), ("promote", "v3"), ("rollback", "v2"), ("rollback", "v1")],
            [("v3", 2, 3), ("v2", 3, 4)],
        ),
        # what never served before is the baseline that the loop fell back to: the world has left the model
        ([("promote", "v1"), ("promote", "v2"), ("rollback", "v3")], []),
        # a challenger that was taken back: the champion served, and goes on
        ([("promote", "v1"), ("canary", "v2"), ("rollback", "v1")], []),
    ],
)  # fmt: skip
def test_what_was_predicted_until_a_rollback_is_marked_once(
    project: Project, steps: list[tuple[Act, str]], marked: list[tuple[str, int, int]]
) -> None:
    assert len(mark_rolled_back(project, ledger(*steps))) == len(marked)
    assert [(m.version, *m.span) for m in read_marks(project)] == [(v, at(a), at(b)) for v, a, b in marked]
    assert left_out(project) == tuple((at(a), at(b)) for _, a, b in marked)
    assert mark_rolled_back(project, ledger(*steps)) == []


ROLLED_BACK = ledger(("promote", "v1"), ("promote", "v2"), ("rollback", "v1"))


def test_nothing_is_marked_or_left_out_where_predictions_change_no_label(project: Project) -> None:
    mark_rolled_back(project, ROLLED_BACK)
    (project.root / "params.yaml").write_text(hourly.PARAMS)
    changed = Project(project.root, project.root)
    assert left_out(changed) == ()
    later = ledger(("promote", "v1"), ("promote", "v2"), ("rollback", "v1"), ("promote", "v3"), ("rollback", "v1"))
    assert mark_rolled_back(changed, later) == []


def test_a_mark_says_who_and_why_and_a_person_clears_it_once(project: Project) -> None:
    (path,) = mark_rolled_back(project, ROLLED_BACK)
    assert path.name == "0001-contaminated-v2.yaml"
    (mark,) = read_marks(project)
    assert (mark.who, mark.why, mark.known) == ("homeostat", BAD, at(2))
    assert "predicted by v2, 2024-03-02 00:00 to 2024-03-03 00:00" in mark.sentence
    with pytest.raises(UsageError, match="needs who and why"):
        clear_mark(project, 1, "Ann", " ", at(3))
    with pytest.raises(UsageError, match="mark 7: no such mark; there are 1"):
        clear_mark(project, 7, "Ann", "nobody acted", at(3))
    assert clear_mark(project, 1, "Ann", "nobody acted", at(3)) is not None
    assert clear_mark(project, 1, "Ann", "nobody acted", at(3)) is None
    assert left_out(project) == ()
    assert "cleared by Ann: nobody acted" in read_marks(project)[0].sentence
    assert mark_rolled_back(project, ROLLED_BACK) == []  # it is not marked a second time
    assert read_amendments(project) == []  # these are of batches


def test_a_damaged_mark_is_named(project: Project) -> None:
    (path,) = mark_rolled_back(project, ROLLED_BACK)
    path.write_text(path.read_text().replace("version:", "versions:"))
    with pytest.raises(DataError, match="0001-contaminated-v2.yaml: damaged"):
        read_marks(project)
