"""Releases of other hosts, fetched for the workers: one thread polls the git remote as often as the scope says.

Workers read the tags of this clone alone, so a remote that does not answer costs them nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from homeostat.core.errors import HomeostatError
from homeostat.project.whole_files import write_text
from homeostat.releases import sync as hosts
from homeostat.serving import paths

if TYPE_CHECKING:
    from homeostat.project.layout import Project

log = logging.getLogger("homeostat.serving")


@contextlib.contextmanager
def following_remote(project: Project) -> Iterator[None]:
    """Poll the remote of the scope meanwhile; the first fetch is over when this begins. Without a remote, nothing."""
    remote, stop = project.scope.remote, threading.Event()
    note = paths.remote(project)
    note.unlink(missing_ok=True)
    if remote is None:
        yield
        return
    poll(project)
    seconds = remote.every.total_seconds()

    def follow() -> None:
        while not stop.wait(seconds):
            poll(project)

    thread = threading.Thread(target=follow, name="remote", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=1)
        note.unlink(missing_ok=True)


def poll(project: Project) -> None:
    """Fetch once; log what arrived, when the remote begins to fail, and when it answers again."""
    before, error_text = failure(project), ""
    try:
        new = hosts.follow(project)
        if new:
            log.info("from other hosts: %s", ", ".join(new))
    except HomeostatError as error:
        error_text = str(error)
    except Exception as error:  # the release in service is not affected, and the next poll comes
        error_text = f"{type(error).__name__}: {error}"
    if error_text == before:
        return
    if error_text:
        log.warning("%s; this host keeps serving its release, those of other hosts do not arrive", error_text)
    else:
        log.info("the git remote answers again")
    with contextlib.suppress(OSError):  # a full disk stops no service
        write_text(json.dumps({"failed": error_text}) + "\n", paths.remote(project))


def failure(project: Project) -> str:
    """Why releases of other hosts do not arrive; empty where they do, or where there is no remote."""
    try:
        return str(json.loads(paths.remote(project).read_text())["failed"])
    except (OSError, ValueError, KeyError):
        return ""
