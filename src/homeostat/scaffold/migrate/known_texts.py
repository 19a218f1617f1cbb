"""Which files of a project are as some version of ``homeostat new`` wrote them, and so are the package's to rewrite."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from importlib import resources

DEPS = re.compile(r"(?m)^    - (?:src/homeostat/|objectives\.|expectations/behaviour).*\n")
DAYS = re.compile(r"replay --from (\S+) --to (\S+)")
BIN = re.compile(r'(?<="\$\$found"\)"\),).*(?=\)$)', re.MULTILINE)


def _plain_dag(text: str) -> str:
    """``dvc.yaml`` without the lines that `make dag` computes."""
    return DEPS.sub("", text)


def _plain_makefile(text: str) -> str:
    """The Makefile without the days of its replay and the folder that it was made with."""
    return BIN.sub("{{bin}}", DAYS.sub("replay --from {{first}} --to {{last}}", text))


PLAIN: dict[str, Callable[[str], str]] = {"dvc.yaml": _plain_dag, "Makefile": _plain_makefile}


def text_id(path: str, text: str) -> str:
    """A hash of the parts of a file that are the same in every project."""
    plain = PLAIN.get(path, str)(text)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def known_ids() -> dict[str, list[str]]:
    """By path, the ids of all texts that any version wrote."""
    text = (resources.files("homeostat.scaffold.migrate") / "known_texts.json").read_text(encoding="utf-8")
    ids: dict[str, list[str]] = json.loads(text)
    return ids


def makefile_values(text: str) -> dict[str, str]:
    """The values of an unedited Makefile, as its template names them."""
    days, folder = DAYS.search(text), BIN.search(text)
    if days is None or folder is None:
        raise ValueError("a Makefile that homeostat did not write")
    return {"first": days[1], "last": days[2], "bin": folder[0]}
