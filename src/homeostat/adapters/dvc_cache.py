"""Folders of DVC's cache by their content, read without DVC, which no stage imports.

DVC names a content by the md5 of its bytes; that of a folder is a list of the files in it, and ends in ``.dir``.
"""

from __future__ import annotations

import hashlib
import json
from configparser import ConfigParser
from pathlib import Path

from homeostat.core.errors import EnvironmentFault


def restore_folder(root: Path, content: str, target: Path) -> None:
    """Copy a folder of the cache that the tree at ``root`` uses to ``target``.

    Raises:
        EnvironmentFault: the cache lacks it, or a part of it is damaged.
    """
    cache = _cache(root) / "files" / "md5"
    for file in json.loads(_read(cache, content)):
        path = target / file["relpath"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_read(cache, file["md5"]))


def _cache(root: Path) -> Path:
    """Where the cache lies: as the tree's own settings say, the local ones first."""
    folder = root / ".dvc"
    for name in ("config.local", "config"):
        settings = ConfigParser(interpolation=None, strict=False)
        settings.read(folder / name, encoding="utf-8")
        if where := settings.get("cache", "dir", fallback=""):
            return folder / where.strip("\"'")
    return folder / "cache"


def _read(cache: Path, content: str) -> bytes:
    path = cache / content[:2] / content[2:]
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        brings = "dvc fetch --all-commits brings it from a remote"
        raise EnvironmentFault(f"{path}: the DVC cache lacks it; {brings}") from error
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != content.removesuffix(".dir"):
        raise EnvironmentFault(f"{path}: damaged; remove it, and dvc fetch --all-commits brings it from a remote")
    return data
