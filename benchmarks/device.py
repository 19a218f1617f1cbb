"""A release on a device beside the release itself: 100,000 rows, a tenth of their values missing.

.venv/bin/python benchmarks/device.py PROJECT [VERSION] [--rows 100000]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from browser import CHROMIUM, tab  # noqa: E402

from homeostat import models  # noqa: E402
from homeostat.core.costs import worth  # noqa: E402
from homeostat.device.export import export, lines  # noqa: E402
from homeostat.device.onnx_models import runnable  # noqa: E402
from homeostat.device.runner import Device as Runner  # noqa: E402
from homeostat.features.tables import listed, read_features  # noqa: E402
from homeostat.project.layout import Project, working_tree  # noqa: E402
from homeostat.releases.registry import Registry  # noqa: E402

AT_ONCE = 2000  # rows that a page is given


def with_gaps(rows: pl.DataFrame, features: tuple[str, ...]) -> pl.DataFrame:
    """Rows with a tenth of the values of each feature missing."""
    chance = np.random.default_rng(1)
    kept = {name: pl.Series(chance.random(rows.height) > 0.1) for name in features}
    return rows.with_columns(pl.when(kept[name]).then(pl.col(name)).alias(name) for name in features)


def main() -> None:
    """Export, answer each row both ways, and print how many differ."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("project", type=Path)
    options.add_argument("version", nargs="?")
    options.add_argument("--rows", type=int, default=100_000)
    given = options.parse_args()
    project = Project.find(given.project)
    registry = Registry.open(project)
    version = given.version or registry.ledger.releases[-1].version
    bundle = registry.load(version)
    features = listed(bundle.scope)
    rows = with_gaps(read_features(working_tree(project)).head(given.rows), features)
    raw = {name: runnable(model, name).raw(rows).tolist() for name, model in bundle.uncalibrated.items()}
    scores = models.predict_each(bundle.models, rows)
    expected = worth(scores, bundle.scope.objectives, bundle.scope.costs.alert).tolist()
    requests = rows.select(features).to_dicts()
    with tempfile.TemporaryDirectory() as place:
        made = export(project, bundle, version, Path(place) / "export", project.scope.device)
        print("\n".join(line for line in lines(made) if not line.startswith(("exported", "expires", "next"))))
        runner, began = Runner(made.folder), time.perf_counter()
        theirs = runner.raw(requests)
        seconds = time.perf_counter() - began
        for name, values in raw.items():
            unequal = sum(one[name] != value for one, value in zip(theirs, values, strict=True))
            print(f"Python, {name}: {unequal} of {len(values):,} raw scores differ")
        unequal = sum(a["alert"] != e for a, e in zip(runner.computed(requests), expected, strict=True))
        print(f"Python: {unequal} of {len(expected):,} decisions differ; {1e6 * seconds / len(requests):.0f} us a row")
        if CHROMIUM is None:
            print("browser: not measured, there is no Chromium")
            return
        with tab(Path(place) / "browser") as page:
            page.open((made.folder / "index.html").as_uri())
            furthest, unequal = 0.0, 0
            for start in range(0, len(requests), AT_ONCE):
                part = requests[start : start + AT_ONCE]
                answers = page.run(f"{json.dumps(part)}.map(computed)")
                unequal += sum(a["alert"] != e for a, e in zip(answers, expected[start : start + AT_ONCE], strict=True))
                for name in raw:
                    own = scores[name][start : start + AT_ONCE].tolist()
                    far = [abs(a["scores"][name] - b) for a, b in zip(answers, own, strict=True)]
                    furthest = max(furthest, *far)
        print(f"browser: scores differ by {furthest:.1e} at most; {unequal} of {len(expected):,} decisions differ")


if __name__ == "__main__":
    main()
