"""The questions that come before a model, with their answers, and what the release in service shows of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from homeostat.core.text import side
from homeostat.project.questions import ASKED
from homeostat.releases.registry import Registry

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def question_lines(project: Project) -> Iterator[str]:
    """A line a question; none where the scope answers none.

    Raises:
        EnvironmentFault, DataError: as ``Registry.load``.
    """
    answers = project.scope.questions
    if not answers:
        return
    serving = Registry.open(project).load_champion()
    shown = dict(_shown(serving.bundle.evaluation, serving.bundle.training)) if serving else {}
    for name, text in ASKED.items():
        given = answers.get(name)
        if given is None:
            yield f"- {text} Nobody has answered; add questions.{name}."
            continue
        why = f": {given.why}" if given.why else ""
        yield f"- {text} {given.answer.capitalize()}, by {given.who} on {given.when}{why}."
        if name in shown:
            yield f"  {_verdict(given.answer, *shown[name])}"


def _shown(evaluation: Any, training: Any) -> Iterator[tuple[str, tuple[bool, str]]]:
    """By question, whether the release in service speaks for a yes, and what it shows."""
    trials = evaluation["objectives"]
    shares = {name: trial["against_baseline"]["overall"]["share"]["value"] for name, trial in trials.items()}
    measured = {name: share for name, share in shares.items() if share is not None}
    if measured:
        lies = ", ".join(f"{name} {side(share)} the baseline's" for name, share in measured.items())
        yield "simpler", (all(share >= 0 for share in measured.values()), f"held-out loss of {lies}")
    rows = ", ".join(f"{name} {part['rows']:,}" for name, part in training["objectives"].items())
    yield "data", (bool(measured), f"events that were learned from: {rows}")
    cost, other = (evaluation["money"][model]["cost"]["value"] for model in ("candidate", "baseline"))
    if cost is not None and other is not None:
        yield "pays", (cost < other, f"alerts on held-out events cost {cost:,.0f}, those of the baseline {other:,.0f}")


def _verdict(answer: str, holds: bool, evidence: str) -> str:
    agrees = holds == (answer == "yes")
    return f"{'pass' if agrees else 'fail'}: {evidence}"
