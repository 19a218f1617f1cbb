"""How `homeostat new` and the loop read each writing of the battery in tests/scaffold, and each layout of files.

.venv/bin/python benchmarks/readings.py    writes benchmarks/READINGS.md

Right: `new` read every value as it is meant, said what had to be said, and the loop's reader landed the same values.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from scaffold.battery import ROWS, Case  # noqa: E402
from scaffold.test_battery import GROUPS, problems, read_group  # noqa: E402
from scaffold.test_files_as_they_come import FILES, HEAD, put, read_both  # noqa: E402
from scaffold.test_files_as_they_come import table as right_table  # noqa: E402

from homeostat.scaffold.profile.table import Table  # noqa: E402


def lines_of(group: str, folder: Path) -> list[str]:
    """A table of one group's cases, a line each."""
    cases, _ = GROUPS[group]
    table, rows, lands = read_group(group, folder)
    head = [
        "",
        f"## {group[0].upper()}{group[1:]}",
        "",
        "| writing | as written | read as | verdict |",
        "|---|---|---|---|",
    ]
    lines = []
    for case in cases:
        name = next(c.name for c in table.columns if c.raw == case.name)
        wrong = problems(case, table, rows) or (
            [] if lands[name].equals(rows[name]) else ["the loop lands other values"]
        )
        lines.append(_line(case, table, rows[name].to_list(), "right" if not wrong else f"WRONG: {wrong[0]}"))
    return head + lines


def _line(case: Case, table: Table, values: list[object], verdict: str) -> str:
    column = next(c for c in table.columns if c.raw == case.name)
    row = next(n for n, v in enumerate(case.written) if v is not None)
    note = f"; {column.reading.note}" if column.reading.note else ""
    cells = [case.name, f"`{case.written[row]}`", f"{column.kind} {values[row]}{note}", verdict]
    return "| " + " | ".join(" ".join(c.split()).replace("|", "\\|") for c in cells) + " |"


def lines_of_files(folder: Path) -> list[str]:
    """A table of the layouts of files, a line each."""
    times = pl.col("at").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us")
    wanted = right_table().with_columns(times).sort("id")
    lines = ["", "## Files", "", "| layout | what `new` says of it | verdict |", "|---|---|---|"]
    for number, (name, files, address, _) in enumerate(FILES):
        (place := folder / str(number)).mkdir()
        put(files, place)
        rows, lands, notes = read_both(address, place)
        right = rows.select(HEAD).equals(wanted) and lands is not None and lands.sort("id").equals(rows)
        said = " ".join("; ".join(notes).split()).replace("|", "\\|")
        lines.append(f"| {name} | {said} | {'right' if right else 'WRONG: other values'} |")
    return lines


def main() -> None:
    """Write the page."""
    lines = ["# Readings", "", f"Made by `.venv/bin/python benchmarks/readings.py`: {ROWS} rows a writing, one shown."]
    with tempfile.TemporaryDirectory() as folder:
        for number, group in enumerate(GROUPS):
            (place := Path(folder) / str(number)).mkdir()
            lines += lines_of(group, place)
        (place := Path(folder) / "files").mkdir()
        lines += lines_of_files(place)
    (Path(__file__).parent / "READINGS.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    wrong = sum("WRONG" in line for line in lines)
    cases = sum(line.startswith("| ") for line in lines) - len(GROUPS) - 1
    print(f"{cases} writings, {wrong} wrong: benchmarks/READINGS.md")


if __name__ == "__main__":
    main()
