"""Who does the work of a run: this process, item by item, or several workers at a time. Given to whatever has many."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from homeostat.core.errors import DataError, EnvironmentFault, ScopeError

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")
RUN = 4  # batches that one worker gets at a time: it opens what they share once
AHEAD = 2  # runs a worker that are worked on ahead: while one is sent the other is computed


class Executor(Protocol):
    """``at_once``: how many items are worked on at a time; what is spread over one is better done as it comes."""

    @property
    def at_once(self) -> int: ...

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """The function of each item, in order. It writes no file, so that an item may be worked on twice.

        Raises:
            HomeostatError: what the function raises, of the first item that it does for.
            EnvironmentFault: the workers are out of reach, or no workers for this code.
        """


    def together(self, function: Callable[[Item, Ring], Result], items: Sequence[Item]) -> list[Result]:
        """The function of each item, all at the same time, each on a worker of its own; the answers in order.

        Where one of them fails, all begin again.

        Raises:
            HomeostatError: what the function raises.
            EnvironmentFault: there are too few workers, or they do not come to an end.
        """


@dataclass(frozen=True)
class Ring:
    """Workers that compute together: host:port of each, the same for all, and the place of this one among them."""

    machines: tuple[str, ...]
    rank: int

    @property
    def port(self) -> int:
        return int(self.machines[self.rank].rpartition(":")[2])


class InProcess:
    """A plain loop."""

    at_once = 1

    def together(self, function: Callable[[Item, Ring], Result], items: Sequence[Item]) -> list[Result]:
        raise EnvironmentFault(f"params.yaml: scale: {len(items)} workers are needed at once; name them there")

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        return [function(item) for item in items]


IN_PROCESS = InProcess()


def in_runs(
    executor: Executor, function: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]
) -> list[Result]:
    """The results of items, by runs of neighbours: in this process all in one, else some for each worker.

    Raises:
        HomeostatError: what the function raises.
    """
    many = AHEAD * executor.at_once if executor.at_once > 1 else 1
    size = max(1, -(-len(items) // many))
    runs = [items[start : start + size] for start in range(0, len(items), size)]
    return [result for part in executor.map(function, runs) for result in part]


class Ahead(Generic[Key, Result]):
    """The results of keys that are wanted in order, some worked out before their turn where there are workers.

    ``function`` answers a run of neighbouring keys; ``alone`` one, here and now: also what failed before its turn.
    """

    def __init__(
        self, executor: Executor, function: Callable[[Sequence[Key]], list[Result]], alone: Callable[[Key], Result],
        keys: Sequence[Key],
    ) -> None:  # fmt: skip
        self._executor, self._function, self._alone = executor, function, alone
        self._keys = {key: place for place, key in enumerate(keys)}
        self._ready: dict[Key, Result] = {}

    def get(self, key: Key) -> Result:
        """The result of one key, which is forgotten with this.

        Raises:
            HomeostatError: what ``alone`` raises.
        """
        if key not in self._ready and self._executor.at_once > 1 and key in self._keys:
            self._reach(self._keys[key])
        return self._ready.pop(key) if key in self._ready else self._alone(key)

    def _reach(self, place: int) -> None:
        """Work out the result at a place and those of the next keys."""
        keys = list(self._keys)[place : place + AHEAD * RUN * self._executor.at_once]
        if len(keys) <= RUN:
            return
        runs = [keys[start : start + RUN] for start in range(0, len(keys), RUN)]
        try:
            results = self._executor.map(self._function, runs)
        except (DataError, ScopeError):  # of a key whose turn may never come
            return
        self._ready = {key: result for run, part in zip(runs, results, strict=True)
                       for key, result in zip(run, part, strict=True)}  # fmt: skip


def shared(folder: Path) -> Path:
    """A folder that a worker reads.

    Raises:
        EnvironmentFault: it is not there: the worker runs on a machine that does not share it.
    """
    if not folder.is_dir():
        raise EnvironmentFault(f"{folder}: a worker does not find it; give each worker this folder at the same path")
    return folder
