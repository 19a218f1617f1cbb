"""``dvc.lock`` written stage by stage: the bytes that DVC writes, for a tenth of the time.

After each stage DVC parses the whole file, comments and all, and writes all of it again. How a stage is written does
not depend on the others, so only the stage that ran is written here. The text of the others stays, since reading and
writing it again gives the same; where that is not sure, it is read and written again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from homeostat.project.whole_files import write_text

HEAD = "schema: '2.0'\nstages:\n"
STAGE = re.compile(r"^  ([A-Za-z][\w-]*):\n(?:    .*\n)+", re.MULTILINE)
ACROSS = re.compile(r"#|[&*!]\w|\t")  # comments, anchors and tags may concern other stages too, and so may empty lines

# What DVC's writer reads back just as it wrote it: plain words with one space between, also over several lines, and
# what is quoted on one line. Doubled spaces are lost where it breaks a line, and numbers with an exponent are rounded.
WORD = r"[\w()+/<>=.,;?%$:*'\"-]"
VALUE = rf"[\w(]{WORD}*(?: {WORD}+)* ?|'(?:[ -&(-~]|'')*'|\[\]|\{{\}}"
SAFE = re.compile(rf"(?> *(?:- )*(?:[A-Za-z_][\w.-]*:(?: |(?=\n)))?(?:{VALUE})?\n)++", re.ASCII)  # each line tried once
UNSAFE = re.compile(r" [-+]?[\d.]+[eE][-+]?\d+$| \d{4}-\d\d-\d\d[ Tt]", re.ASCII | re.MULTILINE)

Modify = Callable[..., AbstractContextManager[dict[str, Any]]]


@contextmanager
def quick_lock_file() -> Iterator[None]:
    """Have DVC write its lock file this way meanwhile."""
    from dvc import dvcfile

    usual: Modify = dvcfile.modify_yaml

    @contextmanager
    def modify(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
        texts = _stages(Path(path))
        if not texts:
            with usual(path, fs=fs) as data:
                yield data
            return
        stages: dict[str, Any] = dict.fromkeys(texts)  # DVC puts in what it has of one, and reads no other
        yield {"schema": "2.0", "stages": stages}
        for name, stage in stages.items():
            texts[name] = _written_again(texts[name]) if stage is None else _written({name: stage})
        write_text(HEAD + "".join(texts.values()), Path(path))

    dvcfile.modify_yaml = modify
    try:
        yield
    finally:
        dvcfile.modify_yaml = usual


def _stages(path: Path) -> dict[str, str]:
    """The text of each stage in a lock file, by name; none where it is another file or has more in it."""
    if path.name != "dvc.lock" or not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    texts = {match[1]: match[0] for match in STAGE.finditer(text)}
    return texts if HEAD + "".join(texts.values()) == text and not ACROSS.search(text) else {}


def _written(stages: Any) -> str:
    """Stages as DVC writes them, without the line above them."""
    from dvc.utils.serialize import dumps_yaml

    return str(dumps_yaml({"stages": stages})).removeprefix("stages:\n")


def _written_again(text: str) -> str:
    """The text of a stage after DVC has read and written it."""
    from dvc.utils.serialize import parse_yaml_for_update

    if SAFE.fullmatch(text) and not UNSAFE.search(text):
        return text
    return _written(parse_yaml_for_update("stages:\n" + text, "dvc.lock")["stages"])
