"""Run the benchmarks and write ``benchmarks/RESULTS.md``: small in some minutes, or at full size.

.venv/bin/python benchmarks/publish.py [full] [NAME.py...] [REPLAY...]

With names of benchmarks only these are run, and the figures of the others stay. Folders of finished replays of other
tables are compared with bare scripts as well.
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

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
REPLAYED = ".homeostat/replays/benchmark"  # what year.py leaves
SMALL = (
    ("startup.py",), ("tick.py",), ("drift.py", "50000"), ("year.py", "2013-04-30"),
    ("serving.py", REPLAYED, "all", "--times", "10", "--rate", "100", "--many", "300"),
    ("weights.py", REPLAYED, "--times", "3"), ("candidate.py", REPLAYED), ("oracle.py", REPLAYED),
    ("estimates.py", REPLAYED), ("device.py", REPLAYED, "--rows", "5000"), ("cadence.py", REPLAYED, "--length", "14d"),
    ("peeking.py", "--nulls", "200"), ("scale.py", "100000"), ("ladder.py", "--to", "2013-04-30"),
    ("new.py", "small"), ("kills.py", "--kills", "5", "--seed", "1"), ("soak.py", "--runs", "100"),
)  # fmt: skip
FULL = (  # the service is measured in the middle of the year: at its end no event is ahead
    ("startup.py",), ("tick.py",), ("drift.py",), ("year.py", "2013-04-30"), ("serving.py", REPLAYED, "all"),
    ("year.py",), ("weights.py", REPLAYED), ("candidate.py", REPLAYED), ("oracle.py", REPLAYED),
    ("estimates.py", REPLAYED), ("device.py", REPLAYED), ("cadence.py", REPLAYED, "--length", "56d", "--daily"),
    ("peeking.py",), ("scale.py",), ("ladder.py",),
    ("new.py",), ("kills.py", "--seed", "1"), ("soak.py",),
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


def measured(name: str, more: list[str]) -> tuple[str, str]:
    """The section of one benchmark, and its command where it failed."""
    command = " ".join([f".venv/bin/python benchmarks/{name}", *map(_without_place, more)])
    print(command, flush=True)
    failed = ""
    try:
        output = run([BIN / "python", ROOT / "benchmarks" / name, *more]).output
    except RuntimeError as error:  # the other figures are still valid
        print(error, flush=True)
        output, failed = "It failed here, so it has no figures.", command
    return f"## `{command}`\n\nOn {datetime.now(UTC):%Y-%m-%d}.\n\n{output.strip()}\n", failed


def sections(text: str) -> dict[str, str]:
    """What was published before: each part by its heading."""
    parts = re.split(r"(?m)^(?=## )", text)[1:]
    return {part.partition("\n")[0]: part.rstrip() + "\n" for part in parts}


def main() -> None:
    """Run each benchmark in turn and publish what it prints; those named leave the others' figures as they are."""
    given = sys.argv[1:]
    full, only = given[:1] == ["full"], [a for a in given if a.endswith(".py")]
    replays = [str(Path(a).resolve()) for a in given if a != "full" and a not in only]
    command = f".venv/bin/python benchmarks/publish.py{' full' if full else ''}"
    size = "full size" if full else "a small size"
    benchmarks = [*(FULL if full else SMALL), *([("tables.py", *replays)] if replays else [])]
    before = sections(RESULTS.read_text()) if only and RESULTS.is_file() else {}
    failures = []
    for name, *more in benchmarks:
        if only and name not in only:
            continue
        section, failed = measured(name, more)
        before[section.partition("\n")[0]] = section
        failures += [failed] if failed else []
    parts = [
        f"# Results\n\nAt {size}, last on {datetime.now(UTC):%Y-%m-%d}: {machine()}\n",
        f"Made by `{command}`; each part names its own command, and the day when it was measured.\n",
        *before.values(),
    ]
    RESULTS.write_text("\n".join(parts))
    if failures:
        raise SystemExit(f"failed: {'; '.join(failures)}")


if __name__ == "__main__":
    main()
