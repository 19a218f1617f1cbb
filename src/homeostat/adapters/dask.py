"""Dask: the work of a run spread over processes of this machine, or over a cluster. The one module that imports it.

Workers compute and answer; only the run, which holds the project's lock, writes. So whatever happens to a worker or to
the scheduler, what they were at is worked on once more, and nothing is there twice.
"""

from __future__ import annotations

import logging
import platform
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from homeostat.adapters.import_graph import PACKAGE, work_hash
from homeostat.core.errors import EnvironmentFault, HomeostatError
from homeostat.core.text import count
from homeostat.project.executor import IN_PROCESS, Executor, Ring

if TYPE_CHECKING:
    from distributed import Client

    from homeostat.project.scale_scope import Scale

Item = TypeVar("Item")
Result = TypeVar("Result")
PATIENCE = 10  # seconds for a scheduler to answer, and for its first worker to be there
RETURN = 60  # the same where they were there before, and may be starting again
TRIES = 3  # of the same work, where the scheduler is lost in the middle, or one of several workers that need each other
LOOK = 0.2  # seconds between two looks at workers that need each other


@contextmanager
def executor_of(scale: Scale | None) -> Iterator[Executor]:
    """Who does the work of a run as the scope's ``scale`` says; without one, or with one worker, this process.

    Workers of this machine start with the first work that there is for them. A cluster is asked at once.

    Raises:
        EnvironmentFault: there is no such cluster, or its workers are of another version.
    """
    if scale is None or scale.workers == 1:
        yield IN_PROCESS
        return
    workers = Workers(scale)
    try:
        if scale.scheduler is not None:
            workers.connect(PATIENCE)
        yield workers
    finally:
        workers.close()


