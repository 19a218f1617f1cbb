"""``make run`` beside the bare script, in one run: time, memory, log loss, and where the time goes.

.venv/bin/python benchmarks/year.py
"""

from __future__ import annotations

import re
import shutil
import sys
from datetime import datetime, timedelta

from measured import BIN, ROOT, run

NAME = "benchmark"


def main() -> None:
    """Run the bare script and then the replay of the same year, and print both."""
    last = (sys.argv[1:] or ["2013-12-31"])[0]
    end = datetime.fromisoformat(last) + timedelta(days=1, hours=5)
    bare = run([BIN / "python", ROOT / "benchmarks" / "bare.py", end.isoformat()])
    shutil.rmtree(ROOT / ".homeostat" / "replays" / NAME, ignore_errors=True)
    span = ["--from", "2013-01-01", "--to", last, "--name", NAME]
    loop = run([BIN / "homeostat", "replay", *span])
    print("| | wall s | CPU s | largest process GB |\n|---|---|---|---|")
    for name, found in (("bare script", bare), ("the loop", loop)):
        print(f"| {name} | {found.wall:.0f} | {found.cpu:.0f} | {found.peak:.2f} |")
    print(f"| the loop / bare | {loop.wall / bare.wall:.2f} | {loop.cpu / bare.cpu:.2f} | |\n")
    where = re.search(r"^time +(.+)$", loop.said, re.MULTILINE)
    print(f"Where the loop's time goes: {where[1] if where else 'not said'}\n")
    print("What the bare script says:\n\n```\n" + bare.said.strip() + "\n```\n")
    ended = loop.said.partition("\n")[2].partition("\ntime  ")[0].rstrip()  # but where it is, and how to go on
    print(f"What the loop says:\n\n```\n{ended}\n```")


if __name__ == "__main__":
    main()
