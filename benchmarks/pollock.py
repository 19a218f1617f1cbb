"""What `homeostat new` makes of the polluted CSV files of the Pollock benchmark, without being told anything of them.

.venv/bin/python benchmarks/pollock.py FOLDER            writes benchmarks/POLLOCK.md
.venv/bin/python benchmarks/pollock.py FOLDER --every 10  prints the scores of every tenth file

FOLDER is a checkout of HPI-Information-Systems/Pollock (Vitagliano et al., PVLDB 16, 2023). The files stay there.
Scored as by its own evaluate.py, but for one thing: values are compared as they stand, without its normalization of
numbers and dates, so that the score is at most the benchmark's own.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from homeostat.core.errors import HomeostatError
from homeostat.scaffold.profile.identifiers import quoted_list
from homeostat.scaffold.profile.open_table import open_table
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.workspace import open_workspace

HERE = Path(__file__).resolve().parent
MEASURES = 10  # success, and precision, recall and F1 of heading, records and cells: a point each
HEAD = (
    "# Polluted CSV files",
    "",
    "Made by `.venv/bin/python benchmarks/pollock.py FOLDER` on the Pollock benchmark (Vitagliano et al.,",
    "PVLDB 16, 2023). Published there: DuckDB's sniffer 9.075 simple and 8.439 weighted, CleverCSV 9.193 and 9.453,",
    "pandas with the right parameters 9.895 and 9.431, DuckDB with them 9.961 and 9.599.",
    "",
)
EXPLAINED = {
    "file_double_trailing_newline": "a blank line at the end", "file_escape_char_": "quotes escaped otherwise, or not",
    "file_field_delimiter_": "other delimiters", "file_header_multirow_": "a heading over several lines",
    "file_header_only": "a heading and no row", "file_multitable_": "a second table below",
    "file_no_header": "no heading",
    "file_no_payload": "an empty file", "file_no_trailing_newline": "no end of the last line",
    "file_one_data_row": "one row", "file_preamble": "lines before the heading",
    "file_quotation_char_": "single quotes", "file_record_delimiter_": "other ends of lines",
    "row_extra_quote": "a stray quote in one line", "row_field_delimiter_": "another delimiter in one line",
    "row_less_sep_row": "a delimiter missing in one line", "row_more_sep_row": "a delimiter too many in one line",
    "source": "the clean file",
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One file: its points of ``MEASURES``, why it was refused, and rows lost and whether something was said."""

    name: str
    points: float
    refused: str = ""
    lost: int = 0
    notes: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        return self.lost > 0 and not self.notes

    @property
    def kind(self) -> str:
        return re.sub(r"\d.*|_(less|more|same)\.csv|\.csv", "", self.name) + ("_" if "multitable" in self.name else "")


def result_of(folder: Path, name: str) -> Result:
    """How a file is read, and scored against the clean one."""
    with (folder / "clean" / name).open(encoding="utf-8-sig", newline="") as stream:
        clean = list(csv.reader(stream))
    try:
        heading, rows, notes = read(folder / "csv" / name)
    except HomeostatError as error:
        return Result(name, 0.0, str(error).split(name)[-1].strip(": "))
    return Result(name, 1 + sum(scores(clean, heading, rows)), "", max(0, len(clean) - len(heading) - len(rows)), notes)


def read(path: Path) -> tuple[list[list[str]], list[list[str]], tuple[str, ...]]:
    """The lines of the heading, none or one, the rows as they are written, and what was said of them."""
    with open_workspace() as work:
        table = open_table(work, "t", Address.of(str(path)))
        names = [name for name, _ in table.columns]
        rows = work.rows(f"SELECT {quoted_list(names)} FROM t")
    return [names] if table.form.heading else [], [["" if v is None else v for v in row] for row in rows], table.notes


def scores(clean: Sequence[list[str]], heading: Sequence[list[str]], rows: Sequence[list[str]]) -> list[float]:
    """The nine measures of a file that was read."""
    if not clean:
        return [1.0] * 9
    loaded = [*heading, *rows]
    records = [["".join(row) for row in lines[1:]] for lines in (clean, loaded)]
    cells = [[cell for row in lines for cell in row] for lines in (clean, loaded)]
    return [*agreement(clean[0], loaded[0] if loaded else []), *agreement(*records), *agreement(*cells)]


def agreement(source: Iterable[str], loaded: Iterable[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of two bags, as the benchmark has them."""
    one, other = Counter(source), Counter(loaded)
    if not one:
        return 1.0, 1.0, 1.0
    common = (one & other).total()
    if not common:
        return 0.0, 0.0, 0.0
    precision, recall = common / one.total(), common / other.total()
    return precision, recall, 2 * precision * recall / (precision + recall)


def page(results: Sequence[Result], weights: dict[str, float]) -> list[str]:
    """The scores, and a line on each kind of pollution."""
    total = sum(weights[r.name] for r in results)
    simple = sum(r.points for r in results) / len(results)
    weighted = sum(r.points * weights[r.name] for r in results) / total
    refused, silent = [r for r in results if r.refused], [r for r in results if r.silent]
    lines = [
        f"{len(results):,} files: **{simple:.3f}** simple and **{weighted:.3f}** weighted of {MEASURES}; "
        f"{len(refused)} refused with the reason, {len(silent)} lose rows without a word.",
        "",
        "| pollution | files | mean points | refused | rows lost, and said | rows lost without a word |",
        "|---|---|---|---|---|---|",
    ]
    kinds: dict[str, list[Result]] = defaultdict(list)
    for r in results:
        kinds[r.kind].append(r)
    for kind, of in sorted(kinds.items()):
        mean = sum(r.points for r in of) / len(of)
        told = sum(r.lost > 0 and not r.silent for r in of)
        counts = f"{sum(bool(r.refused) for r in of)} | {told} | {sum(r.silent for r in of)}"
        lines.append(f"| {EXPLAINED.get(kind, kind)} | {len(of):,} | {mean:.3f} | {counts} |")
    reasons = sorted({f"- `{r.name}`: {r.refused}" for r in refused})
    return [*lines, *(["", "Refused:", "", *reasons[:20]] if reasons else [])]


def main() -> None:
    parser = argparse.ArgumentParser(description="Score what `homeostat new` reads of the Pollock benchmark.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--kind", default="", help="only files whose name begins so")
    given = parser.parse_args()
    files = given.folder / "polluted_files"
    weights = json.loads((given.folder / "pollock_weights.json").read_text())
    names = sorted(path.name for path in (files / "csv").iterdir() if path.name.startswith(given.kind))
    results = [result_of(files, name) for name in names[:: given.every]]
    lines = page(results, weights)
    print("\n".join(lines))
    if given.every == 1 and not given.kind:
        (HERE / "POLLOCK.md").write_text("\n".join([*HEAD, *lines]) + "\n")


if __name__ == "__main__":
    main()
