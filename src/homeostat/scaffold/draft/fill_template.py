"""The files under ``template``: as they are, or with values in place of ``{{name}}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

TEMPLATE = resources.files("homeostat.scaffold.draft") / "template"


def read_template(name: str) -> str:
    """The text of a template by the name of its file."""
    return (TEMPLATE / f"{name}.tmpl").read_text(encoding="utf-8")


def fill_template(name: str, values: Mapping[str, object]) -> str:
    """A template with its values."""
    return re.sub(r"\{\{(\w+)\}\}", lambda place: str(values[place[1]]), read_template(name))
