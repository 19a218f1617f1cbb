"""Who may use the service: the token, made on first start for its owner alone, and the check of every request.

A request is refused before a byte of its body is read: without the token, or where the body is too large.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic_core import to_json
from starlette.responses import Response

from homeostat.core.errors import EnvironmentFault
from homeostat.project.whole_files import create_text
from homeostat.serving import paths

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from homeostat.project.layout import Project

MAX_BODY = 4 * 1024 * 1024  # bytes: a thousand events of four kilobytes
CHALLENGES = ("Bearer", 'Basic realm="homeostat: the token as password", charset="UTF-8"')


def read_or_make_token(project: Project) -> str:
    """The project's token; made where there is none, by one of the processes that start at once.

    Raises:
        EnvironmentFault: it is empty, or others may read it.
    """
    path = paths.token(project)
    if not path.exists():
        with suppress(FileExistsError):  # of a process that started at the same time
            create_text(secrets.token_urlsafe(32) + "\n", path, 0o600)
    if path.stat().st_mode & 0o077:
        raise EnvironmentFault(f"{path}: others may read it; chmod 600 it, or remove it and start again")
    token = path.read_text().strip()
    if not token:
        raise EnvironmentFault(f"{path}: is empty; remove it and start again")
    return token


class TokenAuth:
    """An ASGI application in front of another, which lets requests with the token and a body of bounded size through.

    ``open_paths`` need no token.
    """

    def __init__(self, app: ASGIApp, token: str, open_paths: Sequence[str]) -> None:
        self.app = app
        self._expected = f"bearer {token}".encode()
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["path"] not in self._open and not self._authorized(headers.get(b"authorization", b"")):
            fix = "send the header Authorization: Bearer TOKEN, the token of .homeostat/token"
            await _refuse(401, "authorization", "no token, or a wrong one", fix)(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BODY:
            fix = "send fewer events in one request"
            await _refuse(413, "body", f"is larger than {MAX_BODY} bytes", fix)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _authorized(self, header: bytes) -> bool:
        kind, _, token = header.partition(b" ")
        if kind.lower() == b"basic":  # a browser sends a name, which does not matter here, and a password
            kind, token = b"bearer", _password(token.strip())
        return secrets.compare_digest(kind.lower() + b" " + token.strip(), self._expected)


def _password(credentials: bytes) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _refuse(status: int, field: str, problem: str, fix: str) -> Response:
    body = to_json({"problems": [{"field": field, "problem": problem, "fix": fix}]})
    refused = Response(body, status, {} if status == 401 else {"connection": "close"}, "application/json")
    for challenge in CHALLENGES if status == 401 else ():  # a header each: browsers do not understand two in one
        refused.headers.append("www-authenticate", challenge)
    return refused
