"""When a drafted project takes a label as known, by the column that says so."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from scaffold.odd_tables import START, write

from homeostat.project.scope import parse
from homeostat.scaffold.draft import create
from homeostat.scaffold.draft.create import Draft
from homeostat.scaffold.profile.request import Address, Request

DAY = timedelta(days=1)


def visits(closed: dict[str, object]) -> pl.DataFrame:
    """Twenty a day at all hours; every seventh comes back."""
    times = [START + n * DAY / 20 for n in range(2000)]
    base = {"visit": range(2000), "at": times, "length": [n * 7 % 31 for n in range(2000)]}
    return pl.DataFrame(base | {"back": [n % 7 == 0 for n in range(2000)]} | closed)


def drafted(table: pl.DataFrame, folder: Path, known_at: str) -> Draft:
    path = write(table, folder / "visits.csv")
    return create.draft("tried", Request(Address.of(str(path)), time="at", label="back", known_at=known_at))


def outcome(made: Draft) -> tuple[list[str], str]:
    group = parse(made.files["params.yaml"]).event_source.known_at["outcome"]
    return list(group.columns), group.at


def midnights(later: int) -> list[datetime]:
    return [(START + n * DAY / 20 + later * DAY).replace(hour=0, minute=0, second=0) for n in range(2000)]


@pytest.mark.parametrize("later", [0, 3])
def test_a_day_without_a_clock_is_over_when_the_label_is_known(later: int, tmp_path: Path) -> None:
    """Also where the label comes on the day of its event, so that its midnight lies before it."""
    made = drafted(visits({"closed": midnights(later)}), tmp_path, "closed")
    assert outcome(made) == (["back", "closed"], "closed + INTERVAL 1 DAY")
    assert made.profile.delay.horizon >= later * DAY


def test_a_time_with_a_clock_is_taken_as_it_is(tmp_path: Path) -> None:
    closed = [START + n * DAY / 20 + 2 * DAY for n in range(2000)]  # two days later to the second
    made = drafted(visits({"closed": closed}), tmp_path, "closed")
    assert outcome(made) == (["back", "closed"], "closed")


def test_a_label_that_is_known_at_the_time_of_its_event_comes_with_it(tmp_path: Path) -> None:
    made = drafted(visits({}), tmp_path, "at")
    assert outcome(made) == (["back"], "event_time")
    assert "at" in parse(made.files["params.yaml"]).event_source.known_at["given"].columns


def test_a_running_number_is_a_key_before_irregular_times_that_happen_to_differ(tmp_path: Path) -> None:
    times = [START + timedelta(minutes=70 * n + n * n % 61) for n in range(2000)]
    made = drafted(visits({}).with_columns(at=pl.Series(times)), tmp_path, "at")
    assert made.profile.key.columns == ("visit",)
