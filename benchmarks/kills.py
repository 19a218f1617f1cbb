"""SIGKILL commands in the midst of their writes, many times, from a printed seed: they end as if left alone.

    .venv/bin/python benchmarks/kills.py [--kills 200] [--seed N]

Each kill comes at a write chosen by chance, half of them in the midst of it, and ends every process of the command. It
is run again, and killed again, up to four times; then it may end, and what it has left is compared with a run that
nothing disturbed: tags and commits by id, and every file by its hash. Of the service, that nothing is lost that it
answered, and nothing stands there twice.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

import killed_verbs  # noqa: E402

AT_ONCE = 4  # kills before a command may end
SHARES = {  # of the trials, in percent; commands that take long get fewer
    "lifecycle": 6, "data": 8, "promote": 20, "canary": 16, "rollback": 20, "correct": 16, "serve": 8, "replay": 4,
    "new": 2,
}  # fmt: skip


def main() -> None:
    """Kill, run again and compare, until there were so many kills."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    chance, began = random.Random(given.seed), time.monotonic()
    plain: dict[str, Any] = {}
    kills, trials = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="homeostat-kills-") as folder:
        place = Path(folder)
        with contextlib.ExitStack() as stack:
            with contextlib.redirect_stdout(io.StringIO()):  # what the stages print
                verbs = stack.enter_context(killed_verbs.all_verbs(place / "made"))
            by_name = {verb.name: verb for verb in verbs}
            while (left := given.kills - kills.total()) > 0:
                others = [name for name in SHARES if name not in plain]  # each has a turn before chance has
                name = others[0] if others else chance.choices(list(SHARES), list(SHARES.values()))[0]
                if name not in plain:
                    plain[name] = by_name[name].undisturbed(place / name)
                trials[name] += 1
                at = place / name / str(trials[name])
                kills[name] += by_name[name].kill(at, min(AT_ONCE, left), chance, plain[name])
    for name in plain:
        print(f"{name}: {kills[name]} kills in {trials[name]} trials, each ended as if left alone")
    print(f"{kills.total()} kills, {trials.total()} trials, none needed a hand; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
