"""What is in a new project beside its scope, contracts and features: how to run it, read it and test it."""

from __future__ import annotations

import sys
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.periods import floor
from homeostat.scaffold.profile.batch_period import DAY

if TYPE_CHECKING:
    from homeostat.scaffold.profile.profile_table import Understanding

PACKAGES = ("homeostat", "dvc", "duckdb", "evidently", "great-expectations", "lightgbm", "numpy", "pandas", "polars",
            "prefect", "pyarrow", "scikit-learn")  # fmt: skip


def files(project: str, found: Understanding, suspicions: int) -> dict[str, str]:
    """By path in the new folder, the text of each file that does not depend on the table's columns."""
    template = resources.files("homeostat.scaffold") / "draft" / "template"
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
    }
    for folder, there in (("flows", "flows"), ("plots", ".dvc/plots"), ("tests", "tests")):
        for one in (template / folder).iterdir():
            text[f"{there}/{one.name.removesuffix('.tmpl')}"] = one.read_text()
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
    here = Path(sys.executable).parent
    return f"""# The two commands: `make run` and `make test`. `make` alone lists all.
.DEFAULT_GOAL := help
.PHONY: help run test up check dag installed
MAKEFLAGS += --no-print-directory

# where homeostat is installed: what is on the path, or else where this project was made
BIN ?= $(or $(shell found=$$(command -v homeostat) && dirname "$$(readlink -f "$$found")"),{here})

help: ## list these commands
\t@sed -nE 's/^([a-z]+):.*## (.*)/  make \\1\t\\2/p' Makefile

run: installed ## take this project round the loop over its history
\t@"$(BIN)/homeostat" replay --from {first} --to {last}

test: installed ## what must hold before a commit
\t@"$(BIN)/python" -W ignore -m unittest -q tests/test_project.py

up: installed ## serve the schedules until Ctrl-C
\t@"$(BIN)/homeostat" up

check: installed ## what a person should read before a commit: the scope, leakage and the contracts
\t@"$(BIN)/homeostat" check

dag: installed ## write what each stage depends on into dvc.yaml, after an edit of objectives or of files in this folder
\t@"$(BIN)/python" -m homeostat.adapters.dag

installed:
\t@test -x "$(BIN)/homeostat" || {{ \\
\t\techo "homeostat is not in $(BIN); put it on the path, or add BIN=FOLDER to the command" >&2; exit 1; }}
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

Predicts {what}, for each row of `{table.name}`, and keeps the model that does so healthy: it takes new batches in and
holds back what is wrong with them, trains, judges, releases, predicts and watches, and decides by itself between doing
nothing, retraining and rolling back. `homeostat new` drafted all of it from {table.rows:,} rows,
{found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}; whatever it guessed is a commented line in `params.yaml`, for you
to correct.

## Before you trust it
1. `suspicion.html` says what looked wrong with the table: {doubts}, the worst first.
2. `homeostat check scope` prints what was guessed as a page that a domain expert can read. Correct `params.yaml` where
   it is wrong: above all when each column becomes known, what a mistake costs, and what the baseline is.
3. Commit: scheduled work runs what the branch `main` holds.

## Two commands
    make run

takes the project round the loop over its history, {first} to {last}, in a project of its own under
`.homeostat/replays`, and ends with what was served, what a model that is never retrained would have done, the baseline,
and a page. Cut short, it carries on when it is run again; after an edit it begins anew.

    make test

holds the project to what must be true before a commit: scope, contracts, features and schedules go together, and no
feature saw the future or is the label. `make` alone lists the other commands.

## Every day
| command | what it does |
|---|---|
| `homeostat` | what serves, since when, how it does, what is open, what runs next |
| `homeostat up` | the schedules, until Ctrl-C |
| `homeostat run lifecycle` | one pass of the loop now |
| `homeostat releases` | every release, when it served and why |
| `homeostat rollback --why "..."` | back to the last healthy version, everything together |
| `homeostat serve` | predictions over HTTP on loopback |
| `homeostat data review` | what is held back, and why |
| `homeostat check` | scope, leakage and contracts, as they are in the folder |
| `dvc repro` | a candidate from all the history, from the data to the sealed bundle |

They are where homeostat is installed; `make` finds it there, for the others put that folder on the path:
`export PATH={Path(sys.executable).parent}:$PATH`. Every verb has `--help` with an example.

## Where things are
| file | what it holds |
|---|---|
| `params.yaml` | the scope: what is predicted, when, from what, at what cost, how often; each line says why |
| `expectations/*.json` | the contracts: what batches must be like, with a reason for each rule |
| `features.sql` | every feature, once, for training and for serving |
| `dvc.yaml` | the steps from data to a sealed bundle |
| `flows/` | when the loop runs: `flows/schedules.py` is the table |
| `suspicion.html` | what looked wrong with the table |
| `tests/` | what must hold before a commit |
| `.homeostat/` | the loop's own: its branch's worktree, replays, unpacked releases; not in git |
"""
