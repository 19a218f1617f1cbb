"""Connections that send nothing, or too slowly, are ended; those that ask are answered beside them."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from homeostat.serving import connections
from homeostat.serving.connections import Connection, most_connections, raise_descriptor_limit

BODY = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\n"


class Hurried(Connection):
    headers_within, body_within = 0.5, 1.0


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


async def live(request: Request) -> PlainTextResponse:
    return PlainTextResponse("live")


@pytest.fixture
def port() -> Iterator[int]:
    """A server with short deadlines on loopback."""
    app = Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/live", live)])
    config = uvicorn.Config(app, http=Hurried, log_level="critical", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)


@contextmanager
def connected(port: int, first: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        if first:
            client.sendall(first)
        yield client


def rest(client: socket.socket) -> bytes:
    """All that the server says until it closes."""
    parts = []
    while part := client.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def trickle(client: socket.socket, data: bytes) -> bytes:
    """Send byte by byte, each well within a deadline, until the server has answered and closed."""
    client.settimeout(0.1)
    answer = b""
    for n in range(len(data)):
        try:
            client.sendall(data[n : n + 1])
            part = client.recv(65_536)
            if not part:
                return answer
            answer += part
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return answer
    raise AssertionError("it was never closed")


def test_a_connection_that_says_nothing_is_ended(port: int) -> None:
    began = time.monotonic()
    with connected(port) as client:
        answer = rest(client)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"headers: did not arrive within 0.5 seconds" in answer
    assert 0.3 < time.monotonic() - began < 5


def test_headers_that_trickle_are_ended(port: int) -> None:
    with connected(port, b"GET /live HTTP/1.1\r\nx: ") as client:
        assert trickle(client, b"y" * 200).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_trickles_is_ended(port: int) -> None:
    with connected(port, BODY) as client:
        answer = trickle(client, b"z" * 99)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"body" in answer


def test_the_second_request_of_a_connection_has_its_deadline_too(port: int) -> None:
    with connected(port, b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n") as client:
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")
        time.sleep(0.8)  # between requests it may rest longer than a request may take
        client.sendall(b"GET /live HTTP/1.1\r\nx: ")
        assert rest(client).startswith(b"HTTP/1.1 408 ")


def test_whole_requests_are_answered(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for size in (0, 10, 500_000):
            assert client.post("/echo", content=b"a" * size).content == b"a" * size


def test_idle_connections_make_room(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 20)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    try:
        time.sleep(0.1)
        assert httpx.get(f"http://127.0.0.1:{port}/live", trust_env=False).text == "live"
        assert rest(idle[0]).startswith(b"HTTP/1.1 408 ")  # the one that had waited longest
    finally:
        for client in idle:
            client.close()


def test_where_all_are_at_work_one_more_is_told_to_come_again(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 3)
    busy = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    try:
        for client in busy:
            client.sendall(BODY)
        time.sleep(0.2)
        with connected(port) as client:
            answer = rest(client)
        assert answer.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1" in answer
    finally:
        for client in busy:
            client.close()


def test_descriptors_are_reserved_for_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        assert most_connections() == 100
        raise_descriptor_limit()
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert raised > 200 and most_connections() <= raised - connections.RESERVED
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
