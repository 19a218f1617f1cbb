"""The verdicts that the contracts in the folder would give on the landed history, beside those on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from homeostat.adapters.gx import contract_problems
from homeostat.adapters.parquet import digest
from homeostat.core.batch_rules import Verdict
from homeostat.core.sentences import sentence
from homeostat.core.text import count
from homeostat.data.case import History, case_of
from homeostat.data.judge import judge
from homeostat.data.workspace import Workspace

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def what_if(project: Project) -> str:
    """A paragraph for each source; nothing is written.

    Batches are validated in order of time, each against the history that the edited contract would have accepted.

    Raises:
        ScopeError: a contract cannot be used.
    """
    return "\n".join(_source_report(project, name) for name in project.scope.sources)


def _source_report(project: Project, name: str) -> str:
    path = project.contracts / f"{name}.json"
    if path.is_file():
        contract_problems(path, project.scope)
    labels = sorted(p.stem for p in (project.landed / name).glob("*.parquet"))
    if not labels:
        return f"{name}: nothing has landed; run `homeostat run data` first"
    workspace = Workspace(project)
    recorded = workspace.verdicts.of_source(name)
    contract = digest(path.read_bytes()) if path.is_file() else digest(b"")
    if all(k in recorded and recorded[k].contract == contract for k in labels):
        return f"{name}: the contract is unchanged: {_total(recorded, labels)}"
    verdicts: dict[str, Verdict] = {}
    history = History()
    for label in labels:
        verdicts[label] = _verdict(workspace, name, label, history)
        history.add(label, verdicts[label])
    lines = [f"{name}: would have {_total(verdicts, labels)}"]
    if recorded:
        lines.append(f"  on record: {_total(recorded, labels)}")
    lines += [_change(k, verdicts[k], recorded.get(k)) for k in labels if _differs(verdicts[k], recorded.get(k))]
    return "\n".join(lines)


def _verdict(workspace: Workspace, name: str, label: str, history: History) -> Verdict:
    case = case_of(workspace, name, label, history=history)
    outcome = judge(workspace, case)
    kept = 0 if outcome.accepted is None else len(outcome.accepted)
    status = "quarantined" if outcome.accepted is None else "accepted"
    return Verdict(status, case.key, kept, len(outcome.held), outcome.findings, case.content)  # type: ignore[arg-type]


def _total(verdicts: Mapping[str, Verdict], labels: list[str]) -> str:
    made = [verdicts[k] for k in labels if k in verdicts]
    whole = sum(v.status == "quarantined" for v in made)
    rows = sum(v.rows_quarantined for v in made)
    return f"quarantined {whole} of {count(len(made), 'batch')}, {count(rows, 'row')}"


def _differs(verdict: Verdict, recorded: Verdict | None) -> bool:
    if recorded is None:
        return verdict.rows_quarantined > 0
    return (verdict.status, verdict.rows_quarantined) != (recorded.status, recorded.rows_quarantined)


def _change(label: str, verdict: Verdict, recorded: Verdict | None) -> str:
    now, before = (
        f"{v.status}, {count(v.rows_quarantined, 'row')} quarantined" if v else "no verdict yet"
        for v in (verdict, recorded)
    )
    why = "; ".join(map(sentence, verdict.failed)) or "every expectation is met"
    return f"  {label}: {now} (was {before}): {why}"
