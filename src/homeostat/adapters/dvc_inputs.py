"""The inputs of stages as DVC looks at them in a reproduce, without looking again where nothing can have changed.

Before and after each stage DVC asks several times whether its run can be kept, and hashes every input for the answer,
which is only whether there is one to hash. It also parses the files of parameters for each stage again and again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from types import SimpleNamespace
from typing import Any


@contextmanager
def quick_inputs() -> Iterator[None]:
    """Have DVC look at inputs this way meanwhile."""
    from dvc.dependency import param
    from dvc.stage import cache

    usual: tuple[Callable[..., Any], Callable[..., Any]] = cache._can_hash, param.read_param_file
    values: dict[tuple[Any, ...], Any] = {}

    def read(fs: Any, path: str, key_paths: list[str] | None = None, flatten: bool = False, **settings: Any) -> Any:
        status = os.stat(path)
        key = path, tuple(key_paths or ()), flatten, str(settings), status.st_mtime_ns, status.st_size, status.st_ino
        if key not in values:
            values[key] = usual[1](fs, path, key_paths, flatten=flatten, **settings)
        return deepcopy(values[key])

    cache._can_hash, param.read_param_file = partial(_can_be_kept, usual[0]), read
    try:
        yield
    finally:
        cache._can_hash, param.read_param_file = usual


def _can_be_kept(usual: Callable[..., Any], stage: Any) -> bool:
    """Whether the run cache can hold a stage: for an input that is there, that it is there stands for its hash."""
    inputs = [
        SimpleNamespace(protocol=dep.protocol, def_path=dep.def_path, get_hash=partial(_there, dep))
        for dep in stage.deps
    ]  # fmt: skip
    as_usual = {name: getattr(stage, name) for name in ("is_callback", "always_changed", "cmd", "outs")}
    return bool(usual(SimpleNamespace(deps=inputs, **as_usual)))


def _there(dep: Any) -> Any:
    return dep.exists or dep.get_hash()
