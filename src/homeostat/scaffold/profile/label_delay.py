"""When labels become known: measured where a column says so, assumed otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from homeostat.core.errors import UsageError
from homeostat.scaffold.profile.batch_period import DAY, HOUR, interval, rounded_up
from homeostat.scaffold.profile.history import History
from homeostat.scaffold.profile.identifiers import quoted
from homeostat.scaffold.profile.request import Request
from homeostat.scaffold.profile.table import Table, find_column
from homeostat.scaffold.profile.workspace import Workspace

LATEST = 0.10  # share of the history that waiting for labels may cost: an old model loses more than a bias does
QUANTILES = (0.1, 0.5, 0.9, 0.95, 0.99)
DAYS = 0.99  # share of the times that are midnights, from which a column holds days


@dataclass(frozen=True)
class DueTime:
    """A time known beforehand after which all labels are there: ``sql`` over a row, and a ``wait``.

    ``median`` and ``p95`` are quantiles of the time from the event until its label counts.
    """

    column: str
    sql: str
    wait: timedelta
    median: timedelta
    p95: timedelta


@dataclass(frozen=True)
class LabelDelay:
    """How long labels take: ``quantiles`` where ``column`` says when each came, else ``assumed``.

    ``names_a_day``: the column holds days without a clock. Nothing is assumed where the label comes with the event. An
    event is mature after ``horizon``; ``due`` is a time before which no label counts.
    """

    column: str | None
    quantiles: Mapping[float, timedelta]
    assumed: timedelta
    horizon: timedelta
    due: DueTime | None = None
    names_a_day: bool = False

    @property
    def known_sql(self) -> str:
        """When the label of a row is known, in SQL, by the column that says so."""
        assert self.column is not None
        return _known_sql(self.column, self.names_a_day)

    @property
    def usual(self) -> timedelta:
        """The median wait until a label counts, where a due time decides."""
        return self.due.median if self.due is not None else timedelta(0)

    @property
    def longest(self) -> timedelta:
        """The longest wait that trailing means of labels allow for; of labels that are measured, 95 % came by then."""
        wait = self.due.p95 if self.due is not None else self.quantiles.get(0.95, self.assumed)
        return rounded_up(max(wait, self.horizon), DAY if wait > DAY else HOUR)

    def days(self, quantile: float) -> str:
        """A quantile in days, for a sentence."""
        return f"{self.quantiles[quantile] / DAY:.3g}"


def known_column(table: Table, request: Request) -> str | None:
    """The column that says when labels became known, if one was named.

    Raises:
        UsageError: it is no time.
    """
    if request.known_at is None:
        return None
    column = find_column(table, request.known_at, "--known-at")
    if column.kind != "time":
        raise UsageError(
            f"--known-at {column.raw}: is {column.kind}, not a time; name the column that says when labels came"
        )
    return column.name


def read_label_delay(
    work: Workspace, table: Table, column: str | None, history: History, step: timedelta | None, time: str
) -> LabelDelay:
    """Measure the delay, or assume one; ``step`` is that of a series, whose row is complete when the next begins.

    Where ``column`` is ``time``, that of the event itself, labels come with the events.

    Raises:
        UsageError: most labels were known before their event.
    """
    if column is None or column == time:
        assumed = min(step if step is not None else DAY, history.rhythm.period) if column is None else timedelta(0)
        return LabelDelay(None, {}, assumed, max(assumed, HOUR) if column == time else assumed)
    names_a_day = _names_a_day(work, table, column)
    quantiles = _quantiles(work, table, column, _known_sql(column, names_a_day))
    return LabelDelay(column, quantiles, DAY, _horizon(quantiles, history.length), names_a_day=names_a_day)


def _known_sql(column: str, names_a_day: bool) -> str:
    """A day is over when it is known what happened on it."""
    return quoted(column) + (" + INTERVAL 1 DAY" if names_a_day else "")


def _names_a_day(work: Workspace, table: Table, column: str) -> bool:
    """Whether a column holds days, or times at midnight, which say no more."""
    midnights = f"avg(CAST({quoted(column)} = date_trunc('day', {quoted(column)}) AS INT))"
    (share,) = work.row(f"SELECT {midnights} FROM {table.sql} WHERE {quoted(column)} IS NOT NULL AND __t IS NOT NULL")
    return share is not None and share >= DAYS


def _quantiles(work: Workspace, table: Table, column: str, known: str) -> dict[float, timedelta]:
    measures = ", ".join(f"quantile_cont(epoch({known}) - epoch(__t), {q})" for q in QUANTILES)
    row = work.row(f"SELECT {measures} FROM {table.sql} WHERE {quoted(column)} IS NOT NULL AND __t IS NOT NULL")
    quantiles = {q: timedelta(seconds=round(s or 0)) for q, s in zip(QUANTILES, row, strict=True)}
    if quantiles[0.5] < timedelta(0):
        raise UsageError(
            f"--known-at {table.column(column).raw}: lies before the time of most rows, and labels come after it; name "
            "the column that says when they came"
        )
    return quantiles


def _horizon(quantiles: Mapping[float, timedelta], history: timedelta) -> timedelta:
    """When nine of ten labels are there, unless waiting for them would cost too much of the history."""
    most = timedelta(days=int(history * LATEST / DAY)) or DAY
    unit = DAY if quantiles[0.9] >= DAY else HOUR
    return max(min(rounded_up(quantiles[0.9], unit), most), unit)


def outcome_time(delay: LabelDelay, series: bool) -> tuple[str, str]:
    """When the label of a row is known, in SQL, and why it is taken to be so."""
    if delay.column is not None:
        if delay.due is not None:
            sql = f"greatest({delay.known_sql}, {delay.due.sql} + {interval(delay.due.wait)})"
            return sql, "no label counts before its due time: those that come early are a biased sample"
        named = f"{delay.column} names a day: known when it is over"
        return delay.known_sql, named if delay.names_a_day else "as given"
    if not delay.assumed:
        return "event_time", "as given: with the event"
    sql = f"event_time + {interval(delay.assumed)}"
    if series:
        return f"{sql} - INTERVAL 1 SECOND", "guess: measured before the next row"
    return sql, "guess: no column says when labels come; name one with --known-at"
