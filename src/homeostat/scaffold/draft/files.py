"""The files of a new project beside scope, contracts and features: README, Makefile, flows, tests, DAG."""

from __future__ import annotations

import sys
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.periods import floor
from homeostat.scaffold.profile.batch_period import DAY

if TYPE_CHECKING:
    from homeostat.scaffold.profile.profile_table import Profile

PACKAGES = ("homeostat", "dvc", "duckdb", "evidently", "great-expectations", "lightgbm", "numpy", "pandas", "polars",
            "prefect", "pyarrow", "scikit-learn")  # fmt: skip
TEMPLATES = {
    ".gitignore": "gitignore.tmpl",
    ".dvcignore": "dvcignore.tmpl",
    ".dvc/config": "dvc_config.tmpl",
    ".dvc/.gitignore": "dvc_gitignore.tmpl",
    "dvc.yaml": "dvc.yaml.tmpl",
}


def project_files(project: str, profile: Profile, issues: int) -> dict[str, str]:
    """The text of each file by its path in the new folder."""
    return {
        **package_files(),
        "data/amendments/.gitkeep": "",
        "requirements.lock": _lock(),
        "Makefile": _makefile(profile),
        "README.md": _readme(project, profile, issues),
    }


def package_files() -> dict[str, str]:
    """The text of each file that is the same in every project, by path."""
    template = resources.files("homeostat.scaffold.draft") / "template"
    texts = {path: (template / name).read_text() for path, name in TEMPLATES.items()}
    for folder, target in (("flows", "flows"), ("plots", ".dvc/plots"), ("tests", "tests")):
        for one in (template / folder).iterdir():
            texts[f"{target}/{one.name.removesuffix('.tmpl')}"] = one.read_text()
    return texts


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


def _makefile(profile: Profile) -> str:
    first, last = replay_days(profile)
    here = Path(sys.executable).parent
    return f"""# The two commands: `make run` and `make test`. `make` alone lists all.
.DEFAULT_GOAL := help
.PHONY: help run test up check dag installed
MAKEFLAGS += --no-print-directory

# where homeostat is installed: the one on the path, or else where this project was made
BIN ?= $(or $(shell found=$$(command -v homeostat) && dirname "$$(readlink -f "$$found")"),{here})

help: ## list these commands
\t@sed -nE 's/^([a-z]+):.*## (.*)/  make \\1\t\\2/p' Makefile

run: installed ## replay the history batch by batch, in a project of its own
\t@"$(BIN)/homeostat" replay --from {first} --to {last}

test: installed ## check the project before a commit
\t@"$(BIN)/python" -W ignore -m unittest -q tests/test_project.py

up: installed ## serve the schedules until Ctrl-C
\t@"$(BIN)/homeostat" up

check: installed ## print the scope, leakage and the contracts, to read before a commit
\t@"$(BIN)/homeostat" check

dag: installed ## write the deps of each stage into dvc.yaml, after an edit of objectives or of files in this folder
\t@"$(BIN)/python" -m homeostat.adapters.dag

installed:
\t@test -x "$(BIN)/homeostat" || {{ \\
\t\techo "homeostat is not in $(BIN); put it on the path, or add BIN=FOLDER to the command" >&2; exit 1; }}
"""


def _readme(project: str, profile: Profile, issues: int) -> str:
    label, table, time = profile.label, profile.table, profile.time
    first, last = replay_days(profile)
    target = {
        "binary": f"whether `{label.column}` will be {label.positive!r}",
        "regression": f"`{label.column}`",
        "ranking": f"the order by `{label.column}` within a group",
    }[label.task]
    return f"""# {project}

Predicts {target} for each row of `{table.name}`, and keeps the model healthy: the loop takes in new batches and
quarantines bad ones, trains, evaluates, releases, predicts and monitors, and decides by itself between doing nothing,
retraining and rolling back. `homeostat new` drafted all of it from {table.rows:,} rows,
{time.first:%Y-%m-%d} to {time.last:%Y-%m-%d}; each guess is a commented line in `params.yaml`, for you to correct.

## Before you trust it
1. `issues.html` shows what looks wrong with the table: {issues} issue{"" if issues == 1 else "s"}, the worst first.
2. `homeostat check scope` prints the guesses as a page that a domain expert can read. Correct `params.yaml` where it is
   wrong: above all when each column becomes known, what a mistake costs, and what the baseline is.
3. Commit: scheduled work runs the code of the branch `main`.

## Two commands
    make run

replays the history, {first} to {last}, in a project of its own under `.homeostat/replays`, and ends with how the served
predictions did, beside a model that is never retrained and the baseline, and a page. An interrupted run resumes when it
is run again; after an edit it starts over.

    make test

checks the project before a commit: scope, contracts, features and schedules go together, and no feature sees the future
or is the label. `make` alone lists the other commands.

## Every day
| command | what it does |
|---|---|
| `homeostat` | status: the release in service, since when, how it does, open incidents, next runs |
| `homeostat up` | the schedules, until Ctrl-C |
| `homeostat run lifecycle` | one pass of the loop now |
| `homeostat releases` | every release, when it served and why |
| `homeostat rollback --why "..."` | back to the last healthy version, everything together |
| `homeostat serve` | predictions over HTTP on loopback |
| `homeostat data review` | quarantined batches and rows, and why |
| `homeostat check` | scope, leakage and contracts, as they are in the folder |
| `dvc repro` | a candidate from all the history, from the data to the sealed bundle |

They are where homeostat is installed; `make` finds it there, for the others put that folder on the path:
`export PATH={Path(sys.executable).parent}:$PATH`. Every verb has `--help` with an example.

## Where things are
| file | contents |
|---|---|
| `params.yaml` | the scope: what is predicted, when, from what, at what cost, how often; each line says why |
| `expectations/*.json` | the contracts: what batches must be like, with a reason for each rule |
| `features.sql` | every feature, once, for training and for serving |
| `dvc.yaml` | the stages from data to a sealed bundle |
| `flows/` | when the loop runs: `flows/schedules.py` is the table |
| `issues.html` | what looks wrong with the table |
| `tests/` | checks before a commit |
| `.homeostat/` | the loop's own: its branch's worktree, replays, unpacked releases; not in git |
"""
