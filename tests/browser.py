"""A real browser: Chromium as Debian has it, without a window, spoken to over its debugging port."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
SETTINGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")  # fmt: skip


class Tab:
    """One page; each call waits for the browser's answer."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._call("Page.enable")

    def open(self, address: str) -> None:
        """Open an address, and wait until it is loaded."""
        self._and_wait("Page.navigate", url=address)

    def press(self, selector: str) -> None:
        """Press a button that leads to another page, and wait for that."""
        self._and_wait("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)}).click()")

    def fill(self, name: str, text: str) -> None:
        """Type into a field of the form."""
        self.run(f"document.querySelector('[name={name}]').value = {json.dumps(text)}")

    def run(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    @property
    def text(self) -> str:
        """What a person reads."""
        return str(self.run("document.body.innerText"))

    def _and_wait(self, method: str, **given: Any) -> None:
        number = self._send(method, **given)
        answered = loaded = False
        while not (answered and loaded):
            message = self._receive()
            answered = answered or message.get("id") == number
            loaded = loaded or message.get("method") == "Page.loadEventFired"

    def _call(self, method: str, **given: Any) -> dict[str, Any]:
        number = self._send(method, **given)
        while (message := self._receive()).get("id") != number:
            pass
        return dict(message["result"])

    def _send(self, method: str, **given: Any) -> int:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": given}))
        return number

    def _receive(self) -> dict[str, Any]:
        return dict(json.loads(self._socket.recv(timeout=60)))


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """A browser of its own, whose settings lie in ``folder``, with one empty page."""
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, *SETTINGS, f"--user-data-dir={folder}", "about:blank"], stderr=subprocess.DEVNULL
    )
    try:
        noted, end = folder / "DevToolsActivePort", time.monotonic() + 60
        while not (noted.is_file() and noted.read_text().count("\n")):
            assert process.poll() is None and time.monotonic() < end, "Chromium did not start"
            time.sleep(0.1)
        port = noted.read_text().splitlines()[0]
        pages = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
        (address,) = (page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        with connect(address, max_size=None, proxy=None) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait(30)
