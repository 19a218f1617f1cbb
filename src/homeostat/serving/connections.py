"""Connections with deadlines: a request's headers and body arrive in time, and idle connections make room for others.

The server has a deadline for connections between two requests alone. Without the others, a client that opens
connections and sends nothing, or a byte a minute, keeps them all.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEADERS = 15.0  # seconds for the headers of a request, from its first byte or from the start of the connection
BODY = 30.0  # seconds for the rest of it: four megabytes at one megabit a second
MOST = 4096  # connections of one worker
RESERVED = 512  # file descriptors of a worker for its own files, and for connections accepted but not counted yet
WANTED = 65_536  # file descriptors of a process, where the system allows it


def raise_descriptor_limit() -> None:
    """Allow this process, and the workers that it starts, as many file descriptors as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """How many connections this process may have; the rest of its file descriptors is reserved for its files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(MOST, soft - min(RESERVED, soft // 2))


class Connection(HttpToolsProtocol):
    """One connection. It waits for a request, for the rest of one, or for nothing while its answer is made."""

    headers_within, body_within = HEADERS, BODY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._waiting_since: float | None = None  # on the loop's clock; None while a request is being answered
        self._last_answer = False  # the connection ends with the next answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > most_connections() and not self._close_an_idle_one():
            self._refuse(503, "service", "has as many connections as it can", "try again in a second")
            return
        self._waiting_since = self.loop.time()
        self._allow(self.headers_within, "headers")

    def connection_lost(self, exc: Exception | None) -> None:
        self._allow(None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._allow(self.headers_within, "headers")

    def on_headers_complete(self) -> None:
        self._waiting_since = None
        self._allow(self.body_within, "body")
        super().on_headers_complete()
        if self._last_answer:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._allow(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline:
            self._waiting_since = self.loop.time()

    def end_with_an_answer(self) -> None:
        """Answer the request in progress, or else the next, with `connection: close`, so that no request is lost."""
        self._last_answer = True
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _allow(self, seconds: float | None, part: str = "") -> None:
        """Give the client so long from now for a part of its request; None: nothing is awaited of it."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end_late, part, seconds)

    def _end_late(self, part: str, seconds: float) -> None:
        self._refuse(408, part, f"did not arrive within {seconds:g} seconds", "send the request in one go")

    def _close_an_idle_one(self) -> bool:
        """Close the connection that has waited longest for a request; whether there was one apart from this one."""
        idle = {c: c._waiting_since for c in self.connections if isinstance(c, Connection) and c is not self}
        waiting = {c: since for c, since in idle.items() if since is not None}
        if not waiting:
            return False
        longest = min(waiting, key=waiting.__getitem__)
        self.connections.discard(longest)  # its end is noticed later, and the next connection counts before
        longest._refuse(408, "headers", "did not arrive before others needed the connection", "connect again")
        return True

    def _refuse(self, status: int, field: str, problem: str, fix: str) -> None:
        """Answer the client, unless an answer has begun, and close."""
        self._allow(None)
        self._waiting_since = None
        answering = self.cycle is not None and not self.cycle.response_complete
        if not (answering and self.cycle.response_started):
            body = to_json({"problems": [{"field": field, "problem": f"{field}: {problem}", "fix": fix}]})
            self.transport.write(_answer(status, body))
        if answering:
            self.cycle.disconnected = True  # whatever the application still says is dropped
            self.cycle.message_event.set()
        self.transport.close()


def _answer(status: int, body: bytes) -> bytes:
    length = str(len(body)).encode()
    headers = b"content-type: application/json\r\ncontent-length: " + length + b"\r\nconnection: close\r\n"
    return STATUS_LINE[status] + headers + (b"retry-after: 1\r\n" if status == 503 else b"") + b"\r\n" + body
