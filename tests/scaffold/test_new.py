"""``homeostat new`` on small odd tables: its profile, its files, and a loop that runs on them."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from scaffold.odd_tables import START, loads, orders, write

from homeostat.cli import main
from homeostat.core.errors import DataError, HomeostatError, UsageError
from homeostat.project.layout import Project
from homeostat.scaffold.draft import create
from homeostat.scaffold.draft.create import Draft
from homeostat.scaffold.draft.files import replay_days
from homeostat.scaffold.draft.importance import build_features
from homeostat.scaffold.draft.summary import summary_lines
from homeostat.scaffold.profile.profile_table import profile_table
from homeostat.scaffold.profile.request import Address, Request
from homeostat.scaffold.profile.workspace import open_workspace

DEAD = 2**22 + 1  # above the ids that a system gives to processes


def drafted(table: pl.DataFrame, folder: Path, separator: str = ",", **options: object) -> Draft:
    path = write(table, folder / "Some table.csv", separator)
    return create.draft("tried", Request(Address.of(str(path)), **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    folder = tmp_path_factory.mktemp("shop")
    return drafted(orders(), folder, ";", time="Datum & Zeit", label="Zurück?", known_at="bekannt am")


def test_a_german_table_is_profiled(shop: Draft) -> None:
    profile = shop.profile
    kinds = {c.raw: c.kind for c in profile.table.columns}
    assert kinds["Datum & Zeit"] == kinds["bekannt am"] == "time"
    assert kinds["Preis (€)"] == kinds["Erstattung"] == "float"
    assert kinds["Stammkunde"] == kinds["Zurück?"] == "boolean"
    assert kinds["PLZ"] == "string"
    assert (profile.label.task, profile.key.columns) == ("binary", ("Bestell_Nr",))
    assert profile.delay.horizon == timedelta(days=9)
    assert 3 <= profile.rhythm.batches <= 420


def test_a_column_whose_absence_leaks_the_label_is_left_out(shop: Draft) -> None:
    assert shop.leakage.barred == ("Erstattung",)
    assert "Erstattung" not in [f.name for f in shop.features.features]
    assert shop.issues[0].column == "Erstattung"
    assert "LEFT OUT" not in shop.issues[0].text


def test_a_written_project_is_consistent(shop: Draft, tmp_path: Path) -> None:
    (tmp_path / f".here.{DEAD}.unfinished" / "flows").mkdir(parents=True)  # of a run that was killed
    create.write(shop, tmp_path / "here")
    project = Project.find(tmp_path / "here")
    assert project.scope.event_source.read["Art_neu"] == '"Art ""neu"""'
    assert project.scope.training.baseline.by == ("Art_neu",)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=tmp_path / "here", capture_output=True, text=True, check=True
    ).stdout
    assert {"params.yaml", "features.sql", "dvc.yaml", "Makefile", "README.md", "issues.html"} <= set(listed.split())
    assert {"flows/schedules.py", "tests/test_project.py", "expectations/Some_table.json"} <= set(listed.split())
    assert not subprocess.run(
        ["git", "status", "--short"], cwd=tmp_path / "here", capture_output=True, check=True
    ).stdout
    assert [p.name for p in tmp_path.iterdir()] == ["here"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], cwd=tmp_path / "here",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


def test_a_series_of_two_entities_has_features_of_each(tmp_path: Path) -> None:
    made = drafted(loads(), tmp_path, time="timestamp", label="load")
    assert (made.profile.label.task, made.profile.series, made.plan.entities) == ("regression", True, ("site",))
    assert made.profile.key.columns == ("site", "timestamp")
    assert {"load_a_day_before", "site_load_newest", "warm_change"} <= {f.name for f in made.features.features}
    create.write(made, tmp_path / "here")


def rows(**columns: list[object]) -> pl.DataFrame:
    many = 400
    base = {"when": [(START + timedelta(hours=6 * n)).isoformat() for n in range(many)]}
    return pl.DataFrame(base | {name: [v[n % len(v)] for n in range(many)] for name, v in columns.items()})


