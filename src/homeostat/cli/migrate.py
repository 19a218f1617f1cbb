"""``homeostat new --migrate``: show what changes in a project of an earlier version, and write it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from homeostat.cli.terminal import say
from homeostat.core.errors import UsageError
from homeostat.core.text import count


def migrate_project(folder: Path, yes: bool) -> None:
    """Show the changes as a diff and write them, if a person at the terminal agrees or ``yes`` is given.

    Raises:
        ScopeError: the folder is no project.
        UsageError: nobody agreed.
    """
    from homeostat.project.layout import Project
    from homeostat.scaffold.migrate.migrate_project import plan_migration, write_migration

    project = Project.find(folder)
    name = project.scope.project  # read first, so that an error in the scope stops before any change
    migration = plan_migration(project.root)
    for change in migration.changes:
        say(change.diff, nl=False)
    if migration.changes:
        agree(len(migration.changes), yes)
        write_migration(project.root, migration)
        for change in migration.changes:
            how = "only moved names replaced: the rest is yours" if change.edited else "rewritten"
            say(f"{change.path}: {how}")
        for path in migration.kept:
            say(f"{path}: edited since homeostat wrote it, and left as it is; check whether it needs a change")
        say(f"{name} is migrated, not committed. Next: make test, then git commit -a")
    else:
        say(f"{name}: nothing to migrate")
    for line in migration.unknown:
        say(f"{line}; replace it by hand")


def agree(files: int, yes: bool) -> None:
    """Ask whether to write, unless ``yes`` is given.

    Raises:
        UsageError: nobody agreed.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("nothing was written; add --yes to write these changes")
    if not click.confirm(f"Write {count(files, 'file')}?"):
        raise UsageError("stopped, and nothing was written")
