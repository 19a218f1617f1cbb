"""Findings and decisions: verdicts that explain themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["pass", "fail", "too few to say"]
Action = Literal["nothing", "keep", "release", "retrain", "roll back", "advance", "hold"]


@dataclass(frozen=True)
class Finding:
    """One measured rule: its value, its limit and a plain sentence."""

    rule: str
    outcome: Outcome
    value: float | None
    limit: float | None
    sentence: str
    evidence: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome == "fail"


@dataclass(frozen=True)
class Decision:
    """An action chosen from findings, with the sentence an on-call engineer acts on."""

    action: Action
    sentence: str
    findings: tuple[Finding, ...] = ()
    evidence: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Decision:
        """What ``to_dict`` wrote, among whatever else."""
        findings = tuple(Finding(**f) for f in raw["findings"])
        return cls(raw["action"], raw["sentence"], findings, tuple(raw["evidence"]))
