"""Whether a release is reliable: that it would serve here and now, and that it could be rebuilt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from homeostat.adapters import dvc, git
from homeostat.core.authorship import is_drill
from homeostat.core.errors import EnvironmentFault, HomeostatError
from homeostat.core.ledger import Register
from homeostat.project.layout import Project
from homeostat.project.window import parse_window
from homeostat.releases.registry import Registry
from homeostat.training import bundle


@dataclass(frozen=True)
class Verified:
    """Why a release would not serve, and why it could not be rebuilt; empty where it would and could.

    ``planted`` names the drill that made it, if one did: then no commit makes it. ``restored`` says what was wrong with
    its unpacked files, which were put right from the DVC cache.
    """

    serves: str
    rebuildable: str
    planted: str = ""
    restored: str = ""

    @property
    def sentence(self) -> str:
        serves = f"DOES NOT SERVE: {self.serves}" if self.serves else "serves"
        rebuilt = f"NOT REBUILDABLE: {self.rebuildable}" if self.rebuildable else "rebuildable"
        if self.planted:
            rebuilt = f"planted by {self.planted}, so no commit makes it"
        restored = f"; restored from the DVC cache: {self.restored}" if self.restored else ""
        return f"{serves}; {rebuilt}{restored}"


def verify(project: Project, registry: Registry, release: Register) -> Verified:
    """Load and rehearse a release, and check that what it is made from is there."""
    planted = release.who if is_drill(release.who) else ""
    serves, lacking = _serves(registry, release), "" if planted else _lacking(project, registry, release)
    return Verified(serves, lacking, planted, registry.restored(release.version))


def rebuild(project: Project, registry: Registry, release: Register, now: datetime) -> str:
    """Rebuild the bundle at its commit, from the batches as they landed; how it differs, or nothing.

    A continuation goes back to the last full retrain: each before it is rebuilt first, and has to come out the same.
    All stages run, in a worktree of their own, which is gone afterwards.

    Raises:
        HomeostatError: a stage cannot be run, or a release that it continues is not here.
    """
    parent = None
    for one in lineage(project, registry, release):
        if differs := _rebuilt(project, one, parent, now):
            return differs if one is release else f"continues {one.version}, which {differs}"
        parent = registry.load(one.version).folder
    return ""


def lineage(project: Project, registry: Registry, release: Register) -> list[Register]:
    """The releases that it continues, from the last full retrain on, and itself.

    Raises:
        EnvironmentFault: one of them is no release here.
    """
    line = [release]
    while parent := _parent(project, line[0]):
        version = registry.ledger.version_of(parent)
        if not version:
            raise EnvironmentFault(f"it continues the bundle {parent[:12]}, which is no release here; fetch its tags")
        line.insert(0, registry.registered(version))
    return line


def _parent(project: Project, release: Register) -> str:
    """The hash of the bundle whose models it continues, as its commit has it; empty for a full retrain."""
    path = project.window_file.relative_to(project.root).as_posix()
    text = git.file_at(project.home, release.commit, path)
    return parse_window(text, path).parent if text is not None else ""


def _rebuilt(project: Project, release: Register, parent: Path | None, now: datetime) -> str:
    """How the bundle that its commit makes differs; ``parent`` is the folder of the bundle that it continues."""
    with _tree(project, release.commit, now) as tree:
        landed = project.landed.relative_to(project.root).as_posix()
        if dvc.holds(project.home, release.commit, landed):
            dvc.restore_out(project.home, release.commit, landed, tree / landed)
        if parent is not None:
            shutil.copytree(parent, Project(tree, tree).releases / parent.name)
        dvc.reproduce(tree, force=True)
        made = bundle.load(Project(tree, tree).bundle)
    return "" if made.hash == release.bundle else f"comes out as bundle {made.hash[:12]}, not {release.bundle[:12]}"


def _serves(registry: Registry, release: Register) -> str:
    if (yank := registry.ledger.yanked(release.version)) is not None:
        return f"yanked by {yank.who}: {yank.why}"
    try:
        registry.rehearse(registry.load(release.version), release.version)
    except HomeostatError as error:
        return str(error)
    return ""


def _lacking(project: Project, registry: Registry, release: Register) -> str:
    """What a ``dvc repro`` at the release's commit, or at that of one that it continues, would not find."""
    try:
        line = lineage(project, registry, release)
        for one in line[:-1]:
            registry.load(one.version)
    except HomeostatError as error:
        return str(error)
    return next((lacking for one in line if (lacking := _lacking_data(project, one))), "")


def _lacking_data(project: Project, release: Register) -> str:
    landed = project.landed.relative_to(project.root).as_posix()
    try:
        if dvc.holds(project.home, release.commit, landed):
            return ""
    except HomeostatError as error:
        return str(error)
    once = [name for name, source in project.scope.sources.items() if source.url is not None]
    lacking = f"the cache lacks {landed} of {release.commit[:12]} (dvc fetch --all-commits brings it from a remote)"
    return f"{lacking}, and {', '.join(once)} may not be read again as it was" if once else ""


@contextmanager
def _tree(project: Project, commit: str, now: datetime) -> Iterator[Path]:
    tree = project.state / "rebuilt"
    git.remove_worktree(project.home, tree, now)
    try:
        git.add_worktree(project.home, tree, commit, now)
        dvc.share_cache(tree, project.home)
        yield tree
    finally:
        git.remove_worktree(project.home, tree, now)
