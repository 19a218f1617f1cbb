"""Dask: the work of a run spread over processes of this machine, or over a cluster. The one module that imports it.

Workers compute and answer; only the run, which holds the project's lock, writes. So whatever happens to a worker or to
the scheduler, what they were at is worked on once more, and nothing is there twice.
"""

from __future__ import annotations

import logging
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from homeostat.adapters.import_graph import PACKAGE, work_hash
from homeostat.core.errors import EnvironmentFault, HomeostatError
from homeostat.core.text import count
from homeostat.project.executor import IN_PROCESS, Executor

if TYPE_CHECKING:
    from distributed import Client

    from homeostat.project.scale_scope import Scale

Item = TypeVar("Item")
Result = TypeVar("Result")
PATIENCE = 10  # seconds for a scheduler to answer, and for its first worker to be there
RETURN = 60  # the same where they were there before, and may be starting again
TRIES = 3  # of the same work, where the scheduler is lost in the middle
SAME = ("python", "distributed", "dask", "cloudpickle", "msgpack")  # what has to be equal on both sides of a message


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
        self._opening = threading.Lock()
        self._client: Client | None = None
        self._cluster: Any = None

    @property
    def at_once(self) -> int:
        scale = self._scale
        if scale.scheduler is None:
            return scale.adaptive[1] if scale.adaptive is not None else scale.workers or 1
        return max(1, sum(self.connect(RETURN).nthreads().values()))

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
                self._drop_client()
                continue
            except Exception as error:
                raise _explained(error, self._place) from error
            return [outcome.result() for outcome in outcomes]
        raise EnvironmentFault(f"{self._place} was lost {count(TRIES, 'time')} at the same work; see its log")

    def connect(self, patience: int) -> Client:
        """The connection to the workers, made where there is none.

        Raises:
            EnvironmentFault: no scheduler or no worker is there in ``patience`` seconds, or one is of another version.
        """
        with self._opening:
            if self._client is None:
                self._client = self._local() if self._scale.scheduler is None else _cluster_at(self._place, patience)
            return self._client

    def close(self) -> None:
        """Let go of a cluster; end workers that were started here."""
        with self._opening:
            self._drop_client()
            if self._cluster is not None:
                self._cluster.close()
                self._cluster = None

    @property
    def _place(self) -> str:
        return self._scale.scheduler or "Dask's scheduler on this machine"

    def _drop_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=1)

    def _local(self) -> Client:
        """Workers on this machine, which end with this process; each computes as this one would."""
        dask = _dask()
        from distributed import Client, LocalCluster

        port = self._scale.dashboard
        adaptive = self._scale.adaptive
        # No limit of memory each: it would end a worker that needs more than its share while others need none. The
        # environment is this process's own, so that libraries compute with as many threads as here.
        with dask.config.set({"distributed.nanny.pre-spawn-environ": {}}):
            cluster = LocalCluster(
                n_workers=adaptive[0] if adaptive is not None else self._scale.workers, threads_per_worker=1,
                host="127.0.0.1", memory_limit=None, silence_logs=logging.CRITICAL,
                dashboard_address=None if port is None else f"127.0.0.1:{port}",
            )  # fmt: skip
        if adaptive is not None:
            cluster.adapt(minimum=adaptive[0], maximum=adaptive[1])
        if port is not None:
            print(f"dashboard  {cluster.dashboard_link}")
        self._cluster = cluster
        return Client(cluster, set_as_default=False)


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


def _outcome(version: str, function: Callable[[Any], Any], item: Any) -> _Value | _Raised:
    """What a worker does with one item."""
    try:
        if (own := _version(function)) != version:
            from distributed import get_worker

            raise EnvironmentFault(
                f"worker {get_worker().address} has {own}, and this run {version}; start it again from the environment "
                "of this run"
            )
        return _Value(function(item))
    except HomeostatError as error:
        return _Raised(error)


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
        for name in SAME:
            if other.get(name) != own.get(name):
                raise EnvironmentFault(
                    f"{who} has {name} {other.get(name)}, and this run {own.get(name)}; start it again from the "
                    "environment of this run"
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
    """Dask, whose notices of workers that come and go are no messages of ours."""
    import dask
    import distributed  # noqa: F401

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    return dask
