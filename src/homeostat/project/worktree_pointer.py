"""The worktree of scheduled work names its repository by an absolute path; a copied or moved project is itself again.

Without this, a copy of a project's folder would commit into the repository that it was copied from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.project.whole_files import write_text

if TYPE_CHECKING:
    from homeostat.project.layout import Project

GITDIR = "gitdir:"


def repair_worktree_pointer(project: Project) -> str:
    """Have the worktree and this project's own repository name each other; a line on what was changed.

    The line is empty where nothing had to change. A worktree that this repository knows nothing of is left to who makes
    worktrees: it is made again.
    """
    pointer = project.worktree.root / ".git"
    common = common_folder(project.home)
    if common is None or not pointer.is_file():
        return ""
    named = _gitdir(pointer) if _is_whole(pointer) else common / "worktrees" / pointer.parent.name
    own = common / "worktrees" / named.name
    back = own / "gitdir"
    if _is_whole(pointer) and named == own and back.is_file() and back.read_text().strip() == str(pointer):
        return ""
    if not own.is_dir():
        return f"{pointer.parent}: its repository does not know it; it is made again"
    write_text(f"{GITDIR} {own}\n", pointer)
    write_text(f"{pointer}\n", back)
    (pointer.parent / ".dvc" / "config.local").unlink(missing_ok=True)  # which names the other folder's cache
    if named == own:
        return f"{pointer.parent}: was cut off from {project.home}, and belongs to it again"
    return f"{pointer.parent}: belonged to {named.parents[2]}, and belongs to {project.home} now"


def common_folder(home: Path) -> Path | None:
    """The folder of the repository itself, also where the project is a worktree of another folder."""
    git = home / ".git"
    if git.is_dir():
        return git.resolve()
    return _gitdir(git).parents[1] if git.is_file() else None


def _is_whole(pointer: Path) -> bool:
    return pointer.read_text().startswith(GITDIR) and pointer.read_text().endswith("\n")


def _gitdir(pointer: Path) -> Path:
    return Path(pointer.read_text().strip().removeprefix(GITDIR).strip())