REFUSED = [
    (rows(y=["a", "b", "c"]), {"time": "when", "label": "y"}, "has 3 classes .* --positive"),
    (rows(y=["a"]), {"time": "when", "label": "y"}, "only ever a"),
    (rows(y=[0, 1]), {"time": "when", "label": "z"}, "no such column; there are when, y"),
    (rows(y=[0, 1]), {"time": "y", "label": "when"}, "--time y: holds 0 to 1, which is no time"),
    (rows(y=[0, 1], x=[1, 2]), {"time": "when"}, "--label: say which column"),
    (rows(y=[0, 1]).head(50), {"time": "when", "label": "y"}, "50 rows are too few"),
    (rows(y=[0, 1], known=["soon"]), {"time": "when", "label": "y", "known_at": "known"}, "--known-at known: is "
        "string"),
    (rows(y=["p", "q"]), {"time": "when", "label": "y", "positive": "r"}, "no such value of y; there are 'p', 'q'"),
    (rows(y=[1, 2]), {"time": "when", "label": "y", "task": "ranking"}, "--group COL"),
    (rows(y=[0, 1], x=[1]), {"time": "when", "label": "y", "drop": ("y",)}, "--drop y: .* that --label names"),
    (rows(y=[0, 1], known=["2020-05-01"]), {"time": "when", "label": "y", "known_at": "known"},
     "--known-at known: lies before"),
    (rows(y=[0, 1], t=["2022-01-01"]), {"time": "t", "label": "y"}, "all rows are of 2022-01-01"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "options", "message"), REFUSED, ids=lambda c: str(c)[:40] if not isinstance(c, pl.DataFrame) else ""
)
def test_an_impossible_request_is_refused_in_one_line(
    table: pl.DataFrame, options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(HomeostatError, match=message) as raised:
        drafted(table, tmp_path, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("values", "options", "task", "sql"),
    [
        ([0, 1], {}, "binary", "y = 1"),
        (["DOWN", "UP", "DOWN"], {}, "binary", "y = 'UP'"),
        (["good", "good", "bad"], {}, "binary", "y = 'bad'"),
        (["it's", "b", "b"], {}, "binary", "y = 'it''s'"),
        (["yes", "no"], {}, "binary", "y"),
        ([1.5, 2.5, 3.5], {}, "regression", "y"),
        (["a", "b", "c"], {"positive": "c"}, "binary", "y = 'c'"),
        ([1, 2, 3], {"group": "g"}, "ranking", "CAST(y AS DOUBLE)"),
    ],
    ids=str,
)
def test_the_task_follows_from_the_label(
    values: list[object], options: dict[str, object], task: str, sql: str, tmp_path: Path
) -> None:
    made = drafted(rows(y=values, g=["q1", "q1", "q2"], x=[5, 7, 9, 4]), tmp_path, time="when", label="y", **(
        options | ({"task": "ranking"} if "group" in options else {})))  # fmt: skip
    assert (made.profile.label.task, made.profile.label.sql) == (task, sql)


def races(many: int = 120, field: int = 6) -> pl.DataFrame:
    """Races whose runners come in by their form, mostly."""
    table = []
    for n in range(many):
        forms = [(n * 31 + 17 * k * k) % 97 for k in range(field)]
        order = sorted(range(field), key=lambda k: -forms[k])
        table += [
            {"race": f"R{n}", "run": START + timedelta(hours=6 * n), "lane": k, "form": forms[k],
             "place": order.index(k) + 1, "money": 1000.5 / (order.index(k) + 1), "seen": int(order.index(k) < 2)}
            for k in range(field)
        ]  # fmt: skip
    return pl.DataFrame(table)


@pytest.mark.parametrize(
    ("label", "options", "sql"),
    [
        ("place", {}, "CAST(greatest(0, 6 - place) AS DOUBLE)"),
        ("place", {"task": "ranking", "group": "race"}, "CAST(greatest(0, 6 - place) AS DOUBLE)"),
        ("seen", {"task": "ranking", "group": "race"}, "CAST(seen AS DOUBLE)"),
        ("money", {"task": "ranking", "group": "race"}, "CASE WHEN money IS NOT NULL THEN CAST(money > "),
    ],
)
def test_a_ranking_within_a_group_is_graded(label: str, options: dict[str, object], sql: str, tmp_path: Path) -> None:
    made = drafted(races(), tmp_path, time="run", label=label, **options)
    assert (made.profile.label.task, made.profile.label.group) == ("ranking", "race")
    assert made.profile.label.sql.startswith(sql)
    assert "race" not in [f.name for f in made.features.features]
    create.write(made, tmp_path / "here")


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"label": "seen", "drop": ("lane",)}, "if it ranks the rows of each race: --task ranking --group 'race'"),
        ({"label": "lane", "drop": ("race", "seen")}, "if its 6 values are classes: --positive VALUE"),
    ],
)
def test_an_alternative_task_is_suggested(options: dict[str, object], note: str, tmp_path: Path) -> None:
    table = races().with_columns(pl.col("lane") * 2)
    made = drafted(table, tmp_path, time="run", **options)
    assert note in "\n".join(summary_lines(made.profile, made.roles, made.plan, made.features))


