"""The state of each release, the loss that it promised, and the one that was observed."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homeostat.core.evidence_table import evidence_table
from homeostat.core.findings import Finding
from homeostat.core.ledger import Ledger, Register, describe, is_continued, release_line
from homeostat.core.rules import Rule
from homeostat.core.text import count, metric_name
from homeostat.decisions import history as records
from homeostat.reports.learning import learning_line

if TYPE_CHECKING:
    from homeostat.core.findings import Decision
    from homeostat.decisions.history import Decided
    from homeostat.project.layout import Project

WHY = 120  # characters of a reason in the list
HEADINGS = ("release", "made", "state", "promised loss (its ratio to the baseline's)", "observed loss (ratio)")


def table(project: Project, ledger: Ledger, every: bool = False) -> Iterator[str]:
    """One line a release, oldest first, below a heading; columns as wide as they need.

    The continuations of a full retrain are one line below it, or with ``every`` one each.
    """
    quality = _quality(project)
    rows: list[tuple[str, ...]] = [HEADINGS]
    for release in ledger.releases:
        if every or not is_continued(release.version):
            rows.append(_row(project, ledger, release, quality))
        if not every and not is_continued(release.version):
            rows += _continuations(project, ledger, release.version)
    yield from _aligned(rows)


def _continuations(project: Project, ledger: Ledger, full: str) -> Iterator[tuple[str, ...]]:
    """A row on all continuations of a full retrain, with what they were as served; none where there are none."""
    line = release_line(full)
    own = [r for r in ledger.releases if release_line(r.version) == line and is_continued(r.version)]
    if own:
        served = ledger.champion.version if ledger.champion else ""
        last = next((r for r in own if r.version == served), own[-1])
        names = last.version if len(own) == 1 else f"{own[0].version} to {own[-1].version.rpartition('.')[2]}"
        state = f"{last.version} {ledger.state(last.version)}"
        made = f"{own[-1].at:%Y-%m-%d %H:%M}"
        yield f"  {names}", made, state, count(len(own), "continuation"), learning_line(project, line)


def history(ledger: Ledger, every: bool = False) -> Iterator[str]:
    """One line for each thing that was done with a release, oldest first, its reason shortened.

    A release that was put in service when it was made has one line for both. Continuations that were are left out, but
    with ``every``.
    """
    described = describe(ledger)
    promoted = {_event(row) for row in described if row["what"] == "promote"}
    rows = [row for row in described if row["what"] != "register" or _event(row) not in promoted]
    rows = [row for row in rows if every or row["serves"] or not _is_of_learning(row)]
    width, what = (max((len(row[name]) for row in rows), default=0) for name in ("tag", "what"))
    for row in rows:
        serves = "  <- in service" if row["serves"] else ""
        why = textwrap.shorten(row["why"], WHY, placeholder=" ...")
        yield (
            f"{row['at']}  {row['tag']:{width}}  {row['what']:{what}}  {row['version']:8}  {row['who']}: {why}{serves}"
        )


def _event(row: Mapping[str, str]) -> tuple[str, str, str]:
    return row["version"], row["at"], row["why"]


def _is_of_learning(row: Mapping[str, str]) -> bool:
    return is_continued(row["version"]) and row["what"] in ("register", "promote")


def worth_of_freshness(project: Project, ledger: Ledger) -> str:
    """What newer models of the champions' recipes gained over them, in one line; empty where too few were compared."""
    from homeostat.core.freshness import freshness, refits

    gates = []
    for decided in records.decisions(project):
        champion = ledger.release(decided.decision.versions.champion)
        if champion is not None and decided.decision.gate:
            gates.append((decided.at - champion.at, decided.decision.gate))
    return freshness(refits(gates), project.scope.evaluation.confidence)


def evidence(decision: Decision) -> Iterator[str]:
    """The table of evidence of a decision, a line a row; columns as wide as they need."""
    table = evidence_table(decision)
    if table.rows:
        yield from _aligned([table.headings, *(row.cells for row in table.rows)])


def whole_decision(decided: Decided) -> Iterator[str]:
    """A decision whole: its headline, the table of evidence, the records that it cites, and what draws its drift."""
    yield f"{decided.at:%Y-%m-%d %H:%M}  {decided.headline}"
    if table := [*evidence(decided.decision)]:
        yield from ("", *table)
    yield ""
    yield from (f"evidence  {path}" for path in decided.decision.evidence)
    if decided.drift_command:
        yield f"drift     {decided.drift_command} draws it, column by column"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(
    project: Project, ledger: Ledger, release: Register, quality: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    path = project.releases / release.bundle / "evaluation.json"
    promised = _promised(json.loads(path.read_text())) if path.is_file() else "not unpacked here"
    observed = _losses(quality.get(release.version))
    return release.version, f"{release.at:%Y-%m-%d %H:%M}", ledger.state(release.version), promised, observed


def observed(project: Project, version: str) -> str:
    """The loss of each objective on mature events, as the last decision about the release measured it."""
    return _losses(_quality(project).get(version))


def _losses(quality: Mapping[str, Any] | None) -> str:
    if quality is None:
        return "not measured yet"
    return ", ".join(f"{name} {_loss(name, measured)}" for name, measured in quality.items())


def _promised(evaluation: Mapping[str, Any]) -> str:
    """The loss of each objective on the held-out events."""
    parts = []
    for name, trial in evaluation.get("objectives", {}).items():
        loss = trial["candidate"]["loss"]
        value = trial["candidate"]["overall"]["metrics"].get(loss, {}).get("value")
        share = trial["against_baseline"]["overall"]["share"]["value"]
        shown = "too few events" if value is None else f"{metric_name(loss)} {value:.3f}{_beside_baseline(share)}"
        parts.append(f"{name} {shown}")
    return ", ".join(parts) or "nothing"


def _quality(project: Project) -> dict[str, dict[str, Any]]:
    """By release, the quality by objective that the last decision about it measured."""
    last = {d.release: d.quality for d in records.decisions(project) if d.release and d.quality}
    return {version: {k: v for k, v in quality.items() if k != "money"} for version, quality in last.items()}


def _loss(objective: str, measured: Mapping[str, Any]) -> str:
    loss = next(iter(measured.get("metrics", {}).values()), None)
    value = loss["realised"] if loss else None
    if value is None:
        return "too few events"
    beside = _beside_baseline(measured.get(Finding(Rule.AGAINST_BASELINE, objective, "pass").name))
    return f"{value:.3f}{beside} on {measured['rows']:,}"


def _beside_baseline(share: float | None) -> str:
    """A loss beside the baseline's on the same events: seasons move both, so this is what compares two windows."""
    return "" if share is None else f" ({1 + share:.2f})"
