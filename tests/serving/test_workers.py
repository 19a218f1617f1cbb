"""``homeostat serve --workers 1..2`` under load and at rest, and what a worker does that leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import asked
import httpx
import pytest
import uvicorn
from at_work import until
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from under_load import Service, note_answer, served

from homeostat.cli import main
from homeostat.project.layout import Project
from homeostat.serving.connections import Connection
from homeostat.serving.leaving import Server


class Caller(threading.Thread):
    """A client with one connection at a time, that has every event computed."""

    def __init__(self, service: Service, number: int, over: threading.Event) -> None:
        super().__init__()
        self.service, self.number, self.over = service, number, over
        self.answers: list[dict[str, Any]] = []
        self.failures: list[str] = []

    def run(self) -> None:
        events = [asked.event(50 + self.number // 6, self.number % 6)]
        with httpx.Client(headers=self.service.headers, timeout=60, trust_env=False) as client:
            while not self.over.is_set():
                note_answer(self, client, self.service.address + "/predict?how=computed", events)


def workers(service: Service) -> float:
    lines = service.get("/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("homeostat_workers "))


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_worker_comes_with_the_load_and_goes_with_it_and_no_request_fails(project: Project) -> None:
    with served(project, "--workers", "1..2") as service:
        assert "by 1 to 2 workers, as requests come" in service.log.read_text()
        until(lambda: service.get("/ready").status_code == 200, 60, "the service")
        assert workers(service) == 1
        over = threading.Event()
        callers = [Caller(service, n, over) for n in range(12)]
        for caller in callers:
            caller.start()
        try:
            until(lambda: len({a["worker"] for c in callers for a in c.answers[-20:]}) == 2, 60, "a second worker")
            assert workers(service) == 2
        finally:
            over.set()
            for caller in callers:
                caller.join()
        first = {a["worker"] for c in callers for a in c.answers}
        os.kill(int(str(first.pop())), signal.SIGKILL)
        until(lambda: "another comes in its place" in service.log.read_text(), 30, "word of its death")
        until(lambda: "1 worker:" in service.log.read_text(), 90, "a worker that leaves")
        until(lambda: workers(service) == 1, 60, "its end")  # idle connections were closed with their clients
        assert [caller.failures for caller in callers] == [[]] * 12
        ids = [entry["id"] for entry in asked.logged(project)]
        answered = {p["id"] for c in callers for a in c.answers for p in a["predictions"]}  # type: ignore[attr-defined]
        assert set(ids) == answered
        assert max(Counter(ids).values()) <= 3  # once a worker
        answers = [line for line in service.get("/metrics").text.splitlines() if "answer_seconds_count" in line]
        assert sum(float(line.split()[1]) for line in answers) == sum(len(c.answers) for c in callers)
        assert service.end() == 0
        assert "Traceback" not in service.log.read_text()


@pytest.mark.slow
def test_workers_end_where_their_parent_is_killed(project: Project) -> None:
    with served(project, "--workers", "2") as service:
        until(lambda: service.log.read_text().count("is in service after") == 2, 60, "two workers")
        port = int(service.address.rpartition(":")[2])
        service.process.kill()
        service.process.wait()
        until(lambda: _refused(port), 30, "the end of the workers")


def _refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("8..1", "8..1: write 1 to 256, and the smaller number first"),
        ("0", "0: write 1 to 256"),
        ("1..1000", "1..1000: write 1 to 256"),
        ("many", "'many' is no number of processes; write 2, or 1..8"),
        ("1..", "'1..' is no number of processes"),
    ],
)
def test_numbers_that_are_none(given: str, problem: str) -> None:
    done = CliRunner().invoke(main, ["serve", "--workers", given])
    assert done.exit_code == 2
    assert problem in done.output


# ---- one that leaves


@pytest.fixture
def server() -> Iterator[tuple[Server, int, threading.Thread]]:
    """A server on loopback, the socket of which others accept from too; its requests take what they say."""

    async def wait(request: Request) -> PlainTextResponse:
        await asyncio.sleep(float(request.query_params.get("seconds", 0)))
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/", wait)])
    config = uvicorn.Config(app, http=Connection, log_level="critical", ws="none", lifespan="off")
    server = Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening.dup()]}, daemon=True)
        thread.start()
        until(lambda: server.started, 10, "the server")
        yield server, listening.getsockname()[1], thread
        server.should_exit, server.leaving = True, False
        thread.join(20)


def test_one_that_leaves_answers_what_it_has_and_each_connection_once_more(
    server: tuple[Server, int, threading.Thread],
) -> None:
    leaver, port, thread = server
    clients = [httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) for _ in range(2)]
    assert [client.get("/").headers.get("connection") for client in clients] == [None, None]
    answers: list[httpx.Response] = []
    asks = threading.Thread(target=lambda: answers.append(clients[0].get("/", params={"seconds": 0.5})))
    asks.start()
    time.sleep(0.1)
    leaver.leave()
    asks.join()
    time.sleep(0.3)
    assert thread.is_alive()  # for the other client, who may send at any moment
    answers.append(clients[1].get("/"))
    assert [(one.status_code, one.headers["connection"]) for one in answers] == [(200, "close")] * 2
    thread.join(5)
    assert not thread.is_alive()


def test_clients_connect_again_where_another_has_come(server: tuple[Server, int, threading.Thread]) -> None:
    present, port, _ = server
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        assert "connection" not in client.get("/").headers
        present.renew()
        assert client.get("/").headers["connection"] == "close"
        assert "connection" not in client.get("/").headers
