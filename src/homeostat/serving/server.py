"""``homeostat serve``: worker processes that share one port, until SIGINT or SIGTERM."""

from __future__ import annotations

import contextlib
import itertools
import logging.config
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from homeostat.adapters.telemetry import quiet_environment
from homeostat.core.errors import EnvironmentFault
from homeostat.core.text import count
from homeostat.project.layout import working_tree
from homeostat.serving import paths, prediction_log, sync
from homeostat.serving.auth import read_or_make_token
from homeostat.serving.settings import FRESH, PROJECT, SHARED

if TYPE_CHECKING:
    from homeostat.project.layout import Project

GRACE = 30  # seconds to finish accepted requests
HEALTH = 60  # seconds until a worker that does not answer is replaced: the machine may be busy
PACK = 3600  # seconds between two rounds of packing files of the prediction log
BACKLOG = 256  # connections that wait to be accepted, and that are accepted before the first of them is counted
KEEP = 75  # seconds that an idle connection is kept: load balancers close theirs before, so none uses a closed one
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(process)d %(levelname)s %(message)s"}},
    "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}},
    "loggers": {
        "homeostat": {"handlers": ["err"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["err"], "level": "WARNING", "propagate": False},
    },
}


def serve(
    project: Project,
    host: str,
    port: int,
    workers: tuple[int, int],
    fresh: timedelta | None,
    say: Callable[[str], None],
) -> None:
    """Answer requests until SIGINT or SIGTERM; accepted requests are finished.

    ``workers``: how many processes there are at least and at most.

    Raises:
        EnvironmentFault: the port is taken, the token cannot be used, or no worker comes up.
    """
    quiet_environment()
    name = project.scope.project  # read first: an error in the scope is reported before anything is started
    read_or_make_token(project)
    _set_environment(project, fresh)
    logging.config.dictConfig(LOGGING)
    with _listening(host, port) as listening, sync.following_remote(project), _packing(project):
        address = f"http://{host}:{listening.getsockname()[1]}"
        say(f"{name} is served at {address} by {_words(workers)}")
        say(f"  look at  {address}/docs; the password is the token in {paths.token(project)}")
        if project.scope.remote is not None and not working_tree(project).accepted.is_dir():
            say("  no data here yet: answers use the request alone; run `homeostat run data` here at every tick")
        say("Ctrl-C ends it.")
        _run(listening, workers)
    say(f"{name} is no longer served")


def _words(workers: tuple[int, int]) -> str:
    least, most = workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if least == most:
        return count(most, "worker")
    beyond = f"; more than {count(cores, 'core')} of this machine" if cores and most > cores else ""
    return f"{least} to {count(most, 'worker')}, as requests come{beyond}"


def _set_environment(project: Project, fresh: timedelta | None) -> None:
    folder = paths.metrics(project)
    shutil.rmtree(folder, ignore_errors=True)  # of a service that has ended
    folder.mkdir(parents=True)
    os.environ |= {PROJECT: str(project.home), SHARED: str(folder)}
    if fresh is not None:
        os.environ[FRESH] = str(fresh.total_seconds())


def _run(listening: socket.socket, workers: tuple[int, int]) -> None:
    import uvicorn

    from homeostat.serving.connections import Connection, raise_descriptor_limit
    from homeostat.serving.workers import Workers

    raise_descriptor_limit()
    config = uvicorn.Config(
        "homeostat.serving.http:make", factory=True, log_config=LOGGING, access_log=False,
        lifespan="on", server_header=False, backlog=BACKLOG, http=Connection, timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=HEALTH, timeout_keep_alive=KEEP, ws="none", proxy_headers=False,
    )  # fmt: skip
    with _signals():
        if workers == (1, 1):
            uvicorn.Server(config).run(sockets=[listening])
        else:
            Workers(config, listening, *workers).run()


@contextlib.contextmanager
def _packing(project: Project) -> Iterator[None]:
    """Pack ended files of the prediction log meanwhile, now and every hour."""
    stop = threading.Event()

    def work() -> None:
        for pause in itertools.chain([1], itertools.repeat(PACK)):
            if stop.wait(pause):
                return
            with contextlib.suppress(OSError):  # a full disk stops no service; the next hour tries again
                prediction_log.pack_ended(project)

    threading.Thread(target=work, name="pack", daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _listening(host: str, port: int) -> socket.socket:
    """The socket that every worker accepts from."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
        listening.set_inheritable(True)
    except OSError as error:
        listening.close()
        raise EnvironmentFault(
            f"{host}:{port}: cannot be listened on ({error.strerror}); choose another --port, or end its process"
        ) from error
    return listening


@contextlib.contextmanager
def _signals() -> Any:
    """SIGTERM and SIGINT end the service but not the command: the server raises again the signal that ended it."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
