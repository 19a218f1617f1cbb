"""``homeostat new``: from the address of a table to a folder with a project in it, whole or not at all."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from homeostat.adapters import dvc_yaml, git
from homeostat.checks.scope_page import scope_page
from homeostat.core.errors import HomeostatError, ScopeError, UsageError
from homeostat.project.layout import Project
from homeostat.project.whole_files import beside, remove, remove_leftovers_of
from homeostat.project.window import write_window
from homeostat.scaffold.audit.column_roles import Roles, assign_roles
from homeostat.scaffold.audit.find_issues import find_issues
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.label_leakage import Leakage, find_leakage
from homeostat.scaffold.draft.expectations import context_contract, events_contract, value_limits
from homeostat.scaffold.draft.feature_query import draft_features
from homeostat.scaffold.draft.features_sql import FeatureQuery, features_sql
from homeostat.scaffold.draft.files import project_files
from homeostat.scaffold.draft.importance import with_importance
from homeostat.scaffold.draft.issues_page import issues_page
from homeostat.scaffold.draft.loop_reading import loop_issues, read_by_loop
from homeostat.scaffold.draft.params_yaml import params_yaml
from homeostat.scaffold.draft.plan import Plan, make_plan
from homeostat.scaffold.draft.summary import summary_lines
from homeostat.scaffold.profile.context import ContextRequest, context_text
from homeostat.scaffold.profile.identifiers import ascii_name
from homeostat.scaffold.profile.profile_table import Profile, labelled_sample, profile_table, with_leaks_known
from homeostat.scaffold.profile.request import Request
from homeostat.scaffold.profile.workspace import open_workspace

OPTIONS = "Options: "  # in the message of the first commit, of which a draft is made again


@dataclass(frozen=True)
class Draft:
    """A project that is not written yet: what was concluded of the table, and the text of each file by path."""

    project: str
    profile: Profile
    leakage: Leakage
    roles: Roles
    plan: Plan
    features: FeatureQuery
    issues: tuple[Issue, ...]
    files: dict[str, str]
    options: tuple[str, ...] = ()  # what a person types after `homeostat new DIR` to have it made again


def draft(
    project: str, request: Request, contexts: Sequence[ContextRequest] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Draft:  # fmt: skip
    """Profile and audit the table, and draft the project; nothing is written.

    Raises:
        HomeostatError: the table or the request cannot be used, or the loop cannot read the table as it is drafted.
    """
    with open_workspace() as work:
        say(f"reading {request.source}")
        read = profile_table(work, request, contexts)
        rows = labelled_sample(work, read)
        leakage = find_leakage(work, read, rows)
        profile = with_leaks_known(work, read, leakage.barred)
        roles = assign_roles(profile, leakage, rows)
        plan = make_plan(work, profile, leakage, roles, rows)
        say("trying the features")
        features, too_good = with_importance(work, profile, draft_features(profile, roles, plan))
        contract = events_contract(work, profile, roles)
        say("looking for issues")
        unsorted = [
            *leakage.issues,
            *plan.issues,
            *too_good,
            *find_issues(work, profile, leakage, roles, rows, value_limits(contract)),
        ]
    summary = list(summary_lines(profile, roles, plan, features))

    def texts(issues: Sequence[Issue]) -> dict[str, str]:
        return {
            **project_files(project, profile, len(issues)),
            "issues.html": issues_page(project, profile.table.name, issues, summary),
            "params.yaml": params_yaml(project, profile, leakage, roles, plan, features),
            "features.sql": features_sql(profile, features),
            f"expectations/{profile.table.name}.json": contract,
            **{f"expectations/{c.table.name}.json": context_contract(c) for c in profile.contexts},
        }

    say("reading the history as the loop does")
    issues = [*unsorted, *_second_reading(profile, texts(unsorted))]
    issues.sort(key=lambda i: -i.severity)
    typed = (*request.options, *(part for one in contexts for part in ("--context", context_text(one))))
    return Draft(project, profile, leakage, roles, plan, features, tuple(issues), texts(issues), typed)


def _second_reading(profile: Profile, files: Mapping[str, str]) -> list[Issue]:
    """What the loop's own reader makes of the history under the drafted scope."""
    with tempfile.TemporaryDirectory(prefix="homeostat-new-") as folder:
        write_files(profile, files, Path(folder))
        reading = read_by_loop(Project(Path(folder), Path(folder)), profile.table.name)
        return list(loop_issues(profile, reading))


def write_files(profile: Profile, files: Mapping[str, str], folder: Path) -> None:
    """Write the files of a draft, and what follows from them.

    Raises:
        ScopeError: they contradict each other.
    """
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _complete(profile, folder)


def project_name(folder: Path) -> str:
    """The name of a project in this folder.

    >>> project_name(Path("/tmp/My bikes 2"))
    'My-bikes-2'
    """
    if re.fullmatch(r"[A-Za-z][\w-]*", folder.name, re.ASCII):
        return folder.name
    return re.sub("_+", "-", ascii_name(folder.name, "project"))


def check_free(folder: Path) -> None:
    """Refuse a folder that has something in it.

    Raises:
        UsageError: it is there and not empty, or is a file.
    """
    if folder.is_file():
        raise UsageError(f"{folder}: a file; name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder}: not empty; name a new folder, or remove it")


def write(project: Draft, folder: Path) -> None:
    """Write the project to ``folder`` and commit it; nothing is left behind where that fails.

    Raises:
        HomeostatError: the folder is taken, or the draft contradicts itself.
    """
    check_free(folder)
    remove_leftovers_of(folder)
    fresh = beside(folder)
    fresh.mkdir(parents=True)
    try:
        write_files(project.profile, project.files, fresh)
        start = project.profile.history.start
        message = f"homeostat new: a first draft of {project.project}\n\n{OPTIONS}{shlex.join(project.options)}\n"
        git.begin(fresh, "main", message, start)
        if folder.is_dir():
            folder.rmdir()
        fresh.rename(folder)
    finally:
        remove(fresh)


def _complete(profile: Profile, folder: Path) -> None:
    """Write what follows from the files: the window, and the objectives in the DAG; check that all go together."""
    project = Project(folder, folder)
    # All the history, so that `dvc repro` makes a candidate of it.
    write_window(project, profile.history.start, profile.history.end)
    (folder / "dvc.yaml").write_text(dvc_yaml.rewritten(folder))
    try:
        problems = scope_page(project).problems
    except HomeostatError as error:
        problems = (str(error),)
    if problems:
        raise ScopeError(f"the draft contradicts itself, which is a bug in `homeostat new`: {problems[0]}; report it")
