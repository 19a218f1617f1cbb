"""The files of a new project beside scope, contracts and features: README, Makefile, flows, tests, DAG."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import metadata, resources
from pathlib import Path

from homeostat.core.periods import floor
from homeostat.scaffold.profile.batch_period import DAY
from homeostat.scaffold.profile.profile_table import Profile

TEMPLATE = resources.files("homeostat.scaffold.draft") / "template"
PACKAGES = ("homeostat", "dvc", "duckdb", "evidently", "great-expectations", "lightgbm", "numpy", "pandas", "polars",
            "prefect", "pyarrow", "scikit-learn")  # fmt: skip
NAMES = {
    ".gitignore": "gitignore",
    ".dvcignore": "dvcignore",
    ".dvc/config": "dvc_config",
    ".dvc/.gitignore": "dvc_gitignore",
    "dvc.yaml": "dvc.yaml",
}
FOLDERS = {"flows": "flows", "plots": ".dvc/plots", "tests": "tests"}


def project_files(project: str, profile: Profile, issues: int) -> dict[str, str]:
    """The text of each file by its path in the new folder."""
    first, last = replay_days(profile)
    values = {
        "project": project,
        "target": _target(profile),
        "table": profile.table.name,
        "rows": f"{profile.table.rows:,}",
        "begin": f"{profile.time.first:%Y-%m-%d}",
        "end": f"{profile.time.last:%Y-%m-%d}",
        "issues": f"{issues} issue{'' if issues == 1 else 's'}",
        "first": first,
        "last": last,
        "bin": Path(sys.executable).parent,
    }
    return {
        **package_files(),
        **{f"{folder}/README.md": read_template(f"{folder}_README.md") for folder in ("data", "models", "reports")},
        "data/amendments/.gitkeep": "",
        "requirements.lock": _lock(),
        "Makefile": fill_template("Makefile", values),
        "README.md": fill_template("README.md", values),
    }


def package_files() -> dict[str, str]:
    """The text of each file that is the same in every project and that homeostat keeps up to date, by path."""
    texts = {path: read_template(name) for path, name in NAMES.items()}
    for folder, target in FOLDERS.items():
        for one in (TEMPLATE / folder).iterdir():
            texts[f"{target}/{one.name.removesuffix('.tmpl')}"] = one.read_text(encoding="utf-8")
    return texts


def read_template(name: str) -> str:
    """The text of a template by the name of its file."""
    return (TEMPLATE / f"{name}.tmpl").read_text(encoding="utf-8")


def fill_template(name: str, values: Mapping[str, object]) -> str:
    """A template with its values."""
    return re.sub(r"\{\{(\w+)\}\}", lambda place: str(values[place[1]]), read_template(name))


def replay_days(profile: Profile) -> tuple[str, str]:
    """First and last day of a replay over the whole history."""
    first = floor(profile.history.start, DAY, DAY * 0)
    return f"{first:%Y-%m-%d}", f"{profile.history.end - DAY:%Y-%m-%d}"


def _lock() -> str:
    lines = ["# The versions that made this project's figures; an edit here makes every stage run again."]
    for name in PACKAGES:
        try:
            lines.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(lines) + "\n"


def _target(profile: Profile) -> str:
    label = profile.label
    return {
        "binary": f"whether `{label.column}` will be {label.positive!r}",
        "regression": f"`{label.column}`",
        "ranking": f"the order by `{label.column}` within a group",
    }[label.task]
