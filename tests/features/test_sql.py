from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from loads import PARAMS, SQL, START

from homeostat.adapters.duckdb import Expression, evaluate
from homeostat.core.errors import ScopeError
from homeostat.data.known_at import FAR, as_known, with_known_at
from homeostat.features.sql import build
from homeostat.project.scope import Scope, parse

SCOPE = parse(PARAMS)
SOURCE = SCOPE.event_source


def rows(meters: int = 3, hours: int = 4) -> pl.DataFrame:
    made = [
        (f"m{m}", START + timedelta(hours=h, minutes=m), 1 + m, None if m == 1 else "n", h + m / 10, h + m / 5)
        for h in range(hours)
        for m in range(meters)
    ]
    schema = {"meter": pl.String, "taken": pl.Datetime("us"), "phase": pl.Int64, "note": pl.String}
    return pl.DataFrame(made, schema=schema | {"load": pl.Float64, "checked": pl.Float64}, orient="row")


READINGS = with_known_at("readings", SOURCE, rows())
EVENTS = READINGS.select("meter", "taken", "phase", "note", "event_time", predict_at=pl.col("event_time"))


def ask(sql: str, events: pl.DataFrame = EVENTS, needed: tuple[str, ...] = (), scope: Scope = SCOPE) -> pl.DataFrame:
    return build(sql, scope, {"readings": READINGS}, events, 1, needed)


