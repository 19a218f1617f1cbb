"""An object store on loopback, and one in trouble: a server in front answers 503, slowly, or half of it."""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import pytest

Trouble = Literal["", "503", "slow", "half"]
SLOW = 0.1  # seconds before each answer


@contextmanager
def object_store(name: str) -> Iterator[str]:
    """The address of an S3-compatible server, with an empty bucket of that name; what it takes to be asked is set."""
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed: no S3 here; the same code is tested on a folder")
    server = pytest.importorskip("moto.server", reason="moto is not installed: no S3 server to test against")
    import boto3

    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}
    before = {key: os.environ.get(key) for key in keys}
    os.environ |= keys
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=address, region_name="us-east-1").create_bucket(Bucket=name)
    yield address
    running.stop()
    for key, value in before.items():
        if value is None:
            del os.environ[key]
        else:
            os.environ[key] = value


@dataclass
class Store:
    """What the server does with the next ``times`` requests for objects; and how many it has troubled."""

    address: str = ""
    trouble: Trouble = ""
    times: float = 0
    methods: tuple[str, ...] = ()  # all, where there is none
    troubled: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, trouble: Trouble, times: float = float("inf"), *methods: str) -> None:
        with self._turn:
            self.trouble, self.times, self.methods, self.troubled = trouble, times, methods, 0

    def next(self, method: str) -> Trouble:
        with self._turn:
            if not self.trouble or self.troubled >= self.times or (self.methods and method not in self.methods):
                return ""
            self.troubled += 1
            return self.trouble


@contextmanager
def in_front_of(store: str) -> Iterator[Store]:
    """A server in front of the store at that address."""
    troubled = Store()
    behind = store.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            trouble = troubled.next(self.command)
            length = int(self.headers.get("Content-Length") or 0)
            if trouble == "half" and length:
                self.rfile.read(length // 2)
                self.close_connection = True
                return
            body = self._body(length)
            if trouble == "503":
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if trouble == "slow":
                time.sleep(SLOW)
            connection = http.client.HTTPConnection(behind, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "expect")}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", size or "0")
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if trouble == "half" else data)
            self.close_connection = trouble == "half" or self.close_connection

        def _body(self, length: int) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(length)
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    troubled.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield troubled
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
