"""What is published: every benchmark, and no figure in the README that they do not produce."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from datetime import datetime
from pathlib import Path
from types import ModuleType

import hourly
import polars as pl
import pytest
from registered import DAG, candidate

from homeostat.core.authorship import Authorship
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
# The one that runs them, one with a page, and those that need tables, replays of two versions, or a replay to draw.
ON_REQUEST = {"publish.py", "tables.py", "equal.py", "chart.py", "readings.py", "pollock.py", "alarms.py"}
RESULTS = (BENCHMARKS / "RESULTS.md").read_text()
README = (ROOT / "README.md").read_text()


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return loaded("publish")


@pytest.mark.parametrize("size", ["SMALL", "FULL"])
def test_every_benchmark_is_run_at_each_size(publish: ModuleType, size: str) -> None:
    run = {name for name, *_ in getattr(publish, size)}
    run |= {"bare.py"} if "year.py" in run else set()  # beside which it runs
    commands = {p.name for p in BENCHMARKS.glob("*.py") if "__main__" in p.read_text()}
    assert commands - ON_REQUEST == run


def test_the_results_name_machine_versions_date_and_command_and_no_place() -> None:
    head = RESULTS.split("\n## ")[0]
    assert re.search(r"on \d{4}-\d\d-\d\d: .+, \d+ cores, Python \d", head)
    assert "Made by `.venv/bin/python benchmarks/publish.py" in head
    assert not re.search(r"(?<![\w.])/(?:tmp|home|root|work)\b", RESULTS)


YEAR = RESULTS.partition("## `.venv/bin/python benchmarks/year.py`\n")[2].partition("\n## ")[0]
whole_year = pytest.mark.skipif(not YEAR or "2013-12" not in YEAR, reason="the README shows the whole year")
FIGURE = re.compile(r"(?m)^\| .+ \| ([\d.,]+) \| ([\d.,]+) \| ([\d.,]+) \| ([\d.]+) % and ([\d.]+) % \|$")


@whole_year
def test_the_readme_claims_what_the_results_hold() -> None:
    claimed = FIGURE.findall(README)
    measured = re.findall(r"(?m)^  mean\* +([\d.]+) +([\d.]+) +([\d.]+)  \|", YEAR)
    measured += re.findall(r"(?m)^  all\* +([\d.,]+) +([\d.,]+) +([\d.,]+)$", YEAR)
    assert [figures[:3] for figures in claimed] == measured
    for *figures, below_never, below_baseline in claimed:
        served, never, baseline = (float(figure.replace(",", "")) for figure in figures)
        assert [f"{100 * (1 - served / other):.1f}" for other in (never, baseline)] == [below_never, below_baseline]


@whole_year
def test_decisions_by_costs_cost_the_same_in_each_table() -> None:
    total = re.search(r"(?m)^  all\* +([\d.,]+) ", YEAR)
    oracle = re.search(r"(?m)^\| costs of all objectives \| ([\d,]+) \| ([\d,]+) \|", RESULTS)
    assert total is not None and oracle is not None
    assert oracle[2] == total[1]
    weights = (ROOT / "docs" / "howto" / "weights.md").read_text()
    assert f"costs of all objectives  {oracle[1]}   {oracle[2]} " in weights


@whole_year
def test_the_readme_counts_what_the_results_show() -> None:
    ratio = re.search(r"(?m)^\| the loop / bare \| ([\d.]+) ", YEAR)
    retrains = re.search(r"(\d+) of them a retrain.*; (\d+) rollback", YEAR)
    assert ratio is not None and retrains is not None
    assert f"took {float(ratio[1]):.1f} times the wall time" in README
    alerts = len(re.findall(r"(?m)^2013-\S+ \S+  (?:incident|in doubt)  ", YEAR))  # a batch in doubt is an incident too
    rollbacks = retrains[2].replace("0", "no")
    assert f"the dates of {retrains[1]} retrains, {alerts} alerts and {rollbacks} rollback" in README
    drawn = (ROOT / "docs" / "year.svg").read_text()
    assert [f"{name}: {count}<" in drawn for name, count in zip(("retrain", "alert", "rollback"), (
        retrains[1], alerts, retrains[2]), strict=True)] == [True] * 3  # fmt: skip


@pytest.fixture
def equal(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return loaded("equal")


@pytest.fixture
def replays(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders alike, with what ``equal.py`` reads of a replay: one release, its features, predictions, records."""
    root = tmp_path / "one"
    (root / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".gitignore"):
        shutil.copyfile(hourly.ROOT / name, root / name)
    (root / "params.yaml").write_text(hourly.PARAMS)
    rows = pl.DataFrame({"meter": ["m0", "m1"], "score__high": [0.25, 0.75]})
    for folder in ("rows", "data/predictions", ".homeostat/ledger/data/accepted", ".homeostat/ledger/data/features"):
        (root / folder).mkdir(parents=True)
        rows.write_parquet(root / folder / "2024-03-01.parquet")
    (root / "dvc.yaml").write_text(f"{DAG}  featurize:\n    cmd: cp -r rows data/features\n    outs: [data/features]\n")
    (root / "reports" / "decisions").mkdir(parents=True)
    (root / "reports" / "decisions" / "2024-03-05T000000.json").write_text('{"action": "release"}')
    (root / ".homeostat" / "tick").write_text("2024-03-05T00:00:00")
    hourly.run(root, "init", "-q", "-b", "main")
    hourly.commit(root)
    project = Project(root, root)
    Registry(project).release(*candidate(project, "one"), Authorship("ann", "passed", datetime(2024, 3, 5)))
    shutil.copytree(root, tmp_path / "other", symlinks=True)
    return root, tmp_path / "other"


