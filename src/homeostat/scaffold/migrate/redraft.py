"""A draft made again with other options, over a project that was drafted before: edits by hand stay."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from homeostat.adapters import git
from homeostat.core.errors import UsageError
from homeostat.scaffold.draft.create import OPTIONS, Draft, write_files
from homeostat.scaffold.migrate.check_project import read_text
from homeostat.scaffold.migrate.migrate_project import Change

SAME = ("Makefile", "dvc.yaml", "requirements.lock")  # which follow from the installed version too, or from the scope


def first_options(folder: Path) -> tuple[str, list[str]]:
    """The commit of a project's first draft, and the options that it was made with.

    Raises:
        UsageError: it does not say.
    """
    commit = git.run(folder, "rev-list", "--max-parents=0", "HEAD").split()[-1]
    lines = git.run(folder, "log", "-1", "--format=%B", commit).splitlines()
    noted = next((line.removeprefix(OPTIONS) for line in lines if line.startswith(OPTIONS)), None)
    if noted is None:
        raise UsageError(
            f"{folder}: its first commit does not say how it was drafted; make a new folder with homeostat new DIR "
            "--from ADDRESS, and copy your edits"
        )
    return commit, shlex.split(noted)


def plan_redraft(folder: Path, commit: str, draft: Draft) -> list[Change]:
    """What has to change in the project for the draft to be this one; a line that was edited by hand stays.

    Only files that the draft decides on: scope, features, contracts, window, and the pages on the table.
    """
    with tempfile.TemporaryDirectory(prefix="homeostat-new-") as scratch:
        fresh = Path(scratch) / "fresh"
        write_files(draft.profile, draft.files, fresh)
        wanted = {path.relative_to(fresh).as_posix(): read_text(path) for path in fresh.rglob("*") if path.is_file()}
        merge = _merger(folder, commit, Path(scratch))
        changes = [merge(path, text) for path, text in sorted(wanted.items()) if path not in SAME]
    return [change for change in changes if change.before != change.after]


def _merger(folder: Path, commit: str, scratch: Path) -> Callable[[str, str], Change]:
    tracked = set(git.run(folder, "ls-tree", "-r", "--name-only", commit).splitlines())

    def merged(path: str, wanted: str) -> Change:
        ours = folder / path
        before = read_text(ours) if ours.is_file() else ""
        base = git.run(folder, "show", f"{commit}:{path}") + "\n" if path in tracked else ""
        if before.rstrip("\n") == base.rstrip("\n") or not ours.is_file():
            return Change(path, before, wanted, False)
        three = {"ours": before, "base": base, "theirs": wanted}
        for name, text in three.items():
            (scratch / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        sides: Sequence[str] = [str(scratch / name) for name in three]
        return Change(path, before, git.run(folder, "merge-file", "-p", "--ours", *sides) + "\n", True)

    return merged
