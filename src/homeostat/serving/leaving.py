"""A worker's server that can leave while the others go on: what reaches it is answered, and nothing is cut off."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import threading
from multiprocessing.connection import wait
from types import FrameType

import uvicorn
from uvicorn.supervisors.multiprocess import Process

from homeostat.serving.connections import Connection

LOOK = b"look"  # what the parent says to a worker: answer whether it has started,
RENEW = b"renew"  # have the clients connect again, so that a worker that has come gets its share,
LEAVE = b"leave"  # or end, once no connection is left


class Server(uvicorn.Server):
    """Uvicorn's, with a second way to end."""

    leaving = False

    def leave(self) -> None:
        """Accept no more connections, end each with an answer or when it has been idle for long, then end."""
        self.leaving = self.should_exit = True

    def renew(self) -> None:
        """End each connection with its next answer."""
        for connection in list(self.server_state.connections):
            assert isinstance(connection, Connection)
            connection.end_with_an_answer()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.leaving = False  # the whole service ends
        super().handle_exit(sig, frame)

    async def _stop_accepting(self) -> None:
        loop = asyncio.get_running_loop()
        for listening in (one for server in self.servers for one in server.sockets):
            loop.remove_reader(listening.fileno())  # asyncio's own loop drops what it accepts just before the close
        await asyncio.sleep(0.1)
        for server in self.servers:
            server.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.leaving:
            await self._stop_accepting()
            while self.leaving and self.server_state.connections:
                self.renew()
                await asyncio.sleep(0.1)
        await super().shutdown(sockets)


class WorkerProcess(Process):
    """A process with such a server, that does what the parent says, and ends where the parent has."""

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = Server(config=self.config)
        assert isinstance(self._server, Server)
        return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        super().target(sockets)

    def pong(self) -> None:
        word = self.child_conn.recv()
        if word == LEAVE:
            self.server.leave()
        elif word == RENEW:
            self.server.renew()
        self.child_conn.send(self.server.started)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
