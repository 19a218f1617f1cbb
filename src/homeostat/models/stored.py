"""``model.json``: sorted keys, floats that come back to the bit, no NaN."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeostat.core.errors import DataError

NAME = "model.json"
FORMAT = 1


def write(folder: Path, body: Mapping[str, Any]) -> None:
    """Write ``folder/model.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, **body}, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """Read ``folder/model.json``.

    Raises:
        DataError: it is missing, no JSON, or of another format.
    """
    path = folder / NAME
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no such model; restore the file or train again") from error
    except ValueError as error:
        raise DataError(f"{path}: damaged, not JSON; restore the file or train again") from error
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise DataError(f"{path}: not a model of format {FORMAT}; use the version of homeostat that made it")
    return body
