"""Incidents of the history rules: one a kind and set of columns, from the first batch to the last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from homeostat.core.batch_rules import CLOCK_CHANGE, against_history
from homeostat.core.findings import Finding
from homeostat.core.history_faults import Fault
from homeostat.core.incidents import Incident, history_alarms, update_incidents

NOW = datetime(2024, 3, 1)
SHARES = {"now": 0.7, "usual": 0.0}


def finding(batch: str, *columns: str, kind: str = "missing values", source: str = "meters") -> Finding:
    return against_history(source, batch, Fault(kind, columns, SHARES, excess=2.0), {}, False)


def run(*ticks: dict[str, Sequence[Sequence[Finding]]]) -> list[Incident]:
    """The incidents after these ticks."""
    incidents: list[Incident] = []
    for day, unlike in enumerate(ticks):
        open_before = [i for i in incidents if i.closed is None]
        alarms = history_alarms(unlike, incidents)
        changes = update_incidents(open_before, alarms, NOW + timedelta(days=day))
        incidents = [i for i in incidents if i.closed is not None] + [*changes.closed, *changes.open]
    return incidents


LOAD, TEMP, BOTH = finding("a", "load"), finding("b", "temp"), finding("c", "load", "temp")
ROWS = finding("a", kind="few rows")


@pytest.mark.parametrize(
    ("ticks", "problems", "still_open"),
    [
        ([{"meters": [[LOAD]]}, {"meters": [[LOAD]]}], ["meters.load: history"], 1),
        ([{"meters": [[LOAD]]}, {"meters": [[TEMP]]}], ["meters.load: history", "meters.temp: history"], 2),
        ([{"meters": [[LOAD]]}, {"meters": [[BOTH]]}], ["meters.load: history"], 1),
        ([{"meters": [[BOTH]]}, {"meters": [[TEMP]]}], ["meters.load: history"], 1),
        ([{"meters": [[ROWS]]}], ["meters: history"], 1),
        ([{"meters": [[LOAD]]}, {"meters": [[]]}, {"meters": [[]]}], ["meters.load: history"], 0),
        ([{"meters": [[LOAD]]}, {"sky": [[]]}, {"sky": [[]]}, {"sky": [[]]}], ["meters.load: history"], 1),
        ([{"meters": [[LOAD]]}, {}, {}, {}], ["meters.load: history"], 1),
        ([{"meters": [[]]}], [], 0),
    ],
    ids=["one that lasts", "two columns in turn", "one that spreads", "one that shrinks", "rows", "one that ends",
         "another source says nothing of it", "nor does no batch", "none"],
)  # fmt: skip
def test_a_column_has_one_incident(
    ticks: list[dict[str, Sequence[Sequence[Finding]]]], problems: list[str], still_open: int
) -> None:
    incidents = run(*ticks)
    assert sorted(i.problem for i in incidents) == problems
    assert sum(i.closed is None for i in incidents) == still_open


def test_a_clock_change_is_reported_and_leaves_the_batch_as_it_is() -> None:
    changed = finding("a", kind=CLOCK_CHANGE)
    assert changed.failed and not changed.facts["suspect"]


def test_since_is_the_first_batch_of_a_column() -> None:
    fault = Fault("missing values", ("load", "temp"), SHARES)
    assert against_history("meters", "c", fault, {"load": "b"}, False).since == "b"
    assert against_history("meters", "c", fault, {"wind": "b"}, False).since == "c"
    assert not against_history("meters", "c", fault, {}, False, released=NOW.isoformat()).failed
