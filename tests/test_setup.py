"""The set-up on a bare machine: it finds a Python that works, or names the package that is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHELL = shutil.which("sh") or "/bin/sh"


def answers(version: str, lacks: str = "nothing") -> str:
    """A stand-in for an interpreter that says it is of this version and cannot import what it lacks."""
    return f"""#!{SHELL}
case "$2" in
    *version_info*) echo {version} ;;
    *{lacks}*) exit 1 ;;
    *executable*) echo "$0" ;;
esac
"""


SHIM = f"#!{SHELL}\necho 'pyenv: command not found' >&2\nexit 127\n"


def find(folder: Path, tools: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the search on a machine that has these tools and ``uname``."""
    for name, text in {"uname": f"#!{SHELL}\necho Linux\n", **tools}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    command = [SHELL, str(ROOT / ".ci" / "python")]
    return subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)


GIT = {"git": f"#!{SHELL}\n"}


@pytest.mark.parametrize(
    ("tools", "package"),
    [
        ({"python3": answers("3.11")}, "git"),
        (GIT, "python3-venv"),
        ({**GIT, "python3": answers("3.10")}, "python3-venv"),
        ({**GIT, "python3.13": SHIM, "python3": answers("3.14")}, "python3-venv"),
        ({**GIT, "python3": answers("3.11", lacks="ensurepip")}, "python3.11-venv"),
        ({**GIT, "python3.12": answers("3.12", lacks="libgomp")}, "libgomp1"),
    ],
)
def test_what_is_missing_is_named_in_one_line(tmp_path: Path, tools: dict[str, str], package: str) -> None:
    run = find(tmp_path, tools)
    assert run.returncode == 1
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.endswith(f"apt-get install {package}\n")


def test_the_first_python_that_works_is_taken(tmp_path: Path) -> None:
    tools = {"python3.13": SHIM, "python3.12": answers("3.12", lacks="ensurepip"), "python3.11": answers("3.11")}
    run = find(tmp_path, {**GIT, **tools, "python3": answers("3.9")})
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{tmp_path / 'python3.11'}\n"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_alone_lists_the_commands() -> None:
    path = os.environ["PATH"]
    run = subprocess.run(["make"], cwd=ROOT, env={"PATH": path}, capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in run.stdout.splitlines()][:4] == ["help", "demo", "run", "test"]
