"""A project as an earlier version drafted it, with the table that it predicts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from scaffold.odd_tables import loads

FILES = Path(__file__).with_name("drafted_before.txt")


def earlier_project(folder: Path) -> Path:
    """Write it to ``folder / "old"`` and commit it, as ``homeostat new`` did."""
    loads(24 * 14).write_csv(folder / "loads.csv")
    text = FILES.read_text().replace("TABLE", str(folder / "loads.csv"))
    for path, content in re.findall(r"(?ms)^##### (\S+)\n(.*?)(?=^##### |\Z)", text):
        (folder / "old" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "old" / path).write_text(content)
    commit(folder / "old", "homeostat new: a first draft of old")
    return folder / "old"


def commit(project: Path, message: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", message]):
        subprocess.run(["git", *words], cwd=project, check=True)
