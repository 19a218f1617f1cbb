"""Releases of several hosts: one git remote on which they agree, where the scope names it.

The remote is the fence: a bundle goes there first, then its tag, and only then is the tag made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from homeostat.adapters import dvc, git, remote
from homeostat.core.ledger import is_release
from homeostat.project.layout import BUNDLE, Project


def follow(project: Project) -> tuple[str, ...]:
    """Take over what other hosts have released since, where the scope names a git remote; the tags that are new here.

    Raises:
        EnvironmentFault: the remote cannot be reached or is none, or its ledger is another one.
    """
    name = _remote(project)
    return remote.fetch(project.home, name, project.scope.project).new if name else ()


def catch_up(project: Project) -> None:
    """As ``follow``, and give the remote what it lacks: releases from before there was one.

    Raises:
        EnvironmentFault: as ``follow``, or the remotes take nothing.
    """
    name = _remote(project)
    if name is not None and (lacking := remote.fetch(project.home, name, project.scope.project).lacking):
        _push(project, name, lacking, {})


def publish(project: Project, tag: str, commit: str, message: str, at: datetime) -> None:
    """Make a tag of the ledger; with a remote, of all hosts. Tags from before there was a remote go with it.

    Raises:
        remote.Outrun: another host was first.
        EnvironmentFault: another run was first, or the remote takes nothing.
    """
    name, home = _remote(project), project.home
    if name is None:
        git.create_tag(home, tag, commit, message, at)
        return
    lacking = remote.fetch(home, name, project.scope.project).lacking
    made = git.tag_object(home, tag, commit, message, at)
    _push(project, name, lacking, {tag: (commit, made)})
    git.set_tag(home, tag, made)


def _remote(project: Project) -> str | None:
    """The git remote on which hosts agree, if the scope names one and this is no replay."""
    named = project.scope.remote
    return None if named is None else remote.name_of(project.home, named.git)


def _push(project: Project, name: str, lacking: Sequence[str], new: Mapping[str, tuple[str, str]]) -> None:
    """Push tags that are here and tags that are ``new`` (commit and object), after the bundles they stand for."""
    home, of = project.home, project.scope.project
    commits = {tag: commit for tag, commit, _ in git.read_tags(home, of) if tag in lacking}
    for tag, commit in (commits | {tag: commit for tag, (commit, _) in new.items()}).items():
        if is_release(tag):
            dvc.push_out(home, commit, BUNDLE)
    remote.push(home, name, of, git.tag_ids(home, of, lacking) | {tag: made for tag, (_, made) in new.items()})
