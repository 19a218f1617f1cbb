"""Which files of a folder or an archive hold rows, and which are about them, such as a README."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

ABOUT = re.compile(  # names of files that stand beside tables
    r"(?:read.?me|license|licence|copying|changelog|notice|citation)(?:\..*)?|thumbs\.db|desktop\.ini"
    r"|(?:schema|metadata|dataset-metadata|datapackage|manifest|croissant)\.json|(?:sha256|md5)sums?(?:\.txt)?|~\$.*"
    r"|.*\.(?:md|rst|html?|pdf|docx?|rtf|pptx?|py|ipynb|r|rmd|sql|ya?ml|toml|ini|xml|xsd|sh|bat|png|jpe?g|gif|svg"
    r"|sha256|md5|crc|asc|sig|log|bak|tmp|lock)",
    re.IGNORECASE,
)
ARCHIVES = {  # fsspec's names of an archive and its packing
    ".zip": ("zip", None), ".tar": ("tar", None), ".tgz": ("tar", "gzip"), ".tar.gz": ("tar", "gzip"),
    ".tar.bz2": ("tar", "bz2"), ".tar.xz": ("tar", "xz"),
}  # fmt: skip


def parted(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths that hold rows, and those of files about them; all hold rows where otherwise none would.

    >>> parted(["d/1.csv", "d/README.md", "d/schema.json"]), parted(["d/t.md"])
    ((['d/1.csv'], ['d/README.md', 'd/schema.json']), (['d/t.md'], []))
    """
    about = [path for path in paths if ABOUT.fullmatch(path.rsplit("/", 1)[-1])]
    rows = [path for path in paths if path not in about]
    return (rows, about) if rows else (list(paths), [])


def is_part(below: str) -> bool:
    """Whether a file in a folder holds rows: not a marker or a hidden one."""
    return not any(step.startswith(("_", ".")) for step in below.strip("/").split("/") if step != ".")


def archive_of(fs: Any, path: str) -> Any | None:
    """The files in an archive as a file system; None where the path is of no archive."""
    import fsspec

    suffix = next((s for s in sorted(ARCHIVES, key=len, reverse=True) if path.lower().endswith(s)), None)
    if suffix is None:
        return None
    kind, packing = ARCHIVES[suffix]
    options = {"compression": packing} if packing else {}
    return fsspec.filesystem(kind, fo=fs.open(path, "rb"), skip_instance_cache=True, **options)
