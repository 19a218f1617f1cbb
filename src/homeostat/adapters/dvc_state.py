"""DVC's own files of a tree, made whole again after a kill between the opening of a file and its writing.

DVC empties ``.dvc/tmp/rwlock`` before it writes it, and ``dvc.lock`` is written in place: a process that is killed in
between leaves a file that DVC refuses to read from then on. What it has at hand (hashes by file, and which outs a stage
once made) it makes again where that is removed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from homeostat.project.layout import WORKTREE
from homeostat.project.whole_files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from dvc.repo import Repo

RUN = re.compile("[0-9a-f]{64}")  # the name of a record of the run cache


def repair_state(repo: Repo) -> None:
    """Remove or restore what does not parse. The caller holds the project's own lock, so no other run writes here."""
    _repair_locks_file(repo)
    _repair_lock_file(repo, Path(repo.root_dir))
    _keep_runs(Path(repo.stage_cache.cache_dir), lambda path: RUN.fullmatch(path.name) is not None)


def remove_caches(root: Path) -> None:
    """Remove what DVC keeps to be faster: its database of hashes by file, and records of runs that are damaged."""
    shutil.rmtree(_database_folder(root), ignore_errors=True)
    from dvc.config import Config

    cache = Config(str(root / ".dvc")).get("cache", {}).get("dir") or root / ".dvc" / "cache"
    _keep_runs(Path(cache) / "runs", _is_record)


def _keep_runs(cache: Path, wanted: Callable[[Path], bool]) -> None:
    """Remove other files from the run cache: DVC takes the newest in a folder for the last run, and fails on none."""
    for folder in cache.glob("*/*"):
        paths = list(folder.iterdir())
        unwanted = [path for path in paths if not wanted(path)]
        for path in unwanted:
            path.unlink(missing_ok=True)
        if len(unwanted) == len(paths):
            folder.rmdir()


def _database_folder(root: Path) -> Path:
    """Where DVC keeps the database of a tree, as it names it itself; a repository cannot be opened without it."""
    from dvc.config import Config
    from dvc.fs import LocalFileSystem
    from dvc.repo import Repo

    began = (root / ".dvc" / "tmp" / "btime").stat().st_mtime if (root / ".dvc" / "tmp" / "btime").is_file() else None
    parts = SimpleNamespace(
        config=Config(str(root / ".dvc")), fs=LocalFileSystem(), root_dir=str(root), _btime=began,
    )  # fmt: skip
    return Path(Repo.site_cache_dir.fget(parts))


def _is_record(path: Path) -> bool:
    """Whether a file of the run cache holds the run that it is named after."""
    from dvc.stage.cache import _get_cache_hash
    from dvc.utils.serialize import YAMLFileCorruptedError, load_yaml

    try:
        return str(_get_cache_hash(load_yaml(str(path)))) == path.name
    except (YAMLFileCorruptedError, TypeError, KeyError, AttributeError):
        return False


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
            write_bytes(committed, path)


def _committed(root: Path, name: str) -> bytes | None:
    """A file as the last commit has it; the index is not looked at."""
    done = subprocess.run(["git", "show", f"HEAD:{name}"], cwd=root, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
