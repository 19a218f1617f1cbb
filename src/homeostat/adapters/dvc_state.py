"""DVC's own files in a tree, made whole again after a kill between the opening of a file and its writing.

DVC empties ``.dvc/tmp/rwlock`` before it writes it, and ``dvc.lock`` is written in place: a process that is killed in
between leaves a file that DVC refuses to read from then on.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.project.layout import WORKTREE

if TYPE_CHECKING:
    from dvc.repo import Repo


def repair_state(repo: Repo) -> None:
    """Remove or restore what does not parse. The caller holds the project's own lock, so no other run writes here."""
    _repair_locks_file(repo)
    _repair_lock_file(repo, Path(repo.root_dir))


def _repair_locks_file(repo: Repo) -> None:
    """Remove a list of running processes that is no list: those it named are dead, or it would be whole."""
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, SCHEMA
    from voluptuous import Invalid

    folder = Path(repo.tmp_dir)
    path = folder / RWLOCK_FILE
    if not path.is_file():
        return
    hardlink = repo.config["core"].get("hardlink_lock", False)
    with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder), hardlink_lock=hardlink):
        try:
            SCHEMA(json.loads(path.read_text()))
        except (ValueError, Invalid):
            path.unlink()


def _repair_lock_file(repo: Repo, root: Path) -> None:
    """A ``dvc.lock`` that does not parse is restored from the commit in the worktree, and removed elsewhere.

    The stages whose record is gone run again, or come back from the run cache.
    """
    from dvc.dvcfile import LOCK_FILE, Lockfile
    from dvc.utils.serialize import ParseError
    from dvc.utils.strictyaml import YAMLSyntaxError, YAMLValidationError

    try:
        Lockfile(repo, LOCK_FILE).load()
    except (ParseError, YAMLSyntaxError, YAMLValidationError):
        path = root / LOCK_FILE
        committed = _committed(root, LOCK_FILE) if root.parts[-2:] == WORKTREE.parts else None
        if committed is None:
            path.unlink()
        else:
            path.write_bytes(committed)


def _committed(root: Path, name: str) -> bytes | None:
    """A file as the last commit has it; the index is not looked at."""
    done = subprocess.run(["git", "show", f"HEAD:{name}"], cwd=root, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
