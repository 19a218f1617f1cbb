"""``homeostat serve``: workers on one port, on loopback unless told otherwise, until they are asked to end."""

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
from homeostat.serving import paths, prediction_log, sync
from homeostat.serving.settings import FRESH, PROJECT, SHARED
from homeostat.serving.token import read_or_make

if TYPE_CHECKING:
    from homeostat.project.layout import Project

GRACE = 30  # seconds for what was accepted to be finished
HEALTH = 60.0  # seconds until a worker that does not answer is replaced: the machine may be busy
PACK = 3600  # seconds between two looks for files of the prediction log to pack
BACKLOG = 256  # connections that wait to be accepted, and that are accepted before the first of them is counted
KEEP = 75  # seconds that an idle connection is kept: longer than load balancers keep theirs, so none meets a closed one
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
    project: Project, host: str, port: int, workers: int, fresh: timedelta | None, say: Callable[[str], None]
) -> None:
    """Answer requests until SIGINT or SIGTERM; what was accepted is finished.

    Raises:
        EnvironmentFault: the port is taken, or the token cannot be used.
    """
    quiet_environment()
    name = project.scope.project  # read first: an error in the scope is told before anything is started
    read_or_make(project)
    _tell_workers(project, fresh)
    logging.config.dictConfig(LOGGING)
    with _listening(host, port) as listening, sync.followed(project), _packing(project):
        address = f"http://{host}:{listening.getsockname()[1]}"
        say(f"{name} is served at {address} by {workers} {'worker' if workers == 1 else 'workers'}")
        say(f"  look at  {address}/docs; the password is the token in {paths.token(project)}")
        if project.scope.remote is not None and not paths.working(project).accepted.is_dir():
            say("  no data here yet, so answers stand on the request alone: homeostat run data, here, at every tick")
        say("Ctrl-C ends it.")
        _run(listening, workers)
    say(f"{name} is served no more")


def _tell_workers(project: Project, fresh: timedelta | None) -> None:
    folder = paths.metrics(project)
    shutil.rmtree(folder, ignore_errors=True)  # of a service that has ended
    folder.mkdir(parents=True)
    os.environ |= {PROJECT: str(project.home), SHARED: str(folder)}
    if fresh is not None:
        os.environ[FRESH] = str(fresh.total_seconds())


def _run(listening: socket.socket, workers: int) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from homeostat.serving.connections import Connection, raise_descriptor_limit

    raise_descriptor_limit()
    config = uvicorn.Config(
        "homeostat.serving.http:make", factory=True, workers=workers, log_config=LOGGING, access_log=False,
        lifespan="on", server_header=False, backlog=BACKLOG, http=Connection, timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=int(HEALTH), timeout_keep_alive=KEEP, ws="none", proxy_headers=False,
    )  # fmt: skip
    with _signals():
        if workers > 1:
            Multiprocess(config, sockets=[listening]).run()
        else:
            uvicorn.Server(config).run(sockets=[listening])


@contextlib.contextmanager
def _packing(project: Project) -> Iterator[None]:
    """Have files of the prediction log that have ended packed meanwhile, now and every hour."""
    over = threading.Event()

    def work() -> None:
        for pause in itertools.chain([1], itertools.repeat(PACK)):
            if over.wait(pause):
                return
            with contextlib.suppress(OSError):  # a full disk stops no service; the next hour tries again
                prediction_log.pack_ended(project)

    threading.Thread(target=work, name="pack", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _listening(host: str, port: int) -> socket.socket:
    """The socket that every worker accepts from."""
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(BACKLOG)
        found.set_inheritable(True)
    except OSError as error:
        found.close()
        raise EnvironmentFault(
            f"{host}:{port}: cannot be listened on ({error.strerror}); choose another --port, or end what has it"
        ) from error
    return found


@contextlib.contextmanager
def _signals() -> Any:
    """SIGTERM and SIGINT end the service and not the command: the server sends itself again what ended it."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
