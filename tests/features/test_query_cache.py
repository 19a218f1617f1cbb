"""A query that is asked again and again answers as it does when it is asked once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loads import PARAMS, START

from homeostat.adapters.duckdb import Expression, evaluate
from homeostat.core.errors import ScopeError
from homeostat.data.known_at import with_known_at
from homeostat.features.query_cache import FEW, Evaluation, Standing
from homeostat.features.query_plan import planned, repeatable
from homeostat.features.sql import build
from homeostat.project.scope import parse

SCOPE = parse(PARAMS)
HOUR = timedelta(hours=1)


def rows(meters: int = 4, hours: int = 30) -> pl.DataFrame:
    made = [
        (f"m{m}", START + h * HOUR + timedelta(minutes=m), 1 + m, None if m == 1 else "n", (h * 7 + m) % 11 / 10, 0.5)
        for h in range(hours)
        for m in range(meters)
    ]
    schema = {"meter": pl.String, "taken": pl.Datetime("us"), "phase": pl.Int64, "note": pl.String}
    return pl.DataFrame(made, schema=schema | {"load": pl.Float64, "checked": pl.Float64}, orient="row")


READINGS = with_known_at("readings", SCOPE.event_source, rows())
EVENTS = READINGS.select("meter", "taken", "phase", "note", "event_time", predict_at=pl.col("event_time") - HOUR)
TABLES = {"readings": READINGS}
# Everything at once: parts of the tables alone, of the moment, of other parts, of one's own name, named columns, and
# what is asked again with a window, a join on a range and an ASOF join.
SQL = """
WITH asked AS (SELECT *, date_trunc('day', predict_at) AS night FROM events),
readings AS MATERIALIZED (SELECT *, (load * 10)::DECIMAL(9, 2) AS exact FROM readings),
moments(moment) AS MATERIALIZED (SELECT DISTINCT predict_at FROM asked),
nights AS MATERIALIZED (SELECT DISTINCT night FROM asked),
lately AS MATERIALIZED (
    SELECT moment, meter, sum(exact) AS total, count(*) AS many, sum(phase) AS phases
    FROM moments JOIN readings ON event_time < moment AND event_time >= moment - INTERVAL 5 HOUR GROUP BY ALL
),
daily AS MATERIALIZED (SELECT night, max(exact) AS most FROM nights JOIN readings ON event_time < night GROUP BY ALL),
steps AS MATERIALIZED (SELECT meter, event_time, lag(load) OVER (PARTITION BY meter ORDER BY event_time) AS before
    FROM readings),
newest AS (
    SELECT e.meter, e.taken, r.load FROM asked e JOIN readings r ON r.meter = e.meter AND r.event_time < e.predict_at
    QUALIFY row_number() OVER (PARTITION BY e.meter, e.taken ORDER BY r.event_time DESC) = 1
)
SELECT e.meter, e.taken, l.total, l.many, l.phases, d.most, s.before, n.load AS newest, l.total / l.many AS mean,
    e.phase > 1 AS flag, -0.0::FLOAT AS zero, e.note
