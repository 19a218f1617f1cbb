"""Run the benchmarks and write ``benchmarks/RESULTS.md``: small in some minutes, or at full size.

.venv/bin/python benchmarks/publish.py [full] [REPLAY...]

Folders of finished replays of other tables are compared with bare scripts as well.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from whole_process import BIN, ROOT, run

REPLAYED = ".homeostat/replays/benchmark"  # what year.py leaves
SMALL = (
    ("startup.py",), ("tick.py",), ("year.py", "2013-04-30"),
    ("serving.py", REPLAYED, "all", "--times", "10", "--rate", "100", "--many", "300"), ("new.py", "small"),
    ("kills.py", "--kills", "5", "--seed", "1"), ("soak.py", "--runs", "100"),
)  # fmt: skip
FULL = (  # the service is measured in the middle of the year: at its end no event is ahead
    ("startup.py",), ("tick.py",), ("year.py", "2013-04-30"), ("serving.py", REPLAYED, "all"),
    ("year.py",), ("new.py",), ("kills.py", "--seed", "1"), ("soak.py",),
)  # fmt: skip
TOOLS = ("homeostat", "prefect", "dvc", "great-expectations", "lightgbm", "evidently", "polars", "duckdb")


def processor() -> str:
    """The model name of the processor."""
    listed = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"model name\s*: (.+)", listed)
    return name[1] if name else platform.processor() or "unknown"


def machine() -> str:
    """The machine and the versions that a figure holds for."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in TOOLS)
    cores = len(os.sched_getaffinity(0))
    return f"{processor()}, {cores} cores, Python {platform.python_version()}; {versions}."


def _without_place(word: str) -> str:
    """An argument as it may be published: a path outside this folder by its name alone."""
    return Path(word).name if Path(word).is_absolute() else word


def main() -> None:
    """Run each benchmark in turn and publish what it prints."""
    full, replays = sys.argv[1:2] == ["full"], [str(Path(a).resolve()) for a in sys.argv[1:] if a != "full"]
    size = "full size" if full else "a small size"
    command = f".venv/bin/python benchmarks/publish.py{' full' if full else ''}"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    parts = [
        f"# Results\n\nAt {size}, on {day}: {machine()}\n",
        f"Made by `{command}`; each part names its own command.\n",
    ]
    benchmarks = [*(FULL if full else SMALL), *([("tables.py", *replays)] if replays else [])]
    failed = []
    for name, *more in benchmarks:
        command = " ".join([f".venv/bin/python benchmarks/{name}", *map(_without_place, more)])
        print(command, flush=True)
        try:
            output = run([BIN / "python", ROOT / "benchmarks" / name, *more]).output
        except RuntimeError as error:  # the other figures are still valid
            print(error, flush=True)
            failed.append(command)
            output = "It failed here, so it has no figures."
        parts.append(f"## `{command}`\n\n{output.strip()}\n")
    (ROOT / "benchmarks" / "RESULTS.md").write_text("\n".join(parts))
    if failed:
        raise SystemExit(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
