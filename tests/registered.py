"""A project whose one stage copies a bundle made by hand, so that a release of it costs little."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import hourly
from sealed import events, fill

from homeostat.adapters import dvc, git
from homeostat.adapters.parquet import write_table
from homeostat.core.ledger import Register
from homeostat.project.layout import Project
from homeostat.training import bundle

DAG = """
stages:
  pack:
    cmd: rm -rf models/bundle && mkdir -p models && cp -r prepared models/bundle
    deps: [prepared]
    outs: [models/bundle]
"""


def prepare(folder: Path, note: str) -> str:
    """A bundle in ``folder``, told from others by ``note``; its hash."""
    shutil.rmtree(folder, ignore_errors=True)
    fill(folder)
    (folder / "features.sql").write_text(f"-- {note}\n{hourly.SQL}")
    unsealed = bundle.Bundle(folder, "", {})
    rows = events().head(5)
    scored = bundle.score(unsealed, rows)
    write_table(rows.with_columns(scored.select(c for c in scored.columns if c not in rows.columns)),
                folder / "golden.parquet")  # fmt: skip
    return bundle.seal(folder, "meters", {"note": note})


def candidate(project: Project, note: str) -> tuple[str, str]:
    """A commit that makes a bundle, and the bundle's hash."""
    made = prepare(project.root / "prepared", note)
    dvc.reproduce(project.root)
    return hourly.commit(project.root, note), made


CALL = """
import sys
from datetime import datetime
from pathlib import Path
from homeostat.core.authorship import Authorship
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
root = Path(sys.argv[1])
print(Registry(Project(root, root)).{call}.sentence)
"""


def in_front_of_git(folder: Path, script: str) -> dict[str, str]:
    """An environment where ``git`` is ``script`` first, then git."""
    real = shutil.which("git")
    folder.mkdir(exist_ok=True)
    (folder / "git").write_text(f'#!/bin/sh\n{script}\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def start(project: Project, call: str, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CALL.format(call=call), str(project.root)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def pending_at(project: Project, release: Register, tree: Path, now: datetime) -> list[str]:
    """The stages that ``dvc repro`` would run at the commit of a release, checked out into ``tree``."""
    git.add_worktree(project.home, tree, release.commit, now)
    dvc.share_cache(tree, project.home)
    dvc.checkout(tree)
    return dvc.pending(tree)
