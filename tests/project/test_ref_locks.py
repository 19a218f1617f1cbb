"""Locks of git on the loop's own refs are removed when they are old; everybody else's stay."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from homeostat.project.ref_locks import AGE, remove_ref_locks

OURS = (
    "refs/tags/meters@v0.1.0.lock", "refs/tags/meters#prod#3.lock", "refs/heads/homeostat/meters.lock",
    "refs/homeostat/seen/meters.lock",
)  # fmt: skip
OTHERS = (
    "index.lock", "HEAD.lock", "refs/heads/main.lock", "refs/tags/v1.lock", "refs/tags/meters2@v0.1.0.lock",
    "refs/tags/meters@v0.1.0", "refs/heads/homeostat/meters2.lock",
)  # fmt: skip


def lock(common: Path, name: str, age: float = 2 * AGE) -> Path:
    path = common / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_old_ones_of_the_loop_go(tmp_path: Path) -> None:
    ours, others = [lock(tmp_path, n) for n in OURS], [lock(tmp_path, n) for n in OTHERS]
    remove_ref_locks(tmp_path, "meters")
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in others)


def test_a_young_one_is_waited_for(tmp_path: Path) -> None:
    path = lock(tmp_path, OURS[0], age=0)
    threading.Timer(0.3, path.rename, [tmp_path / "done"]).start()  # as git does when it has written
    began = time.monotonic()
    remove_ref_locks(tmp_path, "meters")
    assert 0.2 < time.monotonic() - began < AGE
    assert (tmp_path / "done").exists()
