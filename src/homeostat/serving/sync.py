"""What other hosts release, brought here for the workers: one thread asks the git remote as often as the scope says.

Workers look at the tags of this clone alone, so a remote that does not answer costs them nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from homeostat.adapters.parquet import write_text
from homeostat.core.errors import HomeostatError
from homeostat.releases import registry
from homeostat.serving import paths

if TYPE_CHECKING:
    from homeostat.project.layout import Project

log = logging.getLogger("homeostat.serving")


@contextlib.contextmanager
def followed(project: Project) -> Iterator[None]:
    """Follow the remote of the scope meanwhile; the first look is over when this begins. Without a remote, nothing."""
    named, over = project.scope.remote, threading.Event()
    note = paths.remote(project)
    note.unlink(missing_ok=True)
    if named is None:
        yield
        return
    look(project)
    every = named.every.total_seconds()

    def watch() -> None:
        while not over.wait(every):
            look(project)

    thread = threading.Thread(target=watch, name="remote", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=1)
        note.unlink(missing_ok=True)


def look(project: Project) -> None:
    """Fetch once; a line where something came, where the remote begins to fail, and where it is back."""
    before, told = failure(project), ""
    try:
        new = registry.follow(project)
        if new:
            log.info("from other hosts: %s", ", ".join(new))
    except HomeostatError as error:
        told = str(error)
    except Exception as error:  # whatever happens, what serves goes on, and the next look is made
        told = f"{type(error).__name__}: {error}"
    if told == before:
        return
    if told:
        log.warning("%s; what serves goes on, releases of other hosts do not come", told)
    else:
        log.info("the git remote answers again")
    with contextlib.suppress(OSError):  # a full disk stops no service
        write_text(json.dumps({"failed": told}) + "\n", paths.remote(project))


def failure(project: Project) -> str:
    """Why the service does not hear from other hosts; empty where it does, or has none."""
    try:
        return str(json.loads(paths.remote(project).read_text())["failed"])
    except (OSError, ValueError, KeyError):
        return ""
