"""How long the command line takes to answer.

.venv/bin/python benchmarks/startup.py
"""

from __future__ import annotations

from statistics import median

from measured import BIN, run

COMMANDS = (["homeostat", "--help"], ["homeostat", "status"])


def main() -> None:
    """Each command seven times after one to warm up; the median."""
    print("| command | wall s, median of 7 |\n|---|---|")
    for words in COMMANDS:
        times = [run([BIN / words[0], *words[1:]]).wall for _ in range(8)][1:]
        print(f"| {' '.join(words)} | {median(times):.2f} |")


if __name__ == "__main__":
    main()