FROM asked e LEFT JOIN lately l ON l.moment = e.predict_at AND l.meter = e.meter
LEFT JOIN daily d USING (night) LEFT JOIN newest n ON n.meter = e.meter AND n.taken = e.taken
ASOF LEFT JOIN steps s ON s.meter = e.meter AND s.event_time < e.predict_at
"""


def same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """To the bit: the sign of zero too."""
    return one.schema == other.schema and repr(one.rows()) == repr(other.rows())


def test_what_is_kept_and_what_is_asked() -> None:
    plan = planned(SQL, "q")
    told = {part.name: (part.of, part.asks, part.simple) for part in plan.parts}
    assert told == {
        "readings": ((), False, False), "moments": ((), True, True), "nights": ((), True, True),
        "lately": ((0, 1), False, False), "daily": ((0, 2), False, False), "steps": ((0,), False, False),
    }  # fmt: skip
    assert "QUALIFY" in plan.rest and "DECIMAL" not in plan.rest
    assert planned("SELECT meter, taken FROM events", "q").parts == ()
    assert planned("WITH a AS MATERIALIZED (SELECT * FROM query('FROM events')) SELECT * FROM a", "q").parts == ()


asking = st.lists(st.sampled_from(range(EVENTS.height)), min_size=1, max_size=70, unique=True)
STANDING = Standing(TABLES, 1)


@settings(max_examples=25, deadline=None)
@given(asked=asking, later=st.sampled_from([0, 0, 0, 1, 25, 90]))
def test_the_answer_is_that_of_the_whole_query_whatever_was_asked_before(asked: list[int], later: int) -> None:
    events = EVENTS[asked].with_columns(pl.col("predict_at") + timedelta(minutes=later))
    assert same(STANDING.answer(SQL, SCOPE, events), build(SQL, SCOPE, TABLES, events, 1))


def test_what_stays_is_not_made_anew() -> None:
    standing = Standing(TABLES, 1)

    def makings(events: pl.DataFrame) -> int:
        standing.answer(SQL, SCOPE, events)
        query = standing._known[SQL]
        assert query is not None
        return query.makings

    one, other = EVENTS.filter(taken=START + 26 * HOUR), EVENTS.filter(taken=START + 27 * HOUR + timedelta(minutes=1))
    assert makings(one) == 6
    assert makings(one) == 6
    assert makings(other) == 8  # the moments and what follows from them; the night is the same
    assert makings(other.with_columns(phase=9)) == 8


def test_a_part_of_which_the_events_give_many_rows_is_not_kept() -> None:
    every = "every AS MATERIALIZED (SELECT * FROM events, range(500))"
    sql = f"WITH {every} SELECT meter, taken, count(*) AS n FROM every GROUP BY ALL"
    standing = Standing(TABLES, 1)
    for events in (EVENTS[:1], EVENTS[:3], EVENTS[:1]):
        assert same(standing.answer(sql, SCOPE, events), build(sql, SCOPE, TABLES, events, 1))
    query = standing._known[sql]
    assert query is not None and query.large == {"every"} and 3 * 500 > FEW > 500


BAD: list[tuple[str, str]] = [
    ("WITH a AS MATERIALIZED (SELECT nope FROM readings) SELECT meter, taken, nope FROM events, a", "nope"),
    ("WITH a AS MATERIALIZED (SELECT phase / (phase - phase)::INT AS x, 'y'::INT AS y FROM events) "
     "SELECT e.meter, e.taken, a.x, a.y FROM events e, a", "Could not convert"),
    ("WITH RECURSIVE a(n) AS MATERIALIZED (SELECT 1 UNION ALL SELECT n + 1 FROM a WHERE n < 3) "
     "SELECT meter, taken, n FROM events, a", "times over"),
    ("SELECT meter, taken, INTERVAL 1 HOUR AS h FROM events", "an interval"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "said"), BAD)
def test_what_is_wrong_is_told_as_by_the_whole_query(sql: str, said: str) -> None:
    standing = Standing(TABLES, 1)
    told = []
    for ask in (standing.answer, standing.answer):
        with pytest.raises(ScopeError, match=said) as error:
            ask(sql, SCOPE, EVENTS[:2])
        told.append(str(error.value))
    with pytest.raises(ScopeError) as error:
        build(sql, SCOPE, TABLES, EVENTS[:2], 1)
    assert told == [str(error.value)] * 2
    assert same(standing.answer(SQL, SCOPE, EVENTS[:2]), build(SQL, SCOPE, TABLES, EVENTS[:2], 1))


STEPS: list[list[list[tuple[str, str, str]]]] = [
    [[("event_time", "taken", "TIMESTAMP")], [("later", "event_time + INTERVAL 1 HOUR", "TIMESTAMP")],
     [("later", "greatest(later, TIMESTAMP '2024-01-01')", "TIMESTAMP"), ("share", "phase / 3", "DOUBLE")]],
    [[("place", "row_number() OVER (ORDER BY taken DESC)", "DOUBLE")]],
    [[("high", "phase > (SELECT 2)", "BOOLEAN"), ("said", "note || '!'", "VARCHAR")]],
]  # fmt: skip


@pytest.mark.parametrize("steps", STEPS)
def test_an_evaluation_that_is_repeated_says_the_same(steps: list[list[tuple[str, str, str]]]) -> None:
    asked = [[Expression(*said, "here") for said in step] for step in steps]
    found = Evaluation(rows().schema, asked)
    for some in (rows()[:1], rows()[5:9], rows()[:0], rows()[:1]):
        assert same(found.of(some), evaluate(some, *asked))


def test_an_evaluation_tells_what_is_wrong() -> None:
    found = Evaluation(rows().schema, [[Expression("n", "note::INT", "DOUBLE", "sources.readings.time")]])
    with pytest.raises(ScopeError, match="sources.readings.time"):
        found.of(rows()[:1])
    assert found.of(rows()[1:2])["n"].to_list() == [None]


def test_only_a_plan_for_columns_and_rows_is_used_again() -> None:
    cases: dict[str, Any] = {
        "SELECT DISTINCT a FROM (SELECT b + 1 AS a FROM t) WHERE a > 1": True,
        "SELECT row_number() OVER () FROM t": False, "SELECT a FROM t, u": False, "SELECT (SELECT 1) FROM t": False,
        "SELECT a FROM t UNION SELECT a FROM t": False, "SELECT a FROM u": False, "SELECT a FROM range(3)": False,
    }  # fmt: skip
    assert {sql: repeatable(sql, "t") for sql in cases} == cases
