"""The ladder in lines: how each rung stood when all were last judged, and which is in service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from homeostat.core.errors import UsageError
from homeostat.core.ladder import rungs_of
from homeostat.core.sentences import sentence
from homeostat.core.text import percent
from homeostat.decisions import history
from homeostat.releases.registry import Registry
from homeostat.reports.status import when

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def ladder_lines(project: Project) -> Iterator[str]:
    """A line a rung, the simplest first; then the release in service and when all are judged again.

    Raises:
        UsageError: the scope has no ladder.
    """
    ladder = project.scope.training.ladder
    if ladder is None:
        fix = "add training.ladder: {every: 28d, rungs: {NAME: {model: linear}, ...}}"
        raise UsageError(f"params.yaml: no ladder; {fix}")
    judged = [(decided, rungs) for decided in history.decisions(project) if (rungs := rungs_of(decided.decision))]
    serving = Registry.open(project).load_champion()
    if not judged:
        yield "no ladder was judged yet: the first decision after windows.warm_up does it"
        return
    decided, rungs = judged[-1]
    yield f"judged {when(decided.at)} UTC on the same held-out events; margin {percent(rungs[0].limit or 0)}"
    yield from (f"{finding.subject:12} {sentence(finding)}" for finding in rungs)
    if serving is not None:
        yield f"in service   {serving.event.version}, of {serving.bundle.rung or 'no rung'}"
    yield f"again        {when(decided.at + ladder.every)} UTC at the earliest, or once the ladder has changed"
    yield f"whole        {decided.command}"
