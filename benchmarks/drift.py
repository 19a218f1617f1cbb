"""Drift of 500,000 x 20 rows on both sides: ours beside Evidently's stock preset, and beside its tests on all rows.

.venv/bin/python benchmarks/drift.py [ROWS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from whole_process import BIN, run

from homeostat.adapters import evidently

ROWS, METHOD, LIMIT = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000, "psi", 0.25
REFERENCE = 30_000  # rows that a release keeps
SHIFTS = (0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 1.2)  # of ten columns of numbers, in standard deviations
TURNED = (0.0, 0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # share of ten columns of categories that moved
OURS = """
import sys, time, polars as pl
from homeostat.adapters import evidently
folder, method, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
now, kept = (pl.read_parquet(f"{folder}/{side}.parquet") for side in ("now", "kept"))
evidently.drift_record(now.head(100), kept.head(100), method, limit)
began = time.perf_counter()
evidently.drift_record(now, kept, method, limit)
print(time.perf_counter() - began)
"""
STOCK = """
import sys, time, pandas as pd
from homeostat.adapters.telemetry import quiet_environment
quiet_environment()
from evidently import Dataset, Report
from evidently.presets import DataDriftPreset
sides = [pd.read_parquet(f"{sys.argv[1]}/{side}.parquet") for side in ("now", "before")]
Report([DataDriftPreset()]).run(*(Dataset.from_pandas(side.head(100)) for side in sides)).dict()
began = time.perf_counter()
Report([DataDriftPreset()]).run(*map(Dataset.from_pandas, sides)).dict()
print(time.perf_counter() - began)
"""


def side(seed: int, moved: bool) -> pl.DataFrame:
    """Twenty columns: those of the side that ``moved`` lie off by ``SHIFTS`` and ``TURNED``."""
    draw = np.random.default_rng(seed)
    numbers = {f"number{i}": draw.normal(shift * moved, 1, ROWS) for i, shift in enumerate(SHIFTS)}
    texts = {
        f"text{i}": np.where(draw.random(ROWS) < share * moved, "moved", draw.choice(list("abcdefgh"), ROWS))
        for i, share in enumerate(TURNED)
    }
    return pl.DataFrame({**numbers, **texts})


def drifted(record: dict) -> set[str]:
    return {name for name, column in record["columns"].items() if column["score"] > LIMIT}


def main() -> None:
    """Time and memory of both, the median of three, in processes of their own; then the verdicts.

    The report's seconds are those of the call alone, once everything is imported and read.
    """
    with tempfile.TemporaryDirectory() as folder:
        before, now = side(1, False), side(2, True)
        kept = before.sample(REFERENCE, seed=1)
        for name, table in (("before", before), ("now", now), ("kept", kept)):
            table.write_parquet(Path(folder) / f"{name}.parquet")
        print(f"| {ROWS:,} x 20 on both sides | report s | process s | GB |\n|---|---|---|---|")
        medians = []
        for name, code in (("ours", OURS), ("Evidently's preset", STOCK)):
            runs = sorted((run([BIN / "python", "-c", code, folder, METHOD, str(LIMIT)]) for _ in range(3)),
                          key=lambda r: r.wall)  # fmt: skip
            report = sorted(float(r.output.split()[-1]) for r in runs)[1]
            medians.append(report)
            print(f"| {name} | {report:.2f} | {runs[1].wall:.1f} | {runs[1].peak:.2f} |")
        print(f"\n{medians[1] / medians[0]:.0f} times as fast")
        sample = drifted(evidently.drift_record(now, kept, METHOD, LIMIT))
        evidently.ROWS = ROWS
        whole = drifted(evidently.drift_record(now, before, METHOD, LIMIT))
        print(f"drifted by the sample: {len(sample)}, by all rows: {len(whole)}, differ: {sorted(sample ^ whole)}")


if __name__ == "__main__":
    sys.exit(main())