def differing(equal: ModuleType, replays: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """How the comparison ends, and the lines of what differs."""
    sys.argv = ["equal.py", *map(str, replays), "--prefix"]
    with pytest.raises(SystemExit) as end:
        equal.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if re.search(r" +\d+ +[1-9]\d*  ", line)]
    return bool(end.value.code), "\n".join(lines)


def test_two_replays_alike_are_equal(
    equal: ModuleType, replays: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert differing(equal, replays, capsys) == (False, "")


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ("data/predictions/2024-03-01.parquet", "predictions"),
        (".homeostat/ledger/data/accepted/2024-03-01.parquet", "accepted, at the end"),
        (".homeostat/ledger/data/features/2024-03-01.parquet", "features, at the end"),
        (".homeostat/releases/*/models/high/model.json", "models, of each release"),
        (".homeostat/releases/*/reference.parquet", "reference, of each release"),
        (".homeostat/releases/*/evaluation.json", "evaluation, of each release"),
        (".dvc/cache/files/md5/*/*.dir", "features, of each release"),
    ],
)
def test_one_byte_is_a_difference(
    equal: ModuleType, replays: tuple[Path, Path], changed: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if changed.endswith(".dir"):  # a release of other feature rows
        listed = next(p for p in replays[1].glob(changed) if "2024-03-01.parquet" in p.read_text())
        listed.chmod(0o644)
        listed.write_text(re.sub(r'"md5": "\w+"', f'"md5": "{"0" * 32}"', listed.read_text()))
        stored = replays[1] / ".dvc" / "cache" / "files" / "md5" / "00" / ("0" * 30)
        stored.parent.mkdir(exist_ok=True)
        stored.write_bytes(b"other rows")
    else:
        flip(next(replays[1].glob(changed)))
    failed, lines = differing(equal, replays, capsys)
    assert failed
    assert lines.startswith(what)
    assert len(lines.splitlines()) == 1


def test_only_the_figures_of_the_final_table_count(equal: ModuleType) -> None:
    one = ["late: log loss", "  2013-02   18,102       0.3999           -  |    0.6459", "money, all together"]
    other = ["late: log loss of it", "  2013-02   18,102  0.3999      -  |  0.6459"]
    assert equal.figures(one) == equal.figures(other) == {"line 1": "2013-02 18,102 0.3999 0.6459"}
    assert equal.figures(one) != equal.figures([*other[:1], other[1].replace("0.3999", "0.3998")])


@pytest.mark.parametrize(
    ("name", "one", "other", "first"),
    [
        ("a.txt", b"x\nabc\n", b"x\nabd\n", "line 2: abc / abd"),
        ("a.txt", b"x\n", b"x\ny\n", "line 2: nothing / y"),
        ("a.bin", b"\xff\x00", b"\xff\x01", "byte 1"),
        ("a.parquet", b"damaged", b"damages", "line 1: damaged / damages"),
    ],
)
def test_the_first_difference_is_named(equal: ModuleType, name: str, one: bytes, other: bytes, first: str) -> None:
    assert equal.difference(name, one, other) == first
