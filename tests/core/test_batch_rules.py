import json
from datetime import datetime, timedelta

import pytest

from homeostat.core.batch_rules import (
    Verdict,
    column_changed,
    column_gone,
    delivered_once,
    failing_since,
    lacks_rows,
    overdue,
    volume,
    within_period,
)
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence

START, END = datetime(2024, 1, 1), datetime(2024, 1, 2)


@pytest.mark.parametrize(
    ("rows", "history", "outcome"),
    [
        (100, [100] * 28, "pass"),
        (150, [100] * 28, "pass"),
        (151, [100] * 28, "fail"),
        (49, [100] * 28, "fail"),
        (0, [100] * 28, "fail"),
        (5, [100] * 6, "too few to say"),
        (100, [1] * 100 + [100] * 28, "pass"),
        (0, [0] * 28, "pass"),
        (1, [0] * 28, "fail"),
    ],
)
def test_volume(rows: int, history: list[int], outcome: str) -> None:
    found = volume(rows, history, 0.5)
    assert (found.rule, found.outcome, found.limit, found.rows) == (Rule.VOLUME, outcome, 0.5, rows)


def test_volume_in_words() -> None:
    assert sentence(volume(40, [100] * 28, 0.5)) == (
        "40 rows, 60 % off the median of 100 of the last 28 accepted batches (limit 50 %)"
    )
    assert sentence(volume(1, [100] * 3, 0.5)) == "1 row; fewer than 7 accepted batches to compare with"


@pytest.mark.parametrize(
    ("first", "last", "side", "text"),
    [
        (START, END - timedelta(seconds=1), None, "every row"),
        (START, END, "after", "from the future"),
        (START - timedelta(seconds=1), START, "before", "stale"),
        (None, None, None, "every row"),
    ],
)
def test_within_period(first: datetime | None, last: datetime | None, side: str | None, text: str) -> None:
    found = within_period(START, END, first, last)
    assert (found.rule, found.failed, found.facts.get("side")) == (Rule.PERIOD, side is not None, side)
    assert text in sentence(found)


def test_delivered_once() -> None:
    assert not delivered_once("a", {"1": "b"}).failed
    found = delivered_once("a", {"1": "b", "2": "a"})
    assert (found.failed, found.facts["twin"]) == (True, "2")
    assert sentence(found) == "the same rows as batch 2: delivered twice"


GONE = column_gone("meters", "2024-03-05", "load", ["watts"], {})
CHANGED = column_changed("meters", "2024-03-05", "load", "float", (30, 36, "much"), {})


@pytest.mark.parametrize(
    ("found", "value", "text"),
    [
        (GONE, None, "column load is not there, since 2024-03-05: not declared but there: watts. If load has another"),
        (GONE, None, 'write sources.meters.read: {load: coalesce("load", "watts")} in params.yaml'),
        (CHANGED, 30 / 36, "column load is not float, since 2024-03-05: 30 of 36 rows do not fit, such as 'much'."),
    ],
)
def test_a_column_that_is_not_as_declared(found: Finding, value: float | None, text: str) -> None:
    assert (found.rule, found.subject, found.outcome) == (Rule.SCHEMA, "load", "fail")
    assert (found.value, found.since) == (value, "2024-03-05")
    assert text in sentence(found)


def test_the_next_batch_keeps_since_which_batch_a_column_fails() -> None:
    again = column_gone("meters", "2024-03-06", "load", ["watts"], failing_since([GONE]))
    third = column_gone("meters", "2024-03-07", "load", ["watts"], failing_since([again]))
    assert [f.since for f in (again, third)] == ["2024-03-05", "2024-03-05"]
    assert sentence(third) == "column load is not there, since 2024-03-05: see there how to fix it"
    other = column_changed("meters", "2024-03-06", "load", "float", (30, 36, "much"), failing_since([GONE]))
    assert other.since == "2024-03-06"  # another failure of the same column


def test_overdue_only_after_its_time() -> None:
    hours = timedelta(hours=12)
    assert not overdue(END, hours, END + hours - timedelta(seconds=1)).failed
    late = overdue(END, hours, END + hours)
    assert (late.rule, late.failed, late.value, late.limit) == (Rule.FRESHNESS, True, 43200, 43200)
    assert sentence(late) == "nothing came 12 h after the period ended; it is due within 12 h"


def test_a_verdict_goes_to_text_and_back() -> None:
    verdict = Verdict("accepted", "k", 1, 2, (volume(1, [], 0.5), GONE, CHANGED), "b", "c", {"accepted": "x"})
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict
    assert verdict.failed == (GONE, CHANGED)


@pytest.mark.parametrize(
    ("finding", "lacks"),
    [
        (volume(40, [100] * 28, 0.5), True),
        (volume(260, [100] * 28, 0.5), False),
        (Finding(Rule.HISTORY, "", "fail", facts={"kind": "lost hours"}), True),
        (Finding(Rule.HISTORY, "load", "fail", facts={"kind": "unit change"}), False),
        (Finding(Rule.SCHEMA, "load", "fail"), False),
    ],
)
def test_a_batch_that_lacks_rows_may_still_get_them(finding: Finding, lacks: bool) -> None:
    assert lacks_rows(finding) is lacks
