"""A repository whose DAG is two stages of a few lines, in a package of its own called ``homeostat``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from homeostat.adapters import git

SRC = Path(__file__).parents[1] / "src" / "homeostat"
DAG = """
stages:
  double:
    cmd: python -m homeostat.stages.double
    deps: [number.txt]
    outs:
    - models/double:
        persist: true
  square:
    cmd: python -m homeostat.stages.square
    deps: [models/double]
    outs: [models/square]
"""
STAGE = """
import os
import sys
from pathlib import Path
print("said", flush=True)
out = Path("models/{name}/n.txt")
out.parent.mkdir(parents=True, exist_ok=True)
value = int(Path("{source}").read_text())
{extra}
out.write_text(str({formula}))
Path("{name}-python.txt").write_text(f"{{sys.executable}}\\n{{__file__}}\\n{{os.getpid()}}")
"""


def write_stage(home: Path, name: str, source: str, formula: str, extra: str = "") -> None:
    text = STAGE.format(name=name, source=source, formula=formula, extra=extra)
    (home / "src" / "homeostat" / "stages" / f"{name}.py").write_text(text)


def commit(home: Path, message: str = "edit") -> str:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@x"]
    subprocess.run(["git", "add", "."], cwd=home, check=True)
    subprocess.run(["git", *who, "commit", "-q", "-m", message], cwd=home, check=True)
    return git.head(home)


def make(home: Path) -> Path:
    """The repository, committed; its number is 3."""
    (home / ".dvc").mkdir(parents=True)
    (home / "data" / "amendments").mkdir(parents=True)
    (home / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (home / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (home / ".gitignore").write_text("/models/double/\n/models/square/\n*-python.txt\n/.homeostat/\n__pycache__/\n")
    (home / "dvc.yaml").write_text(DAG)
    (home / "number.txt").write_text("3")
    for package in ("src/homeostat", "src/homeostat/stages"):
        (home / package).mkdir(parents=True)
        (home / package / "__init__.py").write_text("")
    shutil.copyfile(SRC / "stages" / "worker.py", home / "src" / "homeostat" / "stages" / "worker.py")
    write_stage(home, "double", "number.txt", "2 * value")
    write_stage(home, "square", "models/double/n.txt", "value ** 2")
    subprocess.run(["git", "init", "-q", "-b", "main", str(home)], check=True)
    commit(home)
    return home


def square(tree: Path) -> str:
    """What the DAG comes to."""
    return (tree / "models" / "square" / "n.txt").read_text()
