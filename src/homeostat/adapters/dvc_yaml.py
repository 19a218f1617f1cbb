"""``dvc.yaml`` kept in step with the code and the scope: ``make dag`` rewrites its computed entries, nothing else.

Computed are the code that each stage imports; the parts of each objective that featurize and train read, so that a new
weight needs no training; and the files of sources that lie in the project.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from homeostat.adapters.import_graph import reached
from homeostat.core.errors import ScopeError
from homeostat.project.layout import BEHAVIOUR
from homeostat.project.whole_files import write_text

# Parts of an objective that these stages do not read; other stages list objectives whole or not at all.
NOT_READ = {
    "featurize": {"weight", "train", "retrain"}, "train": {"weight", "retrain"},
    "reference": {"weight", "train", "retrain"},
}  # fmt: skip
LADDER = "training.ladder"  # it has features and rules, if the scope has it
LEARN = "learn"  # how models are continued, likewise
CODE = "src/homeostat/"
# These keep their work by content, or take two seconds: an edit beside what they reach costs little, so whole rooms are
# listed. The others are listed module by module.
BY_ROOM = frozenset({"ingest", "validate", "featurize", "reference", "pack"})
FILE = Path("dvc.yaml")


def rewritten(root: Path) -> str:
    """The text of ``dvc.yaml`` with computed entries renewed; comments and all other entries stay."""
    dag, params = _read(root / FILE), _plain(root / "params.yaml")
    for name, stage in dag["stages"].items():
        _set(stage, "deps", deps(root, name, stage["deps"], params))
        _set(stage, "params", objective_params(name, stage.get("params", []), params))
    out = io.StringIO()
    _yaml().dump(dag, out)
    return out.getvalue()


def deps(root: Path, stage: str, listed: Iterable[str], params: dict[str, Any]) -> list[str]:
    """What the stage should depend on: the listed paths, the local files of sources, and the code that it imports."""
    kept = [d for d in dict.fromkeys(listed) if not d.startswith(CODE)]
    if stage == "ingest":
        kept += [f for f in source_files(params) if f not in kept]
    if stage == "evaluate":
        kept = [d for d in kept if d != BEHAVIOUR] + behaviour_deps(root)
    own = root / "src"
    if not own.is_dir():
        return kept
    code = [p.relative_to(root) for p in reached(f"homeostat.stages.{stage}", own)]
    return kept + list(dict.fromkeys((room_of(p) if stage in BY_ROOM else p).as_posix() for p in code))


def behaviour_deps(root: Path) -> list[str]:
    """The folder of behavioural tests, where the project has one."""
    return [BEHAVIOUR] if (root / BEHAVIOUR).is_dir() else []


def with_dep(stage: str, dep: str, text: str) -> str:
    """The text of a ``dvc.yaml`` whose stage depends on one thing more."""
    dag = _yaml().load(text)
    deps = dag["stages"][stage]["deps"]
    if dep not in deps:
        deps.append(dep)
    out = io.StringIO()
    _yaml().dump(dag, out)
    return out.getvalue()


def room_of(module: Path) -> Path:
    """The room of the package that a module lies in, from the top of the project; a module at its root is its own.

    >>> room_of(Path("src/homeostat/data/ingest.py")).as_posix(), room_of(Path("src/homeostat/__init__.py")).as_posix()
    ('src/homeostat/data', 'src/homeostat/__init__.py')
    """
    room = Path(*module.parts[:3])
    return room if room != module else module


def source_files(params: dict[str, Any]) -> list[str]:
    """The files in the project that sources are read from; for a pattern the folder above it, if there is one."""
    files = []
    for source in params["sources"].values():
        path = source.get("path", "")
        if not path or source.get("package") or "://" in path or Path(path).is_absolute() or ".." in Path(path).parts:
            continue
        plain = []
        for part in Path(path).parts:
            if set(part) & set("*?["):
                break
            plain.append(part)
        if plain:
            files.append(Path(*plain).as_posix())
    return files


def objective_params(stage: str, listed: Iterable[str], params: dict[str, Any]) -> list[str]:
    """The stage's params with every part of every objective that it reads, and the ladder, if there is one."""
    if stage not in NOT_READ:
        return list(listed)
    kept = [p for p in listed if not p.startswith("objectives.") and p not in (LADDER, LEARN)]
    kept += [LEARN] if stage == "train" and params.get("learn") else []
    kept += [LADDER] if "training" not in kept and params["training"].get("ladder") else []
    parts = [
        f"objectives.{name}.{part}"
        for name, objective in params["objectives"].items()
        for part in objective
        if part not in NOT_READ[stage]
    ]
    return kept + parts


def check_objectives(root: Path) -> None:
    """Check that a change to an objective runs the stages that read it.

    Raises:
        ScopeError: ``dvc.yaml`` lists other parts than ``params.yaml`` has.
    """
    dag, params = _plain(root / FILE), _plain(root / "params.yaml")
    for name, stage in dag["stages"].items():
        listed = stage.get("params", [])
        wanted = objective_params(name, listed, params)
        for missing in [p for p in wanted if p not in listed]:
            raise ScopeError(f"dvc.yaml: params of stage {name} lack {missing}; rewrite them with `make dag`")
        for stale in [p for p in listed if p not in wanted]:
            raise ScopeError(f"dvc.yaml: params of stage {name} name {stale}, now gone; rewrite them with `make dag`")
    listed = [d for d in dag["stages"].get("evaluate", {}).get("deps", []) if d == BEHAVIOUR]
    if listed != behaviour_deps(root):
        change = "names" if listed else "lacks"
        raise ScopeError(f"dvc.yaml: stage evaluate {change} {BEHAVIOUR}; rewrite it with `make dag`")


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=2, offset=0)
    return yaml


def _read(path: Path) -> Any:
    return _yaml().load(path.read_text())


def _plain(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = YAML(typ="safe").load(path.read_text())
    return body


def _set(stage: Any, key: str, wanted: list[str]) -> None:
    """Change the list in place, item by item, so that the comments of items that stay are kept."""
    listed = stage.get(key)
    if listed is None or list(listed) == wanted:
        return
    for at in reversed(range(len(listed))):
        if listed[at] not in wanted or listed[at] in listed[:at]:
            del listed[at]
    for at, item in enumerate(wanted):
        if at >= len(listed) or listed[at] != item:
            listed.insert(at, item)


def main() -> None:
    """Rewrite ``dvc.yaml``, if it has to change."""
    root = Path.cwd()
    text = rewritten(root)
    if text == (root / FILE).read_text():
        print("dvc.yaml is up to date")
        return
    write_text(text, root / FILE)
    print("dvc.yaml rewritten; see git diff dvc.yaml")


if __name__ == "__main__":
    main()
