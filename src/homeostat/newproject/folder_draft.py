"""What is in a new project beside its scope, contracts and features: how to run it, read it and test it."""

from __future__ import annotations

import sys
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.periods import floor
from homeostat.newproject.rhythm import DAY

if TYPE_CHECKING:
    from homeostat.newproject.understanding import Understanding

PACKAGES = ("homeostat", "dvc", "duckdb", "evidently", "great-expectations", "lightgbm", "numpy", "pandas", "polars",
            "prefect", "pyarrow", "scikit-learn")  # fmt: skip


def files(project: str, found: Understanding, suspicions: int) -> dict[str, str]:
    """By path in the new folder, the text of each file that does not depend on the table's columns."""
    template = resources.files("homeostat.newproject") / "template"
    text = {
        ".gitignore": (template / "gitignore.tmpl").read_text(),
        ".dvcignore": (template / "dvcignore.tmpl").read_text(),
        ".dvc/config": (template / "dvc_config.tmpl").read_text(),
        ".dvc/.gitignore": (template / "dvc_gitignore.tmpl").read_text(),
        "dvc.yaml": (template / "dvc.yaml.tmpl").read_text(),
        "data/amendments/.gitkeep": "",
        "requirements.lock": _lock(),
        "Makefile": _makefile(found),
        "README.md": _readme(project, found, suspicions),
        "tests/test_project.py": TESTS,
    }
    for folder, there, suffix in (("flows", "flows", ".tmpl"), ("plots", ".dvc/plots", "")):
        for one in (template / folder).iterdir():
            text[f"{there}/{one.name.removesuffix(suffix)}"] = one.read_text()
    return text


def replay_days(found: Understanding) -> tuple[str, str]:
    """First and last day of a replay over the whole history."""
    first = floor(found.start, DAY, DAY * 0)
    return f"{first:%Y-%m-%d}", f"{found.end - DAY:%Y-%m-%d}"


def _lock() -> str:
    lines = ["# The versions that made this project's figures; an edit here makes every stage run anew."]
    for name in PACKAGES:
        try:
            lines.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(lines) + "\n"


def _makefile(found: Understanding) -> str:
    first, last = replay_days(found)
    return f"""# `make` alone lists the commands.
.DEFAULT_GOAL := help
.PHONY: help run up check test dag
MAKEFLAGS += --no-print-directory

# where homeostat is installed
BIN ?= {Path(sys.executable).parent}

help: ## list these commands
\t@sed -nE 's/^([a-z]+):.*## (.*)/  make \\1\\t\\2/p' Makefile

run: ## take this project round the loop over its history
\t@$(BIN)/homeostat replay --from {first} --to {last}

up: ## serve the schedules until Ctrl-C
\t@$(BIN)/homeostat up

check: ## what a reader should know before a commit: the scope, leakage and the contracts
\t@$(BIN)/homeostat check

test: ## the project's own tests
\t@$(BIN)/python -m pytest -q -p no:cacheprovider tests

dag: ## write what each stage depends on into dvc.yaml, after an edit of the scope's objectives
\t@$(BIN)/python -m homeostat.adapters.dag
"""


def _readme(project: str, found: Understanding, suspicions: int) -> str:
    label, table = found.label, found.table
    first, last = replay_days(found)
    what = {
        "binary": f"whether `{label.column}` will be {label.positive!r}",
        "regression": f"how large `{label.column}` will be",
        "ranking": f"the order by `{label.column}` within a group",
    }[label.task]
    doubts = f"{suspicions} things" if suspicions != 1 else "one thing"
    return f"""# {project}

Predicts {what}, for each row of `{table.name}`, and keeps the model that does so healthy.
`homeostat new` drafted this project from the table; everything in it is a guess for you to correct.

## Start
1. `suspicion.html` says what looked wrong with the table: {doubts}, the worst first. Read it before anything else.
2. `homeostat check scope` prints what was guessed, as sentences. Correct `params.yaml` where it is wrong.
3. `make run` takes the project round the loop over its history, {first} to {last}, and ends with a table and a page.
4. `homeostat up` serves the schedules; a bare `homeostat` says how things are.

## What is where
| | |
|---|---|
| `params.yaml` | the scope: what is predicted, when, from what, at what cost, how often; each line says why |
| `features.sql` | every feature, once |
| `expectations/` | the contracts that batches are held to, each with its reason |
| `suspicion.html` | what looked wrong with the table |
| `flows/`, `dvc.yaml` | when the loop runs, and the steps from data to a sealed model |
| `tests/` | what must hold before a commit: `make test` |

## Daily
    homeostat                      # what serves, since when, how it does
    homeostat data status          # what became of the batches
    homeostat releases             # every release, with the reason
    homeostat rollback --why TEXT  # the version before
"""


TESTS = '''"""What must hold before a commit. `make test` runs it."""

from pathlib import Path

from homeostat.checks.scope_page import scope_page
from homeostat.project import Project

HERE = Path(__file__).parents[1]


def test_the_scope_can_be_used() -> None:
    """Scope, contracts, SQL expressions and features.sql go together."""
    assert scope_page(Project.find(HERE)).problems == ()


def test_no_feature_is_the_label() -> None:
    scope = Project.find(HERE).scope
    for objective in scope.objectives.values():
        late = set(scope.event_source.known_at[objective.known].columns)
        assert not late & set(objective.features), "a feature has the name of a column that is known with the label"
'''
