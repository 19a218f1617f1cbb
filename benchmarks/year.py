"""``make run`` beside the bare script, in one run: time, memory, log loss, and where the time goes.

.venv/bin/python benchmarks/year.py
"""

from __future__ import annotations

import re
import shutil
import sys
from datetime import datetime, timedelta

from whole_process import BIN, ROOT, run

NAME = "benchmark"


def main() -> None:
    """Run the bare script and then the replay of the same year, and print both."""
    last = (sys.argv[1:] or ["2013-12-31"])[0]
    end = datetime.fromisoformat(last) + timedelta(days=1, hours=5)
    bare = run([BIN / "python", ROOT / "benchmarks" / "bare.py", end.isoformat()])
    shutil.rmtree(ROOT / ".homeostat" / "replays" / NAME, ignore_errors=True)
    # DVC's run cache: with it a replay restores what another has trained from the same data and code.
    shutil.rmtree(ROOT / ".dvc" / "cache" / "runs", ignore_errors=True)
    span = ["--from", "2013-01-01", "--to", last, "--name", NAME]
    loop = run([BIN / "homeostat", "replay", *span])
    print("| | wall s | CPU s | largest process GB |\n|---|---|---|---|")
    for name, process in (("bare script", bare), ("the loop", loop)):
        print(f"| {name} | {process.wall:.0f} | {process.cpu:.0f} | {process.peak:.2f} |")
    print(f"| the loop / bare | {loop.wall / bare.wall:.2f} | {loop.cpu / bare.cpu:.2f} | |\n")
    where = re.search(r"^time +(.+)$", loop.output, re.MULTILINE)
    print(f"Where the loop's time goes: {where[1] if where else 'unknown'}\n")
    print("The bare script prints:\n\n```\n" + bare.output.strip() + "\n```\n")
    # without the line that names its folder, and the commands to go on with
    printed = loop.output.partition("\n")[2].partition("\ntime  ")[0].rstrip()
    print(f"The loop prints:\n\n```\n{printed}\n```")


if __name__ == "__main__":
    main()
