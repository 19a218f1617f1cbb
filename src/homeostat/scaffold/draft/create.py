"""``homeostat new``: from an address to a folder with a project in it, whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.adapters import git
from homeostat.core.errors import HomeostatError, ScopeError, UsageError
from homeostat.scaffold.audit import columns as faults_columns
from homeostat.scaffold.audit import label_leakage as leaks
from homeostat.scaffold.audit import labels as faults_labels
from homeostat.scaffold.audit import rows as faults_rows
from homeostat.scaffold.audit.time_bins import Course
from homeostat.scaffold.draft import expectations as contracts_draft
from homeostat.scaffold.draft import features_sql as features_draft
from homeostat.scaffold.draft import files as folder_draft
from homeostat.scaffold.draft import importance as worth
from homeostat.scaffold.draft import issues_page as page
from homeostat.scaffold.draft import params_yaml as scope_draft
from homeostat.scaffold.draft import roles as choices
from homeostat.scaffold.profile import label_delay as maturity
from homeostat.scaffold.profile.identifiers import ascii_name
from homeostat.scaffold.profile.open_table import Address, workspace
from homeostat.scaffold.profile.profile_table import Asked, Understanding, sample, understand, with_row_id

if TYPE_CHECKING:
    from homeostat.scaffold.audit.issue import Doubt
    from homeostat.scaffold.audit.label_leakage import Leaks
    from homeostat.scaffold.draft.features_sql import FeatureDraft
    from homeostat.scaffold.draft.roles import Choices


@dataclass(frozen=True)
class Draft:
    """A project that is not written yet."""

    project: str
    found: Understanding
    leaks: Leaks
    choices: Choices
    features: FeatureDraft
    doubts: tuple[Doubt, ...]
    files: dict[str, str]


def draft(
    project: str, asked: Asked, contexts: Sequence[tuple[str, Address, tuple[str, ...]]] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Draft:  # fmt: skip
    """Understand the table and write nothing.

    Raises:
        HomeostatError: the table or what was asked of it cannot be used.
    """
    from dataclasses import replace

    with workspace() as connection:
        say(f"reading {asked.source.path or asked.source.url}")
        found = understand(connection, asked, contexts)
        rows = sample(connection, found)
        told = leaks.find_leaks(connection, found, rows)
        found = maturity.bounded(connection, found, told.barred)
        chosen = choices.choose(found, told, rows)
        stable = [c for c in chosen.given if c != found.table.key[0]]
        found = replace(found, table=with_row_id(found.table, stable))
        if found.table.key[0] not in chosen.given:
            chosen = replace(chosen, given=(*found.table.key, *chosen.given))
        made_of, told_by = leaks.of_moves(connection, found, chosen.moving, chosen.short)
        chosen = replace(chosen, moving=tuple(m for m in chosen.moving if m not in told_by))
        features = features_draft.draft(found, chosen)
        say("trying the features on it")
        features = features.saying(worth.said(features, worth.added(connection, found, chosen, features)))
        contract = contracts_draft.draft(connection, found, chosen)
        say("looking for what is wrong with it")
        course = Course.of(rows)
        faults = [
            d
            for kind in (faults_labels, faults_rows, faults_columns)
            for d in kind.find(connection, found, chosen, course)
            if d.column not in told.barred or d.weight > leaks.LITTLE
        ]
    told = replace(told, allowed=tuple(_with_features(told.allowed, found, chosen, features)))
    doubts = tuple(sorted([*told.doubts, *made_of, *faults], key=lambda d: -d.weight))
    files = folder_draft.files(project, found, len(doubts))
    files["suspicion.html"] = page.page(project, found, chosen, features, doubts)
    files["params.yaml"] = scope_draft.draft(project, found, chosen, told, features)
    files["features.sql"] = features.sql
    files[f"expectations/{found.table.name}.json"] = contract
    for context in found.contexts:
        files[f"expectations/{context.table.name}.json"] = contracts_draft.draft_context(context)
    return Draft(project, found, told, chosen, features, doubts, files)


def _with_features(allowed: Sequence[str], found: Understanding, chosen: Choices, features: FeatureDraft) -> list[str]:
    """Columns that may tell, and the features that are these columns under another name."""
    names = list(allowed)
    for feature in features.features:
        if feature.part == "as the event comes" and feature.name not in names:
            names += [feature.name for c in allowed if feature.name in (f"{c}_is", f"{c}_is_")]
    return names


def project_name(folder: Path) -> str:
    """What a project in this folder is called.

    >>> project_name(Path("/tmp/My bikes 2"))
    'My-bikes-2'
    """
    return (
        re.sub("_+", "-", ascii_name(folder.name, "project"))
        if not re.fullmatch(r"[A-Za-z][\w-]*", folder.name, re.ASCII)
        else folder.name
    )


def check_free(folder: Path) -> None:
    """Refuse a folder that has something in it.

    Raises:
        UsageError: it is there and not empty, or is a file.
    """
    if folder.is_file():
        raise UsageError(f"{folder}: a file; name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder}: not empty; name a new folder, or remove it")


def write(made: Draft, folder: Path) -> None:
    """Write the project to ``folder`` and commit it; nothing is left behind where that fails.

    Raises:
        HomeostatError: the folder is taken, or what was drafted does not hold together.
    """
    check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, text in made.files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _complete(made, fresh)
        fresh.chmod(0o755)
        git.begin(fresh, "main", f"homeostat new: a first draft of {made.project}", made.found.start)
        if folder.is_dir():
            folder.rmdir()
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _complete(made: Draft, folder: Path) -> None:
    """What follows from the files: the window, the objectives in the DAG; and whether all of it holds together."""
    from homeostat.adapters import dag
    from homeostat.checks.scope_page import scope_page
    from homeostat.project import Project

    project = Project(folder, folder)
    project.set_window(made.found.start, made.found.end)  # what `dvc repro` makes a candidate of: all there is
    (folder / "dvc.yaml").write_text(dag.rewritten(folder))
    try:
        problems = scope_page(project).problems
    except HomeostatError as error:
        problems = (str(error),)
    if problems:
        raise ScopeError(
            f"the draft does not hold together, which is a fault of `homeostat new`: {problems[0]}; report it"
        )
