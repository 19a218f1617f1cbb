from datetime import datetime, timedelta

import pytest

from homeostat.core.periods import Period, period_containing, period_of, periods_between


@pytest.mark.parametrize(
    ("label", "every", "offset", "start"),
    [
        ("2013-01-01", timedelta(days=1), timedelta(hours=5), datetime(2013, 1, 1, 5)),
        ("2013-01-01T05", timedelta(hours=1), timedelta(hours=5), datetime(2013, 1, 1, 5)),
        ("2013-01-01T0530", timedelta(minutes=30), timedelta(0), datetime(2013, 1, 1, 5, 30)),
    ],
)
def test_period_of_names_what_periods_between_labels(
    label: str, every: timedelta, offset: timedelta, start: datetime
) -> None:
    assert period_of(label, every, offset) == Period(start, start + every, label)
    assert periods_between(start, start + every, every, offset)[0].label == label
    assert period_containing(start + every - timedelta(seconds=1), every, offset).label == label


def test_only_whole_periods_are_called_for() -> None:
    day, offset = timedelta(days=1), timedelta(hours=5)
    found = periods_between(datetime(2013, 1, 1), datetime(2013, 1, 4, 4), day, offset)
    assert [p.label for p in found] == ["2013-01-01", "2013-01-02"]