def test_a_group_is_suggested_for_a_ranking(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--group COL .*, such as race"):
        drafted(races(), tmp_path, time="run", label="seen", task="ranking")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        create.check_free(tmp_path)
    path = write(orders(300), tmp_path / "t.csv")
    code = main(
        ["new", str(tmp_path), "--from", str(path), "--time", "Datum & Zeit", "--label", "Zurück?"],
        standalone_mode=False,
    )
    assert code == 2
    assert (tmp_path / "note").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.csv", None, "no such file"),
        ("empty.csv", "", "empty"),
        ("head.csv", "a,b\n", "no rows"),
        ("torn.csv", "a,b\n1,2\n3,4,5\n", "line 3 has 3 values where the heading has 2"),
        ("torn.parquet", "PAR1", "damaged or cut short"),
    ],
)
def test_an_unreadable_table_is_refused_in_one_line(name: str, text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=message) as raised:
        create.draft("tried", Request(Address.of(str(path)), time="a", label="b"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("encoding", "separator", "end", "mixed"),
    [
        ("utf-8", ",", "\r\n", False),
        ("utf-8-sig", ",", "\r\n", True),
        ("latin-1", ";", "\n", False),
        ("utf-16", "\t", "\n", False),
    ],
)
def test_any_form_of_csv_is_read_here_and_by_the_loop(
    encoding: str, separator: str, end: str, mixed: bool, tmp_path: Path
) -> None:
    from steps import read_batch

    table = orders(300).rename({"Preis (€)": "Preis"})
    text = table.write_csv(separator=separator).replace("\n", end)
    text = text.replace("\r\n", "\n", 1) if end == "\r\n" and mixed else text
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    request = Request(Address.of(str(tmp_path / "t.csv")), time="Datum & Zeit", label="Zurück?")
    create.write(create.draft("tried", request), tmp_path / "here")
    source = Project.find(tmp_path / "here").scope.sources["t"]
    rows = read_batch("t", source, None, tmp_path)
    assert rows is not None
    assert (rows.height, rows["Art_neu"].unique().sort().to_list()) == (300, ["Buch", "Kleid", "Möbel"])


def test_schema_changes_between_files_are_reported(tmp_path: Path) -> None:
    table = loads(24 * 40)
    write(table.head(1000), tmp_path / "a.csv")
    write(table.tail(920).with_columns(extra=pl.lit(1)).drop("warm"), tmp_path / "b.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "*.csv")), time="timestamp", label="load"))
    changes = [i.text for i in made.issues if i.kind == "schema changes between files"]
    assert changes == ["warm is missing from b.csv on", "extra is new from b.csv on"]
    assert made.profile.table.rows == 1920
    create.write(made, tmp_path / "here")


def test_a_database_is_read_by_a_query(tmp_path: Path) -> None:
    loads(24 * 40).with_columns(pl.col("timestamp").dt.to_string("%Y-%m-%d %H:%M:%S")).write_database(
        "loads", f"sqlite:///{tmp_path / 'l.db'}", engine="sqlalchemy"
    )
    address = Address.of(f"sqlite:///{tmp_path / 'l.db'}", "SELECT * FROM loads")
    made = create.draft("tried", Request(address, time="timestamp", label="load"))
    create.write(made, tmp_path / "here")
    assert made.profile.table.rows == 24 * 40 * 2


def test_a_database_of_duckdb_is_read_by_a_query_with_bounds_too(tmp_path: Path) -> None:
    loads(24 * 40).write_parquet(tmp_path / "l.parquet")
    with duckdb.connect(str(tmp_path / "l.duckdb")) as connection:
        connection.execute(f"CREATE TABLE loads AS FROM '{tmp_path / 'l.parquet'}'")
    query = "SELECT *, site AS Site FROM loads WHERE timestamp >= :start::TIMESTAMP AND timestamp < :end::TIMESTAMP"
    address = Address.of(f"duckdb:///{tmp_path / 'l.duckdb'}", query)
    made = create.draft("tried", Request(address, time="timestamp", label="load"))
    create.write(made, tmp_path / "here")
    assert made.profile.table.rows == 24 * 40 * 2
    assert "Site_2" in made.profile.table.names
    with pytest.raises(DataError, match="the query failed: .*nowhere"):
        create.draft("tried", Request(Address.of(address.url or "", "SELECT * FROM nowhere"), label="load"))


def test_a_database_without_its_driver_is_refused_by_its_name() -> None:
    address = Address.of("snowflake://me@there/base", "SELECT * FROM loads")
    with pytest.raises(DataError, match="no driver for snowflake is installed"):
        create.draft("tried", Request(address, time="timestamp", label="load"))


def test_a_further_table_is_joined(tmp_path: Path) -> None:
    write(pl.DataFrame({"site": ["site 0", "site 1"], "floor area": [100, 220]}), tmp_path / "sites.csv")
    path = write(loads(24 * 40), tmp_path / "l.csv")
    context = ("sites", Address.of(str(tmp_path / "sites.csv")), ("site",))
    made = create.draft("tried", Request(Address.of(str(path)), time="timestamp", label="load"), [context])
    assert "sites_floor_area" in [f.name for f in made.features.features]
    create.write(made, tmp_path / "here")
    assert Project.find(tmp_path / "here").scope.sources["sites"].period == "once"


def test_a_further_table_with_a_time_of_its_own_is_joined_as_of(tmp_path: Path) -> None:
    reports = [(START + timedelta(hours=h), f"site {s}", 100.0 * s + h) for h in range(0, 24 * 40, 5) for s in (0, 1)]
    weather = pl.DataFrame(reports, schema=["read at", "site", "wind"], orient="row")
    write(weather, tmp_path / "weather.csv")
    path = write(loads(24 * 40), tmp_path / "l.csv")
    context = ("weather", Address.of(str(tmp_path / "weather.csv")), ("site",))
    made = create.draft("tried", Request(Address.of(str(path)), time="timestamp", label="load"), [context])
    create.write(made, tmp_path / "here")
    assert Project.find(tmp_path / "here").scope.sources["weather"].known_at["given"].at == "event_time"
    with open_workspace() as work:
        profile = profile_table(work, made.profile.request, [context])
        rows = build_features(work, profile, made.features)
    assert rows.height > 1000
    for site, at, wind in rows.select("site", "__t", "weather_wind").sample(50, seed=1).iter_rows():
        known = [w for read_at, s, w in reports if s == site and read_at < at]  # strictly before predict_at
        assert wind == (known[-1] if known else None)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["orders", "loads"])
def test_the_loop_runs_on_it_with_no_file_edited(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if kind == "orders":
        made = drafted(orders(300), tmp_path, time="Datum & Zeit", label="Zurück?", known_at="bekannt am")
    else:
        made = drafted(loads(24 * 8, sites=5), tmp_path, time="timestamp", label="load")
    create.write(made, tmp_path / "here")
    first, last = replay_days(made.profile)
    code = main(
        ["-C", str(tmp_path / "here"), "replay", "--from", first, "--to", last, "--name", "whole"],
        standalone_mode=False,
    )
    output = capsys.readouterr()
    assert code in (0, None), output.err
    assert "release" in output.out
    whole = tmp_path / "here" / ".homeostat" / "replays" / "whole"
    code = main(["-C", str(whole), "check", "leakage", "--events", "200"], standalone_mode=False)
    output = capsys.readouterr()
    assert code in (0, None), output.out + output.err


def test_what_the_loop_would_quarantine_is_on_the_page_with_counts(tmp_path: Path) -> None:
    rows = orders(900)
    odd = pl.int_range(pl.len())
    weight = pl.when(odd % 300 == 7).then(pl.lit("see note")).otherwise((odd % 50 + 0.5).cast(pl.String))
    table = rows.with_columns(weight=weight)
    twice = pl.concat([table, table[100:104].with_columns(weight=pl.lit("9.5"))])
    made = drafted(twice, tmp_path, time="Datum & Zeit", label="Zurück?", key=("Bestell-Nr",))
    quarantined = [i.text for i in made.issues if i.kind == "quarantined by the loop"]
    assert any("3 rows" in text and "weight is 'see note', which is not float" in text for text in quarantined)
    assert any("8 rows" in text and "Bestell_Nr" in text for text in quarantined)
    unfit = next(i for i in made.issues if i.kind == "values that do not fit")
    assert "weight is no float in 3 rows, such as 'see note'" in unfit.text
    assert "see note" in made.files["issues.html"]
    create.write(made, tmp_path / "here")
    landed = list((tmp_path / "here").rglob("*.parquet"))
    assert not landed and not (tmp_path / "here" / ".homeostat").exists()


@pytest.mark.parametrize(
    ("values", "positive", "sql"),
    [
        (["yes", "no"], "yes", "y"),
        (["yes", "no"], "no", "NOT y"),
        (["X", None], "X", "y"),
        (["1", "0", "2"], "1.0", "y = 1"),
        (["30040017", "30040018", "30040019"], "30040017", "y = 30040017"),
        (["Churned", "churned ", "Active"], "Churned", "y = 'churned'"),
    ],
)
def test_the_positive_value_is_taken_as_the_file_writes_it(
    values: list[str | None], positive: str, sql: str, tmp_path: Path
) -> None:
    times = [START + timedelta(hours=7 * n) for n in range(300)]
    table = pl.DataFrame({"when": times, "a": [n * 37 % 101 for n in range(300)], "y": (values * 300)[:300]})
    path = write(table, tmp_path / "t.csv")
    with open_workspace() as work:
        request = Request(Address.of(str(path)), time="when", label="y", positive=positive)
        label = profile_table(work, request).label
    assert label.sql == sql
