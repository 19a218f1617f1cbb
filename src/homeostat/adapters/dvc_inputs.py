"""The inputs of a stage hashed by DVC once before its command runs and once after, not nine times.

To learn whether a stage has changed, whether a run of it is kept, and what to write down of it, DVC hashes all inputs
each time, and parses the files of parameters. In between nothing but the command of a stage changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any


@contextmanager
def inputs_hashed_once() -> Iterator[None]:
    """Have DVC take what it has hashed or parsed for what is there meanwhile, until a command has run."""
    from dvc.dependency import param
    from dvc.dependency.base import Dependency
    from dvc.stage import run

    kept: dict[tuple[Any, ...], Any] = {}
    read, command = param.read_param_file, run.cmd_run

    def once(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in kept:
            kept[key] = make()
        return kept[key]

    def build(dep: Any, odb: Any, path: str, fs: Any, name: str, **settings: Any) -> Any:
        key = dep.stage.addressing, path, name
        return once(key, lambda: super(Dependency, dep)._build(odb, path, fs, name, **settings))

    def parameters(fs: Any, path: str, key_paths: list[str] | None = None, **settings: Any) -> Any:
        key = path, tuple(key_paths or ()), str(settings)
        return deepcopy(once(key, lambda: read(fs, path, key_paths, **settings)))

    def forgetting(*given: Any, **settings: Any) -> None:
        try:
            command(*given, **settings)
        finally:
            kept.clear()

    Dependency._build, param.read_param_file, run.cmd_run = build, parameters, forgetting
    try:
        yield
    finally:
        del Dependency._build
        param.read_param_file, run.cmd_run = read, command


@contextmanager
def texts_parsed_once() -> Iterator[None]:
    """Have DVC parse a YAML text once meanwhile: it reads ``dvc.yaml`` and its lock for each view of the stages."""
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    parsed: dict[str, Any] = {}
    usual = _yaml.parse_yaml

    def parse(text: str, path: str, typ: str = "safe") -> Any:
        if typ != "safe":
            return usual(text, path, typ=typ)
        if text not in parsed:
            parsed[text] = usual(text, path)
        return deepcopy(parsed[text])

    _yaml.parse_yaml = strictyaml.parse_yaml = parse
    try:
        yield
    finally:
        _yaml.parse_yaml = strictyaml.parse_yaml = usual
