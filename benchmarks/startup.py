"""How long the command line takes to answer, and what importing LightGBM without scikit-learn saves each process.

.venv/bin/python benchmarks/startup.py
"""

from __future__ import annotations

from statistics import median

from whole_process import BIN, run

COMMANDS = (["homeostat", "--help"], ["homeostat", "status"])
LIGHTGBM = {
    "as Homeostat imports it": "from homeostat.models.lightgbm import library; library()",
    "as it imports itself": "import lightgbm",
}


def main() -> None:
    """Each command seven times after one to warm up; the median."""
    print("| command | wall s, median of 7 |\n|---|---|")
    for words in COMMANDS:
        times = [run([BIN / words[0], *words[1:]]).wall for _ in range(8)][1:]
        print(f"| {' '.join(words)} | {median(times):.2f} |")
    print("\n| LightGBM | CPU s, median of 7 | MB |\n|---|---|---|")
    for name, code in LIGHTGBM.items():
        command = [BIN / "python", "-c", f"import numpy, polars, homeostat.models.lightgbm; {code}"]
        runs = [run(command) for _ in range(8)][1:]
        print(f"| {name} | {median(r.cpu for r in runs):.2f} | {1000 * median(r.peak for r in runs):.0f} |")


if __name__ == "__main__":
    main()