class Workers:
    """The workers of a run, for its threads; an ``Executor``."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._opening, self._together = threading.Lock(), threading.Lock()
        self._client: Client | None = None
        self._cluster: Any = None
        self._threads = 1  # of a cluster, when it was connected

    @property
    def at_once(self) -> int:
        scale = self._scale
        if scale.scheduler is None:
            return scale.adaptive[1] if scale.adaptive is not None else scale.workers or 1
        self.connect(RETURN)
        return self._threads

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """As ``Executor.map``; one item is worked on here.

        Raises:
            HomeostatError, EnvironmentFault: as there.
        """
        if len(items) < 2:
            return [function(item) for item in items]
        task = partial(_outcome, _version(function), function)
        for _ in range(TRIES):
            client = self.connect(RETURN)
            try:
                outcomes = client.gather(client.map(task, items, pure=False, key=function_name(function)))
            except (CancelledError, OSError, TimeoutError):  # the scheduler is gone, and with it what it knew
                self._drop(client)
                continue
            except Exception as error:
                raise _explained(error, self._place) from error
            return [outcome.result() for outcome in outcomes]
        raise EnvironmentFault(f"{self._place} was lost {count(TRIES, 'time')} at the same work; see its log")

    def together(self, function: Callable[[Item, Ring], Result], items: Sequence[Item]) -> list[Result]:
        """As ``Executor.together``.

        Raises:
            HomeostatError, EnvironmentFault: as there.
        """
        task, problem = partial(_outcome, _version(function), function), ""
        with self._together:  # each waits for all the others: two such works would wait for each other
            for _ in range(TRIES):
                client = self.connect(RETURN)
                self._adapt(len(items))
                workers = _wait_for(client, len(items), self._place)
                try:
                    outcomes = _of_all(client, workers, task, items, self._scale.fit_within.total_seconds())
                except Exception as error:  # LightGBM's own, of a rank that lost another; or a worker is gone
                    problem = str(error).strip().split("\n")[0] or type(error).__name__
                    _start_again(client, workers)
                    continue
                self._adapt(1)
                return [outcome.result() for outcome in outcomes]
        raise EnvironmentFault(
            f"{self._place}: {count(len(items), 'worker')} did not come to an end together in {count(TRIES, 'try')} "
            f"({problem}); see their logs, or fit on one: take distribute out of training"
        )

    def connect(self, patience: int) -> Client:
        """The connection to the workers, made where there is none.

        Raises:
            EnvironmentFault: no scheduler or no worker is there in ``patience`` seconds, or one is of another version.
        """
        with self._opening:
            if self._client is not None and self._client.status == "running":
                return self._client
            self._close_client()
            if self._scale.scheduler is None:
                self._client = self._local()
            else:
                self._client = _cluster_at(self._place, patience)
                self._threads = max(1, sum(self._client.nthreads().values()))
            return self._client

    def close(self) -> None:
        """Let go of a cluster; end workers that were started here."""
        with self._opening:
            self._close_client()
            if self._cluster is not None:
                with suppress(AssertionError):  # of a worker that is just starting again, and cannot be waited for yet
                    self._cluster.close()
                self._cluster = None

    @property
    def _place(self) -> str:
        return self._scale.scheduler or "Dask's scheduler on this machine"

    def _drop(self, client: Client) -> None:
        """Close a connection that was lost, unless another thread has made a new one already."""
        with self._opening:
            if self._client is client:
                self._close_client()

    def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=1)

    def _local(self) -> Client:
        """Workers on this machine, which end with this process; each computes as this one would."""
        if self._cluster is not None:  # the connection was lost, and not the workers
            return self._connected()
        _dask()
        from distributed import LocalCluster

        port = self._scale.dashboard
        adaptive = self._scale.adaptive
        # No limit of memory each: it would end a worker that needs more than its share while others need none.
        # Messages are encrypted by a key of this run's own: whoever can send one can run code, and others may share
        # the machine.
        cluster = LocalCluster(
            n_workers=adaptive[0] if adaptive is not None else self._scale.workers, threads_per_worker=1,
            host="127.0.0.1", memory_limit=None, silence_logs=logging.CRITICAL, security=True,
            dashboard_address=None if port is None else f"127.0.0.1:{port}",
            scheduler_kwargs={"dashboard_address": f"127.0.0.1:{port or 0}"},  # of its figures, which it always has
        )  # fmt: skip
        if port is not None:
            print(f"dashboard  {cluster.dashboard_link}")
        self._cluster = cluster
        self._adapt(1)
        return self._connected()

    def _adapt(self, least: int) -> None:
        """Have workers come and go as work waits, where the scope says so; ``least`` of them stay in any case."""
        if self._scale.adaptive is not None:
            low, high = self._scale.adaptive
            self._cluster.adapt(minimum=max(low, least), maximum=high)

    def _connected(self) -> Client:
        from distributed import Client

        return Client(self._cluster, set_as_default=False)


@dataclass(frozen=True)
class _Value:
    value: Any

    def result(self) -> Any:
        return self.value


@dataclass(frozen=True)
class _Raised:
    """What work raised that a person has to see to; anything else that it raises is a bug, and comes as it is."""

    error: HomeostatError

    def result(self) -> Any:
        raise self.error


def _outcome(version: str, function: Callable[..., Any], item: Any, *ring: Ring) -> _Value | _Raised:
    """What a worker does with one item, and with others at the same time where there is a ``ring``."""
    try:
        if (own := _version(function)) != version:
            from distributed import get_worker

            raise EnvironmentFault(
                f"worker {get_worker().address} has {own}, and this run {version}; start it again from the environment "
                "of this run"
            )
        return _Value(function(item, *ring))
    except HomeostatError as error:
        return _Raised(error)


def _of_all(
    client: Client, workers: Sequence[str], task: Callable[..., Any], items: Sequence[Any], seconds: float
) -> list[_Value | _Raised]:
    """The outcomes of a task by as many workers at the same time.

    Raises:
        TimeoutError: they are not at an end after so many seconds.
        Exception: a worker is gone, or what the task raised in the first of them.
    """
    end = time.monotonic() + seconds
    ports: list[int] = _answers(client, workers, [(_free_port,)] * len(workers), end)
    machines = tuple(f"{urlsplit(worker).hostname}:{port}" for worker, port in zip(workers, ports, strict=True))
    # The rows go to their worker by themselves, for what a task carries is kept by the scheduler.
    there = [client.scatter(item, workers=[worker], hash=False, timeout=int(end - time.monotonic()) + 1)
             for item, worker in zip(items, workers, strict=True)]  # fmt: skip
    return _answers(client, workers, [(task, item, Ring(machines, rank)) for rank, item in enumerate(there)], end)


def _answers(client: Client, workers: Sequence[str], calls: Sequence[tuple[Any, ...]], end: float) -> list[Any]:
    """What each worker answers to its call: a function and what it is given.

    Raises:
        TimeoutError, Exception: as ``_of_all``.
    """
    futures = []
    for worker, (function, *given) in zip(workers, calls, strict=True):
        # A key of its own: Dask would take the answer to an earlier call for that to this one.
        settings: dict[str, Any] = {"workers": [worker], "pure": False, "retries": 0, "key": f"together-{uuid4()}"}
        futures.append(client.submit(function, *given, **settings))
    while any(future.status == "pending" for future in futures):
        if failed := next((future for future in futures if future.status not in ("pending", "finished")), None):
            raise failed.exception() or CancelledError()
        if gone := set(workers) - client.scheduler_info()["workers"].keys():
            raise ConnectionError(f"worker {min(gone)} is gone")
        if time.monotonic() > end:
            raise TimeoutError("scale.fit_within has passed")
        time.sleep(LOOK)
    answers: list[Any] = client.gather(futures)
    return answers


def _free_port() -> int:
    """A port of this machine that nobody listens at; another each time, for a port is busy for a while after use."""
    with socket.socket() as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


def _wait_for(client: Client, many: int, place: str) -> list[str]:
    """The addresses of so many workers, in order.

    Raises:
        EnvironmentFault: there are fewer, and no others come.
    """
    try:
        client.wait_for_workers(many, timeout=RETURN)
    except TimeoutError as error:
        there = count(len(client.scheduler_info()["workers"]), "worker")
        raise EnvironmentFault(
            f"{place}: {there}, and training.distribute.ranks needs {many}; start more, or lower it"
        ) from error
    return sorted(client.scheduler_info()["workers"])[:many]


def _start_again(client: Client, workers: Sequence[str]) -> None:
    """End what workers are at, by starting them again: they may wait for others where nothing can interrupt them."""
    there = [worker for worker in workers if worker in client.scheduler_info()["workers"]]
    with suppress(Exception):  # one that ends on its own, or that no nanny starts again, is missed when it is counted
        client.restart_workers(there, timeout=RETURN, raise_for_error=False)


def _version(function: Callable[..., Any]) -> str:
    """What the work of a function follows from beside its items: Python, and the code and tools that it reaches."""
    while isinstance(function, partial):
        function = function.func
    module = function.__module__
    code = work_hash(module)[:12] if module.partition(".")[0] == PACKAGE else "none"
    return f"Python {platform.python_version()} with code {code}"


def function_name(function: Callable[..., Any]) -> str:
    """What Dask's pages call the work of a function."""
    while isinstance(function, partial):
        function = function.func
    return function.__name__.strip("_")


