"""What the contracts as they stand now would have done to the landed history, beside what is on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from homeostat.adapters.gx import contract_problems
from homeostat.adapters.parquet import digest
from homeostat.core.batch_rules import Verdict
from homeostat.core.sentences import sentence
from homeostat.data.case import History, case_of
from homeostat.data.judge import judge
from homeostat.data.workspace import Workspace

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def what_if(project: Project) -> str:
    """One paragraph a source; nothing is written.

    Batches are judged in order of time, each against the history that the edited contract itself would have accepted.

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
    supposed: dict[str, Verdict] = {}
    history = History()
    for label in labels:
        supposed[label] = _suppose(workspace, name, label, history)
        history.add(label, supposed[label])
    lines = [f"{name}: would have {_total(supposed, labels)}"]
    if recorded:
        lines.append(f"  on record: {_total(recorded, labels)}")
    lines += [_change(k, supposed[k], recorded.get(k)) for k in labels if _differs(supposed[k], recorded.get(k))]
    return "\n".join(lines)


def _suppose(workspace: Workspace, name: str, label: str, history: History) -> Verdict:
    case = case_of(workspace, name, label, history=history)
    found = judge(workspace.project, case, workspace.contracts)
    kept = 0 if found.accepted is None else len(found.accepted)
    status = "quarantined" if found.accepted is None else "accepted"
    return Verdict(status, case.key, kept, len(found.held), found.findings, case.content)  # type: ignore[arg-type]


def _total(verdicts: Mapping[str, Verdict], labels: list[str]) -> str:
    made = [verdicts[k] for k in labels if k in verdicts]
    whole = sum(v.status == "quarantined" for v in made)
    return f"quarantined {whole} of {len(made)} batches, {sum(v.rows_quarantined for v in made)} rows"


def _differs(supposed: Verdict, recorded: Verdict | None) -> bool:
    if recorded is None:
        return supposed.rows_quarantined > 0
    return (supposed.status, supposed.rows_quarantined) != (recorded.status, recorded.rows_quarantined)


def _change(label: str, supposed: Verdict, recorded: Verdict | None) -> str:
    before = f"{recorded.status}, {recorded.rows_quarantined} rows held" if recorded else "not judged yet"
    why = "; ".join(map(sentence, supposed.failed)) or "every expectation holds"
    return f"  {label}: {supposed.status}, {supposed.rows_quarantined} rows held (was {before}): {why}"
