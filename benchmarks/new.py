"""How long ``homeostat new`` takes on a table of 120,000 rows and 35 columns, and on one of 10 million and 20.

The goals: below 20 s for the first; within 4 GB, and no more time a row, for the second. The tables are made by chance
in a temporary folder: yes or no that comes late, numbers, words, codes, times, some of them missing. Other sizes as
ROWSxCOLUMNS:

    .venv/bin/python benchmarks/new.py [small] [ROWSxCOLUMNS...]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from whole_process import BIN, run

FULL = ("120000x35", "10000000x20")
SMALL = ("120000x35", "1000000x20")
KINDS = (
    "CAST(floor(random() * 50) AS INTEGER)",
    "round(random() * 1000, 2)",
    "'word ' || CAST(floor(random() * random() * 40) AS INTEGER)",
    "CASE WHEN random() > 0.1 THEN random() * 7 - 3 END",
    "random() > 0.7",
    "CAST(floor(pow(random(), 3) * 2000) AS INTEGER)",
    "placed + to_days(CAST(floor(random() * 30) AS INTEGER))",
)  # SQL of a column; they take turns


def make(rows: int, columns: int, path: Path) -> None:
    """Write a table of so many rows and columns, over two years; its first four are placed, kept, settled and price."""
    import duckdb

    others = ", ".join(f"{KINDS[n % len(KINDS)]} AS c{n}" for n in range(columns - 4))
    step = 2 * 365 * 86400 / rows
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1; SELECT setseed(0.5)")
        connection.execute(
            f"COPY (SELECT placed, random() < 0.2 + 0.5 * (price > 70)::INT AS kept, price, {others}, "
            "placed + to_days(CAST(1 + floor(random() * 20) AS INTEGER)) AS settled "
            f"FROM (SELECT TIMESTAMP '2022-01-03' + to_seconds(i * {step}) AS placed, "
            f"round(random() * 100, 1) AS price FROM range({rows}) r(i))) TO '{path}' (FORMAT parquet)"
        )


def main() -> None:
    """Make each table, draft a project from it, and print what that took."""
    sizes = [a for a in sys.argv[1:] if a != "small"] or (SMALL if "small" in sys.argv[1:] else FULL)
    print("| rows | columns | wall s | CPU s | CPU us a row | largest process GB |\n|---|---|---|---|---|---|")
    for size in sizes:
        rows, columns = map(int, size.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "orders.parquet"
            make(rows, columns, table)
            options = ["--from", table, "--time", "placed", "--label", "kept", "--known-at", "settled", "--yes"]
            took = run([BIN / "homeostat", "new", Path(folder) / "project", *options])
        each = f"{took.cpu / rows * 1e6:.1f}"
        print(f"| {rows:,} | {columns} | {took.wall:.1f} | {took.cpu:.1f} | {each} | {took.peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
