"""Lines of YAML as a person writes them: values on one line, lists folded, comments in one column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

WIDTH = 110
COMMENTS = 32  # column of the comments behind short values
BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEYWORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}


def text_value(text: str | None) -> str:
    """A text in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def name_value(name: object) -> str:
    """A name, in quotes where YAML needs them.

    >>> name_value("Temp_max"), name_value("no"), name_value("it's 5")
    ('Temp_max', '"no"', '"it\\'s 5"')
    """
    text = str(name)
    return text if BARE.fullmatch(text) and text.lower() not in KEYWORDS else text_value(text)


def name_list(names: Iterable[str], indent: int) -> str:
    """A list of names, as many a line as fit."""
    lines, line = [], ""
    for word in map(name_value, names):
        if line and len(line) + len(word) + 2 > WIDTH - indent:
            lines.append(line)
            line = ""
        line += f"{word}, "
    lines.append(line)
    return "[" + ("\n" + " " * (indent + 1)).join(lines).removesuffix(", ") + "]"


def align_comments(text: str) -> str:
    """The same with the comments behind short values in one column."""
    return "\n".join(map(_aligned, text.split("\n")))


def _aligned(line: str) -> str:
    code, sign, comment = line.rstrip().partition(" # ")
    if not sign or not code.strip() or '"' in comment and '"' not in code:
        return line.rstrip()
    return f"{code.rstrip():<{COMMENTS}}  # {comment.strip()}"
