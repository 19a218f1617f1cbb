"""The token that a request must carry: made on first start, for its owner's eyes alone."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from homeostat.core.errors import EnvironmentFault
from homeostat.serving import paths

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def read_or_make(project: Project) -> str:
    """The project's token; made where there is none, by one of those that ask at once.

    Raises:
        EnvironmentFault: it is empty, or others may read it.
    """
    path = paths.token(project)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".token.{os.getpid()}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        try:
            os.link(fresh, path)  # whole, and never over another's
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o077:
        raise EnvironmentFault(f"{path}: others may read it; chmod 600 it, or remove it and start again")
    found = path.read_text().strip()
    if not found:
        raise EnvironmentFault(f"{path}: is empty; remove it and start again")
    return found