def test_the_answer_is_sorted_and_in_plain_types() -> None:
    found = ask(
        "SELECT meter, taken, phase::TINYINT AS small, sum(phase) OVER (PARTITION BY meter) AS sum, phase / 2 AS half,"
        " 1.25::DECIMAL(9, 2) AS money, phase > 1 AS flag, note, 'nan'::FLOAT AS nothing, NULL AS none,"
        " 'a'::ENUM('a', 'b') AS kind FROM events ORDER BY taken DESC"
    )
    assert found.select("meter", "taken").equals(EVENTS.select("meter", "taken").sort("meter", "taken"))
    assert dict(list(found.schema.items())[2:]) == {
        "small": pl.Int64, "sum": pl.Int64, "half": pl.Float64, "money": pl.Float64, "flag": pl.Boolean,
        "note": pl.String, "nothing": pl.Float64, "none": pl.Float64, "kind": pl.String,
    }  # fmt: skip
    assert found.row(4)[2:] == (2, 8, 1.0, 1.25, True, None, None, None, "a")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT meter,\n  taken,\n  nope FROM events", r'features.sql.*"nope" not found.*fix the query'),
        ("SELECT meter,\n taken\n FRO events", r"features.sql:3: .*syntax error.*fix the query"),
        ("SELECT meter, taken,\n 'x'::INT AS bad FROM events", r"features.sql:2: .*Could not convert.*fix the query"),
        ("SELECT 1; SELECT 2", "must hold one SELECT and nothing else"),
        ("CREATE TABLE t AS SELECT 1", "must hold one SELECT and nothing else"),
        ("SET threads = 4", "must hold one SELECT and nothing else"),
        ("SELECT meter, taken,\n random() AS r FROM events", "features.sql:2: random answers otherwise every time"),
        ("SELECT meter, taken, current_date AS d FROM events", "features.sql:1: current_date answers otherwise"),
        ("SELECT meter, taken, today() - 1 AS d FROM events", "today answers otherwise every time"),
        ("SELECT * FROM (SELECT meter, taken FROM events USING SAMPLE 2)", "a sample differs every time"),
        ("SELECT meter, taken, first(phase) AS p FROM events GROUP BY ALL", "first takes rows in no order"),
        ("SELECT * FROM read_csv('/etc/passwd')", "features.sql: Permission Error.*disabled"),
        ("SELECT * FROM '/etc/passwd'", "features.sql: .*does not exist"),
        ("SELECT * FROM EVENTS_OF_PYTHON", "does not exist"),
        ("SELECT meter, 1 AS x FROM events", "does not return taken, of the event's key; add e.taken"),
        ("SELECT meter, taken, 1 AS x, 2 AS X FROM events", "returns x twice; rename one"),
        ("SELECT meter, taken, 1 AS label__high FROM events", "a feature cannot be called label__high"),
        ("SELECT meter, taken, predict_at FROM events", "a feature cannot be called predict_at"),
        ("SELECT meter, taken, predict_at AS p FROM events", "p is Datetime.*a feature is a number"),
        ("SELECT meter, taken, INTERVAL 1 HOUR AS p FROM events", "p is .*a feature is a number"),
        ("SELECT meter, taken, [1] AS p FROM events", "p is List.*a feature is a number"),
        ("SELECT meter, epoch(taken) AS taken FROM events", "taken of the key is Float64; return e.taken as it is"),
        ("SELECT e.meter, e.taken FROM events e JOIN readings USING (meter)", "comes .* a join finds several rows"),
        ("SELECT meter, taken FROM events WHERE phase > 1", "meter=m0, taken=2024-03-01 00:00:00 is missing, 4 events"),
        ("FROM (SELECT meter, taken FROM events UNION ALL SELECT 'x', '2024-01-01'::TIMESTAMP)", "meter=x.* no event"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said_with_its_fix(sql: str, said: str) -> None:
    with pytest.raises(ScopeError, match=said) as caught:
        ask(sql)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("features.sql")


def test_a_listed_feature_must_be_there_and_may_be_of_the_key() -> None:
    assert ask("SELECT meter, taken FROM events", needed=("meter",)).width == 2
    with pytest.raises(ScopeError, match="does not return x, which an objective of params.yaml lists"):
        ask("SELECT meter, taken FROM events", needed=("meter", "x"))


def test_events_of_which_there_are_none() -> None:
    found = ask("SELECT meter, taken, phase / 2 AS half FROM events", EVENTS.head(0))
    assert found.height == 0 and found.schema["half"] == pl.Float64


def test_the_same_bits_at_one_thread_and_four() -> None:
    """Enough rows that four threads do share the work."""
    many = pl.DataFrame({"n": pl.int_range(600_000, eager=True)}).select(
        meter=pl.format("m{}", pl.col("n") % 97),
        taken=START + pl.duration(seconds=pl.col("n")),
        phase=(pl.col("n") * 7919) % 1009,
        note=pl.lit("n"),
        load=((pl.col("n") * 104729) % 10007).cast(pl.Float64) / 16,
        checked=pl.lit(0.0),
    )
    table = with_known_at("readings", SOURCE, many)
    events = table.sample(5000, seed=1).select("meter", "taken", "event_time", predict_at=pl.col("event_time"))
    sql = """
        SELECT e.meter, e.taken, t.mean, t.last, r.load AS now
        FROM events e ASOF LEFT JOIN readings r ON r.meter = e.meter AND r.read_known_at < e.predict_at
        LEFT JOIN (SELECT meter, avg(phase) AS mean, sum(load::DECIMAL(18, 4)) / count(*) AS share,
                   max_by(load, (load, taken)) AS last FROM readings GROUP BY ALL) t ON t.meter = e.meter
    """
    one, four = (build(sql, SCOPE, {"readings": table}, events, threads) for threads in (1, 4))
    assert one.equals(four) and one.write_ipc(None).getvalue() == four.write_ipc(None).getvalue()


@pytest.mark.slow
def test_more_than_memory_goes_to_disk(tmp_path: Path) -> None:
    """A sort of 1.6 GB of rows within the limit of memory."""
    sql = """
        SELECT e.meter, e.taken, s.n FROM events e CROSS JOIN (
            SELECT count(*) AS n FROM (
                SELECT row_number() OVER (ORDER BY md5(i::VARCHAR), i) AS k, md5((i * 7)::VARCHAR) AS text
                FROM range(14000000) r(i)) WHERE k > 3 AND text > '0') s
    """
    assert ask(sql, EVENTS.head(1))["n"][0] > 10_000_000


# ---- what was known


def test_known_at_is_computed_and_a_group_is_not_known_before_its_row() -> None:
    source = SOURCE.model_copy(
        update={"known_at": {**SOURCE.known_at, "read": SOURCE.known_at["read"].model_copy(
            update={"at": "CASE phase WHEN 1 THEN event_time - INTERVAL 9 DAY WHEN 2 THEN NULL ELSE event_time END"}
        )}}
    )  # fmt: skip
    found = with_known_at("readings", source, rows(hours=1))
    day = timedelta(days=1)
    assert found["event_time"].to_list() == found["taken"].to_list()
    assert found["plan_known_at"].to_list() == [t - day for t in found["taken"]]
    assert found["read_known_at"].to_list() == [START - day, FAR, START + timedelta(minutes=2)]


def test_as_known_cuts_strictly() -> None:
    at = START + timedelta(hours=1, minutes=10)  # m0 of hour 1 was read at just that time
    cut = as_known(READINGS, SOURCE, at)
    assert cut.height == READINGS.height
    seen = cut.filter(pl.col("load").is_not_null())
    assert seen["taken"].to_list() == [START + timedelta(minutes=m) for m in range(3)]
    assert cut.filter(pl.col("load").is_null())["read_known_at"].unique().to_list() == [FAR]
    assert cut["checked"].null_count() == cut.height
    early = as_known(READINGS, SOURCE, START - timedelta(days=1) + timedelta(minutes=1))
    assert early["meter"].to_list() == ["m0"]
    each = as_known(READINGS, SOURCE, pl.col("event_time") + timedelta(minutes=10))
    assert each["load"].null_count() == each.height and each.height == READINGS.height


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("load >", "params.yaml: objectives.high.label: .*syntax error"),
        ("laod > 5", 'params.yaml: objectives.high.label: .*"laod" not found.*fix the expression'),
        ("note", "params.yaml: objectives.high.label: .*Could not convert.*fix the expression"),
        ("sum(load)", "params.yaml: objectives.high.label: must answer once a row"),
        ("random()", "params.yaml: objectives.high.label: random answers otherwise"),
    ],
)
def test_a_wrong_expression_is_named(sql: str, said: str) -> None:
    asked = [Expression("b", sql, "DOUBLE", "objectives.high.label")]
    if "sum" not in sql:
        asked.insert(0, Expression("a", "load", "DOUBLE", "objectives.high.where"))
    with pytest.raises(ScopeError, match=said):
        evaluate(rows(), asked)


def test_evaluate_keeps_the_order_of_rows() -> None:
    many = pl.DataFrame({"n": pl.int_range(300_000, eager=True)})
    assert evaluate(many, [Expression("m", "n -- a remark", "BIGINT", "x")])["m"].equals(many["n"].alias("m"))


def test_features_over_known_rows_only() -> None:
    events = EVENTS.with_columns(pl.col("event_time").alias("predict_at"))
    found = build(SQL, SCOPE, {"readings": READINGS}, events, 1)
    assert found.filter(meter="m0")["total"].to_list() == [None, 0.0, 1.0, 3.0]
    assert found["hour"].dtype == pl.Int64 and isinstance(found["taken"][0], datetime)
