"""What stands before the service: the token, and a limit to the size of a body. Refused before a byte is read."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic_core import to_json
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LARGEST = 4 * 1024 * 1024  # bytes of a body: a thousand events of four kilobytes


ASKED = 'Bearer, Basic realm="homeostat: the token as password", charset="UTF-8"'


class Guard:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, token: str, open_paths: Sequence[str]) -> None:
        self.app = app
        self._token = f"bearer {token}".encode()
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["path"] not in self._open and not self._known(headers.get(b"authorization", b"")):
            fix = "send the header Authorization: Bearer TOKEN, the token of .homeostat/token"
            await _refuse(401, "authorization", "no token, or another", fix)(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > LARGEST:
            fix = "send fewer events in one request"
            await _refuse(413, "body", f"is larger than {LARGEST} bytes", fix)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _known(self, given: bytes) -> bool:
        kind, _, token = given.partition(b" ")
        if kind.lower() == b"basic":  # a browser asks for a name, which is nothing to us, and a password
            kind, token = b"bearer", _password(token.strip())
        return secrets.compare_digest(kind.lower() + b" " + token.strip(), self._token)


def _password(given: bytes) -> bytes:
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _refuse(status: int, field: str, problem: str, fix: str) -> Response:
    body = to_json({"problems": [{"field": field, "problem": problem, "fix": fix}]})
    headers = {"www-authenticate": ASKED} if status == 401 else {"connection": "close"}
    return Response(body, status, headers, "application/json")
