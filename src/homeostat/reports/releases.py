"""How each release stands: what became of it, the loss that it promised, and the one that was realised."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from homeostat.core.ledger import Ledger, Register, describe
from homeostat.core.text import metric_name
from homeostat.decisions import history as records

if TYPE_CHECKING:
    from homeostat.project.layout import Project

WHY = 120  # characters of a reason in the list
HEADINGS = ("release", "made", "state", "promised", "realised")


def table(project: Project, ledger: Ledger) -> Iterator[str]:
    """One line a release, oldest first, below a heading; columns as wide as they need."""
    known = _realised(project)
    rows = [HEADINGS, *(_row(project, ledger, release, known) for release in ledger.releases)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEADINGS))]
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def history(ledger: Ledger) -> Iterator[str]:
    """One line for each thing that was done with a release, oldest first, its reason cut short."""
    rows = describe(ledger)
    width, what = (max((len(row[name]) for row in rows), default=0) for name in ("tag", "what"))
    for row in rows:
        serves = "  <- serves now" if row["serves"] else ""
        why = textwrap.shorten(row["why"], WHY, placeholder=" ...")
        yield (
            f"{row['at']}  {row['tag']:{width}}  {row['what']:{what}}  {row['version']:8}  {row['who']}: {why}{serves}"
        )


def _row(
    project: Project, ledger: Ledger, release: Register, known: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    path = project.releases / release.bundle / "evaluation.json"
    promised = _losses(json.loads(path.read_text())) if path.is_file() else "not unpacked here"
    told = _sentence(known.get(release.version))
    return release.version, f"{release.at:%Y-%m-%d %H:%M}", ledger.state(release.version), promised, told


def realised(project: Project, version: str) -> str:
    """The loss of each objective on matured events, as the last decision about the release saw it."""
    return _sentence(_realised(project).get(version))


def _sentence(looked: Mapping[str, Any] | None) -> str:
    return "not known yet" if looked is None else ", ".join(_told(name, found) for name, found in looked.items())


def _losses(evaluation: Mapping[str, Any]) -> str:
    """The loss of each objective on the events held out."""
    parts = []
    for name, trial in evaluation.get("objectives", {}).items():
        loss = trial["candidate"]["loss"]
        value = trial["candidate"]["overall"]["metrics"].get(loss, {}).get("value")
        parts.append(f"{name} {metric_name(loss)} " + ("too few to say" if value is None else f"{value:.3f}"))
    return ", ".join(parts) or "nothing"


def _realised(project: Project) -> dict[str, dict[str, Any]]:
    """By release, the quality by objective that the last decision about it saw."""
    found = {d.release: d.quality for d in records.decisions(project) if d.release and d.quality}
    return {version: {k: v for k, v in quality.items() if k != "money"} for version, quality in found.items()}


def _told(name: str, found: Mapping[str, Any]) -> str:
    loss = next(iter(found.get("metrics", {}).values()), None)
    value = loss["realised"] if loss else None
    return f"{name} " + ("too few" if value is None else f"{value:.3f} on {found['rows']:,}")
