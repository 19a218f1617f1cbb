"""Validate: split every landed batch into rows that are accepted and rows that are quarantined, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.adapters.parquet import digest, table_bytes
from homeostat.core import batch_rules
from homeostat.core.batch_rules import Verdict
from homeostat.core.text import count
from homeostat.data.ahead import Examinations
from homeostat.data.case import History, case_of
from homeostat.data.ingest import periods, remove_stray
from homeostat.data.judge import Judgement, earlier_versions, judge
from homeostat.data.versions import UNTIL, version_path
from homeostat.project.window import read_window

if TYPE_CHECKING:
    import polars as pl

    from homeostat.core.periods import Period
    from homeostat.data.case import Case
    from homeostat.data.workspace import Workspace


def validate(
    workspace: Workspace, name: str, label: str, now: datetime | None = None, history: History | None = None,
    before: Callable[[], None] = lambda: None,
) -> Verdict:  # fmt: skip
    """Decide on one landed batch and stage both sides; a verdict that still holds is read, not made again.

    ``now`` hides amendments known later; ``history`` is that of the batches before, where the caller has it at hand.
    ``before`` is called when a verdict has to be made.

    Raises:
        DataError: the landed file is missing or damaged.
        ScopeError: the contract cannot be used.
    """
    case = case_of(workspace, name, label, now, history)
    recorded = workspace.verdicts.get(name, label)
    if recorded is not None and recorded.key == case.key and _files_match(workspace, name, label, recorded):
        return recorded
    before()
    return _write(workspace, case, judge(workspace, case), earlier_versions(workspace, case))


def missing(workspace: Workspace, name: str, period: Period, now: datetime | None = None) -> Verdict | None:
    """Record that the batch of a period has not come; None while it is not yet late at ``now`` (None: it is late)."""
    late_after = workspace.scope.sources[name].late_after
    if now is not None and not batch_rules.overdue(period.end, late_after, now).failed:
        return None
    # The record says when it was due, not when somebody looked.
    finding = batch_rules.overdue(period.end, late_after, period.end + late_after)
    remove(workspace, name, period.label)
    verdict = Verdict("missing", "", 0, 0, (finding,))
    workspace.verdicts.put(name, {period.label: verdict})
    return verdict


# ---- what is written


def _write(
    workspace: Workspace, case: Case, judgement: Judgement, earlier: Mapping[datetime, pl.DataFrame | None]
) -> Verdict:
    """Both sides first, the verdict last: a kill in between leaves no verdict that does not hold."""
    remove(workspace, case.name, case.label)
    project = workspace.project
    files = {f"{UNTIL}{time.isoformat()}": _keep(workspace, case, rows) for time, rows in earlier.items()}
    accepted, held = judgement.accepted, judgement.held
    if accepted is not None:
        path = project.accepted / case.name / f"{case.label}.parquet"
        files["accepted"] = _store(workspace, accepted, path)
    if len(held):
        path = project.quarantine / case.name / f"{case.label}.parquet"
        files["quarantine"] = _store(workspace, held, path)
    verdict = Verdict(
        status="quarantined" if accepted is None else "accepted", key=case.key,
        rows_accepted=0 if accepted is None else len(accepted), rows_quarantined=len(held),
        findings=judgement.findings, batch=case.content,
        contract=digest(case.contract), files=files,
    )  # fmt: skip
    workspace.verdicts.put(case.name, {case.label: verdict})
    return verdict


def _store(workspace: Workspace, rows: pl.DataFrame, path: Path) -> str:
    """Stage a table; the hash of its file."""
    data = table_bytes(rows)
    workspace.files.write(path, data)
    return digest(data)


def _keep(workspace: Workspace, case: Case, rows: pl.DataFrame | None) -> str:
    """Stage an earlier version under its own hash, which is the answer; empty where nothing was accepted."""
    if rows is None:
        return ""
    data = table_bytes(rows)
    sha256 = digest(data)
    workspace.files.write(version_path(workspace.project, case.name, case.label, sha256), data)
    return sha256


def remove(workspace: Workspace, name: str, label: str) -> None:
    """Take a batch off the record, the verdict first."""
    project, files = workspace.project, workspace.files
    workspace.verdicts.remove(name, [label])
    files.remove(project.accepted / name / f"{label}.parquet")
    files.remove(project.quarantine / name / f"{label}.parquet")
    versions = project.accepted / name / label
    for version in sorted(files.names(versions)):
        files.remove(versions / version)


def _files_match(workspace: Workspace, name: str, label: str, verdict: Verdict) -> bool:
    """Whether the files of a verdict are there, with just its hashes."""
    project = workspace.project
    for side, folder in (("accepted", project.accepted), ("quarantine", project.quarantine)):
        data = workspace.files.read(folder / name / f"{label}.parquet")
        if (None if data is None else digest(data)) != verdict.files.get(side):
            return False
    kept = [version_path(project, name, label, v) for k, v in verdict.files.items() if k.startswith(UNTIL) and v]
    versions = {path: workspace.files.read(path) for path in kept}
    return all(data is not None and digest(data).startswith(path.stem) for path, data in versions.items())


# ---- the window


def validate_window(workspace: Workspace) -> Iterator[str]:
    """Decide on every landed batch of the window and note those that never came; a line on each source."""
    project = workspace.project
    as_of = read_window(project).as_of
    wanted = {name: periods(project, name) for name in workspace.scope.sources}
    labels = {name: {p.label for p in batches} for name, batches in wanted.items()}
    for folder in (project.accepted, project.quarantine):
        folder.mkdir(parents=True, exist_ok=True)
        remove_stray(folder, labels)
    for name, batches in wanted.items():
        workspace.verdicts.remove(name, workspace.verdicts.of_source(name).keys() - labels[name])
        history, verdicts, examinations = History(), [], Examinations(workspace, name, batches)
        for period in batches:  # in order of time: each is compared with those before it
            verdict = _decide(workspace, name, period, as_of, history, examinations)
            if verdict is not None:
                verdicts.append(verdict)
                history.add(period.label, verdict)
            workspace.files.commit()
        yield _summary(name, verdicts)


def _decide(
    workspace: Workspace, name: str, period: Period, as_of: datetime, history: History, examinations: Examinations
) -> Verdict | None:
    if workspace.files.exists(workspace.project.landed / name / f"{period.label}.parquet"):
        return validate(workspace, name, period.label, as_of, history, partial(examinations.reach, period))
    verdict = missing(workspace, name, period, as_of)
    if verdict is None:
        remove(workspace, name, period.label)
    return verdict


def _summary(name: str, verdicts: Sequence[Verdict]) -> str:
    states = Counter(v.status for v in verdicts)
    rows = sum(v.rows_quarantined for v in verdicts)
    parts = [f"{states[s]} {s}" for s in ("accepted", "quarantined", "missing")]
    accepted = sum(v.rows_accepted for v in verdicts)
    return f"{name}: batches {', '.join(parts)}; {count(accepted, 'row')} accepted, {rows:,} quarantined"
