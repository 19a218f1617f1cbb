"""A ladder of recipes, the simplest first, on the same held-out events: which is good enough, and what more buys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeostat.core.findings import EXPLAINS, TOO_FEW, Decision, Finding, Interval, Outcome
from homeostat.core.paired_losses import Paired
from homeostat.core.rules import Rule


@dataclass(frozen=True)
class Standing:
    """One rung: its weighted loss against that of the ``best``, and what 1,000 events cost against the rung below."""

    rung: str
    kind: str
    best: str
    loss: Paired
    below: str
    money: Paired


def best_rung(losses: Sequence[Paired]) -> int | None:
    """The place of the lowest loss, the simpler where two are level; None where there are too few rows to say.

    >>> best_rung([Paired(9, loss=0.5), Paired(9, loss=0.3), Paired(9, loss=0.3)])
    1
    """
    measured = [paired.loss for paired in losses if paired.loss is not None]
    return measured.index(min(measured)) if len(measured) == len(losses) else None


def simplest(standings: Sequence[Standing], margin: float) -> str:
    """The simplest rung whose loss is significantly less than ``margin`` above the best's; at last the best itself."""
    return next(one.rung for one in standings if one.rung == one.best or _not_worse(one, margin))


def rung_findings(
    standings: Sequence[Standing], margin: float, confidence: float, used: str, refused: Sequence[str]
) -> tuple[Finding, ...]:
    """A finding a rung; ``used`` is the one that the candidate is made by.

    ``refused``: the names of what the gate held against the rung that was chosen, where it is another.
    """
    chosen = simplest(standings, margin)
    return tuple(_finding(one, margin, confidence, chosen, used, refused) for one in standings)


def rungs_of(decision: Decision) -> list[Finding]:
    """The findings on rungs that a decision was taken by, the simplest rung first; none where none was judged."""
    return [f for f in (*decision.gate, *decision.findings) if f.rule == Rule.RUNG]


def _finding(
    one: Standing, margin: float, confidence: float, chosen: str, used: str, refused: Sequence[str]
) -> Finding:
    share, money = one.loss.share, one.money
    outcome: Outcome = "pass"
    if one.rung != one.best and not _not_worse(one, margin):
        outcome = EXPLAINS if share is not None and share > margin else TOO_FEW
    interval = Interval.one_sided(money, confidence)
    facts = {
        "kind": one.kind, "best": one.best, "below": one.below, "cost": money.loss, "buys": money.share,
        "buys_interval": list(interval) if interval else None, "used": one.rung == used,
        "refused": list(refused) if one.rung == chosen else [],
    }  # fmt: skip
    own = Interval.one_sided(one.loss, confidence) if one.rung != one.best else None
    return Finding(Rule.RUNG, one.rung, outcome, share, margin, own, rows=one.loss.rows, facts=facts)


def _not_worse(one: Standing, margin: float) -> bool:
    return one.loss.high is not None and one.loss.high < margin
