"""Locks of git that a killed run left on the refs of the loop: its tags, its branch, and where other hosts stand.

Git makes ``NAME.lock`` beside a ref while it writes it, and refuses to write one that has a lock.
"""

from __future__ import annotations

import glob
import time
from pathlib import Path

AGE = 2.0  # seconds: git has a lock for some milliseconds, and the service may be fetching tags just now


def remove_ref_locks(common: Path, project: str) -> None:
    """Remove the locks in the repository ``common``; one that is young may be in use, and is waited for."""
    refs, name = common / "refs", glob.escape(project)
    folders = ((refs / "tags", f"{name}[@#]*.lock"), (refs / "heads" / "homeostat", f"{name}.lock"))
    locks = [lock for folder, pattern in folders for lock in folder.glob(pattern)]
    for lock in (*locks, *(refs / "homeostat").rglob("*.lock")):
        if _outlasts(lock, AGE):
            lock.unlink(missing_ok=True)


def _outlasts(lock: Path, age: float) -> bool:
    """Wait until a lock is that old; false where it goes before."""
    try:
        made = lock.stat().st_mtime
        while time.time() - made < age:
            time.sleep(0.1)
            made = lock.stat().st_mtime
    except FileNotFoundError:
        return False
    return True
