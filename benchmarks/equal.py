"""Two replayed projects compared byte for byte: what a change of the code must leave as it was, and what it may change.

    .venv/bin/python benchmarks/equal.py REPLAY OTHER [--prefix]

Of each release: models, baseline, evaluation, reference and feature rows; of the whole replay: predictions, accepted
rows, feature rows, decisions, events and the final table. Bundle hashes and tag ids follow from the code, and the other
files of a bundle and the quarantined rows carry words; they are listed apart. ``--prefix`` compares what the shorter of
two replays contains, without the final table. Either may be a project of an earlier version: only files, tags and the
project's own code are read. The exit code is 1 where something differs that must be equal.
"""

from __future__ import annotations

import argparse
import configparser
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
from ruamel.yaml import YAML
from whole_process import BIN

from homeostat.adapters.git import read_ledger, read_tags
from homeostat.core.ledger import Ledger, Register, event_tag, release_tag

Read = Callable[[], bytes]
Files = Mapping[str, tuple[str, Read]]  # by name: what is equal where the bytes are, and the bytes themselves
SEAL = "manifest.json"  # names the other files by hash
HEAD = "   equal  different  first difference"
WIDTH = 60  # of a line of text that is shown
ROWS = "*.parquet"  # beside the rows lie notes of what they were made by
PARTS = {"models/": "models", "baseline/": "baseline", "evaluation.json": "evaluation", "reference.": "reference"}
# The final table by the project's own code; where it lies has changed between versions.
TABLE = """
import importlib, importlib.util, pathlib, sys
def there(*names):
    for name in names:
        try:
            if importlib.util.find_spec(name):
                return importlib.import_module(name)
        except ModuleNotFoundError:
            pass
    raise SystemExit(f"none of {', '.join(names)} in {sys.path[0] or 'the package'}")
project = there("homeostat.project.layout", "homeostat.project").Project.find(pathlib.Path(sys.argv[1]))
report = there("homeostat.reports.results", "homeostat.results")
print(*report.table(report.results(project)), sep="\\n")
"""