def _cluster_at(address: str, patience: int) -> Client:
    """A connection to a cluster whose scheduler and workers are of the same versions as this process.

    Raises:
        EnvironmentFault: as ``Workers.connect``.
    """
    _dask()
    from distributed import Client

    try:
        client = Client(address, timeout=patience, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise EnvironmentFault(
            f"scale.scheduler: no Dask scheduler answers at {address}; start one there (dask scheduler), or correct "
            "params.yaml"
        ) from error
    try:
        client.wait_for_workers(1, timeout=patience)
        _check_versions(client, address)
    except TimeoutError as error:
        client.close(timeout=1)
        fix = f"start some (dask worker {address})"
        raise EnvironmentFault(f"scale.scheduler: the scheduler at {address} has no worker; {fix}") from error
    except BaseException:
        client.close(timeout=1)
        raise
    return client


def _check_versions(client: Client, address: str) -> None:
    """Refuse a scheduler or worker that reads messages otherwise; the code of Homeostat is compared with each task."""
    versions: Any = client.get_versions()
    theirs = {f"scheduler {address}": versions["scheduler"]}
    theirs |= {f"worker {worker}": what for worker, what in versions["workers"].items()}
    own = _packages(versions["client"])
    for who, what in theirs.items():
        other = _packages(what)
        for name, version in own.items():
            if other.get(name) != version:
                raise EnvironmentFault(
                    f"{who} has {name} {other.get(name)}, and this run {version}; start it again from the environment "
                    "of this run"
                )


def _packages(versions: dict[str, Any]) -> dict[str, str]:
    return {name: str(version) for name, version in versions["packages"].items()}


def _explained(error: Exception, place: str) -> Exception:
    """What went wrong with workers, in a line; a bug in the work itself as it is."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return EnvironmentFault(
            f"{place}: workers ended again and again at {error.task}; most often their memory is full: name fewer "
            "workers in scale, or give the machine more"
        )
    if isinstance(error, ModuleNotFoundError | AttributeError) or "deserializ" in str(error):
        line = str(error).strip().split("\n")[0]
        return EnvironmentFault(
            f"{place}: it or a worker has not the code of this run ({line}); start them again from its environment"
        )
    return error


@cache
def _dask() -> Any:
    """Dask, whose notices of workers that come and go are no messages of ours.

    The environment stays this process's own whenever a worker starts, so that libraries compute with as many threads
    there as here; Dask would change it here too.
    """
    import dask
    from distributed.versions import VersionMismatchWarning

    dask.config.set({"distributed.nanny.pre-spawn-environ": {}})

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", VersionMismatchWarning)  # which ``_check_versions`` refuses, in one line
    return dask