@dataclass(frozen=True)
class Side:
    """One replayed project."""

    folder: Path

    @property
    def tree(self) -> Path:
        """The worktree of scheduled work."""
        return self.folder / ".homeostat" / "ledger"

    @cached_property
    def name(self) -> str:
        """What its scope calls the project."""
        return str(YAML(typ="safe").load(self.folder / "params.yaml")["project"])

    @cached_property
    def ledger(self) -> Ledger:
        """Its releases and events."""
        return read_ledger(self.folder, self.name)

    @cached_property
    def end(self) -> str:
        """The time of its last completed tick."""
        return (self.folder / ".homeostat" / "tick").read_text().strip()

    @cached_property
    def cache(self) -> Path:
        """Its DVC cache, which may be another project's."""
        for name in ("config.local", "config"):
            path = self.folder / ".dvc" / name
            config = configparser.ConfigParser()
            config.read(path)
            if config.has_option("cache", "dir"):
                return (path.parent / config["cache"]["dir"]).resolve()
        return self.folder / ".dvc" / "cache"

    def stored(self, md5: str) -> bytes:
        """An object of the cache."""
        return (self.cache / "files" / "md5" / md5[:2] / md5[2:]).read_bytes()

    def out(self, commit: str, path: str) -> Files:
        """The files of a folder that DVC versions, as of a commit."""
        lock = subprocess.run(
            ["git", "show", f"{commit}:dvc.lock"], cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout
        entry = re.search(rf"- path: {re.escape(path)}\n\s+hash: md5\n\s+md5: (\S+)", lock)
        if entry is None:
            raise SystemExit(f"{self.folder}: {path} is not in the dvc.lock of {commit[:12]}; this is no release of it")
        listed = json.loads(self.stored(entry[1]))
        return {one["relpath"]: (one["md5"], lambda md5=one["md5"]: self.stored(md5)) for one in listed}

    def features(self, version: str) -> Files:
        """The feature rows that a release was made from."""
        files = self.out(self._release(version).commit, "data/features")
        return {name: file for name, file in files.items() if Path(name).match(ROWS)}

    def bundle(self, version: str) -> Files:
        """The files of a release: as they serve, or as they lie in the cache where they have never served."""
        release = self._release(version)
        unpacked = self.folder / ".homeostat" / "releases" / release.bundle
        return in_folder(unpacked) if unpacked.is_dir() else self.out(release.commit, "models/bundle")

    def _release(self, version: str) -> Register:
        release = self.ledger.release(version)
        assert release is not None, version
        return release

    @cached_property
    def table(self) -> list[str]:
        """The final table."""
        paths = [str(self.folder / "src")] if (self.folder / "src").is_dir() else []
        own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run(
            [BIN / "python", "-c", TABLE, self.folder], cwd=self.folder, env=os.environ | own, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if run.returncode:
            raise SystemExit(f"{self.folder}: its own code gives no table: {run.stderr[-2000:]}")
        return run.stdout.splitlines()


def in_folder(folder: Path, pattern: str = "*") -> Files:
    """The files of a folder that match, by their path in it."""
    paths = sorted(p for p in folder.rglob(pattern) if p.is_file())
    return {p.relative_to(folder).as_posix(): _whole(p) for p in paths}


def _whole(path: Path) -> tuple[str, Read]:
    return path.read_bytes().hex(), path.read_bytes


def texts(items: Mapping[str, str]) -> Files:
    """Lines of text as files."""
    return {name: (text, text.encode) for name, text in items.items()}


def must_equal(side: Side, versions: Collection[str], whole: bool) -> dict[str, Files]:
    """What no change of the code may change, with ``versions`` the releases that both replays have."""
    groups = {
        "releases and events": texts(events(side)),
        "decisions": texts(decisions(side)),
        "predictions": in_folder(side.folder / "data" / "predictions", ROWS),
        "accepted, at the end": in_folder(side.tree / "data" / "accepted", ROWS),
        "features, at the end": in_folder(side.tree / "data" / "features", ROWS),
        "features, of each release": of_releases(side.features, versions),
    }
    bundles = of_releases(side.bundle, versions)
    for start, part in PARTS.items():
        groups[f"{part}, of each release"] = {n: f for n, f in bundles.items() if _inside(n).startswith(start)}
    return groups | ({"final table": texts(figures(side.table))} if whole else {})


def may_differ(side: Side, versions: Collection[str]) -> dict[str, Files]:
    """What follows from the code too."""
    bundles = of_releases(side.bundle, versions)
    return {
        "quarantined, at the end": in_folder(side.tree / "data" / "quarantine", ROWS),
        "other files of each bundle": {n: f for n, f in bundles.items() if not _inside(n).startswith((*PARTS, SEAL))},
        "bundle hashes": texts({r.version: r.bundle for r in side.ledger.releases}),
        "tag ids": texts({tag: commit for tag, commit, _ in read_tags(side.folder, side.name)}),
    }


def of_releases(files: Callable[[str], Files], versions: Collection[str]) -> Files:
    """The files of all these versions, by version and name."""
    return {f"{version} {name}": file for version in versions for name, file in files(version).items()}


def _inside(name: str) -> str:
    """The name of a release's file in its bundle."""
    return name.partition(" ")[2]


def events(side: Side) -> dict[str, str]:
    """When each version was registered and what came to serve, without words or hashes."""
    name = side.name
    registered = {release_tag(name, r.version): f"registered at {r.at}" for r in side.ledger.releases}
    return registered | {
        event_tag(name, e.number): f"{e.what} {e.version} at {e.at}" for e in side.ledger.events
    }  # fmt: skip


def decisions(side: Side) -> dict[str, str]:
    """The action of each decision, by its time."""
    paths = sorted((side.folder / "reports" / "decisions").glob("*.json"))
    return {path.stem: json.loads(path.read_text())["action"] for path in paths}


def figures(table: list[str]) -> dict[str, str]:
    """The numbers and months of each line of the final table that has any: its words may change."""
    rows = [" ".join(re.findall(r"(?<![\w.])-?\d[\d,.-]*(?!\w)", line)) for line in table]
    return {f"line {number}": row for number, row in enumerate((row for row in rows if row), 1)}


def difference(name: str, one: bytes, other: bytes) -> str:
    """Where two files differ first: a row and column, a line, or a byte."""
    if name.endswith(".parquet"):
        try:
            return _of_tables(pl.read_parquet(io.BytesIO(one)), pl.read_parquet(io.BytesIO(other)))
        except (pl.exceptions.PolarsError, OSError):
            pass  # damaged: by its bytes
    place = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    try:
        lines = [data.decode().splitlines() for data in (one, other)]
    except UnicodeDecodeError:
        return f"byte {place}"
    number, column = one[:place].count(b"\n"), place - one.rfind(b"\n", 0, place) - 1
    was, now = (text[number][max(0, column - 20) :][:WIDTH] if number < len(text) else "nothing" for text in lines)
    return f"line {number + 1}: {was} / {now}"


def _of_tables(one: pl.DataFrame, other: pl.DataFrame) -> str:
    if one.schema != other.schema:
        columns = [c for c in {**one.schema, **other.schema} if one.schema.get(c) != other.schema.get(c)]
        return f"column {columns[0]}: {one.schema.get(columns[0])} / {other.schema.get(columns[0])}"
    if one.height != other.height:
        return f"{one.height} / {other.height} rows"
    for column in one.columns:
        unequal = (~one[column].eq_missing(other[column])).arg_true()
        if len(unequal):
            row = unequal[0]
            return f"row {row}, {column}: {one[column][row]} / {other[column][row]}"
    return "equal values in other bytes"


def main() -> None:
    """Compare, print the two tables, and fail where something differs that must be equal."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    reader.add_argument("replays", nargs=2, type=Path, metavar="REPLAY", help="folder of a finished replay")
    reader.add_argument("--prefix", action="store_true", help="compare what the shorter replay holds")
    options = reader.parse_args()
    sides = sorted((Side(path.resolve()) for path in options.replays), key=lambda s: options.prefix and s.end)
    one, other = sides
    if one.end != other.end and not options.prefix:
        sys.exit(f"{one.folder} ends at {one.end}, {other.folder} at {other.end}; --prefix compares what both hold")
    shared = [r.version for r in one.ledger.releases if other.ledger.release(r.version)]
    print(f"{one.folder}, to {one.end}\n{other.folder}, to {other.end}\n\n{'must be equal':28}{HEAD}")
    must = [must_equal(side, shared, not options.prefix) for side in sides]
    equal = [show(what, must[0][what], must[1][what], options.prefix) for what in must[0]]
    print(f"\n{'may differ':28}{HEAD}")
    may = [may_differ(side, shared) for side in sides]
    for what in may[0]:
        show(what, may[0][what], may[1][what], options.prefix)
    sys.exit(None if all(equal) else "\nsomething differs that must be equal, or there was nothing to compare")


def show(what: str, left: Files, right: Files, prefix: bool) -> bool:
    """Print how many files of a group are equal, and where they differ first; whether there are any and all are."""
    names = list(left) if prefix else sorted({*left, *right})
    unequal = [n for n in names if n not in left or n not in right or left[n][0] != right[n][0]]
    first = _first(unequal[0], left, right) if unequal else "-" if names else "nothing to compare"
    print(f"{what:28}{len(names) - len(unequal):8,}{len(unequal):11,}  {first}")
    return bool(names) and not unequal


def _first(name: str, left: Files, right: Files) -> str:
    for files, which in ((left, "second"), (right, "first")):
        if name not in files:
            return f"{name}: only in the {which}"
    return f"{name}, {difference(name, left[name][1](), right[name][1]())}"


if __name__ == "__main__":
    main()
